"""Sockets, caps, rights, and programs that were taken over."""
import ctypes
import imaplib
import os
import poplib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time

from frontlib import (ASKS, FAKE, OWNER, PLAIN, ROOT, SANITIZED, STAGE, TMP,
                      USERS, Client, Front, Site, arguments, children, connected,
                      context, finish, login, logs, ok, programs_folder, skip,
                      wait_for)

# --- sockets -----------------------------------------------------------------

def test_sockets(site):
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    client = socket.create_connection(server.getsockname())
    conn, _ = server.accept()
    p = site.start("imap", conn)
    conn.close()
    c = Client(client)
    ok(login(c).startswith("a OK stub"), "a connected socket on fd 0")
    c.send("LOGOUT\r\n")
    ok(c.rest() == "bye\n" and p.wait(10) == 0, "the process was the session")
    pair = socket.socketpair()
    p = site.start("pop3", pair[0])
    pair[0].close()
    c = Client.__new__(Client)
    c.sock, c.buf = pair[1], b""
    ok(c.line().startswith("+OK"), "a socket without an address")
    c.close()
    ok(p.wait(10) == 0, "ends with its client")
    p = site.start("imap", subprocess.DEVNULL)
    ok(p.wait(10) == 100, "what is no socket is refused")
    # systemd's way: fd 3 and 4, LISTEN_FDS, LISTEN_PID.
    fast = Site("activated", listen_idle_s=1)
    listeners = []
    for _ in range(2):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen()
        listeners.append(s)
    fds = [os.dup(s.fileno()) for s in listeners]

    def arrange():
        high = [os.dup2(fd, 50 + i) for i, fd in enumerate(fds)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2")
        os.execv(fast.libexec + "/front",
                 [fast.libexec + "/front", "-r", fast.root, "imap"])

    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open("/dev/null", os.O_RDWR), 0)
            arrange()
        finally:
            os._exit(99)
    both = [Client(socket.create_connection(s.getsockname()))
            for s in listeners]
    ok(all(c.greeting.startswith("* OK") for c in both),
       "two sockets from systemd")
    time.sleep(1.3)
    ok(os.waitpid(pid, os.WNOHANG) == (0, 0),
       "the listener stays while it has connections")
    for c in both:
        c.close()
    ok(wait_for(lambda: os.waitpid(pid, os.WNOHANG) == (pid, 0), 8),
       "and leaves when idle")
    for fd in fds:
        os.close(fd)
    # --listen
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
    s.close()
    p = site.start("imap", subprocess.DEVNULL, "--listen",
                   "127.0.0.1:%d,[::1]:%d" % (port, port))

    def connect(host="127.0.0.1"):
        try:
            return Client(socket.create_connection((host, port)))
        except OSError:
            return None

    ok(wait_for(connect), "--listen")
    c = connect("::1")
    ok(c and login(c).startswith("a OK stub"), "IPv6 loopback", c)
    p.terminate()
    ok(p.wait(10) == 0, "SIGTERM ends it")
    ok(connect() is None, "nobody listens then")
    c.send("NOOP\r\n")
    ok(c.line() == "echo NOOP", "its session lives on")
    p = site.start("imap", subprocess.DEVNULL, "--listen",
                   "127.0.0.1:%d" % port, preexec_fn=lambda:
                   os.closerange(0, 2))
    ok(wait_for(connect) and login(connect()).startswith("a OK stub"),
       "without a standard input and output", p.poll())
    p.terminate()
    p.wait(10)
    ok(site.start("imap", subprocess.DEVNULL, "--listen", "nonsense")
       .wait(10) == 111, "a wrong address")
    ok(site.start("gopher", subprocess.DEVNULL).wait(10) == 100,
       "an unknown service")


def test_caps():
    """T-DOS-2: nobody takes the places of others."""
    site = Site("caps", connections_per_source=3, connections=5)
    front = Front(site, "imap")
    three = [front.client() for _ in range(3)]
    ok(all(c.greeting for c in three), "three from one source")
    got = [front.client(greeting=False).rest() for _ in range(4)]
    ok(got == [""] * 4, "the fourth is closed at once", got)
    lines = front.logged("refused .*why=connections_per_source "
                         "source=127.0.0.1 count=1\n")
    ok(len(lines) == 1, "one line, not four", lines)
    three.pop(0).close()

    def again():
        c = front.client(greeting=False)
        good = c.line().startswith("* OK")
        (three.append if good else Client.close)(c)
        return good

    ok(wait_for(again), "a place that is free again is given again")
    more = [front.client(source="127.0.0.%d" % n) for n in (2, 3)]
    ok(all(c.greeting for c in more), "other sources have their own places")
    ok(all(login(c).startswith("a OK") for c in three + more), "they log in")
    got = [front.client(source="127.0.0.4", greeting=False).rest()
           for _ in range(2)]
    ok(got == ["", ""], "but there are no more than `connections'", got)
    ok(front.stop() == 0, "stopped")


def test_many_handshakes():
    """One nursery's key holder has them all."""
    front = Front(Site("many", connections_per_source=100), "imaps")
    socks = [socket.create_connection(front.address) for _ in range(60)]
    good = sum(Client(s, tls=True).greeting.startswith("* OK") for s in socks)
    ok(good == 60, "60 connections wait, and then all begin TLS", good)
    ok(front.stop() == 0, "stopped")


