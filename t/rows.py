"""Whether t/rows is true: each row is there, each program it names is run and
has a test of that name; and where `make check' has left what a test said, it
said so.

  rows.py SOURCE BUILD
"""
import ast
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import finish, ok  # noqa: E402

SOURCE, BUILD = sys.argv[1:3]
ROWS = (["T-TLS-%d" % n for n in range(1, 16)] +
        ["T-AUTH-%d" % n for n in range(1, 8)] +
        ["T-DOS-%d" % n for n in range(1, 8)])
# Those that are of some protocols only; the last two are of none.
OF = {"T-TLS-1": {"smtp"}, "T-TLS-2": {"smtp"}, "T-TLS-3": {"pop3"},
      "T-TLS-4": {"imap"}, "T-TLS-9": {"smtp", "imap"}, "T-DOS-6": set(),
      "T-DOS-7": set()}
PROTOCOL = {"imap": "imap", "imaps": "imap", "pop3": "pop3", "pop3s": "pop3",
            "smtp": "smtp", "submission": "smtp", "submissions": "smtp"}


def read(path):
    with open(SOURCE + "/" + path) as f:
        return f.read()


def table():
    """(row, part, [lines]) of each."""
    got = []
    for line in read("t/rows").split("\n"):
        if re.match(r"T-\S+ ", line):
            got.append((*line.split(None, 1), []))
        elif line.startswith("\t"):
            got[-1][2].append(line.strip())
    return got


def forms(path):
    """What its names are made of, as patterns."""
    text = read("t/" + path)
    if not path.endswith(".py"):
        return [re.escape(text)], text
    made = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts = re.split(r"%\.?\d*[sdrg]", node.value)
            # What is all conversions would be like anything.
            if sum(map(len, parts)) >= 8 and len(node.value) < 200:
                made.append(".*".join(map(re.escape, parts)))
    return made, None


known = {}


def has(path, name):
    if path not in known:
        known[path] = forms(path)
    made, text = known[path]
    if text is not None:
        return name in text
    # The whole of it, or what is put behind the service, or before a case.
    return any(re.fullmatch(".*" + m, name) or
               re.fullmatch(".*" + m + r"[\w.']+( [\w.']+)?", name)
               for m in made)


def runner(path):
    """The test that runs it."""
    if path.startswith("unit/"):
        return path[:-2] + ".t"
    return re.sub(r"\.py$", ".t", path)


def said(path):
    """The names that it printed in this build, once it was done; or None."""
    log = "%s/t/%s" % (BUILD, re.sub(r"\.t$", ".log", runner(path)))
    if not os.path.exists(log[:-4] + ".trs") or not os.path.exists(log):
        return None
    if os.path.getmtime(log) < os.path.getmtime(SOURCE + "/t/" + path):
        return None
    with open(log, errors="replace") as f:
        text = f.read()
    if "# SKIP" in text or "\nnot ok" in text or "Bail out" in text:
        return None
    return set(re.findall(r"(?m)^ok \d+ - (.*)$", text))


def names(services, name):
    return ([name.replace("*", s) for s in services] if "*" in name and
            services else [name])


def check(row, line, run):
    """Why a line is wrong, or None, and the services that it is about."""
    path, _, rest = line.partition(" ")
    if path == "DEVIATIONS":
        found = re.search(r"(?m)^  %s\b" % re.escape(rest),
                          read("DEVIATIONS"))
        return (None if found else "not in DEVIATIONS: " + rest), set()
    if path == "BENCH":
        found = os.access(SOURCE + "/t/" + rest, os.X_OK)
        return (None if found else "no such program: " + rest), set()
    services, _, name = rest.partition(" ")
    services = [] if services == "-" else services.split(",")
    if not os.path.exists(SOURCE + "/t/" + path):
        return "no such file: t/" + path, set()
    if "t/" + runner(path) not in run:
        return "nothing runs t/" + path, set()
    if set(services) - set(PROTOCOL):
        return "no such services: %s" % services, set()
    missing = [n for n in names(services, name) if not has(path, n)]
    if missing:
        return "t/%s has no test %s" % (path, missing), set()
    told = said(path)
    if told is not None and "$" not in name:
        missing = [n for n in names(services, name) if n not in told]
        if missing:
            return "t/%s did not say %s" % (path, missing), set()
    return None, {PROTOCOL[s] for s in services}


def main():
    rows = table()
    odd = set(ROWS) ^ {r for r, _, _ in rows}
    ok(not odd, "each row is there, and no other", sorted(odd))
    ok(all(lines for _, _, lines in rows), "each part has its tests",
       ["%s %s" % (r, p) for r, p, lines in rows if not lines])
    run = set()
    for folder, _, files in os.walk(SOURCE):
        if "local.mk" in files:
            with open(folder + "/local.mk") as f:
                run |= {"t/" + n for n in re.findall(r"t/(\S+\.t)\b",
                                                     f.read())}
                f.seek(0)
                run |= {os.path.relpath(folder, SOURCE) + "/" + n for n in
                        re.findall(r"%D%/(\S+\.t)\b", f.read())}
    for row in ROWS:
        wrong, protocols = [], set()
        for _, part, lines in (r for r in rows if r[0] == row):
            for line in lines:
                why, about = check(row, line, run)
                protocols |= about
                if why:
                    wrong.append("%s: %s" % (part, why))
        left = OF.get(row, {"smtp", "pop3", "imap"}) - protocols
        if left:
            wrong.append("nothing for %s" % sorted(left))
        ok(not wrong, row, wrong)


main()
finish()
