"""postern mailbox: list, import, export, beside Python's mailbox and mutt."""
import json
import mailbox
import os
import re
import resource
import shutil
import subprocess
import sys
import time

sys.path[:0] = [os.path.join(os.environ["POSTERN_SRC"], "t", "peers")]
import tap  # noqa: E402
from storelib import AS, BUILD, STAGE, TOOL  # noqa: E402

WORK = sys.argv[1]
FROM = b"From a@example.org Mon Jan  5 10:00:00 2026\n"
FLAGS = "RFTSDP"  # in the order of their bits
LETTERS = dict(zip("RFTSDP", [1, 2, 4, 8, 16, 32]))

# Whole messages as they are stored, the odd ones too.
BODIES = [
    b"Subject: plain\nMessage-ID: <1@x>\n\nbody\n",
    b"Subject: no end\n\nbody",
    b"Subject: no body\n\n",
    b"Subject: no empty line\n",
    b"Subject: from\n\nFrom here\n>From there\n>>>From x\nFrom\n>>Fr\n",
    b"Subject: from\n\n" + FROM + b"Subject: inside\n\nx\n\n" + FROM,
    b"From the first line\nSubject: x\n\nbody\n",
    b"Status: RO\nX-Status: AF\nX-Keywords: not mine\nSubject: x\n\nbody\n",
    b"Subject: x\nStatus: RO\nX-Mozilla-Status: 0009\n\nbody\n",
    b"Subject: x\nContent-Length: 10\n\n>From abc\n",
    b"Subject: x\nContent-Length: 3\n\nabc\n\n\n\n",
    b"Subject: CR\r\n\r\nthese\r\nstay\r\r\n\r",
    b"Subject: 8bit\n\n\xff\xfe\x80 \xc3\xa4\n\0\n",
    b"Subject: long\n\n" + b"x" * 200000 + b"\n" + b">" * 100000 + b"From \n",
    b"\n\nno header at all\n",
    b" folded first\nSubject: x\n\n\n\n\n",
    b"",
    b"\n",
]


def postern(*args, data=None, user=AS, **kw):
    r = subprocess.run([STAGE + "/postern", "mailbox", *map(str, args)],
                       input=data, capture_output=True, cwd=WORK, **user, **kw)
    return r.returncode, r.stdout.decode("utf-8", "replace"), \
        r.stderr.decode("utf-8", "replace")


def path(*names):
    return os.path.join(WORK, *names)


def own(top):
    if not AS:
        return
    os.chown(top, 65534, 65534)
    for folder, dirs, files in os.walk(top):
        for name in dirs + files:
            os.lchown(os.path.join(folder, name), 65534, 65534)


def make_account(name):
    mailbox.Maildir(path(name), create=True)
    own(path(name))
    return path(name)


def folder_of(account, name):
    return account if name == "INBOX" else \
        os.path.join(account, "." + name.replace("/", "."))


def dump(account, name="INBOX"):
    """(flags and keywords, date, bytes) of each message."""
    out = subprocess.run(
        [TOOL, account], input="open %s\nnames\n" % name, check=True,
        capture_output=True, encoding="ascii", **AS).stdout
    messages = []
    for line in out.splitlines():
        words = line.split()
        if len(words) < 4:
            continue
        file = words[-1]
        date = [w[5:] for w in words if w.startswith("date=")][0]
        size = [w[5:] for w in words if w.startswith("size=")][0]
        marks = [w for w in words[1:-1]
                 if "=" not in w and w not in ("recent", "changed", "new")]
        with open(os.path.join(folder_of(account, name), "cur", file),
                  "rb") as f:
            data = f.read()
        assert len(data) == int(size)
        marks[0] = "".join(sorted(marks[0]))
        messages.append((tuple(marks[:1] + sorted(marks[1:])), int(date),
                         data))
    return messages


