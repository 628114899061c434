"""Every call of the store's writers fails once.

  errors.py FOLDER [--all]

A clean run counts the calls of each function; then, run by run, shim.c makes
the n-th one fail.  The command must say so, with an error that means "later",
or have done its work all the same; nothing that was there may be lost or
torn; and the same command must work when it is given again.  What maildirsize
says may be wrong then, but not for longer than to the next recount.  Without --all
each call fails with one of the errors, in turn.
"""
import collections
import errno
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/..")
from storelib import TOOL, Tool, quota_wrong, unfinished  # noqa: E402
from tap import finish, ok  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TMP = sys.argv[1]
BOX, BASE = TMP + "/Maildir", TMP + "/base"
SHIM = TMP + "/shim.so"
ERRORS = [getattr(errno, e) for e in
          ("EIO", "ENOSPC", "EDQUOT", "EMFILE", "ENOMEM", "EINTR")]
QUOTA = 1000000, 1000
HALF = "read", "write", "pread", "pread64", "pwrite", "pwrite64"
# What may not be said of a mailbox that is only out of luck for a moment.
FINAL = {"ENOENT", "EINVAL", "EBADMSG", "ESTALE", "EEXIST", "ENOTDIR",
         "EIDRM"}


def tool(commands, **env):
    """(lines, exit code)"""
    r = subprocess.run([TOOL, BOX], input="".join(
        c + "\n" for c in commands).encode(), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=dict(os.environ, **env))
    return r.stdout.decode().splitlines(), r.returncode


def fresh():
    shutil.rmtree(BOX, ignore_errors=True)
    shutil.copytree(BASE, BOX)


def contents():
    """{folder: [(uid, flags, text)]}, or what cannot be opened."""
    found, look = {}, Tool(BOX, as_user=False)
    for name in look.folders():
        seen = look.look(name)
        if isinstance(seen, str):
            found = "%s: %s" % (name, seen)
            break
        found[name] = [(s.uid, s.flags, (s.text or "?").strip())
                       for s in seen[2]]
        unmeasured = [s.name for s in seen[2] if s.text and
                      s.wire != len(s.text) + s.text.count("\n")]
        if unmeasured:
            found = "%s: wrong lengths: %s" % (name, unmeasured)
            break
        swept = unfinished(BOX, name, seen[2])
        if swept:
            found = "%s: will be swept: %s" % (name, swept)
            break
    look.close()
    return found


def texts(found, name):
    return sorted(t for _, _, t in found.get(name, ()))


def flags(found, uid):
    return [f for u, f, _ in found["INBOX"] if u == uid]


# name, commands, (what is there) -> is it done, and what must never be lost
CASES = [
    ("append", ["append INBOX FS m4"],
     lambda f: "m4" in texts(f, "INBOX")),
    ("deliver", ["deliver INBOX m4"], lambda f: "m4" in texts(f, "INBOX")),
    ("flags", ["open INBOX", "add 1 SR new"],
     lambda f: {"S", "R"} <= flags(f, 1)[0]),
    ("copy", ["open INBOX", "copy * box"],
     lambda f: {"m1", "m3"} <= set(texts(f, "box"))),
    ("move", ["open INBOX", "move 3 box"],
     lambda f: "m3" in texts(f, "box") and "m3" not in texts(f, "INBOX")),
    ("expunge", ["open INBOX", "expunge 3"],
     lambda f: "m3" not in texts(f, "INBOX")),
    ("create", ["create a/b"], lambda f: "a/b" in f),
    ("delete", ["delete gone"], lambda f: "gone" not in f),
    ("first sight", ["open raw"], lambda f: texts(f, "raw") == ["m0"]),
    ("rename", ["rename box x"], lambda f: "x" in f and "box" not in f),
    ("rename of a tree", ["rename tree x"],
     lambda f: {"x", "x/kid"} <= set(f) and not {"tree", "tree/kid"} & set(f)),
]


def good(answer, code):
    return code == 0 and answer != [] and answer[-1].split(" ")[0] in \
        ("ok", "uid", "uids")


def judge(name, commands, is_done, fault):
    """What is wrong after this fault, or nothing."""
    fresh()
    answer, code = tool(commands, LD_PRELOAD=SHIM, FAULT=fault)
    wrong = []
    for line in answer:
        if line.startswith("error ") and line[6:] in FINAL:
            wrong.append("said " + line)
    if code not in (0, 111):
        wrong.append("exit %d" % code)
    found = contents()
    if isinstance(found, str):
        return wrong + [found]
    # Lines are missing where the answer itself could not be written.
    if good(answer, code) and len(answer) == len(commands) and \
            not is_done(found):
        wrong.append("said %s, and it is not there: %s" % (answer, found))
    # A mailbox is not made, nor removed, by somebody who says no.
    if name in ("create", "delete") and answer and is_done(found) and \
            answer[-1].startswith("error "):
        wrong.append("said %s, and it is done" % answer)
    kept = {t for box in found for t in texts(found, box)}
    must = {"m0", "m1"} if name == "expunge" else {"m0", "m1", "m3"}
    if not must <= kept or not kept <= {"m0", "m1", "m3", "m4"}:
        wrong.append("there is %s" % found)
    if not is_done(found):
        answer, code = tool(commands)
        found = contents()
        if not good(answer, code) or not is_done(found):
            wrong.append("again: %s" % answer)
    return wrong + quota_wrong(BOX, QUOTA)[0]


def faults(commands, everything):
    """What can be made to fail in a clean run: FAULT's values."""
    log = TMP + "/functions"
    open(log, "w").close()
    fresh()
    tool(commands, LD_PRELOAD=SHIM, FAULT_COUNT=log)
    with open(log) as f:
        count, turn = collections.Counter(f.read().split()), 0
    for name in sorted(count):
        for n in range(1, count[name] + 1):
            turn += 1
            for e in ERRORS if everything else [ERRORS[turn % len(ERRORS)]]:
                yield "%s:%d:%d" % (name, n, e)
            if name in HALF:
                yield "%s:%d:0" % (name, n)


def main():
    cc = os.environ.get("CC", "cc").split()
    subprocess.run(cc + ["-shared", "-fPIC", "-w", "-o", SHIM,
                         HERE + "/shim.c"], check=True)
    tool(["create box", "deliver INBOX m1", "deliver INBOX m2", "open INBOX",
          "add 1 F k", "append INBOX S m3", "expunge 2", "open box"])
    tool(["create tree/kid", "create tree", "create gone", "create raw"])
    with open(BOX + "/.raw/new/1000000000.M1P1.host", "w") as f:
        f.write("m0\n")
    # Nobody reads the folders without a reason.
    for name in "INBOX", "box":
        tool(["open " + name] + ["wait 200", "sync"] * 2)
    with open(BOX + "/maildirsize", "w") as f:
        f.write("%dS,%dC\n6 2\n" % QUOTA)
    shutil.copytree(BOX, BASE)
    for name, commands, is_done in CASES:
        wrong, n = [], 0
        for fault in faults(commands, "--all" in sys.argv):
            n += 1
            why = judge(name, commands, is_done, fault)
            if why:
                wrong.append("%s: %s" % (fault, "; ".join(why)))
        ok(not wrong and n > 10, "%s, %d faults: later, or it is done, and "
           "nothing is lost" % (name, n), wrong)
    name, commands, _ = CASES[0]
    ok(judge(name, commands, lambda f: "m5" in texts(f, "INBOX"),
             "fsync:99:5"), "control: an append of something else is noticed")
    finish()


main()
