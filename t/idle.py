"""More IDLE sessions of one user than the kernel lets watch: all are told.

Runs in a user namespace of its own, whose limit of inotify it sets.
"""
import os
import re
import select
import subprocess
import sys
import time

STAGE, TMP = sys.argv[1:3]
LIMIT = "/proc/sys/user/max_inotify_instances"
PLACES, SESSIONS = 6, 10
count = failures = delivered = 0


def ok(good, name, *seen):
    global count, failures
    count += 1
    failures += not good
    print("%sok %d - %s" % ("" if good else "not ", count, name), flush=True)
    for s in () if good else seen:
        print("# seen: %r" % (s,), flush=True)


def allow(n):
    with open(LIMIT, "w") as f:
        f.write(str(n))


def deliver(box):
    global delivered
    delivered += 1
    name = "%d.M1P%d.host" % (1700000000 + delivered, os.getpid())
    with open(box + "/tmp/" + name, "w") as f:
        f.write("Subject: %d\n\nx\n" % delivered)
    os.rename(box + "/tmp/" + name, box + "/new/" + name)
    return time.monotonic()


class Session:
    def __init__(self, box):
        self.log = box + ".log"
        with open(self.log, "a") as log:
            self.p = subprocess.Popen(
                [STAGE + "/imapd", box], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, bufsize=0)
        self.text = b""
        self.until(rb"PREAUTH.*\r\n")
        self.ask("a SELECT INBOX", rb"a OK.*\r\n")

    def until(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while True:
            m = re.search(pattern, self.text)
            if m:
                self.text = self.text[m.end():]
                return m.group()
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.p.stdout], [], [],
                                              left)[0]:
                return None
            more = os.read(self.p.stdout.fileno(), 65536)
            if not more:
                return None
            self.text += more

    def ask(self, line, pattern):
        self.p.stdin.write(line.encode() + b"\r\n")
        return self.until(pattern)

    def idle(self):
        return self.ask("i IDLE", rb"\+ .*\r\n")

    def done(self):
        return self.ask("DONE", rb"i OK.*\r\n")


def lines(box):
    with open(box + ".log") as f:
        return [s for s in f.read().split("\n") if "unwatched" in s]


def main():
    box = TMP + "/box"
    for d in ("cur", "new", "tmp"):
        os.makedirs(box + "/" + d)
    allow(PLACES)
    all_of_them = [Session(box) for _ in range(SESSIONS)]
    for s in all_of_them:
        s.idle()
    deliver(box)
    told = sum(s.until(rb"\* 1 EXISTS\r\n") is not None
               for s in all_of_them)
    ok(told == SESSIONS, "%d sessions, %d watches: all are told of mail" %
       (SESSIONS, PLACES), told)
    got = lines(box)
    ok(len(got) == SESSIONS - PLACES and "INBOX" in got[0] and
       "Too many open files" in got[0],
       "those without a watch have said so, with the reason", got)
    blind, seeing = all_of_them[-1], all_of_them[0]
    begin = deliver(box)
    seeing.until(rb"\* 2 EXISTS\r\n")
    ok(time.monotonic() - begin < 2, "who has a watch is told at once",
       time.monotonic() - begin)
    blind.until(rb"\* 2 EXISTS\r\n")
    ok(time.monotonic() - begin < 8, "who has none, seconds later",
       time.monotonic() - begin)
    ok(blind.done() and blind.idle() and blind.done() and
       len(lines(box)) == SESSIONS - PLACES,
       "a session says it once", lines(box))
    # A watch that becomes free is taken, in the middle of IDLE.
    blind.idle()
    allow(100)

    def has_watch():
        folder = "/proc/%d/fd" % blind.p.pid
        return any("inotify" in os.readlink(folder + "/" + n)
                   for n in os.listdir(folder))

    end = time.monotonic() + 15
    while not has_watch() and time.monotonic() < end:
        time.sleep(0.05)
    ok(has_watch(), "one that is free again is taken")
    begin = deliver(box)
    blind.until(rb"\* 3 EXISTS\r\n")
    ok(time.monotonic() - begin < 2, "and from then on it is told at once",
       time.monotonic() - begin)
    for s in all_of_them:
        s.p.kill()
        s.p.wait()
    print("1..%d" % count)
    sys.exit(failures > 0)


main()