def test_early_drop():
    """Where all places are taken, who has not logged in makes room
    (T-DOS-2)."""
    site = Site("drop", connections_per_source=4, connections=6, login_s=60)
    front = Front(site, "imap")

    def count(clients):
        """How many are not closed."""
        n = 0
        for c in clients:
            c.sock.setblocking(False)
            try:
                n += c.sock.recv(1, socket.MSG_PEEK) != b""
            except BlockingIOError:
                n += 1
            except OSError:
                pass
            c.sock.settimeout(15)
        return n

    sessions = [front.client() for _ in range(2)]
    ok(all(login(c).startswith("a OK") for c in sessions), "two sessions")
    many = [front.client(source="127.0.0.2") for _ in range(3)]
    one = [front.client(source="127.0.0.3")]
    c = front.client(source="127.0.0.4")
    ok(c.greeting.startswith("* OK"), "one more than there are places: served")
    ok(wait_for(lambda: count(many) == 2), "who had most has lost one",
       count(many))
    ok(count(one) == 1 and count(sessions) == 2, "and nobody else")
    ok(login(c).startswith("a OK"), "it logs in")
    d = front.client(source="127.0.0.5")
    ok(d.greeting.startswith("* OK") and wait_for(lambda: count(many) == 1),
       "and another one")
    got = front.client(source="127.0.0.6", greeting=False).rest()
    ok(got == "", "where all are alike the last is refused", got)
    e = []

    def later():
        new = front.client(source="127.0.0.6", greeting=False)
        if new.line().startswith("* OK"):
            e.append(new)
        return e

    ok(wait_for(later), "until they have been there for long")
    ok(len(front.logged("why=early-drop")) > 0 and
       not front.logged("login-program-ended"), "a line, and no alarm")
    ok(count(sessions + [c]) == 3, "no session was lost")
    for s in (many + one + [d] + e)[::-1]:
        if count([s]) and login(s).startswith("a OK"):
            sessions.append(s)
    got = front.client(source="127.0.0.7", greeting=False).rest()
    ok(len(sessions) == 5 and got == "", "for sessions nobody makes room",
       len(sessions), got)
    ok(front.stop() == 0, "stopped")


def test_signals():
    """A starter that ignores its children (some inetds do)."""
    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK,
                               [signal.SIGCHLD, signal.SIGTERM])

    front = Front(Site("signals", connections_per_source=2), "imap",
                  preexec_fn=ignore)
    good = 0
    for _ in range(6):
        c = front.client()
        good += c.greeting.startswith("* OK")
        c.ask("a LOGOUT\r\n", end="a OK")
        c.close()
        wait_for(lambda: not children(front.porter()), 3)
    ok(good == 6, "places are free again where children were ignored", good)
    ok(login(front.client()).startswith("a OK stub"), "and logins work")
    ok(front.stop() == 0, "and SIGTERM is heard")


def descriptors(pid):
    """By number: what it is, and its flags."""
    found = {}
    for n in os.listdir("/proc/%d/fd" % pid):
        try:
            with open("/proc/%d/fdinfo/%s" % (pid, n)) as f:
                text = f.read()
            what = os.readlink("/proc/%d/fd/%s" % (pid, n))
        except FileNotFoundError:
            continue  # closed meanwhile
        flags = int(re.search(r"flags:\t(\d+)", text).group(1), 8)
        found[int(n)] = what, flags
    return found


def test_arguments(site):
    """A porter that was taken over starts what the plan says."""
    other = Site("elsewhere", hostname="elsewhere.example.org")

    def greeting(*args):
        site.program("porter", ASKS + """
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
error, pid, process = ask(packet(BEGIN, LOGIN, %r), theirs.fileno(),
    os.open("/dev/null", os.O_RDONLY), 0)
signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
signal.alarm(5)
os.close(theirs.fileno())
ours.recv(1)
""" % (args,))
        pair = socket.socketpair()
        p = site.start("imap", pair[0])
        pair[0].close()
        pair[1].settimeout(10)
        with pair[1].makefile() as f:
            line = f.readline()
        pair[1].close()
        p.wait(10)
        return line

    got = greeting("192.0.2.1")
    ok("mail.example.org" in got, "a login program has its arguments", got)
    for args in (("-r", other.root, "imap", "192.0.2.1"),
                 ("192.0.2.1", "-r", other.root),
                 ("192.0.2.1", "-r" + other.root, "clear"),
                 ("-n",), ("192.0.2.1", "-n"), ("192.0.2.1", "-c")):
        got = greeting(*args)
        ok("elsewhere" not in got and (
            got == "" or args == ("-n",)), "none is an option: " +
           " ".join(args).replace(TMP, ""), got)
    restore(site)


def restore(site):
    os.unlink(site.libexec + "/porter")
    os.symlink(programs_folder() + "/porter", site.libexec + "/porter")


def test_packets(site):
    """Nor does it leave anything with front."""
    if not ROOT:
        skip("packets of a porter that was taken over", "not root")
        return
    site.program("porter", ASKS + """
stamp = packet(STAMP, 0)
for data, n in ((b"", 1), (b"", 3), (b"", 4), (b"", 100), (b"x", 4),
                (stamp, 4), (stamp, 5), (stamp, 250), (stamp + b"x", 4),
                (b"x" * 20000, 4), (b"x" * 20000, 100),
                (packet(STAMP, 99), 4), (packet(99, LOGIN), 4),
                (packet(BEGIN, 0), 4), (packet(BEGIN, LOGIN, ["a"] * 9), 4)):
    for i in range(10):
        socket.send_fds(front, [data], [2] * n)
tell("answered", ask(stamp) is not None)
os.read(0, 1)
""")
    pair = socket.socketpair()
    p = site.start("imap", pair[0])
    pair[0].close()
    ok(wait_for(lambda: site.logged("answered True", "imap")),
       "front answers after any number of odd packets")
    ok(wait_for(lambda: len(descriptors(p.pid)) < 12, 2),
       "and keeps none of their descriptors", descriptors(p.pid))
    pair[1].close()
    p.wait(10)
    restore(site)


