"""postern mailbox check and rebuild."""
import json
import os
import shutil
import subprocess
import sys
import time

sys.path[:0] = [os.path.join(os.environ["POSTERN_SRC"], "t", "peers")]
import tap  # noqa: E402
from storelib import AS, STAGE, TOOL, Imap  # noqa: E402

WORK = sys.argv[1]
GOOD = os.path.join(WORK, "good")
BOX = os.path.join(WORK, "box")
TEXT = b"Subject: %d\n\nbody\n"


def postern(*args):
    r = subprocess.run([STAGE + "/postern", "mailbox", *args], cwd=WORK,
                       capture_output=True, **AS)
    return r.returncode, r.stdout.decode(), r.stderr.decode()


def tool(box, *commands):
    return subprocess.run([TOOL, box], input="\n".join(commands) + "\n",
                          capture_output=True, encoding="ascii", check=True,
                          **AS).stdout.splitlines()


def own(top):
    if AS:
        subprocess.run(["chown", "-R", "-h", "65534:65534", top], check=True)


def make_good():
    for sub in "cur", "new", "tmp", ".Sub/cur", ".Sub/new", ".Sub/tmp":
        os.makedirs(os.path.join(GOOD, sub))
    for i in range(20):
        folder = GOOD if i < 15 else os.path.join(GOOD, ".Sub")
        with open(os.path.join(folder, "new", "17000000%02d.M1P1.h" % i),
                  "wb") as f:
            f.write(TEXT % i)
    with open(os.path.join(GOOD, "maildirsize"), "w") as f:
        f.write("1000000S\n%d 20\n" % sum(len(TEXT % i) for i in range(20)))
    own(GOOD)
    time.sleep(0.1)
    for name in "INBOX", "Sub":
        # The second time nothing is young any more, and the index knows.
        tool(GOOD, "open " + name, "add * S work", "set 3 F")
        time.sleep(0.1)
        tool(GOOD, "open " + name, "sync")
    tool(GOOD, "subscribe Sub")


def picture(top):
    """Everything that a check must leave as it is."""
    seen = []
    for folder, dirs, files in os.walk(top):
        for name in [""] + files:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            data = open(path, "rb").read() if name and os.path.isfile(path) \
                and not os.path.islink(path) and st.st_mode & 0o400 else b""
            seen.append((path, st.st_mtime_ns, st.st_mode, data))
    return sorted(seen)


def fresh(quota=True):
    shutil.rmtree(BOX, ignore_errors=True)
    subprocess.run(["cp", "-a", GOOD, BOX], check=True)
    if not quota:
        os.remove(os.path.join(BOX, "maildirsize"))


def file_of(i, sub="cur", folder=""):
    top = os.path.join(BOX, folder, sub)
    return os.path.join(top, [n for n in sorted(os.listdir(top))
                              if n.startswith("17000000%02d" % i)][0])


def check(name, wanted, *args):
    """The findings are just these: (mailbox, kind, part of the file's name)"""
    before = picture(BOX)
    code, out, err = postern("check", "--json", "-d", BOX, *args)
    got = [json.loads(line) for line in out.splitlines()]
    good = len(got) == len(wanted) and code == (1 if wanted else 0)
    for finding, (where, kind, file) in zip(got, wanted):
        good &= (finding["mailbox"], finding["finding"]) == (where, kind) and \
            file in finding["file"]
    if not tap.ok(good, name):
        print("# %d %s %s" % (code, out.replace("\n", "\n# "), err))
    tap.ok(picture(BOX) == before, "nothing is changed: " + name)


def overwrite(file, at, data):
    with open(os.path.join(BOX, file), "r+b") as f:
        f.seek(at, os.SEEK_SET if at >= 0 else os.SEEK_END)
        f.write(data)


def write(path, data, age=None):
    path = os.path.join(BOX, path)
    with open(path, "wb") as f:
        f.write(data)
    if AS:
        os.chown(path, 65534, 65534)