def make_x():
    """All flags, keywords and messages, in a Maildir as others keep it."""
    source = path("source")
    for sub in "cur", "new", "tmp":
        os.makedirs(os.path.join(source, sub))
    with open(os.path.join(source, "dovecot-keywords"), "w") as f:
        f.write("0 work\n1 $Label1\n2 NonJunk\n")
    for i in range(80):
        info = "".join(sorted(c for c in FLAGS if LETTERS[c] & i))
        info += "".join(c for k, c in enumerate("abc") if i * 7 >> k & 1)
        file = os.path.join(source, "cur", "17000%05d.M1P1.h:2,%s" % (i, info))
        with open(file, "wb") as f:
            f.write(BODIES[i % len(BODIES)])
        os.utime(file, (0, 1000000000 + i * 100003))
    own(source)
    x = make_account("x")
    tap.equal(postern("import", "--any", "-d", x, "INBOX", source),
              (0, "INBOX: 80 messages imported\n", ""), "a Maildir is imported")
    return x


def test_source(x):
    names = sorted(os.listdir(path("source", "cur")))
    got = dump(x)
    tap.equal([m[2] for m in got], [BODIES[i % len(BODIES)]
                                    for i in range(80)], "byte for byte")
    tap.equal([m[1] for m in got], [1000000000 + i * 100003
                                    for i in range(80)], "with its dates")
    keys = {"a": "work", "b": "$Label1", "c": "NonJunk"}
    wanted = []
    for name in names:
        info = name.split(":2,")[1]
        flags = "".join(sorted(c for c in info if c in FLAGS))
        wanted.append((flags or "-",
                       *sorted(keys[c] for c in info if c in keys)))
    tap.equal([m[0] for m in got], wanted, "with flags and keywords")


def test_round_trips(x):
    all_x = dump(x)
    tap.equal(postern("export", "-d", x, "INBOX", "x.mbox")[0], 0,
              "to an mbox")
    y = make_account("y")
    tap.equal(postern("import", "-d", y, "INBOX", "x.mbox"),
              (0, "INBOX: 80 messages imported\n", ""), "and back")
    tap.equal(dump(y), all_x, "byte for byte, with flags, dates and keywords")
    with open(path("x.mbox"), "rb") as f:
        data = f.read()
    code, out, err = postern("export", "-d", y, "INBOX", "-")
    tap.equal((code, out.encode() if code else True), (0, True),
              "to standard output")
    pipe = subprocess.run([STAGE + "/postern", "mailbox", "export", "-d", y,
                           "INBOX", "-"], capture_output=True, **AS)
    tap.ok(pipe.stdout == data, "which is the same file")
    z = make_account("z")
    tap.equal(postern("import", "-d", z, "INBOX", "-", data=data)[0], 0,
              "an mbox through a pipe")
    tap.ok(dump(z) == all_x, "is the same")
    tap.equal(postern("export", "--format", "maildir", "-d", y, "INBOX",
                      "x.md")[0], 0, "to a Maildir")
    tap.equal(postern("import", "--any", "-d", z, "Sub/Folder", "x.md")[0],
              0, "and back")
    tap.ok(dump(z, "Sub/Folder") == all_x, "is the same")
    tap.equal(postern("export", "--format", "eml", "-d", y, "INBOX",
                      "x.eml")[0], 0, "to .eml files")
    tap.equal(postern("import", "--any", "-d", z, "Eml", "x.eml")[0], 0,
              "and back")
    tap.ok([m[1] for m in dump(z, "Eml")] == [m[1] for m in all_x],
           "dates are the same")
    tap.ok([m[2] for m in dump(z, "Eml")] ==
           [m[2].replace(b"\r\n", b"\n") if m[2].startswith(b"Subject: CR")
            else m[2] for m in all_x], "bytes are, but for CRLF")
    code, out, err = postern("import", "-d", z, "Whole", path("x.md", "cur"))
    tap.equal((code, out), (0, "Whole: 0 messages imported\n"),
              "a folder without .eml files has no messages")
    return all_x