def test_no_descriptors(site):
    """T-DOS-4: where nobody can be served it waits, and does not spin."""
    front = Front(site, "imap")
    wait_for(lambda: any("eventpoll" in what for what, _ in
                         descriptors(front.porter()).values()))
    front.limit("NOFILE", 6, 7)
    begin = time.monotonic()
    clients = [socket.create_connection(front.address) for _ in range(20)]
    ok(wait_for(lambda: len(front.logged("why=accept")) >= 2),
       "accept fails, and is tried again")
    lines = len(front.logged("why=accept"))
    ok(lines <= time.monotonic() - begin + 1.5, "at most once a second",
       lines)
    with open("/proc/%d/stat" % front.porter()) as f:
        ticks = sum(int(n) for n in f.read().split()[13:15])
    ok(ticks < 50, "without burning the processor", ticks)
    front.limit("NOFILE", 7, 7)
    ok(wait_for(lambda: front.logged("why=fork")),
       "nor is anybody served who was accepted")
    ok(front.stop() == 0, "and still hears SIGTERM")
    for c in clients:
        c.close()


def seat_of(link):
    """Its socket to the listener, ours as well."""
    n = next(n for n, (_, flags) in descriptors(link).items()
             if flags & os.O_NONBLOCK)
    process = os.pidfd_open(link)
    got = ctypes.CDLL(None, use_errno=True).syscall(438, process, n, 0)
    os.close(process)
    return socket.socket(fileno=got)


def test_seats():
    """The listener does not believe a child of its own that was taken over."""
    if not ROOT:
        skip("a child of the porter's that was taken over", "not root")
        return
    site = Site("seats", connections_per_source=4, listen_idle_s=600)
    front = Front(site, "imap")
    porter = front.porter()
    clients = []

    def sit(source="127.0.0.1"):
        old = children(porter)
        clients.append(front.client(source=source))
        return next(p for p in children(porter) if p not in old)

    first = sit()
    with open("/proc/%d/maps" % first) as f:
        shared = [line for line in f if re.match(r"\S+ .w.s ", line)]
    ok(not shared, "it shares no memory that could be written", shared)
    wait_for(lambda: len(descriptors(first)) == 9 and
             len(descriptors(porter)) == 10, 2)
    had, base = len(descriptors(first)), len(descriptors(porter))
    for c in (clients[0], front.client(source="127.0.0.2")):
        login(c)
        clients.append(c)
    sit("127.0.0.3")
    last = sit("127.0.0.4")
    ok(wait_for(lambda: len(descriptors(last)) == had, 2),
       "and has no descriptor that is another's", had, descriptors(last))
    for c in clients:
        c.close()
    ok(wait_for(lambda: len(descriptors(porter)) == base - 1),
       "of which the listener keeps none", base, descriptors(porter))

    def word(kind, family=0, address=b""):
        return struct.pack("=Ii16s", kind, family, address)

    v4, mine = socket.AF_INET, socket.inet_aton("127.0.0.9")
    null = os.open("/dev/null", os.O_RDONLY)
    self = os.pidfd_open(os.getpid())
    cases = [("another address, without a proxy", [(word(0, v4, mine), [])]),
             ("a session that is no process", [(word(2), [null])]),
             ("a session that is its connection", [(word(2), ["seat"])]),
             ("a session that is not there", [(word(2), [])]),
             ("two sessions", [(word(2), [self, self])]),
             ("that somebody logged in, twice", [(word(1), [])] * 2),
             ("something else", [(word(9), [])]),
             ("half of something", [(b"x", [])]),
             ("too much", [(word(1) + b"x", [null])])]
    for name, words in cases:
        site.log and open(site.log, "w").close()
        links = [sit() for _ in range(4)]
        seat = seat_of(links[0])
        for packet, fds in words:
            try:
                socket.send_fds(seat, [packet], [
                    seat.fileno() if fd == "seat" else fd for fd in fds])
            except BrokenPipeError:
                pass
        good = wait_for(lambda: front.logged("child-not-believed"))
        got = front.client(greeting=False).rest()
        other = login(front.client(source="127.0.0.9"))
        ok(good and got == "" and other.startswith("a OK"),
           "not believed, and its seat is taken: " + name, good, got, other)
        seat.close()
        for c in clients:
            c.close()
        clients.clear()
        ok(wait_for(lambda: not children(porter)) and
           wait_for(lambda: len(descriptors(porter)) == base - 1),
           "until its end", descriptors(porter))
    # What is true is heard, and nothing is kept of what comes along.
    sit()
    seat = seat_of(children(porter)[0])
    socket.send_fds(seat, [word(1)], [null])
    got = login(clients[-1])
    ok(got.startswith("a OK"), "a descriptor that nobody asked for", got)
    seat.close()
    clients[-1].close()
    ok(wait_for(lambda: len(descriptors(porter)) == base - 1),
       "is closed", descriptors(porter))
    os.close(null)
    os.close(self)
    ok(front.stop() == 0, "stopped")