def test_findings():
    fresh()
    check("all is well", [])
    check("so it is with one mailbox", [], "Sub")
    code, out, err = postern("check", "-d", BOX)
    tap.equal((code, out, err), (0, "", ""), "and silent")

    for at in 0, 50, 130, 220, -20:
        fresh()
        postern("rebuild", "-d", BOX)
        overwrite("postern.index", at, b"damage")
        check("a damaged index (%d)" % at,
              [("INBOX", "damage", "postern.index")])
    fresh()
    overwrite("postern.journal", 20, b"damage")
    check("a damaged journal", [("INBOX", "damage", "postern.journal")])
    fresh()
    with open(os.path.join(BOX, "postern.journal"), "ab") as f:
        f.write(b"torn")
    check("a torn journal", [("INBOX", "damage", "postern.journal")])
    fresh()
    os.remove(os.path.join(BOX, ".Sub", "postern.journal"))
    check("no journal", [("Sub", "damage", "postern.journal")])
    fresh()
    os.remove(os.path.join(BOX, "postern.index"))
    check("no index", [("INBOX", "damage", "postern.index")])
    for at in 0, 30:
        fresh()
        subprocess.run([STAGE + "/postern", "mailbox", "rebuild", "-d", BOX],
                       capture_output=True, **AS)
        overwrite("postern.cache", at, b"damage")
        check("a damaged cache (%d)" % at,
              [("INBOX", "damage", "postern.cache")], "INBOX")
    fresh()
    write("postern.index.bad-1.2", b"x")
    check("what is left of a repair",
          [("INBOX", "quarantine", "postern.index.bad-1.2")])

    # Message files.  What happens in cur/ is news to the index, not wrong.
    fresh(quota=False)
    write("cur/.hidden", b"A: b\n\n")
    write("cur/nothing", b"")
    write("cur/noise", b"\0\1\2 no header\n")
    os.mkdir(os.path.join(BOX, "cur", "folder"))
    os.symlink("/etc/passwd", os.path.join(BOX, "cur", "link"))
    check("what is no message", [
        ("INBOX", "no-mail", "cur/" + n)
        for n in (".hidden", "folder", "link", "noise", "nothing")])
    fresh(quota=False)
    write("cur/1800000000.x,S=99,W=7:2,", TEXT % 1)
    write("cur/1800000001.x,S=17,W=20:2,", TEXT % 1)
    check("sizes that do not agree", [("INBOX", "size", "1800000000.x"),
                                      ("INBOX", "size", "1800000000.x")])
    fresh(quota=False)
    name = os.path.basename(file_of(2))
    base = name.split(":")[0].split(",")[0]
    write("new/" + base, TEXT % 2)
    check("a double", [("INBOX", "double", "new/" + base)])
    fresh(quota=False)
    os.rename(file_of(2), file_of(2).replace(",U=3", ",U=4"))
    check("UIDs that do not agree", [("INBOX", "uid", "U=4"),
                                     ("INBOX", "uid", "U=4")])
    fresh(quota=False)
    st = os.stat(os.path.join(BOX, "cur"))
    file = file_of(5)
    with open(file, "wb") as f:
        f.write(b"Subject: replaced\n\n")
    check("a file that was written to", [("INBOX", "size", "1700000005")])
    os.remove(file)
    os.utime(os.path.join(BOX, "cur"), ns=(st.st_atime_ns, st.st_mtime_ns))
    check("a file that is missing, as nobody can know",
          [("INBOX", "index", "1700000005")])
    fresh(quota=False)
    os.chmod(file_of(6), 0o666)
    os.chmod(file_of(7), 0o200)
    if AS:
        os.chown(file_of(8), 0, 0)
        os.chmod(file_of(8), 0o644)
    check("owner and mode", [("INBOX", "mode", "1700000006"),
                             ("INBOX", "unreadable", "1700000007")] +
          ([("INBOX", "owner", "1700000008")] if AS else []))
    fresh(quota=False)
    shutil.rmtree(os.path.join(BOX, ".Sub", "new"))
    check("a folder that is missing", [("Sub", "missing", "new")])

    # The account.
    fresh()
    tool(BOX, "subscribe Sub/Nothing")
    for sub in "cur", "new", "tmp":
        os.makedirs(os.path.join(BOX, ".Bad&Name", sub))
    os.makedirs(os.path.join(BOX, "postern.gone.1", "cur"))
    own(BOX)
    # The subscription is none: RFC 3501 6.3.6.
    check("names", [("", "name", ".Bad&Name"), ("", "stale", "postern.gone.1")])
    fresh()
    with open(os.path.join(BOX, "maildirsize"), "a") as f:
        f.write("-17 -1\n")
    check("maildirsize", [("", "quota", "maildirsize")])
    code, out, err = postern("check", "-d", BOX)
    tap.ok(code == 1 and "maildirsize: says " in out, "as text, too")


