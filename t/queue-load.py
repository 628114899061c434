#!/usr/bin/python3 -B
"""A queue full of mail that nobody takes, and other people's mail (T-DOS-6).

  t/queue-load.py [MESSAGES DOMAINS MANY]

MESSAGES to one host that is dead, messages to DOMAINS that are dead (refusing,
then silent), and one message to MANY domains; meanwhile local mail, and mail
to a host that answers, is to come as if there were none of it.  In its full
size, 1000000 10000 1000, it takes a quarter of an hour and 8 GiB below TMPDIR;
without numbers it is a slice of that, on a machine that may do other things,
too.
"""
import contextlib
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("POSTERN_BUILD") or HERE + "/../_build/run/plain"
STAGE = os.environ.get("POSTERN_STAGE") or BUILD + "/stage"
sys.path.insert(0, HERE)
from tap import finish, ok  # noqa: E402

MESSAGES, DOMAINS, MANY = (
    [int(a) for a in sys.argv[1:]] + [3000, 150, 150][len(sys.argv) - 1:])
SLICE = len(sys.argv) == 1
try:
    with open(BUILD + "/config.h") as f:
        SANITIZED = "#define POSTERN_SANITIZE 1" in f.read()
except FileNotFoundError:
    SANITIZED = False
ROUNDS = 20 if SLICE else 40
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
WAIT = 10  # seconds, for a message that is to come
LATE = 500  # ms by which the slice forgives: the machine may stand still
TABLE = 128  # bytes that qsend may have for each message


def letters(n, count):
    return "".join(LETTERS[n >> 5 * i & 31] for i in range(count - 1, -1, -1))


class Sink:
    """A host that takes mail: when a message with that word had come."""

    def __init__(self):
        self.times = {}
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(100)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            s, _ = self.socket.accept()
            threading.Thread(target=self.session, args=(s,),
                             daemon=True).start()

    def session(self, s):
        with s, s.makefile("rwb") as f:
            def say(text):
                f.write(text + b"\r\n")
                f.flush()
            say(b"220 x")
            for line in f:
                if line.startswith(b"DATA"):
                    say(b"354 x")
                    text = b""
                    while not text.endswith(b"\r\n.\r\n"):
                        text += f.readline()
                    self.times[text.split()[1].decode()] = time.monotonic()
                say(b"250 x")
                if line.startswith(b"QUIT"):
                    return