def test_rights(site):
    if not ROOT or SANITIZED:
        skip("who runs as whom", "not root, or no jails in this build")
        return
    front = Front(site, "imaps")
    c = front.client(tls=True)

    def status(pid):
        with open("/proc/%d/status" % pid) as f:
            return dict(re.findall(r"(\w+):\t(.*)", f.read()))

    def four(n):
        return "\t".join([str(n)] * 4)

    starter, porter = front.process.pid, front.porter()
    wait_for(lambda: len(children(starter)) == 5 and children(porter))
    link = children(porter)[0]
    by_name = {os.path.basename(arguments(p)[0]).decode(): p
               for p in children(starter)}
    nursery, checkers = by_name["imap-login"], by_name["checkpw"]
    child = children(nursery)[0]
    caps = sum(1 << n for n in (6, 7, 18))
    s = status(starter)
    ok(s["Uid"] == four(0) and int(s["CapEff"], 16) == 0 and
       int(s["CapPrm"], 16) == caps and s["NoNewPrivs"] == "1",
       "front: root with three capabilities, none in effect", s)
    for name, pid in (("porter", porter), ("its child", link)):
        s = status(pid)
        ok(s["Uid"] == four(64005) and s["Groups"].strip() == "" and
           int(s["CapPrm"], 16) == int(s["CapAmb"], 16) == 0 and
           s["NoNewPrivs"] == "1" and s["Seccomp"] == "2" and
           os.readlink("/proc/%d/root" % pid) ==
           site.root + "/run/postern/empty",
           name + ": porter_user, no capability, filtered, no files", s)
    s = status(child)
    ok(s["Uid"] == four(64001) and s["Gid"] == four(64001) and
       s["Groups"].strip() == "" and int(s["CapPrm"], 16) == 0 and
       int(s["CapAmb"], 16) == 0 and s["NoNewPrivs"] == "1" and
       s["Seccomp"] == "2",
       "login program: net_user, no capability, filtered", s)
    s = status(nursery)
    ok(s["Uid"] == four(64001) and int(s["CapPrm"], 16) == 0 and
       int(s["CapAmb"], 16) == 0 and s["NoNewPrivs"] == "1" and
       s["Seccomp"] == "2" and os.readlink("/proc/%d/root" % nursery) ==
       site.root + "/run/postern/empty",
       "its nursery: the same, but that it forks", s)
    s = status(checkers)
    ok(s["Uid"] == four(64002) and int(s["CapPrm"], 16) == 0 and
       int(s["CapAmb"], 16) == 0 and s["NoNewPrivs"] == "1" and
       s["Seccomp"] == "2" and os.readlink("/proc/%d/root" % checkers) ==
       site.root + "/run/postern/empty",
       "checkpw's nursery: auth_user, jailed", s)
    with open("/proc/%d/maps" % starter) as f:
        libs = set(re.findall(r"/(lib[\w-]+)", f.read()))
    ok(libs <= {"libc"}, "no library runs with rights but libc", libs)
    ok(os.readlink("/proc/%d/root" % child) == site.root +
       "/run/postern/empty", "with an empty root folder",
       os.readlink("/proc/%d/root" % child))
    fds = sorted(int(n) for n in os.listdir("/proc/%d/fd" % child))
    ok(fds == [0, 1, 2, 3], "and no descriptor of a file", fds)
    ok(login(c).startswith("a OK stub"), "login")
    ok(wait_for(lambda: not children(porter)), "the porter is done with it")
    session = children(by_name["imapd"])[0]
    s = status(session)
    ok(s["Uid"] == four(OWNER) and s["Gid"] == four(OWNER) and
       int(s["CapPrm"], 16) == 0 and int(s["CapAmb"], 16) == 0,
       "the session is its owner, and nobody else", s)
    ok(s["Groups"].strip() == "", "without groups", s["Groups"])
    fds = sorted(int(n) for n in os.listdir("/proc/%d/fd" % child))
    ok(len(fds) == 4, "the relay has its two ends and the log", fds)
    c.close()
    front.stop()


def test_order():
    """Certificates and keys are read without any rights."""
    if not ROOT or SANITIZED or not shutil.which("strace"):
        skip("what is read with rights", "not root, no jails, or no strace")
        return
    front = Front(Site("order"), "imaps")
    trace = front.site.root + "/trace"
    p = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", trace, "-e",
         "trace=execve,chroot,capset,setresuid,pread64,read", "-p",
         str(front.process.pid)], stderr=subprocess.PIPE)
    wait_for(lambda: re.search(r"TracerPid:\t[1-9]", open(
        "/proc/%d/status" % front.process.pid).read()))
    c = front.client(tls=True)
    ok(login(c).startswith("a OK"), "a login, traced")
    c.close()
    p.terminate()
    p.communicate()
    front.stop()
    with open(trace) as f:
        lines = f.read().split("\n")
    for program in ("imap-login", "signer"):
        pid = [line.split()[0] for line in lines
               if "/%s\", [" % program in line][0]
        all_of = [line.split(None, 1)[1] for line in lines
                  if line.startswith(pid + " ")]
        seen = all_of[[n for n, line in enumerate(all_of)
                     if line.startswith("execve(")][-1]:]
        key = [n for n, line in enumerate(seen)
               if '"-----BEGIN' in line]
        out = [n for n, line in enumerate(seen)
               if line.startswith("chroot(")]
        none = [n for n, line in enumerate(seen) if line.startswith("capset(")
                and "permitted=0" in line]
        conf = [n for n, line in enumerate(seen) if "mail.example.org" in line]
        ok(key and none and not out and (conf or program == "signer") and
           none[0] < key[0],
           program + ": PEM is read once no capability can come back",
           seen[-30:])
        ok(any(line.startswith("setresuid(") for line in all_of) and
           not any("permitted=1<<CAP" in line for line in seen),
           program + ": it never has one", all_of[-30:])
    mover = [line for line in lines if "chroot(" in line]
    ok(mover and all(line.split(None, 1)[1].startswith("chroot(\"%s\"" %
                     (front.site.root + "/run/postern/empty"))
                     for line in mover),
       "another process moves their root", mover)