def uids(box):
    return [line.replace(" recent", "")
            for line in tool(box, "open INBOX", "ls")[1:-1]]


def test_rebuild():
    fresh()
    wanted = uids(BOX)
    validity = tool(BOX, "open INBOX", "validity")[1]
    os.remove(os.path.join(BOX, "postern.cache")) \
        if os.path.exists(os.path.join(BOX, "postern.cache")) else None
    session = Imap(BOX)
    session.send("SELECT INBOX")
    code, out, err = postern("rebuild", "-d", BOX)
    tap.equal((code, out, err), (
        0, "INBOX: index and cache of 15 messages made anew; UIDs are kept\n"
           "Sub: index and cache of 5 messages made anew; UIDs are kept\n"
           "maildirsize: 350 bytes in 20 messages\n", ""),
        "rebuild says what it did")
    tap.equal(uids(BOX), wanted, "UIDs, flags and keywords are the same")
    tap.equal(tool(BOX, "open INBOX", "validity")[1], validity,
              "UIDVALIDITY and UIDNEXT are")
    tap.ok(os.path.getsize(os.path.join(BOX, "postern.cache")) > 1000,
           "there is a cache")
    tap.equal(session.send("STORE 1 +FLAGS (\\Flagged)")[0][:2], "OK",
              "a session that was there goes on")
    write("new/1800000000.x", TEXT % 1)
    tap.ok("* 16 EXISTS" in session.send("NOOP")[1], "and sees new mail")
    tap.equal(session.send("LOGOUT")[0][:2], "OK", "to its end")
    time.sleep(0.1)
    tool(BOX, "open INBOX", "sync")
    check("and all is well afterwards",
          [("", "quota", "maildirsize")])  # nobody counted the new message
    postern("rebuild", "-d", BOX)
    time.sleep(0.1)
    check("rebuild counts", [])

    for file, damage in (("postern.journal", 20), ("postern.index", -20)):
        fresh()
        overwrite(file, damage, b"damage")
        code, out, err = postern("rebuild", "--json", "-d", BOX, "INBOX")
        got = json.loads(out)
        tap.ok(code == 0 and got["damaged"] == 1 and got["messages"] == 15 and
               file in err, "a damaged %s is told and repaired" % file)
        tap.equal([u.split()[0] for u in uids(BOX)],
                  [u.split()[0] for u in wanted], "UIDs are kept as numbers")
        for name in os.listdir(BOX):
            if ".bad-" in name:
                os.remove(os.path.join(BOX, name))
        time.sleep(0.1)
        tool(BOX, "open INBOX", "sync")
        check("all is well after that", [], "INBOX")
    fresh(quota=False)
    with open(file_of(5), "wb") as f:
        f.write(b"Subject: replaced\n\n")
    check("a size that is not true", [("INBOX", "size", "1700000005")])
    session = Imap(BOX)
    session.send("SELECT INBOX")
    postern("rebuild", "-d", BOX)
    check("rebuild counts bytes, too", [])
    session.send("NOOP")
    tap.equal(session.send("FETCH 6 RFC822.SIZE")[1],
              ["* 6 FETCH (RFC822.SIZE 21)"], "for sessions as well")
    tap.equal(postern("rebuild", "-d", BOX, "None")[0], 1,
              "no such mailbox to rebuild")
    tap.equal(postern("check", "-d", BOX, "None")[0], 1, "nor to check")


own(WORK)
make_good()
test_findings()
test_rebuild()
tap.done()
