"""Requests to front from the queue, with a qsend of ours."""
import os
import re
import subprocess
import time

from frontlib import (ASKS, FAKE, OWNER, ROOT, USERS, Site, children, finish,
                      fronts, ok, skip, wait_for)

LEAST = 2000

# What it prints goes to the log, each line of its own.
QSEND = ASKS + """
LEAST = %d
os.set_blocking(0, True)
def begin(program=DELIVER, *args, **kw):
    # (report, status) of the program, or None.
    out, report = os.pipe()
    null = os.open("/dev/null", os.O_RDONLY)
    got = ask(packet(BEGIN, program, args or ["a", "b"], **kw), null, report)
    os.close(report)
    os.close(null)
    if got is None or got[0]:
        os.close(out)
        return got
    return finish(got, out)
ended = {}
def end_of(pid):
    while pid not in ended:
        who, status = struct.unpack("=ii", os.read(0, 8))
        ended[who] = status
    return ended[pid]
def finish(got, out):
    error, pid, process = got
    text = b""
    while more := os.read(out, 1000):
        text += more
    os.close(out)
    os.close(process)
    return text.decode(), end_of(pid)
%s
"""

WHO = """#!/bin/sh
PATH=/usr/bin:/bin
echo "$(id -u) $(id -g) $(id -G) $*"
"""


def fake(text):
    return QSEND % (LEAST, text)


class Queue:
    """One run: its lines, and its exit code."""

    def __init__(self, name, text, programs=(), **kw):
        self.site = Site(name, tls=False, stubs=False, uid_min=LEAST,
                         programs=[("qsend", fake(text)),
                                   ("deliver", WHO), ("bounce", WHO),
                                   ("remote", WHO), *programs])
        self.process = self.site.start("queue", subprocess.DEVNULL, **kw)
        fronts.append(self)

    def lines(self):
        with open(self.site.log) as f:
            return [line for line in f.read().split("\n") if line]

    def wait(self, seconds=20):
        return self.process.wait(seconds)


def test_owners():
    queue = Queue("owners", """
for uid in (OWNER, %s, LEAST - 1, 0, 1, 0xffffffff):
    tell("uid", uid, begin(uid=uid))
for gid in (OWNER + 1, 0, 0xffffffff):
    tell("gid", gid, begin(gid=gid))
tell("remote", begin(REMOTE, "d", *"123"))
tell("bounce", begin(BOUNCE, "id", uid=0))
""" % ", ".join(map(str, USERS.values())))
    code = queue.wait()
    got = {line.partition(" (")[0].partition(" None")[0]: line
           for line in queue.lines()}
    root = "-r %s -- " % queue.site.root

    def ran(key, who, args):
        return got.get(key) == "%s ('%s %s %s\\n', 0)" % (
            key, who, root.strip(), args)

    ok(code == 0, "front ends with qsend", code, queue.lines())
    if not ROOT:
        ok(re.match(r"uid \d+ \('%d " % OWNER, got.get("uid %d" % OWNER, "")),
           "deliver runs as the caller", got)
        ok(re.match(r"uid 64001 \('', [1-9]", got.get("uid 64001", "")) and
           got.get("uid 0") == "uid 0 None", "and as nobody else", got)
        skip("who is refused", "not root")
        return
    who = "%d %d %d" % (OWNER, OWNER, OWNER)
    ok(ran("uid %d" % OWNER, who, "a b"), "deliver runs as the owner", got)
    ok(ran("gid %d" % (OWNER + 1), "%d %d %d" % (
        OWNER, OWNER + 1, OWNER + 1), "a b"), "in the owner's group", got)
    net, user = USERS["net_user"], USERS["queue_user"]
    ok(ran("remote", "%d %d %d" % (net, net, net), "d 1 2 3"),
       "remote as net_user", got)
    ok(ran("bounce", "%d %d %d" % (user, user, user), "id"),
       "bounce as queue_user, whatever uid is asked for", got)
    for name, uid in [*USERS.items(), ("a uid below uid_min", LEAST - 1),
                      ("root", 0), ("uid 1", 1), ("uid -1", 0xffffffff)]:
        ok(got.get("uid %d" % uid) == "uid %d None" % uid,
           "deliver is not started as " + name, got.get("uid %d" % uid))
    for gid in (0, 0xffffffff):
        ok(got.get("gid %d" % gid) == "gid %d None" % gid,
           "nor with gid %d" % gid, got.get("gid %d" % gid))


