"""Sessions that read what another one cannot get onto the disk.

  sync.py FOLDER

strace makes calls of one session fail, or wait.  Others, which have the mailbox
open, read its journal meanwhile: what they were told stays so, and nobody is
told of what the disk refused.
"""
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/..")
from storelib import TOOL, Tool  # noqa: E402
from tap import finish, ok  # noqa: E402

TMP = sys.argv[1]
BOX, LOG = TMP + "/Maildir", TMP + "/log"
NULL = subprocess.DEVNULL


class Traced(Tool):
    """store-tool under strace, whose log is LOG."""

    def __init__(self, *options):
        self.child = subprocess.Popen(
            ["strace", "-o", LOG, *options, TOOL, BOX],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=NULL)


def tool(*commands):
    t = Tool(BOX, as_user=False)
    said = [t.say(c) for c in commands]
    t.close()
    return said


def fresh(*commands):
    shutil.rmtree(BOX, ignore_errors=True)
    tool("create box", *commands)


def calls(pattern):
    with open(LOG) as f:
        return re.findall("(?m)^" + pattern, f.read())


def kept(t):
    """{uid: (text, flags)}"""
    t.say("sync")
    return {s.uid: ((t.read(s.uid) or "?").strip(), s.flags)
            for s in t.names() if not s.gone}


def settle(t):
    """Until the times of the folders are proven."""
    for _ in range(2):
        t.say("wait 200")
        t.line()
        t.say("sync")


def prove(box):
    """Nobody reads its folder without a reason."""
    t = Tool(BOX, as_user=False)
    t.say("open " + box)
    settle(t)
    t.close()


def read_before_the_disk_fails():
    """A copy's frame is read by others, and then its fdatasync fails."""
    fresh("append INBOX - m1", "append INBOX - m2")
    prove("INBOX")
    shutil.copytree(BOX, TMP + "/base")
    t = Traced()
    t.say("open INBOX")
    before = len(calls(r"fdatasync\("))
    t.say("copy 1 box")
    t.close()
    shutil.rmtree(BOX)
    os.rename(TMP + "/base", BOX)
    other = Tool(BOX, as_user=False)
    other.say("open box")
    t = Traced("-e", "inject=fdatasync:error=EIO:delay_enter=1000000:"
               "when=%d" % (before + 1))
    t.say("open INBOX")
    t.write("copy 1 box")
    told, end = {}, time.monotonic() + 10
    # Not by a sync, which would wait for the lock.
    while 1 not in told and time.monotonic() < end:
        other.say("follow")
        told = {s.uid: "m1" for s in other.names()}
    said = t.line()
    t.close()
    then = tool("open INBOX", "copy 2 box")[1]
    ok(told == {1: "m1"} and said == "error EIO",
       "a copy whose fdatasync fails, and is read meanwhile", ["%s %s" % (told, said)])
    there = kept(other)
    ok(then == "uids 2" and [v[0] for v in there.values()] == ["m2"],
       "its UID is not given again", ["%s %s" % (then, there)])
    other.close()


def the_disk_fails_for_a_reader():
    """What another session wrote is read, and our fdatasync fails."""
    fresh("append INBOX - m1")
    prove("INBOX")
    t = Traced()
    t.say("open INBOX")
    before = len(calls(r"fdatasync\("))
    t.close()
    t = Traced("-e", "inject=fdatasync:error=EIO:when=%d" % (before + 1))
    t.say("open INBOX")
    tool("append INBOX - m2")
    said = [t.say("sync") for _ in range(3)]
    ok(said == ["error ESTALE"] * 3, "a reader whose fdatasync fails tells of "
       "nothing any more", ["%s" % said])
    t.close()


def full_in_the_middle():
    """Many new messages are two frames; there is no room for the second."""
    fresh("append INBOX - m1")
    for n in range(9000):
        os.close(os.open("%s/new/%d.M%dP1R1%s.h,S=1,W=2" % (
            BOX, 1000000000 + n, n, "x" * 40), os.O_CREAT, 0o600))
    shutil.copytree(BOX, TMP + "/base")
    Tool.say(t := Traced(), "open INBOX")
    t.close()
    sizes = [int(n) for n in calls(r"pwrite64\(.*, (\d+), \d+\) += \d+$")]
    large = [n for n, size in enumerate(sizes) if size > 1000000]
    shutil.rmtree(BOX)
    os.rename(TMP + "/base", BOX)
    t = Traced("-e", "inject=pwrite64:error=ENOSPC:when=%d+" % (large[0] + 2))
    said = t.say("open INBOX")
    told = len(t.names())
    t.close()
    after = re.split(r"pwrite64.*ENOSPC", open(LOG).read(), maxsplit=1)[1]
    after = after[:after.index("ok\\n")]
    ok(large and said == "ok" and 1 < told < 9001 and
       "fdatasync(" in after, "a full disk in the middle of many new "
       "messages: what is told of is on the disk", ["%s %s %d" % (large, said, told)])