def python_flags(marks):
    """What Python's mboxMessage says of them."""
    letters = marks[0]
    flags = {"O"}
    for ours, theirs in (("S", "R"), ("R", "A"), ("F", "F"), ("T", "D"),
                         ("D", "T")):
        if ours in letters:
            flags.add(theirs)
    return flags


def test_python_reads(all_x):
    box = mailbox.mbox(path("x.mbox"), create=False)
    messages = list(box)
    tap.equal(len(messages), len(all_x), "Python counts as many messages")
    tap.equal([set(m.get_flags()) - {"n"} for m in messages],
              [python_flags(m[0]) for m in all_x], "and sees the flags")
    dates = []
    for m in messages:
        words = m.get_from().split(" ", 1)
        dates.append(int(time.mktime(time.strptime(
            words[1] + " UTC", "%a %b %d %H:%M:%S %Y UTC"))) - time.timezone)
    tap.equal(dates, [m[1] for m in all_x], "and the dates")
    wanted, got = [], []
    for i, (marks, date, data) in enumerate(all_x):
        if not data.startswith(b"Subject: "):
            continue
        raw = box.get_bytes(i).split(b"\n", 3)[3]
        quoted = b"".join(
            b">" + line if line.lstrip(b">").startswith(b"From ") else line
            for line in data.splitlines(True) or [b""]) \
            if b"\r" not in data else data
        got.append(raw.rstrip(b"\n"))
        wanted.append(quoted.rstrip(b"\n"))
    tap.equal(got, wanted, "and the messages, quoted")
    box.close()
    box = mailbox.Maildir(path("x.md"), create=False)
    tap.equal(sorted("".join(c for c in m.get_flags() if c.isupper())
                     for m in box),
              sorted(m[0][0].replace("-", "") for m in all_x),
              "Python reads the Maildir")


def test_python_writes():
    account = make_account("p")
    texts, wanted = [], []
    box = mailbox.mbox(path("p.mbox"))
    for i in range(32):
        text = b"Subject: p%d\nMessage-ID: <p%d@x>\n\nbody %d\nFrom me\n" % (
            i, i, i)
        m = mailbox.mboxMessage(text)
        flags = "".join(c for k, c in enumerate("RAFDT") if i >> k & 1)
        m.set_flags(flags + "O")
        m["X-Keywords"] = "one two" if i % 3 else "$Forwarded"
        m.set_from("someone", time.gmtime(1500000000 + i))
        box.add(m)
        texts.append(text)
        letters = {"R": "S", "A": "R", "F": "F", "D": "T", "T": "D"}
        ours = "".join(sorted([letters[c] for c in flags] +
                              ([] if i % 3 else ["P"]))) or "-"
        wanted.append(((ours, "one", "two") if i % 3 else (ours,),
                       1500000000 + i))
    box.close()
    own(WORK)
    tap.equal(postern("import", "-d", account, "INBOX", "p.mbox")[0], 0,
              "an mbox that Python wrote")
    got = dump(account)
    tap.equal([m[2] for m in got], texts, "byte for byte")
    tap.equal([m[:2] for m in got], wanted, "with flags, keywords, dates")
    with open(path("p.mbox"), "rb") as f:
        data = f.read().replace(b"\n", b"\r\n")
    tap.equal(postern("import", "-d", account, "Crlf", "-", data=data)[0], 0,
              "the same with CRLF")
    tap.equal(dump(account, "Crlf"), got, "is the same")

    box = mailbox.MH(path("mh"))
    for i in range(12):
        box.add(b"Subject: mh%d\n\nbody\n" % i)
    box.set_sequences({"unseen": [2, 3, 4], "flagged": [4], "replied": [1, 12]})
    own(WORK)
    tap.equal(postern("import", "-d", account, "Mh", "mh")[0], 0,
              "an MH folder that Python wrote")
    got = dump(account, "Mh")
    tap.equal([m[2] for m in got],
              [b"Subject: mh%d\n\nbody\n" % i for i in range(12)],
              "in the order of its numbers")
    tap.equal([m[0][0] for m in got],
              ["RS", "-", "-", "F"] + ["S"] * 7 + ["RS"], "with its sequences")

    box = mailbox.Maildir(path("pm"))
    m = mailbox.MaildirMessage(b"Subject: md\n\nbody\n")
    m.set_flags("FS")
    m.set_subdir("cur")
    m.set_date(1234567890)
    box.add(m)
    own(WORK)
    tap.equal(postern("import", "-d", account, "Md", "pm")[0], 0,
              "a Maildir that Python wrote")
    tap.equal(dump(account, "Md"),
              [(("FS",), 1234567890, b"Subject: md\n\nbody\n")], "is the same")