CASES = (
    ("no such program", "ask(packet(BEGIN, 99))"),
    ("a program of another service", "ask(packet(BEGIN, LOGIN))"),
    ("a short packet", "ask(packet(BEGIN, DELIVER)[:-1])"),
    ("one byte", "ask(b'x')"),
    ("a long packet", "ask(packet(BEGIN, DELIVER, ['x' * 7000]))"),
    ("one argument too many",
     "ask(packet(BEGIN, DELIVER, ['a', 'b', 'c', 'd']))"),
    ("far too many", "ask(packet(BEGIN, REMOTE, ['a'] * 129))"),
    ("more arguments than there are",
     "ask(packet(BEGIN, DELIVER, ['a', 'b'], n=3))"),
    ("fewer", "ask(packet(BEGIN, DELIVER, ['a', 'b'], n=1))"),
    ("fewer by 2**32", "ask(packet(BEGIN, DELIVER, ['a'], n=0xffffffff))"),
    ("an argument without its end",
     "ask(packet(BEGIN, DELIVER, ['a', 'b'], n=1)[:-1])"),
    ("a size beyond the packet",
     "ask(packet(BEGIN, DELIVER, ['a'], size=100))"),
    ("a size within", "ask(packet(BEGIN, DELIVER, ['a', 'b'], size=2))"),
    ("an unknown type", "ask(packet(9, DELIVER, ['a', 'b']))"),
    ("too many descriptors",
     "ask(packet(BEGIN, DELIVER, ['a', 'b']), 0, 0, 0, 0)"),
)


def test_requests():
    text = "".join("tell(%r, %s)\nassert begin()[1] == 0\n" % (name, ask)
                   for name, ask in CASES)
    queue = Queue("requests", text + "assert len(begin(REMOTE, "
                  "*['a'] * 128)[0]) > 250\ntell('whole')\nsys.exit(42)")
    code = queue.wait()
    lines = queue.lines()
    for name, _ in CASES:
        ok("%s None" % name in lines, "refused: " + name,
           [line for line in lines if line.startswith(name)])
    ok("whole" in lines and code == 42,
       "and each time the next program is started", code, lines)


SLOW = """#!/bin/sh
PATH=/usr/bin:/bin
case $5 in
kill) kill -9 $$;;
exit) exit 7;;
esac
exec sleep 100
"""

ENDS = """
tell("kill", begin(DELIVER, "a", "kill")[1])
tell("exit", begin(DELIVER, "a", "exit")[1])
null = os.open("/dev/null", os.O_RDWR)
error, pid, process = ask(packet(BEGIN, DELIVER, ["a", "b"]), null, null)
def end(**kw):
    socket.send_fds(front, [packet(END, DELIVER, **kw)], [process])
    begin(BOUNCE, "id") # until front has seen to it
    time.sleep(0.2)
def state():
    with open("/proc/%d/stat" % pid) as f:
        return f.read().split()[2]
for uid in (OWNER + 1, 64003, 0):
    end(uid=uid)
    tell("another", uid, state())
end()
tell("ended", end_of(pid))
"""