# --- a login program that was taken over ----------------------------------

HOSTILE = """#!%s
import array, os, socket, struct, sys, time
if sys.argv[3] == "-n":
    sys.exit(111)
channel = socket.socket(fileno=3)
def frame(kind, tls=0, data=b"", tag=b"t", n=None, mechanism=4,
          bindings=b""):
    return struct.pack("=IIII64s1024s272s", kind, tls, mechanism,
        len(data) if n is None else n, tag, data, bindings)
def ask(packet, fds=()):
    channel.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
        array.array("i", fds))] if fds else [])
    data, extra, flags, peer = channel.recvmsg(4096, 64)
    if not data:
        os.write(1, b"gone\\n")
        sys.exit(0)
    got = array.array("i")
    for level, kind, value in extra:
        got.frombytes(value)
    return struct.unpack("=I", data[:4])[0], list(got)
GOOD = b"\\0alice\\0secret word"
AUTH, ENQUEUE, STEP, CANCEL = 1, 2, 4, 5
FIRST = b"n,,n=alice,r=abcdefgh"
%s
os.write(1, b"alive\\n")
time.sleep(30)
"""


def processes(site):
    """What runs for it, whoever it was started by."""
    found = []
    for pid in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if site.root.encode() + b"/" in f.read() + b"/":
                    found.append(pid)
        except OSError:
            pass
    return found


def fake(text):
    return HOSTILE % (FAKE, text)


def test_hostile():
    """T-AUTH-7."""
    if not os.path.exists(FAKE):
        skip("a login program that was taken over", "no " + FAKE)
        return
    cases = [
        ("a short frame", "imap", "ask(b'x')"),
        ("a long frame", "imap", "ask(frame(AUTH, data=GOOD) + b'x')"),
        ("an unknown type", "imap", "ask(frame(7))"),
        ("a length past the end", "imap",
         "ask(frame(AUTH, data=GOOD, n=4096))"),
        ("no tag", "imap", "ask(frame(AUTH, data=GOOD, tag=b''))"),
        ("a tag without its NUL", "imap",
         "ask(frame(AUTH, data=GOOD, tag=b't' * 64))"),
        ("a tag with a line end", "imap",
         "ask(frame(AUTH, data=GOOD, tag=b't\\r\\nx'))"),
        ("a descriptor nobody asked for", "imap",
         "ask(frame(AUTH, data=GOOD), [0])"),
        ("clear text on a TLS service", "imaps",
         "ask(frame(AUTH, data=GOOD))"),
        ("tls that is neither", "imap", "ask(frame(AUTH, 2, GOOD))"),
        ("ENQUEUE of imap", "imap", "ask(frame(ENQUEUE, tag=b''))"),
        ("a tag of pop3", "pop3", "ask(frame(AUTH, data=GOOD))"),
        ("AUTH of smtp", "smtp",
         "ask(frame(AUTH, 1, GOOD, tag=b''))"),
        ("ENQUEUE before AUTH of submission", "submission",
         "ask(frame(ENQUEUE, tag=b''))"),
        ("AUTH after AUTH", "submission",
         "ask(frame(AUTH, 1, GOOD, b'')); ask(frame(AUTH, 1, GOOD, b''))"),
        ("a STEP before AUTH", "imap", "ask(frame(STEP, data=GOOD))"),
        ("a CANCEL before AUTH", "imap", "ask(frame(CANCEL))"),
        ("a STEP after the end", "imap",
         "ask(frame(AUTH, data=b'x')); ask(frame(STEP, data=GOOD))"),
        ("a STEP after CANCEL", "imap",
         "s = ask(frame(AUTH, data=FIRST, mechanism=2))[0]\n"
         "if s == 3: ask(frame(CANCEL)); ask(frame(STEP, data=FIRST))"),
        ("a STEP on another protocol's tag", "imap",
         "s = ask(frame(AUTH, data=FIRST, mechanism=2))[0]\n"
         "if s == 3: ask(frame(STEP, data=FIRST, tag=b''))"),
        ("ENQUEUE in an exchange", "submission",
         "ask(frame(AUTH, 1, FIRST, b'', None, 2)); "
         "ask(frame(ENQUEUE, tag=b''))"),
        ("a mechanism that is none", "imap",
         "ask(frame(AUTH, data=GOOD, mechanism=99))"),
        ("a channel binding past its end", "imap",
         "ask(frame(AUTH, data=GOOD, bindings=b'\\xff' * 272))"),
        ("a fourth exchange", "imap",
         "[ask(frame(AUTH, data=FIRST, mechanism=2)) for i in range(4)]"),
        ("two requests at once", "imap",
         "channel.send(frame(AUTH, data=b'x')); "
         "[ask(frame(AUTH, data=GOOD, tag=b'')) for i in range(2)]"),
        ("a fourth attempt", "imap",
         "[ask(frame(AUTH, data=b'x')) for i in range(4)]"),
    ]
    site = Site("hostile", auth_delay_ms=0)
    for name, service, text in cases:
        for p in ("imap-login", "pop3-login", "smtpd"):
            site.program(p, fake(text))
        front = Front(site, service)
        got = front.client(greeting=False).rest()
        ok(got in ("", "gone\n") and wait_for(
            lambda: front.logged("login-program-ended")),
           "ended: " + name, got)
        front.stop()
        os.unlink(site.log)
    ok(wait_for(lambda: not processes(site)),
       "nothing is left of them", processes(site))
    # One that ends with a request on the way takes nothing with it.
    site.program("imap-login", fake(
        "channel.send(frame(AUTH, data=b'x')); os._exit(1)"))
    front = Front(site, "imap")
    got = [front.client(greeting=False).rest() for _ in range(3)]
    ok(got == [""] * 3 and wait_for(
        lambda: not children(front.porter()), 15),
       "one that dies in the middle of a request leaves nothing", got,
       children(front.porter()))
    front.stop()
    site.program("imap-login", fake(
        "s = ask(frame(AUTH, data=GOOD))\nos.write(1, b'%d' % s[0])"))
    front = Front(site, "imap")
    c = front.client(greeting=False)
    ok(wait_for(lambda: front.logged("login-program-ended"), 15) and
       "stub" not in (c.rest() or ""),
       "a program that will not leave gets no session beside it")
    front.stop()
    test_verdicts()
    test_owners()
    test_left()
    test_none()
    test_connected()
    test_places()
    test_door()