def test_tree():
    account = make_account("t")
    for name in "INBOX", "Sent", "Lists/ö":
        postern("import", "-d", account, name, "-",
                data=FROM + b"Subject: in %s\n\nx\n" % name.encode())
    subprocess.run([TOOL, account], input=b"subscribe Sent\n", **AS,
                   capture_output=True)
    tap.equal(postern("export", "-R", "-d", account, "tree")[0], 0,
              "a whole account")
    back = make_account("t2")
    tap.equal(postern("import", "-R", "-d", back, "tree")[0], 0, "and back")
    tap.equal([dump(back, n) for n in ("INBOX", "Sent", "Lists/ö")
               if n.isascii()],
              [dump(account, n) for n in ("INBOX", "Sent")], "is the same")
    code, out, err = postern("list", "--json", "-d", back)
    lines = [json.loads(line) for line in out.splitlines()]
    tap.equal([(m["mailbox"], m["messages"], m["unseen"], m["subscribed"],
                m["special_use"], m["uidnext"]) for m in lines[:-1]],
              [("INBOX", 1, 1, False, None, 2),
               ("Lists/ö", 1, 1, False, None, 2),
               ("Sent", 1, 1, True, "\\Sent", 2)], "list says so")
    tap.equal((lines[-1]["mailboxes"], lines[-1]["messages"]), (3, 3),
              "with a total")
    text = postern("list", "-d", back)[1]
    tap.ok(len(text.splitlines()) == 5 and "Sent subscribed \\Sent" in text,
           "as a table, too")


def test_again():
    account = make_account("a")
    args = "import", "--skip-known", "--json", "-d", account, "INBOX"
    twice = b"".join(FROM + b"Message-ID: <same@x>\n\nbody\n\n"
                     for i in range(2)) + FROM + b"Subject: none\n\nb\n\n"
    def counts(result):
        got = json.loads(result[1])
        return result[0], got["imported"], got["known"], got["refused"]

    tap.equal(counts(postern(*args, "-", data=twice)), (0, 3, 0, 0),
              "two alike in a file are two")
    tap.equal(counts(postern(*args, "-", data=twice)), (0, 0, 3, 0),
              "and are known the next time")
    tap.equal(counts(postern(*args, "-", data=twice + twice)), (0, 3, 3, 0),
              "each counts once")

    # Something that cannot be read, in the middle.
    os.makedirs(path("half"))
    for i in range(300):
        with open(path("half", "%03d.eml" % i), "wb") as f:
            f.write(b"Message-ID: <h%d@x>\n\nbody\n" % i)
    os.chmod(path("half", "200.eml"), 0)
    own(WORK)
    account = make_account("h")
    code, out, err = postern("import", "-d", account, "INBOX", "half")
    tap.ok(code == 111 and "200.eml" in err and
           "200 messages are safe in INBOX, the last one is at 199.eml" in err,
           "a failure says up to where it came")
    tap.equal(len(dump(account)), 200, "which is true")
    tap.equal(os.listdir(os.path.join(account, "tmp")), [],
              "and leaves nothing behind")
    os.chmod(path("half", "200.eml"), 0o600)
    tap.equal(postern("import", "--skip-known", "-d", account, "INBOX",
                      "half")[:2],
              (0, "INBOX: 100 messages imported, 200 were there already\n"),
              "the same again goes on from there")
    tap.equal([m[2] for m in dump(account)],
              [b"Message-ID: <h%d@x>\n\nbody\n" % i for i in range(300)],
              "with nothing lost and nothing twice")


