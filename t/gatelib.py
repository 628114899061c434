"""Clients that are not kind, on all services: for the tests of the gate."""
import os
import re
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import time

from frontlib import PLAIN, STAGE, Client, context

PEER = sys.argv[3]
ALPN = {"imap": "imap", "imaps": "imap", "pop3": "pop3", "pop3s": "pop3",
        "smtp": "smtp", "submission": "smtp", "submissions": "smtp"}
# What asks for TLS, and what says that it comes.
START = {"imap": ("a STARTTLS\r\n", "a OK"), "pop3": ("STLS\r\n", r"\+OK"),
         "smtp": ("STARTTLS\r\n", "220 "),
         "submission": ("STARTTLS\r\n", "220 ")}
NOOP = {"imap": "z NOOP\r\n", "pop3": "CAPA\r\n", "smtp": "NOOP\r\n"}
ANSWER = {"imap": "z OK", "pop3": r"\+OK", "smtp": "250 "}


def begin(front, source="127.0.0.1"):
    """A connection on which the handshake comes next."""
    s = socket.create_connection(front.address, source_address=(source, 0))
    s.settimeout(15)
    if front.service in START:
        c = Client(s)
        if ALPN[front.service] == "smtp":
            c.ask("EHLO x\r\n", end="250 ")
        text, good = START[front.service]
        assert re.match(good, c.ask(text, end=good)), front.service
    return s


def encrypted(front, source="127.0.0.1", **kw):
    """A client in TLS; its greeting was read."""
    c = Client(begin(front, source), tls=True,
               greeting=front.service not in START, **kw)
    if ALPN[front.service] == "smtp":
        c.ask("EHLO x\r\n", end="250 ")
    return c


def lives(front, source="127.0.0.1"):
    c = encrypted(front, source)
    kind = ALPN[front.service]
    got = c.ask(NOOP[kind], end=ANSWER[kind])
    c.close()
    return re.search(ANSWER[kind], got) is not None


def s_client(front, *args, text=b""):
    kind = START.get(front.service) and ALPN[front.service]
    start = ["-starttls", kind] if kind else []
    r = subprocess.run(
        ["openssl", "s_client", "-connect", "%s:%d" % front.address,
         *start, *args], input=text, capture_output=True, timeout=60)
    return r.stdout.decode("latin-1") + r.stderr.decode("latin-1")


def record(kind, payload, version=0x0303):
    return struct.pack(">BHH", kind, version, len(payload)) + payload


def hello():
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context().wrap_bio(inward, outward).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outward.read()


def ends(s):
    """Whether the server ends it soon, whatever it says."""
    s.settimeout(10)
    try:
        while s.recv(65536):
            pass
    except socket.timeout:
        return False
    except OSError:
        pass
    return True


def push(s, data):
    try:
        s.sendall(data)
    except OSError:
        pass


def peer(front, *actions, old=False):
    start = []
    if front.service in START:
        start = ["greet"]
        if ALPN[front.service] == "smtp":
            start += ["clear", "HELO x\r\n"]
        start += ["clear", START[front.service][0]]
    r = subprocess.run([PEER, str(front.address[1])] + old * ["12"] + start +
                       ["shake", *actions], capture_output=True, timeout=60)
    return r.stdout.decode("latin-1")