CHECKPW = """#!%s
import array, socket, struct, sys, time
if "-n" in sys.argv:
    sys.exit(111)
s = socket.socket(fileno=0)
s.recv(2000)
def verdict(status, n, user, name=b""):
    return struct.pack("=II320s32s16s768s", status, n, user, name, b"", b"")
def session(uid, gid, folder, tag=b"a"):
    return struct.pack("=III4xQQQQQ64s64s320s64s2048s", uid, gid, 31, 60,
                       60, 1024, 60, 1000,
                       b"", tag, b"alice", b"", folder)
%s
"""


def test_verdicts():
    """checkpw says more than it may."""
    for name, verdict in (
            ("no name", "2, 0, b''"),
            ("no NUL", "2, 0, b'a' * 320"),
            ("a credential without NUL", "2, 0, b'alice', b'a' * 32"),
            ("a message past its end", "3, 769, b'alice'"),
            ("an unknown status", "4, 0, b'alice'")):
        site = Site("verdict" + name.replace(" ", ""))
        site.program("checkpw", CHECKPW % (
            FAKE, "s.send(verdict(%s))" % verdict))
        front = Front(site, "imap")
        got = login(front.client())
        ok(got.startswith("a NO [UNAVAILABLE]"),
           "a verdict that is not believed: " + name, got)
        front.stop()


def test_owners():
    """Nobody's mail is served as a user of the system, or of our programs."""
    if not ROOT:
        skip("mailboxes of others", "not root")
        return
    site = Site("owners")
    front = Front(site, "imap")
    for who in ("low", "ours"):
        got = front.client().ask('a LOGIN %s "secret word"\r\n' % who)
        ok(got.startswith("a NO [UNAVAILABLE]"), "not served: " + who, got)
    folder = site.root + "/etc/postern/users"
    with open(folder) as f:
        text = f.read()
    with open(folder, "w") as f:
        f.write(text.replace("maildir=/", "maildir=/../"))
    subprocess.run(["cdb", "-c", "-m", folder + ".cdb", folder], check=True)
    got = front.client().ask('a LOGIN alice "secret word"\r\n')
    ok(got.startswith("a NO [UNAVAILABLE]"), "nor what leaves the root", got)
    front.stop()


def test_left():
    """A program for one session ends where that does not begin."""
    if SANITIZED or not os.path.exists(FAKE):
        skip("one session program", "no jails in this build, or no " + FAKE)
        return
    site = Site("left", stubs=False)
    program = site.libexec + "/imapd"
    os.rename(program, program + ".real")
    with open(program, "w") as f:
        f.write("#!/bin/sh\n[ \"$1\" = -n ] || exec %s.real \"$@\"\n" % program)
    os.chmod(program, 0o755)
    front = Front(site, "imap")

    def single():
        return [p for p in children(front.process.pid)
                if b"-1" in arguments(p)]

    front.client().close()
    c = front.client()
    ok(c.ask('a LOGIN alice "secret word"\r\n').startswith("a OK") and
       single(), "no nursery of sessions: one for this session")
    c.close()
    ok(wait_for(lambda: not single()), "which ends with it")
    many = [front.client() for _ in range(6)]
    for c in many:
        c.send('a LOGIN alice "secret word"\r\n')
    got = [c.line()[:4] for c in many]
    ok(got == ["a OK"] * 6, "six at once: one for each", got)
    for c in many:
        c.close()
    ok(wait_for(lambda: not single()), "and none is left", single())
    site.program("imap-login", fake(
        "s = ask(frame(AUTH, data=GOOD))\ntime.sleep(1)\n"))
    front.stop()
    front = Front(site, "imap")
    front.client(greeting=False).close()
    wait_for(lambda: front.logged("no-nursery"), 0.3)
    c = front.client(greeting=False)
    ok(wait_for(single) and wait_for(
        lambda: front.logged("login-program-ended"), 15) and
       wait_for(lambda: not single()),
       "and before it, where none begins", single())
    c.close()
    front.stop()


