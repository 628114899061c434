"""Who takes all that there is, on all services (T-DOS-1 to T-DOS-5)."""
import ctypes
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time

from frontlib import (FAKE, PLAIN, ROOT, SANITIZED, Client, Front, Site,
                      finish, login, ok, skip, wait_for)
from gatelib import (ALPN, START, add_user, all_gone, begin, data, encrypted, hello,
                     each_more, lives, logged_in, mailbox, private, processes,
                     pss, push, queued, spool, ticks)

SHORT = 2  # seconds of the deadline that is meant
LONG = 40  # of all others
RATE = 5000  # connections a second


def serves(front, source="127.0.0.1"):
    try:
        return lives(front, source)
    except (AssertionError, OSError):
        return False


# --- T-DOS-1 -----------------------------------------------------------------

def trickle(sock, bytes_, most=14):
    """A byte five times a second: how long it lasted, and what was said."""
    start, got = time.monotonic(), b""
    sock.settimeout(0.2)
    n = 0
    while time.monotonic() - start < most:
        try:
            sock.sendall(bytes_[n:n + 1] or b"x")
            n += 1
            more = sock.recv(4096)
            if not more:
                return time.monotonic() - start, got.decode("latin-1")
            got += more
        except (socket.timeout, ssl.SSLWantReadError):
            continue
        except OSError:
            return time.monotonic() - start, got.decode("latin-1")
    return None, got.decode("latin-1")


def asked(c, text, end):
    got = c.ask(text, end=end)
    assert re.search(end, got), (text, got)
    return c


def stages(fronts, early):
    """Name, how to get there, what trickles, what is said at the end."""
    f, e = fronts, early
    late, bye = "421 4.4.2", r"\* BYE"
    imap_late, pop_late = r"\* BYE Login took", "-ERR Login took"

    def ready(service):
        return logged_in(f[service], "bob" if service == "pop3s" else "alice")

    def text(service):
        return data(ready(service))

    def imap(line, end=r"\+", service="imap"):
        return asked(ready(service), line, end)

    def submission(*lines):
        c = asked(f["submission"].client(), "EHLO x\r\n", "250 ")
        for line in lines:
            asked(c, line, "334")
        return c

    def pre(service, *lines):
        c = e[service].client()
        if service == "submission":
            asked(c, "EHLO x\r\n", "250 ")
        for line in lines:
            asked(c, line, r"\+|334")
        return c

    yield "smtp: a command", lambda: ready("smtp"), b"NOOP ", late
    yield "smtp: DATA", lambda: text("smtp"), b"a: b\r\n\r\n", late
    yield "submission: a command before the login", submission, b"NOOP ", late
    yield ("submission: an answer of AUTH",
           lambda: submission("AUTH LOGIN\r\n"), b"YWxp", late)
    yield ("submission: its second answer", lambda: submission(
        "AUTH LOGIN\r\n", "YWxpY2U=\r\n"), b"YWxp", late)
    yield "submission: a command", lambda: ready("submission"), b"NOOP ", late
    yield "submission: DATA", lambda: text("submission"), b"a: b\r\n", late
    yield "submissions: DATA", lambda: text("submissions"), b"a: b\r\n", late
    yield "imap: a command", lambda: ready("imap"), b"a NOOP", bye
    yield ("imap: a literal", lambda: imap("a SELECT {60000}\r\n"), b"INB",
           bye)
    yield ("imap: many literals", lambda: imap("a SEARCH TEXT {1}\r\n"),
           b"x TEXT {1+}\r\n" * 40, bye)
    yield ("imap: what follows a literal",
           lambda: imap("a SELECT {5}\r\n").send("INBOX"), b"xxx", bye)
    yield ("imap: APPEND", lambda: imap("a APPEND INBOX {300000}\r\n"),
           b"a: b\r\n\r\n", bye)
    yield ("imaps: APPEND", lambda: imap("a APPEND INBOX {300000}\r\n",
                                         service="imaps"), b"a: b\r\n", bye)
    yield ("imap: what follows APPEND's message",
           lambda: imap("a APPEND INBOX {4}\r\n").send("a: b"), b"xxx", bye)
    yield "imap: DONE", lambda: imap("a IDLE\r\n"), b"DONE", bye
    yield "pop3: a command", lambda: ready("pop3"), b"NOOP ", ""
    yield "pop3s: a command", lambda: ready("pop3s"), b"NOOP ", ""
    # Before a login it is one for all.
    yield "imap: a line before the login", lambda: pre("imap"), b"a ", imap_late
    yield ("imap: a literal of LOGIN",
           lambda: pre("imap", "a LOGIN {200}\r\n"), b"ali", "")
    yield ("imap: an answer of AUTHENTICATE",
           lambda: pre("imap", "a AUTHENTICATE LOGIN\r\n", "YWxpY2U=\r\n"),
           b"YWxp", imap_late)
    yield "pop3: a line before the login", lambda: pre("pop3"), b"US", pop_late
    yield ("pop3: PASS", lambda: pre("pop3", "USER alice\r\n"), b"PASS ",
           pop_late)
    yield ("pop3: an answer of AUTH", lambda: pre("pop3", "AUTH LOGIN\r\n",
                                                  "YWxpY2U=\r\n"),
           b"YWxp", pop_late)
    yield ("submission: all before the login", lambda: pre("submission"),
           b"NOOP\r\n" * 20, late)
    # The handshake is in no more time than a login.
    for service in early:
        yield (service + ": a handshake that trickles",
               lambda s=service: Client(begin(e[s]), greeting=False),
               hello(), "")
        yield (service + ": silence instead of a handshake",
               lambda s=service: Client(begin(e[s]), greeting=False), None,
               "")