def test_killed():
    """Killed at any moment, and given again: nothing lost, nothing twice."""
    account = make_account("k")
    data = b"".join(FROM + b"Message-ID: <k%d@x>\n\n%d\n\n" % (i, i)
                    for i in range(600))
    with open(path("k.mbox"), "wb") as f:
        f.write(data)
    command = [STAGE + "/postern-mailbox", "import", "--skip-known", "-d",
               account, "INBOX", path("k.mbox")]
    killed = 0
    for i in range(12):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, **AS)
        try:
            child.wait(0.01 + i * 0.02)
        except subprocess.TimeoutExpired:
            child.kill()
            killed += 1
        if child.wait() == 0:
            break
    tap.ok(killed > 0, "import is killed, and given again")
    tap.equal(postern("import", "--skip-known", "-d", account, "INBOX",
                      "k.mbox")[0], 0, "until it ends")
    tap.equal([m[2] for m in dump(account)],
              [b"Message-ID: <k%d@x>\n\n%d\n" % (i, i)
               for i in range(600)], "nothing is lost, nothing there twice")


def test_quota():
    account = make_account("full")
    with open(os.path.join(account, "maildirsize"), "w") as f:
        f.write("4000S\n")
    own(account)
    data = b"".join(FROM + b"Message-ID: <q%d@x>\n\n%d\n\n" % (i, i)
                    for i in range(200))
    code, out, err = postern("import", "-d", account, "INBOX", "-", data=data)
    tap.ok(code == 111 and "quota" in err and len(dump(account)) == 128,
           "an import ends where the quota does")