def test_none():
    """A session that does not begin keeps nothing."""
    site = Site("none", stubs=False)
    site.program("imapd", "")
    os.unlink(site.libexec + "/imapd")
    os.rename(site.libexec + "/imapd.sh", site.libexec + "/imapd")
    for service in ("imap", "imaps"):
        front = Front(site, service)
        c = front.client(tls=service == "imaps")
        c.send('a LOGIN alice "secret word"\r\n')
        got = c.rest()
        ok(got.startswith("a NO [UNAVAILABLE] ") and "\r\n* BYE " in got,
           service + ": a session that does not begin: an answer", got)
        ok(wait_for(lambda: not children(front.porter())),
           "and who served it", children(front.porter()))
        front.stop()


def enter(site, service):
    """Who connects, has front to itself, as from inetd, and logs in."""
    p, c = connected(site, service, tls=service[-1] == "s")
    if service.startswith("imap"):
        return p, c, login(c)
    c.ask("USER alice\r\n", end=r"[+-]")
    return p, c, c.ask("PASS secret word\r\n", end=r"[+-]")


def test_connected():
    """A connection of its own is answered where no session can begin."""
    site = Site("alone", stubs=False)
    no = {"imap": "a NO [UNAVAILABLE] ", "pop3": "-ERR [SYS/TEMP] "}
    for service in ("imap", "imaps", "pop3", "pop3s"):
        program = site.libexec + "/" + service[:4] + "d"
        want = no[service[:4]]
        os.rename(program, program + ".away")
        p, c, got = enter(site, service)
        ok(got.startswith(want), service + ": no program: told", got)
        if service == "imap":
            got = [login(c), c.ask("n NOOP\r\n")]
            ok(got[0].startswith(want) and got[1].startswith("n OK"),
               "and may try again", got)
        c.close()
        p.wait(10)
        for text, what in (("#!/nowhere\n", "that cannot be executed"),
                           ("#!/bin/sh\nexit 1\n", "that ends"),
                           ("", "that is none")):
            with open(program, "w") as f:
                f.write(text)
            os.chmod(program, 0o755)
            p, c, got = enter(site, service)
            rest = c.rest()
            ok(got.startswith(want) and rest == (
                "* BYE Temporary failure, try later\r\n"
                if service[0] == "i" else ""),
               service + ": a program %s: told" % what, got, rest)
            c.close()
            p.wait(10)
        os.rename(program + ".away", program)
        p, c, got = enter(site, service)
        ok(got.startswith(("a OK", "+OK")), service + ": the program", got)
        c.close()
        p.wait(10)


def test_places():
    """Who waits for a session to begin keeps nobody from a check."""
    site = Site("places", auth_workers=1)
    pop3 = Front(site, "pop3")

    def enter():
        begin = time.monotonic()
        c = pop3.client()
        c.ask("USER alice\r\n")
        got = c.ask("PASS secret word\r\n")
        c.close()
        return got.startswith("+OK"), time.monotonic() - begin

    enter()  # from an address that is known from then on
    site.program("imap-login", fake("ask(frame(AUTH, data=GOOD))"))
    front = Front(site, "imap")
    c = front.client(greeting=False)
    c.line()
    good, seconds = enter()
    ok(good and seconds < 3, "a login beside one that is not over", seconds)
    c.close()
    front.stop()
    pop3.stop()


def test_door():
    """And what it passes through the door."""
    if SANITIZED:
        skip("what comes through the door", "no jails in this build")
        return
    site = Site("door", stubs=False)
    mail = site.root.encode() + b"/var/mail/example.org/alice"

    def own(user, uid):
        folder = site.root + "/" + user
        os.mkdir(folder, 0o700)
        os.chown(folder, uid, uid)
        return folder.encode()

    cases = [("an owner's", "session(%d, %d, %r)" % (OWNER, OWNER, mail))]
    if ROOT:
        cases += [("root's", "session(0, 0, %r)" % mail),
                  ("root's group's", "session(%d, 0, %r)" % (OWNER, mail)),
                  ("a user's of the system", "session(5, 5, %r)" % mail),
                  *(("a user's of our own: " + user, "session(%d, %d, %r)" % (
                      uid, uid, own(user, uid))) for user, uid in USERS.items()),
                  ("uid -1", "session(0xffffffff, 9999, %r)" % mail)]
    else:
        cases += [("another's", "session(%d, %d, %r)" % (
            OWNER + 1, OWNER + 1, mail))]
    cases += [("a relative path", "session(%d, %d, b'x')" % (OWNER, OWNER)),
              ("a path without NUL", "session(%d, %d, b'/' * 2048)" % (
                  OWNER, OWNER)),
              ("no tag", "session(%d, %d, %r, b'')" % (OWNER, OWNER, mail)),
              ("a short packet", "b'x'")]
    for name, packet in cases:
        site.program("checkpw", CHECKPW % (FAKE, (
            "s.send(verdict(2, 0, b'alice'))\n"
            "q, fds, flags, who = socket.recv_fds(s, 4096, 2)\n"
            "socket.send_fds(socket.socket(fileno=7), [%s], fds)\n"
            "time.sleep(2)\n" % packet)))
        front = Front(site, "imap")
        c = front.client()
        c.send('a LOGIN alice "secret word"\r\n')
        got = c.line()
        ok(got.startswith("a OK") == (name == "an owner's"),
           "through the door: " + name, got)
        c.close()
        front.stop()