class Queue:
    def __init__(self, tmp, name, sink, other, *conf):
        self.name = name
        self.root = "%s/%s" % (tmp, name)
        self.spool = self.root + "/var/spool/postern"
        self.box = self.root + "/var/mail/example.test/alice/new"
        self.log = self.root + "/log"
        os.makedirs(self.root + "/etc/postern")
        os.makedirs(self.root + "/run/postern/empty")
        with open(self.root + "/etc/postern/postern.conf", "w") as f:
            f.write("domain example.test\nhostname mx.example.test\n"
                    "libexec %s\nuid_min 1\nrecipients %d\n"
                    "route good.test 127.0.0.1:%d\nroute * 127.0.0.1:%d\n"
                    % (os.path.realpath(STAGE), MANY, sink.port, other))
        self.sink = sink
        self.tool("postern-domain", "add", "example.test")
        self.tool("postern-user", "add", "alice", input="x\n")
        self.tool("qsend", "-c")
        self.n, self.front = 0, None

    def tool(self, name, *argv, **kw):
        subprocess.run([STAGE + "/" + name, "-r", self.root, *argv],
                       check=True, text=True, stdout=subprocess.DEVNULL, **kw)

    def put(self, to, word):
        """A message as enqueue writes it, but for the sync: its id."""
        when = int(time.time())
        id_ = letters(when, 7) + letters(self.n, 9) + letters(
            random.getrandbits(40), 8)
        self.n += 1
        text = "Subject: %s\n\ntext\n" % word
        fields = "".join(
            "%s %d:%s,\n" % (k, len(v), v) for k, v in
            [("id", id_), ("time", "%010d" % when), ("user", "alice"),
             ("size", "%020d" % len(text)), ("sender", "alice@example.test")]
            + [("rcpt", t) for t in to])
        path = self.spool + "/tmp/" + id_
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, ("P1 %010d\n%s%s" % (len(fields), fields, text)).encode())
        os.close(fd)
        os.rename(path, self.spool + "/mess/" + id_)
        return id_

    def start(self):
        begin = time.monotonic()
        with open(self.log, "a") as log:
            self.front = subprocess.Popen(
                [STAGE + "/front", "-r", self.root, "queue"], stderr=log)
        return begin

    def children(self, name):
        pid = self.front.pid
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            pids = f.read().split()
        for p in pids:
            try:
                with open("/proc/%s/comm" % p) as c:
                    if c.read().strip() == name:
                        yield int(p)
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended

    def stop(self):
        self.front.terminate()
        # They would be waited for.
        for p in self.children("remote"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, signal.SIGKILL)
        self.front.wait()

    def pid(self):
        return next(self.children("qsend"))

    def memory(self):
        """MiB that qsend has had at most."""
        with open("/proc/%d/status" % self.pid()) as f:
            return int(f.read().split("VmHWM:")[1].split()[0]) / 1024

    def used(self):
        with open("/proc/%d/stat" % self.pid()) as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def tell(self, id_):
        while True:
            try:
                fd = os.open(self.spool + "/trigger",
                             os.O_WRONLY | os.O_NONBLOCK)
                os.write(fd, id_.encode() + b"\n")
                os.close(fd)
                return
            except BlockingIOError:
                os.close(fd)
                return
            except OSError:  # nobody reads it yet
                time.sleep(0.001)

    def mail(self, local):
        """How long a message takes from the queue to where it goes, in ms."""
        word = "%s.%d" % (self.name, self.n)
        id_ = self.put(["alice@example.test" if local else "x@good.test"],
                       word)
        begin = time.monotonic()
        self.tell(id_)
        while time.monotonic() < begin + WAIT:
            if local and os.listdir(self.box):
                end = time.monotonic()
                for name in os.listdir(self.box):
                    os.unlink(self.box + "/" + name)
                return (end - begin) * 1000
            if word in self.sink.times:
                return (self.sink.times[word] - begin) * 1000
            time.sleep(0.0005)
        return WAIT * 1000

    def mails(self, n=ROUNDS):
        got = [(self.mail(True), self.mail(False))]
        while len(got) < n and max(got[-1]) < WAIT * 1000:
            got.append((self.mail(True), self.mail(False)))
        return [sorted(x) for x in zip(*got)]