def all_gone():
    """Those that a server leaves behind come to us."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return True
    return False


def processes(root):
    """What runs below this root, whoever it was started by."""
    found = []
    for p in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % p, "rb") as f:
                if root.encode() + b"/" in f.read().replace(b"\0", b"/"):
                    found.append(int(p))
        except OSError:
            continue
    return found


def smaps(root, *kinds):
    """KiB of each process below this root."""
    got = {}
    for p in processes(root):
        try:
            with open("/proc/%d/smaps_rollup" % p) as f:
                text = f.read()
        except OSError:
            continue
        got[p] = sum(int(n) for kind, n in re.findall(
            r"(?m)^(\w+):\s+(\d+) kB", text) if kind in kinds)
    return got


def pss(root):
    """KiB of them all, each page counted once."""
    return sum(smaps(root, "Pss").values())


def private(root):
    """KiB that each has written for itself, once that stays.  (What is clean
    is of files: it is shared or not as other programs on the machine have
    them open.)"""
    before, now = {}, smaps(root, "Private_Dirty")
    end = time.monotonic() + 5
    while (now.keys() != before.keys() or any(
            abs(now[p] - before[p]) > 8 for p in now)) and \
            time.monotonic() < end:
        time.sleep(0.1)
        before, now = now, smaps(root, "Private_Dirty")
    return now


def more(root, before):
    """KiB that those of before have for themselves since then."""
    now = private(root)
    return sum(now[p] - n for p, n in before.items() if p in now)


def each_more(root, before, n):
    """KiB that each of n connections has for itself since then: the median of
    each of the programs that run for it.  (One that runs for all of them may
    have begun only now.)"""
    grown = {}
    for p, kib in private(root).items():
        if p in before:
            grown.setdefault(name(p), []).append(kib - before[p])
    return sum(statistics.median(g) for g in grown.values() if len(g) >= n)


def name(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return ""


def ticks(root):
    """CPU seconds of all of them, and of those that they waited for."""
    total = 0
    for p in processes(root):
        try:
            with open("/proc/%d/stat" % p) as f:
                total += sum(map(int, f.read().rpartition(")")[2].split()[
                    11:15]))
        except OSError:
            continue
    return total / os.sysconf("SC_CLK_TCK")


def mailbox(site, *messages, user="alice"):
    """The Maildir of somebody: its path."""
    box = site.root + "/var/mail/example.org/" + user
    for part in ("", "/new", "/cur", "/tmp"):
        os.makedirs(box + part, exist_ok=True)
        os.chown(box + part, site.owner, site.owner)
    for n, text in enumerate(messages):
        path = "%s/new/1.%d.one" % (box, n)
        with open(path, "w") as f:
            f.write(text)
        os.chown(path, site.owner, site.owner)
    return box


def spool(site):
    """The queue, empty."""
    subprocess.run([STAGE + "/qsend", "-r", site.root, "-c"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def queued(site):
    """The files of messages, whole and half."""
    got = []
    for folder in ("tmp", "mess"):
        path = site.root + "/var/spool/postern/" + folder
        got += [folder + "/" + n for n in os.listdir(path)
                if os.path.exists(path)]
    return got


def add_user(site, name):
    """Another one, with the same password."""
    subprocess.run([STAGE + "/postern-user", "-r", site.root, "add", "--uid",
                    str(site.owner), "--gid", str(site.owner), name],
                   input="secret word\n", text=True, check=True,
                   stdout=subprocess.DEVNULL)


def logged_in(front, user="alice", **kw):
    """A client of any service whose login is done (PLAIN: alice's)."""
    tls = front.service not in START
    c = front.client(tls=tls, **kw)
    kind = ALPN[front.service]
    if kind == "imap":
        got = c.ask('l LOGIN %s "secret word"\r\n' % user)
        assert got.startswith("l OK"), got
    elif kind == "pop3":
        c.ask("USER %s\r\n" % user)
        got = c.ask("PASS secret word\r\n")
        assert got.startswith("+OK"), got
    else:
        c.ask("EHLO x\r\n", end="250 ")
        if front.service != "smtp":
            got = c.ask("AUTH PLAIN %s\r\n" % PLAIN, end=r"\d+ ")
            assert got.startswith("235"), got
    return c


def data(c, sender="alice@example.org"):
    """A client of SMTP at the beginning of a message."""
    for line, code in (("MAIL FROM:<%s>" % sender, "250"),
                       ("RCPT TO:<alice@example.org>", "250"),
                       ("DATA", "354")):
        got = c.ask(line + "\r\n", end=r"\d+ ")
        assert got.startswith(code), (line, got)
    return c