def test_enqueue():
    if not os.path.exists(FAKE):
        skip("enqueue", "no " + FAKE)
        return
    enqueue = ("#!/bin/sh\nPATH=/usr/bin:/bin\nread -r line\n"
               "[ \"$1\" = -r ] && [ \"$3\" = -- ] || exit 1\n"
               "echo \"$line uid=$(id -u) user=${5-none} "
               "peer=$4 root=$2\"\n")
    program = fake(
        "os.write(1, b'%d\\n' % ask(frame(AUTH, 1, GOOD, b''))[0])\n"
        "for i in range(3):\n"
        "    status, fds = ask(frame(ENQUEUE, tag=b''))\n"
        "    s = socket.socket(fileno=fds[0])\n"
        "    s.sendall(b'message %d\\n' % i)\n"
        "    os.write(1, s.recv(1000))\n"
        "    s.close()")
    site = Site("enqueue", programs=[("smtpd", program),
                                     ("enqueue", enqueue)])
    front = Front(site, "submission")
    c = front.client(greeting=False)
    got = [c.line() for _ in range(5)]
    uid = USERS["queue_user"] if ROOT else OWNER
    want = ["2"] + ["message %d uid=%d user=alice@example.org peer=127.0.0.1 "
                    "root=%s" % (i, uid, site.root) for i in range(3)]
    ok(got == want + ["alive"], "a login, then three messages", got)
    c.close()
    front.stop()
    site.program("smtpd", program.replace("ask(frame(AUTH, 1, GOOD, b''))[0]",
                                          "0"))
    front = Front(site, "smtp")
    c = front.client(greeting=False)
    got = [c.line() for _ in range(2)]
    ok("user=none" in got[1], "mail from anybody has no user", got)
    front.stop()


def test_real():
    """The session programs themselves, in clear and through the relay."""
    if not all(os.path.exists(STAGE + "/" + p) for p in ("imapd", "pop3d")):
        skip("imapd and pop3d behind front", "not built")
        return
    site = Site("real", stubs=False)
    folder = site.root + "/var/mail/example.org/alice"
    os.makedirs(folder, exist_ok=True)
    os.chown(folder, OWNER, OWNER)
    text = (b"From: a@example.org\r\nSubject: x\r\n\r\n" +
            b"12345678\r\n" * 99999)
    imap, imaps = Front(site, "imap"), Front(site, "imaps")
    pop3, pop3s = Front(site, "pop3"), Front(site, "pop3s")

    def read_imap(m):
        m.login("alice", "secret word")
        m.append("INBOX", None, None, text)
        number = m.select()[1][0].decode()
        got = m.fetch(number, "(BODY.PEEK[])")[1][0][1]
        m.logout()
        return got == text

    def read_pop3(m):
        m.user("alice")
        m.pass_("secret word")
        lines = m.retr(1)[1]
        m.quit()
        return b"".join(line + b"\r\n" for line in lines) == text

    ok(read_imap(imaplib.IMAP4(*imap.address)), "imapd in clear")
    ok(read_imap(imaplib.IMAP4_SSL(*imaps.address, ssl_context=context())),
       "imapd over TLS")
    m = imaplib.IMAP4(*imap.address)
    m.starttls(context())
    ok(read_imap(m), "imapd after STARTTLS")
    ok(read_pop3(poplib.POP3(*pop3.address)), "pop3d in clear")
    ok(read_pop3(poplib.POP3_SSL(*pop3s.address, context=context())),
       "pop3d over TLS")
    m = poplib.POP3(*pop3.address)
    m.stls(context())
    ok(read_pop3(m), "pop3d after STLS")
    # An end in the middle of a message, told or not, leaves none.
    def count(box):
        m = imaplib.IMAP4(*imap.address)
        m.login("alice", "secret word")
        number = m.select(box)[1][0]
        m.logout()
        return number

    had = count("INBOX")
    for name, end in (("close_notify", "notify"), ("a bare end", "bare"),
                      ("close_notify, then clear text", "clear")):
        over = len(imaps.logged(r"imapd\["))
        c = imaps.client(tls=True)
        login(c)
        c.ask("b APPEND INBOX {100}\r\n")
        c.send("Subject: x\r\n\r\nhalf")
        raw = c.sock
        if end == "bare":
            c.close()
        else:
            plain = socket.socket(fileno=os.dup(raw.fileno()))
            try:
                raw.unwrap()
            except OSError:
                pass
            if end == "clear":
                try:
                    plain.sendall(b"x" * 100 + b"\r\n")
                except OSError:
                    pass
            plain.close()
            c.close()
        ok(wait_for(lambda: len(imaps.logged(r"imapd\[")) > over) and
           count("INBOX") == had, "no half message after " + name)
    before = set(Client(socket.create_connection(pop3.address))
                 .ask("CAPA\r\n", end=r"\.$").split("\n"))
    c = pop3.client()
    c.ask("USER alice\r\n")
    c.ask("PASS secret word\r\n")
    after = set(c.ask("CAPA\r\n", end=r"\.$").split("\n"))
    lost = {n for n in before - after if "Capab" not in n} - {
        "STLS", "USER"}  # what is over with the login
    ok(not lost, "what pop3-login announces is there after the login "
       "(RFC 2449 5)", lost)
    for front in (imap, imaps, pop3, pop3s):
        front.stop()


def main():
    site = Site("site")
    test_sockets(site)
    test_caps()
    test_many_handshakes()
    test_early_drop()
    test_seats()
    test_arguments(site)
    test_packets(site)
    test_no_descriptors(site)
    test_signals()
    test_rights(site)
    test_order()
    test_hostile()
    test_enqueue()
    test_real()


try:
    main()
finally:
    finish()