def show(times):
    return "median %.1f ms, 95%% %.1f ms, at most %.1f ms" % (
        statistics.median(times), times[len(times) * 95 // 100], times[-1])


def compare(what, idle, times):
    for name, before, now in zip(("local mail", "another host"), idle, times):
        ratio = statistics.median(now) / statistics.median(before)
        late = statistics.median(now) - statistics.median(before)
        ok(ratio <= 2 or SLICE and late < LATE, "T-DOS-6 %s: %s comes as ever" %
           (what, name),
           ["without: " + show(before), "with:    " + show(now),
            "%.2fx" % ratio])


def without(tmp, sink, port):
    """What it takes now: the machine may have other things to do."""
    os.sync()
    name = "idle%d" % len(os.listdir(tmp))
    q = Queue(tmp, name, sink, port)
    q.start()
    q.mail(True)
    q.mail(False)
    idle = q.mails()
    q.stop()
    return idle


def states(q):
    return len(os.listdir(q.spool + "/state"))


def one_dead(tmp, sink, refuses):
    q = Queue(tmp, "one", sink, refuses)
    begin = time.monotonic()
    for i in range(MESSAGES):
        q.put(["u%d@dead.test" % i], "x")
    print("# %d messages made in %.0f s" % (MESSAGES,
                                            time.monotonic() - begin))
    idle = without(tmp, sink, refuses)
    begin = q.start()
    first = q.mail(True)
    print("# the first local message comes after %.0f ms" % first)
    times = q.mails()
    print("# %d of them tried by then" % states(q))
    compare("messages to a dead host", idle, times)
    while states(q) < MESSAGES and time.monotonic() < begin + 3600:
        times = [sorted(a + b) for a, b in zip(times, q.mails(5))]
        time.sleep(1)
    ok(states(q) == MESSAGES, "T-DOS-6 all messages are tried",
       ["%d" % states(q)])
    print("# in %.0f s; %.1f s of the processor" % (
        time.monotonic() - begin, q.used()))
    compare("messages to a dead host, to the last", idle, times)
    used = q.used()
    compare("messages that wait", without(tmp, sink, refuses), q.mails())
    print("# %.1f s of the processor" % (q.used() - used))
    most = 16 + MESSAGES * TABLE / 2**20
    ok(q.memory() <= most or SANITIZED, "T-DOS-6 qsend has few bytes for each",
       ["%.1f MiB, at most %.1f" % (q.memory(), most)])
    q.stop()


def many_dead(tmp, sink, port, what):
    idle = without(tmp, sink, port)
    q = Queue(tmp, what, sink, port)
    begin = q.start()
    # That host has answered before.
    q.mail(False)
    for i in range(DOMAINS):
        q.tell(q.put(["u@dead%d.test" % i], "x"))
    times = q.mails()
    compare("domains that are %s" % what, idle, times)
    if what == "refusing":
        while states(q) < DOMAINS and time.monotonic() < begin + 3600:
            time.sleep(0.5)
        ok(states(q) == DOMAINS, "T-DOS-6 all domains are tried",
           ["%d" % states(q)])
        print("# in %.0f s; qsend: %.1f s of the processor" % (
            time.monotonic() - begin, q.used()))
    ok(q.memory() <= 32 or SANITIZED, "T-DOS-6 domains that are %s take no memory" % what,
       ["%.1f MiB" % q.memory()])
    q.stop()


def one_message(tmp, sink, port, what):
    idle = without(tmp, sink, port)
    q = Queue(tmp, "message-" + what, sink, port)
    begin = q.start()
    q.mail(False)
    q.tell(q.put(["u@dead%d.test" % i for i in range(MANY)], "x"))
    times = q.mails()
    compare("a message to domains that are %s" % what, idle, times)
    if what == "refusing":
        def lines():
            name = os.listdir(q.spool + "/state")
            if not name:
                return 0
            with open(q.spool + "/state/" + name[0]) as f:
                return len({line.split()[0] for line in f})
        while lines() < MANY and time.monotonic() < begin + 600:
            time.sleep(0.2)
        ok(lines() == MANY, "T-DOS-6 all of a message's domains are tried")
        print("# in %.0f s; qsend: %.1f s of the processor" % (
            time.monotonic() - begin, q.used()))
    q.stop()


def main(tmp):
    os.chmod(tmp, 0o755)
    sink = Sink()
    # Nobody listens there; and there somebody does, and says nothing.
    refuses = socket.socket()
    refuses.bind(("127.0.0.1", 0))
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(4096)
    no, nothing = (s.getsockname()[1] for s in (refuses, silent))
    one_message(tmp, sink, no, "refusing")
    one_message(tmp, sink, nothing, "silent")
    many_dead(tmp, sink, no, "refusing")
    many_dead(tmp, sink, nothing, "silent")
    one_dead(tmp, sink, no)


with tempfile.TemporaryDirectory(prefix="postern-queue.") as folder:
    if os.geteuid() == 0:
        # qsend is nobody's who has rights.
        os.chown(folder, 65534, 65534)
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    main(folder)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, exist_ok=True)
finish()
