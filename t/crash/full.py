"""Mailboxes on file systems without a byte, or an inode, to spare.

  full.py FOLDER

On ext4 and tmpfs, small, as a user without privileges: what needs room says
so and changes nothing; messages can be read, marked and deleted, all of them at
once, even where the folder has no room for another name; and when there is
room again everything works and nothing is missing.
"""
import ctypes
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/..")
from storelib import AS, NOBODY, STAGE, Imap, Tool  # noqa: E402
from tap import finish, ok  # noqa: E402

TMP = sys.argv[1]
os.chmod(TMP, 0o711)
LIBC = ctypes.CDLL(None, use_errno=True)
NULL = subprocess.DEVNULL
MANY = 300
SIZE = 12 << 20


def mount(source, target, kind, options):
    os.mkdir(target)
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), 0,
                  options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount " + kind)
    os.chown(target, NOBODY, NOBODY)


def ext4(target, inodes):
    image = target + ".img"
    with open(image, "wb") as f:
        f.truncate(SIZE)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-m", "0",
                    "-N", str(inodes), "-J", "size=4", image], check=True)
    loop = subprocess.run(["losetup", "-f", "--show", image], check=True,
                          stdout=subprocess.PIPE).stdout.decode().strip()
    mount(loop, target, "ext4", "")


def tmpfs(target, inodes):
    mount("none", target, "tmpfs", "size=%d,nr_inodes=%d" % (SIZE, inodes))


def body(n):
    return "Subject: message %d\n\n%s" % (n, "a line of some length\n" * 50)


def take_all(path, inodes):
    """What is left, to the last byte or inode."""
    os.mkdir(path)
    try:
        for n in range(100000 if inodes else 0):
            os.close(os.open("%s/%d" % (path, n), os.O_CREAT, 0o600))
    except OSError:
        return
    fd = os.open(path + "/f", os.O_WRONLY | os.O_CREAT, 0o600)
    for size in 65536, 4096, 512, 1:
        try:
            while os.write(fd, b"x" * size) > 0:
                pass
        except OSError:
            pass
    try:
        os.fsync(fd)
    except OSError:
        pass


