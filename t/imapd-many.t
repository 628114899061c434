#!/usr/bin/python3
"""Many sessions, deliveries and other programs at once on one mailbox.

Each worker keeps what its session told it (numbers, UIDs, flags) and ends
at the first response that cannot be; some sessions are killed in the middle
of a command.  In the end fresh sessions and the files must agree.
SEED=n repeats a run's choices, SECONDS=n makes it longer.
"""
import glob
import os
import random
import re
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ.get("POSTERN_SRC", "."), "t"))
from imapd import Raw, maildir, ok, put, run, same  # noqa

SEED = int(os.environ.get("SEED", os.getpid()))
SECONDS = float(os.environ.get("SECONDS", "4"))
FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "\\Draft",
         "kw1", "kw2", "$Forwarded"]
LETTERS = {"S": b"\\Seen", "F": b"\\Flagged", "R": b"\\Answered",
           "T": b"\\Deleted", "D": b"\\Draft", "P": b"$Forwarded"}


class Known(Raw):
    """A session and what a client must believe."""

    def __init__(self, box):
        super().__init__(box)
        self.uids = []
        self.flags = {}
        self.do("select inbox")

    def heard(self, line):
        m = re.match(rb"\* (\d+) (EXPUNGE|EXISTS|FETCH)(.*)", line, re.S)
        if not m:
            return
        n, what, rest = int(m.group(1)), m.group(2), m.group(3)
        if what == b"EXISTS":
            assert n >= len(self.uids), line
            self.uids += [None] * (n - len(self.uids))
            return
        assert 1 <= n <= len(self.uids), line
        if what == b"EXPUNGE":
            self.uids.pop(n - 1)
            return
        m = re.search(rb"UID (\d+)", rest)
        if m:
            uid = int(m.group(1))
            assert self.uids[n - 1] in (None, uid), line
            self.uids[n - 1] = uid
        m = re.search(rb"FLAGS \(([^)]*)\)", rest)
        if m and self.uids[n - 1]:
            flags = frozenset(m.group(1).split()) - {b"\\Recent"}
            self.flags[self.uids[n - 1]] = flags

    def do(self, text):
        for line in self.cmd(text):
            self.heard(line)
        if None in self.uids:
            for line in self.cmd("uid fetch 1:* (flags)"):
                self.heard(line)

    def all(self):
        return {u: self.flags.get(u) for u in self.uids}


def other_program(box, rnd):
    """What mutt, mv and rm do to the files."""
    files = glob.glob(box + "/cur/*")
    if not files:
        return
    name = rnd.choice(files)
    try:
        if rnd.random() < 0.3:
            os.unlink(name)
        else:
            letters = "".join(sorted(rnd.sample("FRSTD", rnd.randrange(4))))
            os.rename(name, re.sub(":2,.*", ":2," + letters, name))
    except OSError:
        pass


def one_step(session, box, rnd, n):
    k, count = rnd.randrange(14), len(session.uids)
    at = rnd.randrange(count) + 1 if count else 0
    if k < 3:
        put(box, "1%09d.M%dP%d.h" % (n, n, os.getpid()),
            b"Subject: %d\n\nbody %d\n" % (n, n))
    elif k < 5:
        other_program(box, rnd)
    elif k < 8 and count:
        session.do("store %d:%d %sflags (%s)" % (
            at, min(count, at + rnd.randrange(4)), rnd.choice(["", "+", "-"]),
            " ".join(rnd.sample(FLAGS, rnd.randrange(1, 3)))))
    elif k < 9:
        session.do("expunge")
    elif k < 10 and count:
        session.do("copy %d inbox" % at)
    elif k < 11:
        session.do("append inbox (\\Seen) {15+}\r\nSubject: a\r\n\r\nx")
    elif k < 12 and count:
        session.do("fetch %d (uid flags body[])" % at)
    elif k < 13 and count:
        session.do("uid move %d inbox" % (session.uids[at - 1] or 1))
    elif rnd.random() < 0.3:
        session.send(b"z %s\r\n" % rnd.choice(
            [b"uid move 1:* inbox", b"copy 1:* inbox", b"expunge",
             b"store 1:* +flags (\\Seen kw1)"]))
        time.sleep(rnd.random() * 0.02)
        session.p.kill()
        session.p.wait()
        return Known(box)
    else:
        session.do("noop")
    return session


def worker(box, seed, until):
    rnd = random.Random(seed)
    session = Known(box)
    n = 0
    while time.monotonic() < until:
        n += 1
        session = one_step(session, box, rnd, n)
    session.close()


def on_disk(box):
    out = {}
    for name in glob.glob(box + "/cur/*") + glob.glob(box + "/new/*"):
        m = re.search(r",U=(\d+)", name)
        letters = re.sub(".*:2,", "", name)
        out[int(m.group(1)) if m else name] = frozenset(
            LETTERS[c] for c in letters if c in LETTERS)
    return out


def test_many():
    box = maildir("many")
    until = time.monotonic() + SECONDS
    children = []
    for i in range(5):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                worker(box, SEED * 100 + i, until)
                code = 0
            except BaseException:
                print("# " + traceback.format_exc().replace("\n", "\n# "),
                      flush=True)
            os._exit(code)
        children.append(pid)
    for i, pid in enumerate(children):
        same(os.waitpid(pid, 0)[1], 0, "worker %d, SEED=%d" % (i, SEED))
    sessions = [Known(box) for _ in range(3)]
    for s in sessions * 2:
        s.do("noop")
    first = sessions[0].all()
    ok(len(first) > 0 and list(first) == sorted(first), "UIDs ascend")
    for s in sessions[1:]:
        same(s.all(), first, "sessions agree")
    same(on_disk(box), {u: frozenset(f for f in flags if f[:1] in b"\\$")
                        for u, flags in first.items()},
         "and so do the files")
    for s in sessions:
        s.close()


run(test_many)