def test_ends():
    """What qsend gets to know of what has ended, and how it ends it."""
    queue = Queue("ends", ENDS, [("deliver", SLOW)])
    queue.wait()
    lines = queue.lines()
    ok("kill 9" in lines, "a program that was killed by a signal", lines)
    ok("exit %d" % (7 << 8) in lines, "an exit code", lines)
    for uid in (OWNER + 1, USERS["queue_user"], 0):
        ok("another %d S" % uid in lines, "uid %d does not end it" % uid,
           lines)
    ok("ended 9" in lines, "its owner does", lines)


def test_stop():
    queue = Queue("stop", "tell('up')\nassert len(front.recv(10)) == 1\n"
                  "time.sleep(0.5)\ntell(begin())\nsys.exit(7)")
    wait_for(lambda: "up" in queue.lines())
    queue.process.terminate()
    code = queue.wait()
    ok(code == 7, "told to end, front stays until qsend has ended", code)
    ok(any(", 0)" in line for line in queue.lines()),
       "and starts what that asks for", queue.lines())
    queue = Queue("dies", "os.kill(os.getpid(), signal.SIGKILL)")
    code = queue.wait()
    ok(code == 137, "where qsend is killed, front says so", code)
    queue = Queue("dead", "tell('up')\ntell(len(front.recv(10)))")
    wait_for(lambda: "up" in queue.lines())
    queue.process.kill()
    queue.wait()
    ok(wait_for(lambda: "0" in queue.lines()),
       "where front is killed, qsend gets to know", queue.lines())


def test_usage():
    site = Site("usage", tls=False, stubs=False)
    for args, service in (((), "queues"), (("-1",), "imap"),
                          (("--listen", "127.0.0.1:0"), "queue"),
                          (("x",), "queue")):
        p = site.start(service, subprocess.DEVNULL, *args)
        ok(p.wait(10) == 100, "misuse: front %s %s" % (
            " ".join(args), service), p.returncode)


class Told:
    """The real qsend is told to end."""

    def __init__(self, name, deliver, saves=True):
        self.site = Site(name, tls=False, stubs=False, uid_min=LEAST,
                         programs=[("deliver", deliver)])
        run = lambda *a, **k: subprocess.run(
            [self.site.libexec + "/" + a[0], *a[1:]], check=True, **k)
        run("qsend", "-r", self.site.root, "-c")
        run("sendmail", "-r", self.site.root, "alice@example.org",
            input=b"Subject: x\n\nx\n", stderr=subprocess.DEVNULL)
        if not saves:
            os.chmod(self.site.root + "/var/spool/postern/state", 0o500)
        self.process = self.site.start("queue", subprocess.DEVNULL)
        fronts.append(self)
        self.runs = wait_for(self.running if saves else lambda: "not-saved" in
                             read(self.site.log))
        self.told = time.monotonic()
        self.process.terminate()

    def running(self):
        return [pid for pid in children(self.process.pid)
                if read("/proc/%d/comm" % pid) == "sleep\n"]

    def check_unsaved(self):
        ok(self.runs and self.process.wait(20) == 111,
           "told to end, qsend gives up what it cannot save")

    def check_grace(self):
        pids = self.running()
        ok(self.runs and pids and self.process.poll() is None,
           "a delivery has its grace", pids)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            code = None
        ok(code == 0 and time.monotonic() - self.told > 14,
           "then it is ended, and so are qsend and front", code)
        ok(not any(os.path.exists("/proc/%d" % p) for p in pids),
           "nothing of it is left")
        ok("deferred" in read(self.site.log) and len(os.listdir(
            self.site.root + "/var/spool/postern/mess")) == 1,
           "its message is to be tried again", read(self.site.log))


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


def main():
    if not os.path.exists(FAKE):
        skip("the queue's rights", "no " + FAKE)
        return
    grace = Told("grace", SLOW)
    unsaved = Told("unsaved", "#!/bin/sh\nexit 111\n", False)
    test_owners()
    test_requests()
    test_ends()
    test_stop()
    test_usage()
    grace.check_grace()
    unsaved.check_unsaved()


try:
    main()
finally:
    finish()