def test_limit():
    """A file that may not grow: the message is not there, nor a part."""
    account = make_account("limit")
    data = FROM + b"A: b\n\nsmall\n\n" + FROM + b"A: b\n\n" + b"x\n" * 100000
    limit = (16384, 16384)
    code, out, err = postern(
        "import", "-d", account, "INBOX", "-", data=data,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    tap.ok(code == 111 and "byte 57: File too large" in err and
           len(dump(account)) == 1 and not os.listdir(
               os.path.join(account, "tmp")), "a file that may not grow is an error like any")
    if code != 111:
        print("# %d %s" % (code, err))


def test_terminal():
    if not shutil.which("script"):
        return print("ok %d - terminal # SKIP no script" % count())
    def run(what):
        return subprocess.run(
            ["script", "-qfec", "%s/postern-mailbox %s -d %s INBOX" % (
                STAGE, what, path("h")), "/dev/null"], timeout=20, cwd=WORK,
            stdin=subprocess.DEVNULL, capture_output=True, **AS).stdout
    tap.ok(b"\rINBOX: cache: 0 of 300\033[K\r\033[K" in run("rebuild"),
           "a terminal sees how far it is")
    tap.ok(run("check").endswith(b"\r\033[K"), "for as long as it takes")
    tap.ok("\033" not in "".join(postern("check", "-d", path("h"))[1:]),
           "and nobody else does")


def test_refused():
    account = make_account("r")
    data = FROM + b"no header\n\nx\n\n" + FROM + b"A: b\n\nx\n\n" + \
        FROM + b"Sub\0ject: x\n\nx\n"
    code, out, err = postern("import", "-d", account, "INBOX", "-", data=data)
    tap.equal((code, out), (1, "INBOX: 1 messages imported, 2 refused\n"),
              "what is no mail is refused")
    last = "byte %d: no header" % data.rindex(FROM)
    tap.ok("byte 0: no header" in err and last in err, "and told where")
    for name, args, status, text in (
            ("a program", ("import", "-d", account, "X", "/bin/ls"), 1,
             "not mail"),
            ("no mbox", ("import", "--format", "mbox", "-d", account, "INBOX",
                         "/bin/ls"), 1, "no mbox"),
            ("no file", ("import", "-d", account, "X", "nothing"), 1,
             "No such file"),
            ("a bad name", ("import", "-d", account, "a//b", "x.mbox"), 100,
             "a//b"),
            ("no Maildir", ("list", "-d", "nothing"), 100, "nothing"),
            ("no mailbox", ("export", "-d", account, "None", "n.mbox"), 1,
             "no such mailbox"),
            ("a file that is there",
             ("export", "-d", account, "INBOX", "x.mbox"), 1, "File exists"),
            ("a folder that is not empty",
             ("export", "--format", "eml", "-d", account, "INBOX", "half"), 1,
             "not empty"),
            ("no kind", ("export", "--format", "x", "-d", account, "INBOX",
                         "n"), 100, "mbox, maildir or eml"),
            ("no day", ("export", "--since", "x", "-d", account, "INBOX",
                        "n"), 100, "5-Jan-2026"),
            ("an option", ("list", "-x", "-d", account), 100, ""),
            ("too few", ("import", "-d", account, "INBOX"), 100, "usage"),
            ("nothing", (), 100, "")):
        code, out, err = postern(*args)
        tap.ok(code == status and text in err, "refused: " + name)
        if code != status or text not in err:
            print("# %d %r" % (code, err))


def test_query(all_x):
    x = path("x")
    for args, wanted in (
            (("--unseen",), [m for m in all_x if "S" not in m[0][0]]),
            (("--flagged", "--unseen"),
             [m for m in all_x if "F" in m[0][0] and "S" not in m[0][0]]),
            (("--since", "9-Sep-2001"),
             [m for m in all_x if m[1] >= 999993600]),
            (("--since", "12-Sep-2001"),
             [m for m in all_x if m[1] >= 1000252800])):
        out = subprocess.run([STAGE + "/postern", "mailbox", "export", *args,
                              "-d", x, "INBOX", "-"], capture_output=True,
                             **AS).stdout
        q = make_account("q")
        postern("import", "-d", q, "INBOX", "-", data=out)
        tap.ok(dump(q) == wanted, "export " + " ".join(args))
        shutil.rmtree(q)


def test_users():
    """By address, as root and not."""
    etc = path("root", "etc", "postern")
    os.makedirs(etc)
    with open(os.path.join(etc, "postern.conf"), "w") as f:
        f.write("domain example.test\nlibexec %s\n" % STAGE)
    env = dict(os.environ, POSTERN_ROOT=path("root"))
    def run(*args, **kw):
        return subprocess.run([STAGE + "/postern", *args], env=env, cwd=WORK,
                              capture_output=True, **kw)
    run("domain", "add", "example.test")
    run("user", "add", "alice", input=b"secret\n")
    r = run("mailbox", "import", "alice", "INBOX", "-",
            input=FROM + b"A: b\n\nx\n")
    tap.equal((r.returncode, r.stdout), (0, b"INBOX: 1 messages imported\n"),
              "by address")
    home = path("root", "var", "mail", "example.test", "alice")
    owner = os.stat(home).st_uid
    tap.ok(all(os.lstat(os.path.join(folder, n)).st_uid == owner
               for folder, dirs, files in os.walk(home)
               for n in dirs + files), "as the owner of the mail")
    r = run("mailbox", "list", "nobody")
    tap.equal(r.returncode, 1, "no such address")
    if AS:
        os.makedirs(path("roots", "cur"))
        os.makedirs(path("roots", "new"))
        r = run("mailbox", "list", "-d", path("roots"))
        tap.equal(r.returncode, 100, "not on root's own mail")


def test_jail(x):
    """Files that are given by path, and no others."""
    account = make_account("jail")
    run = [STAGE + "/postern-mailbox"]
    with open(BUILD + "/config.h") as f:
        sanitized = "#define POSTERN_SANITIZE 1" in f.read()
    if not sanitized:
        child = subprocess.Popen(
            run + ["import", "-d", account, "INBOX", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, **AS)
        end, jailed = time.monotonic() + 10, False
        while not jailed and time.monotonic() < end:
            with open("/proc/%d/status" % child.pid) as f:
                jailed = "\nSeccomp:\t2" in f.read()
        child.stdin.close()
        tap.ok(jailed and child.wait() == 0, "an import is jailed")
    end, other = os.pipe()
    os.write(other, FROM + b"Subject: of a pipe\n\nx\n")
    os.close(other)
    if AS:
        os.fchown(end, 65534, 65534)
    r = subprocess.run(run + ["import", "-d", account, "INBOX",
                              "/dev/fd/%d" % end], pass_fds=[end],
                       capture_output=True, **AS)
    os.close(end)
    tap.equal(r.stdout, b"INBOX: 1 messages imported\n", "a pipe, by its path")
    os.symlink(path("x.md"), path("link"))
    code, out, err = postern("import", "--any", "-d", account, "Link", "link")
    tap.ok(code == 0 and len(dump(account, "Link")) == len(dump(path("y"))),
           "a folder by a symbolic link")
    os.makedirs(path("empty"))
    own(path("empty"))
    os.symlink(path("empty"), path("to"))
    tap.ok(postern("export", "--format", "eml", "-d", account, "INBOX",
                   path("to"))[0] == 0 and len(os.listdir(path("empty"))) == 1,
           "into a folder by a symbolic link")
    tap.equal(postern("import", "-d", account, "INBOX", "x.mbox/x")[0], 1,
              "below a file")


def test_mutt():
    if not shutil.which("mutt") or not shutil.which("script"):
        return print("ok %d - mutt # SKIP not installed" % count())
    postern("export", "-d", path("p"), "INBOX", "mutt.mbox")
    messages = dump(path("p"))
    home = path("home")
    os.makedirs(os.path.join(home, "Mail"))
    with open(path("rc"), "w") as f:
        f.write("set mark_old=no quit=yes wait_key=no beep=no mbox_type=mbox "
                "move=no sleep_time=0 delete=yes\npush <exit>\n")
    r = subprocess.run(["script", "-qfec", "mutt -n -F %s -f %s" % (
        path("rc"), path("mutt.mbox")), "/dev/null"], timeout=20,
                       stdin=subprocess.DEVNULL, capture_output=True,
                       env=dict(os.environ, HOME=home, TERM="xterm", MAIL=""))
    got = dict(re.findall(r"(Msgs|Old|Del|Flag):(\d+)",
                          r.stdout.decode("utf-8", "replace")))
    tap.equal(got, {
        "Msgs": str(len(messages)),
        "Old": str(sum("S" not in m[0][0] for m in messages)),
        "Del": str(sum("T" in m[0][0] for m in messages)),
        "Flag": str(sum("F" in m[0][0] for m in messages))},
        "mutt finds the same messages, unseen, deleted and flagged")


def count():
    tap.count += 1
    return tap.count


def main():
    own(WORK)
    x = make_x()
    test_source(x)
    all_x = test_round_trips(x)
    test_python_reads(all_x)
    test_python_writes()
    test_tree()
    test_again()
    test_killed()
    test_quota()
    test_limit()
    test_terminal()
    test_query(all_x)
    test_refused()
    test_jail(x)
    test_users()
    test_mutt()
    tap.done()


main()