def wait_end(sock, most=14):
    start = time.monotonic()
    sock.settimeout(most)
    try:
        while sock.recv(4096):
            pass
    except socket.timeout:
        return None, ""
    except OSError:
        pass
    return time.monotonic() - start, ""


def one_stage(results, name, prepare, bytes_, end):
    try:
        c = prepare()
        took, got = (wait_end(c.sock) if bytes_ is None else
                     trickle(c.sock, bytes_))
        results[name] = took, got, end
        c.close()
    except Exception as e:  # told by who looks at the results
        results[name] = None, repr(e), end


def steady(c, before, text, after, end):
    """A message that is slow, and fast enough."""
    if before:
        c.ask(before, end=r"\+|354")
    for i in range(0, len(text), 400):
        c.send(text[i:i + 400])
        time.sleep(0.2)
    return c.ask(after, end=end)


def deadlines():
    site = Site("slow", stubs=False, command_s=SHORT, data_s=SHORT,
                login_s=LONG, smtp_idle_s=LONG, imap_idle_s=LONG,
                pop3_idle_s=LONG, connections_per_source=200)
    mailbox(site)
    spool(site)
    for user in ("bob", "carol"):
        add_user(site, user)
        mailbox(site, user=user)
    first = Site("first", login_s=SHORT, command_s=LONG, smtp_idle_s=LONG,
                 connections_per_source=200)
    # Port 25 has no login: there it is the silence.
    port25 = Site("port25", smtp_idle_s=SHORT, connections_per_source=200)
    fronts = {s: Front(site, s) for s in ALPN}
    early = {s: Front(port25 if s == "smtp" else first, s) for s in ALPN}
    results, threads = {}, []
    for stage in stages(fronts, early):
        threads.append(threading.Thread(target=one_stage,
                                        args=(results, *stage)))
    good = {}

    text = "Subject: x\r\n\r\n" + "12345678\r\n" * 640

    def slow_data():
        good["smtp"] = steady(data(logged_in(fronts["smtp"])), None, text,
                              ".\r\n", r"\d+ ")

    def slow_append():
        good["imap"] = steady(
            logged_in(fronts["imap"]), "a APPEND INBOX {%d}\r\n" % len(text),
            text, "\r\n", "a ")

    def silent():
        held = {s: logged_in(fronts[s], "carol") for s in
                ("imap", "pop3", "smtp", "submission")}
        time.sleep(2 * SHORT)
        for s, c in held.items():
            good[s + " silent"] = c.ask("a NOOP\r\n" if s == "imap" else
                                        "NOOP\r\n", end=r"a |\+|250")

    threads += [threading.Thread(target=t) for t in
                (slow_data, slow_append, silent)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for name, (took, got, end) in results.items():
        ok(took is not None and 0.7 * SHORT < took < SHORT + 6 and
           re.search(end, got), "T-DOS-1 " + name, took, got, end)
    ok(good.get("smtp", "").startswith("250") and
       good.get("imap", "").startswith("a OK"),
       "T-DOS-1 slow, and fast enough: DATA and APPEND", good)
    ok(all(good.get(s + " silent", "").startswith(w) for s, w in (
        ("imap", "a OK"), ("pop3", "+OK"), ("smtp", "250"),
        ("submission", "250"))),
       "T-DOS-1 silence between commands is something else", good)
    ok(len(queued(site)) == 1,
       "T-DOS-1 nothing half is left in the queue", queued(site))
    box = site.root + "/var/mail/example.org/alice"
    ok(len(os.listdir(box + "/cur") + os.listdir(box + "/new")) == 1 and
       not os.listdir(box + "/tmp"),
       "T-DOS-1 nor in the mailbox")
    for f in (*fronts.values(), *early.values()):
        f.stop()


def crowded(front, results):
    start = time.monotonic()
    held = [front.client() for _ in range(100)]
    end = start + SHORT + 10
    slowest, left = 0, held
    while left and time.monotonic() < end:
        for c in left:
            push(c.sock, b"x")
        begun = time.monotonic()
        if begun - start < SHORT:
            lives(front)
            slowest = max(slowest, time.monotonic() - begun)
        time.sleep(0.2)
        left = [c for c in left if not is_over(c.sock)]
    results[front.service] = (len(left), time.monotonic() - start, slowest)
    for c in held:
        c.close()


def crowd():
    """Many that trickle, and one that does not."""
    site = Site("crowd", login_s=SHORT, command_s=SHORT,
                connections_per_source=200)
    fronts = [Front(site, s) for s in ("imap", "pop3", "smtp", "submission")]
    results = {}
    threads = [threading.Thread(target=crowded, args=(f, results))
               for f in fronts]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for f in fronts:
        left, took, slowest = results.get(f.service, (None, 0, 0))
        ok(left == 0 and took < SHORT + 10 and 0 < slowest < SHORT,
           "T-DOS-1 %s: 100 that trickle, and one that is served" %
           f.service, left, took, slowest)
        f.stop()


def is_over(sock):
    sock.setblocking(False)
    try:
        while sock.recv(65536):
            pass
        return True
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(15)


# --- T-DOS-2 -----------------------------------------------------------------

def idle_crowd():
    """All places are taken by who says nothing: others come in all the same."""
    site = Site("idle", connections=100, connections_per_source=6,
                auth_delay_ms=0)
    for service in ("imap", "pop3", "smtp", "submission"):
        front = Front(site, service, backlog=4096)
        held = [socket.create_connection(
            front.address, source_address=("127.1.%d.1" % (i % 20), 0))
            for i in range(200)]
        took = []
        for i in range(30):
            start = time.monotonic()
            try:
                logged_in(front, source="127.2.%d.1" % i).close()
                took.append(time.monotonic() - start)
            except (AssertionError, OSError):
                took.append(99)
        ok(max(took) <= 0.5 or SANITIZED and max(took) < 5,
           "T-DOS-2 %s: 200 idle ones, and all others are served" % service,
           took)
        start = time.monotonic()
        for s in held:
            s.close()
        ok(wait_for(lambda: serves(front, "127.1.0.1"), 5) and
           time.monotonic() - start < 5,
           "T-DOS-2 %s: as before once they are gone" % service)
        front.stop()


# --- T-DOS-3 -----------------------------------------------------------------

def storm(front, n):
    """Connections that are closed at once: how long that took."""
    start = time.monotonic()
    for i in range(n):
        while i / RATE > time.monotonic() - start:
            time.sleep(0.002)
        s = socket.socket()
        s.setblocking(False)
        try:
            s.connect(front.address)
        except BlockingIOError:
            pass
        s.close()
    return time.monotonic() - start


def storms():
    """At 5,000 a second; the backlog is that of systemd's units."""
    site = Site("storm")
    for service in ALPN:
        # All of it for each protocol, and a quarter for the other ports.
        n = 10000 if service in ("imap", "pop3", "smtp") else 2500
        if SANITIZED:
            n = 1000
        front = Front(site, service, backlog=4096)
        lives(front)
        took = storm(front, n)
        start = time.monotonic()
        good = lives(front, "127.0.0.9")
        after = time.monotonic() - start
        print("# %s: %d connections in %.1f s, then a session in %.2f s" %
              (service, n, took, after))
        ok(good and (after <= 1 or SANITIZED),
           "T-DOS-3 %s: %d connections, then a session" %
           (service, n), took,
           after)
        ok(wait_for(lambda: serves(front), 5) and front.stop() == 0,
           "T-DOS-3 %s: who did it is served again" % service)


# --- T-DOS-4 -----------------------------------------------------------------

def limit(site, what, soft):
    """For all processes of a server, as its own user: soft(pid), or as it
    was."""
    text = ("import resource, sys\n"
            "for a in sys.argv[2:]:\n"
            "    p, n = map(int, a.split(','))\n"
            "    try:\n"
            "        r = resource.prlimit(p, int(sys.argv[1]))\n"
            "        resource.prlimit(p, int(sys.argv[1]),"
            " (r[1] if n < 0 else min(n, r[1]), r[1]))\n"
            "    except (ProcessLookupError, PermissionError):\n"
            "        pass\n")
    mine = {}
    for p in processes(site.root):
        # Its own user always may; one that has just left needs no limit.
        try:
            uid = os.stat("/proc/%d" % p).st_uid if ROOT else None
        except FileNotFoundError:
            continue
        mine.setdefault(uid, []).append(p)
    for uid, list_ in mine.items():
        who = {} if uid is None else {
            "user": uid, "group": uid, "extra_groups": []}
        subprocess.run([FAKE, "-c", text, str(what)] + [
            "%d,%d" % (p, soft(p) if soft else -1) for p in list_],
            check=True, **who)


def next_descriptor(pid):
    """The number that the next one would get."""
    try:
        used = {int(n) for n in os.listdir("/proc/%d/fd" % pid)}
    except OSError:
        return 3
    return min(n for n in range(len(used) + 1) if n not in used)


def shortage(site, name, why, what, soft):
    """Clients come where nothing can be done for them: then it can."""
    fronts = [Front(site, s) for s in ("imap", "pop3", "smtp")]
    for front in fronts:
        lives(front)
    limit(site, what, soft)
    start, used = time.monotonic(), ticks(site.root)
    clients = [socket.create_connection(front.address)
               for front in fronts for _ in range(20)]
    told = {f: wait_for(lambda: len(f.logged("why=" + why)) >= 2)
            for f in fronts}
    time.sleep(0.5)
    took = time.monotonic() - start
    used = ticks(site.root) - used
    for f in fronts:
        lines = len(f.logged("why=" + why))
        ok(told[f] and lines <= took + 1.5 and used <= 0.1 * took + 0.02,
           "T-DOS-4 %s: %s, and it does not spin" % (f.service, name),
           told[f], lines, took, used)
    limit(site, what, None)
    for f in fronts:
        recovers(f, name)
    for s in clients:
        s.close()


def recovers(front, name):
    ok(wait_for(lambda: serves(front)), "T-DOS-4 %s: %s, then it serves" %
       (front.service, name))
    ok(front.stop() == 0, "T-DOS-4 %s: %s, and it ends when told" %
       (front.service, name))


def backlog(site):
    """More come than the kernel keeps for us."""
    for service in ("imap", "pop3", "smtp"):
        front = Front(site, service, backlog=8)
        lives(front)
        front.process.send_signal(signal.SIGSTOP)
        many = [socket.socket() for _ in range(60)]
        for s in many:
            s.setblocking(False)
            s.connect_ex(front.address)
        time.sleep(0.2)
        front.process.send_signal(signal.SIGCONT)
        recovers(front, "a full backlog")
        for s in many:
            s.close()


def shortages():
    """T-DOS-4: it waits and tries again."""
    if not os.path.exists(FAKE):
        skip("T-DOS-4", "no " + FAKE)
        return
    if ROOT:
        # A uid of nobody else's, dead processes of other tests included.
        shortage(Site("forks", uid=70000 + os.getpid()), "no more processes",
                 "fork", resource.RLIMIT_NPROC, lambda p: 1)
    else:
        skip("T-DOS-4 no more processes", "not root")
    site = Site("files")
    shortage(site, "no more descriptors", "accept", resource.RLIMIT_NOFILE,
             next_descriptor)
    backlog(site)


# --- T-DOS-5 -----------------------------------------------------------------

def memory():
    """What a connection can make us keep before its login."""
    if SANITIZED or not ROOT:
        skip("T-DOS-5", "a build with sanitizers" if SANITIZED else
             "not root")
        return
    site = Site("memory", connections_per_source=500)
    n = 20
    for service in ALPN:
        front = Front(site, service)
        lives(front)
        empty = pss(site.root)
        held = [(encrypted if service not in START else front.client)(
            *[front] if service not in START else []) for _ in range(n)]
        base = private(site.root)
        for c in held:
            # The longest line but for its end; in TLS a record that is not
            # whole comes after it.
            c.send(b"x" * 8000 + b" " * 8000)
            if service not in START:
                raw = socket.socket(fileno=os.dup(c.sock.fileno()))
                raw.sendall(b"\x17\x03\x03\x40\x11" + os.urandom(16000))
                raw.close()
        # All of it is there where nothing is left in the kernel.
        wait_for(lambda: each_more(site.root, base, n) >= 8, 5)
        each = each_more(site.root, base, n)
        alive = sum(not is_over(c.sock) for c in held)
        ok(8 <= each <= 64 and alive == n,
           "T-DOS-5 %s: at most 64 KiB for what is not whole" % service,
           each, alive)
        print("# %s: %.1f KiB of buffers, %.1f KiB with its process" %
              (service, each, (pss(site.root) - empty) / n))
        for c in held:
            c.close()
        front.stop()


def recipients():
    """T-DOS-5: what is kept of a message's envelope without a login."""
    if SANITIZED or not ROOT:
        skip("T-DOS-5 recipients", "a build with sanitizers" if SANITIZED
             else "not root")
        return
    site = Site("recipients", recipients=10000)
    spool(site)
    front = Front(site, "smtp")
    held = [logged_in(front) for _ in range(20)]
    for c in held:
        data(c, "a@b.example").ask(".\r\n", end=r"\d+ ")
    base = private(site.root)
    taken = 0
    for c in held:
        c.ask("MAIL FROM:<a@b.example>\r\n", end="250")
        c.send("".join("RCPT TO:<alice+%s%d@example.org>\r\n" %
                       ("x" * 200, i) for i in range(180)))
        got = [c.line()[:9] for i in range(180)]
        taken += got.count("250 2.1.5")
    each = each_more(site.root, base, len(held))
    ok(100 < taken / len(held) < 160 and got[-1] == "452 4.5.3" and
       each <= 64, "T-DOS-5 smtp: at most 64 KiB for recipients", taken, each,
       got[-1])
    print("# %.1f KiB for %d recipients" % (each, taken / len(held)))
    for c in held:
        c.close()
    front.stop()


def main():
    # PR_SET_CHILD_SUBREAPER: who is left behind is ours to reap.
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    for part in (deadlines, crowd, idle_crowd, storms, shortages, memory,
                 recipients):
        start = time.monotonic()
        part()
        print("# %s: %.1f s" % (part.__name__, time.monotonic() - start))
    wait_for(all_gone)


try:
    main()
finally:
    finish()