def late_flags():
    """Flags that the journal alone has outlive a reload of the session."""
    fresh("append INBOX - m1", "append INBOX - m2")
    reader = Tool(BOX, as_user=False)
    reader.say("examine INBOX")
    t = Traced("-e", "inject=renameat2:error=ENOSPC")
    said = [t.say(c) for c in ("open INBOX", "add 1 F")]
    t.close()
    # The reader misses a whole generation, with a message and its flags.
    said += tool("fold INBOX", "append INBOX - m3")
    t = Traced("-e", "inject=renameat2:error=ENOSPC")
    said += [t.say(c) for c in ("open INBOX", "add 3 F")]
    t.close()
    said += tool("fold INBOX", "deliver INBOX m4")
    ok(said == ["ok"] * 3 + ["uid 3"] + ["ok"] * 4, "flags on a full disk",
       ["%s" % said])
    wanted = {1: frozenset("F"), 2: frozenset(), 3: frozenset("F"),
              4: frozenset()}
    # It reads the folder for m4, and sees names without the flags.
    told = {uid: what[1] for uid, what in kept(reader).items()}
    reader.close()
    t = Tool(BOX, as_user=False)
    t.say("open INBOX")
    there = {uid: what[1] for uid, what in kept(t).items()}
    t.close()
    ok(told == there == wanted, "a session that loads all anew has them, and "
       "does not take them back", ["%s %s" % (told, there)])


def folded_meanwhile():
    """An older index and journal are put back; a session that knows better
    goes on from its own numbers, although another one folds them just then."""
    files = "/postern.index", "/postern.journal"
    fresh("append INBOX - m1", "fold INBOX", "append INBOX - m2")
    prove("INBOX")
    for name in files:
        shutil.copy(BOX + name, TMP + name)
    session = Traced("-e", "inject=fcntl:delay_enter=200000")
    session.say("open INBOX")
    tool("append INBOX - m3", "append INBOX - m4")
    session.say("sync")
    for name in files:
        os.rename(TMP + name, BOX + name)
    session.write("sync")
    folds = set()
    for _ in range(12):
        time.sleep(0.05)
        folds |= set(tool("fold INBOX"))
    said = session.line()
    uidnext = int(session.say("validity").split()[2])
    ok(said == "ok" and uidnext >= 5 and folds == {"ok"}, "a journal put back "
       "and folded before the lock was there", ["%s %d %s" % (
           said, uidnext, folds)])
    session.close()


def another_clock():
    """A file server whose clock is behind ours: its times look old at once,
    and say nothing of a second change within their tick."""
    shim = TMP + "/shim.so"
    subprocess.run(os.environ.get("CC", "cc").split() + [
        "-shared", "-fPIC", "-w", "-o", shim,
        os.path.dirname(os.path.abspath(__file__)) + "/shim.c"], check=True)
    fresh("append INBOX - m1")
    prove("INBOX")
    for what in "a session", "a new session":
        env = dict(os.environ, LD_PRELOAD=shim, CLOCK_AHEAD="5", NETWORK="1")
        session = Tool(BOX, as_user=False, env=env)
        session.say("examine INBOX")
        settle(session)
        before = len(kept(session))
        tool("deliver INBOX first")
        first = len(kept(session))
        at = [os.stat(BOX + sub) for sub in ("/cur", "/new")]
        with open("%s/cur/1%d.M1P1.host:2,S" % (BOX, len(what)), "w") as f:
            f.write("second\n")
        for sub, st in zip(("/cur", "/new"), at):
            os.utime(BOX + sub, ns=(st.st_atime_ns, st.st_mtime_ns))
        if what != "a session":
            session.close()
            session = Tool(BOX, as_user=False, env=env)
            session.say("examine INBOX")
        settle(session)
        ok(first == before + 1 and len(kept(session)) == before + 2,
           what + " on a file server finds a change in the same tick",
           ["%d %d %d" % (before, first, len(kept(session)))])
        session.close()


read_before_the_disk_fails()
the_disk_fails_for_a_reader()
full_in_the_middle()
late_flags()
folded_meanwhile()
another_clock()
finish()