def as_user(what, *arguments):
    """By the user, who has no blocks in reserve."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            what(*arguments)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


class Fill:
    def __init__(self, folder, inodes):
        self.path = folder + "/fill"
        as_user(take_all, self.path, inodes)

    def give_back(self):
        subprocess.run(["rm", "-rf", self.path], check=True, **AS)


def crowd(folder):
    """No block of cur/ has room for another name, not for the shortest."""
    n = 0
    for length in 200, 60, 20, 4, 0:
        failed = 0
        while failed < 300:
            name = "%s/Maildir/cur/.%d." % (folder, n)
            n += 1
            try:
                os.link(folder + "/fill/f", name + "x" * length)
                failed = 0
            except OSError:
                failed += 1


def flags_of(session, uids):
    _, lines = session.must("UID FETCH %s FLAGS" % uids)
    return [re.search(r"FLAGS \((.*?)\)", line).group(1) for line in lines]


def letters_of(folder, uids):
    """What the names in cur/ say."""
    found = {}
    for name in os.listdir(folder + "/Maildir/cur"):
        m = re.search(r",U=(\d+):2,(\w*)$", name)
        if m:
            found[int(m.group(1))] = m.group(2)
    return [found.get(uid) for uid in uids]


def no_room_for_names(folder):
    """Flags on a disk that has no room for a longer name."""
    session = Imap(folder + "/Maildir")
    session.must("SELECT INBOX")
    fill = Fill(folder, False)
    as_user(crowd, folder)
    answers = [said(session, "UID STORE 31:40 +FLAGS.SILENT (\\Flagged red)"),
               said(session, "UID STORE 41:50 +FLAGS.SILENT (\\Deleted)"),
               said(session, "NOOP")]
    other = Imap(folder + "/Maildir")
    other.must("SELECT INBOX")
    ok(not [a for a in answers if not a.startswith("OK")] and
       flags_of(other, "31:50") == 10 * ["\\Flagged red"] +
       10 * ["\\Deleted"], "no room for names: flags can be changed, and "
       "other sessions see them", answers + flags_of(other, "31:50"))
    ok(letters_of(folder, range(31, 51)) == 20 * [""],
       "no room for names: the journal has them alone",
       letters_of(folder, range(31, 51)))
    answers = [said(session, "EXPUNGE"), said(session, "UID STORE 31 "
                                              "-FLAGS.SILENT (\\Flagged)"),
               said(session, "UID STORE 32 +FLAGS.SILENT (\\Seen)")]
    left = len(texts(folder, "INBOX"))
    ok(not [a for a in answers if not a.startswith("OK")] and
       left == MANY - 10, "no room for names: what is deleted can be "
       "expunged", ["%d left" % left] + answers)
    other.close()
    session.close()
    fill.give_back()
    for name in os.listdir(folder + "/Maildir/cur"):
        if name.startswith("."):
            os.unlink(folder + "/Maildir/cur/" + name)
    tool = Tool(folder + "/Maildir")  # looks at the folder as it opens it
    _, _, seen = tool.look("INBOX", texts=False)
    tool.close()
    want = [frozenset("")] + [frozenset("FS")] + 8 * [frozenset("F")]
    now = [s.flags for s in seen if 31 <= s.uid <= 40]
    names = [frozenset(f or "") for f in letters_of(folder, range(31, 41))]
    ok(now == want and names == want, "no room for names: with room again "
       "the names get them", [repr(now), repr(names)])


def said(session, command, literal=None):
    return session.send(command, literal)[0]


def refuses(session, folder):
    """What is wrong with the answers to what needs room."""
    wrong = []
    text = body(0).replace("\n", "\r\n").encode() * 40
    for command, literal in (
            ("APPEND INBOX", text), ("UID COPY 1:20 box", None),
            ("UID MOVE 1:20 box", None), ("CREATE another", None)):
        answer = said(session, command, literal)
        # A file system may have room for some of it after all.
        if not re.match(r"NO \[(UNAVAILABLE|OVERQUOTA|LIMIT)\]|OK", answer):
            wrong.append("%s: %s" % (command, answer))
    queued = TMP + "/message"
    with open(queued, "w") as f:
        fields = "".join("%s %d:%s,\n" % (name, len(value), value)
                         for name, value in (
            ("id", "1ng7yrx1zqv00pgfhnngz5hm"), ("time", "1795423005"),
            ("size", "%020d" % (len(body(0)) * 40)),
            ("sender", "bob@example.test"), ("rcpt", "alice@example.test")))
        f.write("P1 %010d\n%s%s" % (len(fields), fields, body(0) * 40))
    with open(queued, "rb") as f:
        code = subprocess.run(
            [STAGE + "/deliver", "alice@example.test", folder + "/Maildir"],
            stdin=f, stdout=NULL, stderr=NULL, **AS).returncode
    if code not in (0, 111):
        wrong.append("deliver: %d" % code)
    return wrong


def count(session):
    _, lines = session.must("UID SEARCH ALL")
    return len([w for line in lines if line.startswith("* SEARCH")
                for w in line.split()[2:]])


def texts(folder, box):
    tool = Tool(folder + "/Maildir")
    got = tool.look(box)
    tool.close()
    return got if isinstance(got, str) else [s.text for s in got[2]]


def mailbox(name, make, inodes):
    """A file system with a mailbox on it, and the session that made it."""
    folder = "%s/%s" % (TMP, name)
    make(folder, inodes)
    os.mkdir(folder + "/Maildir")
    os.chown(folder + "/Maildir", NOBODY, NOBODY)
    Tool(folder + "/Maildir").close()  # makes its folders
    session = Imap(folder + "/Maildir")
    session.must("CREATE box")
    for n in range(MANY):
        session.append("INBOX", body(n))
    session.must("SELECT INBOX")
    return folder, session


def try_one(name, make, inodes):
    folder, session = mailbox(name, make,
                              2000 if not inodes else MANY + 100)
    fill = Fill(folder, inodes)
    wrong = refuses(session, folder)
    ok(not wrong, name + ": what needs room says so, for now", wrong)
    left = len(texts(folder, "INBOX")) + len(texts(folder, "box"))
    ok(left >= MANY, "%s: nothing is lost by that, %d" % (name, left))
    _, lines = session.must("UID FETCH 30 BODY.PEEK[]")
    ok(body(29).replace("\n", "\r\n") in "\n".join(lines),
       name + ": messages can be read")
    wrong = []
    for command in ("UID STORE 21:30 +FLAGS.SILENT (\\Deleted)",
                    "EXPUNGE"):
        answer = said(session, command)
        if not answer.startswith("OK"):
            wrong.append("%s: %s" % (command, answer))
    ok(not wrong, name + ": some can be deleted", wrong)
    fill.give_back()
    fill = Fill(folder, inodes)
    answers = [said(session, "STORE 1:* +FLAGS.SILENT (\\Deleted)"),
               said(session, "EXPUNGE")]
    ok(count(session) == 0 and
       not [a for a in answers if not a.startswith("OK")],
       "%s: all of them can be deleted at once" % name, answers)
    fill.give_back()
    session.append("INBOX", body(7))
    session.must("NOOP")
    session.close()
    now = texts(folder, "INBOX")
    ok(now and now[-1] == body(7) and not [
        f for f in os.listdir(folder + "/Maildir") if ".bad-" in f],
       name + ": with room again all is well", [repr(now)[:80]])


crowded, first = mailbox("crowded", ext4, 2000)
first.close()
no_room_for_names(crowded)
for inodes in False, True:
    for kind in ext4, tmpfs:
        try_one("%s, no %s" % (kind.__name__,
                               "inodes" if inodes else "bytes"), kind, inodes)
finish()
