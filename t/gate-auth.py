"""Logins under attack, row by row, on SMTP, POP3 and IMAP (T-AUTH-1, 2, 3, 5
and 6); what is more of one mechanism is in sasl.py, of the delays in
guard.py, of a program that was taken over in front-rights.py."""
import os
import re
import shutil
import statistics
import subprocess
import threading
import time

from frontlib import (ROOT, SANITIZED, Front, Site, finish, login, ok, skip,
                      wait_for)
from gatelib import add_user, mailbox, more, private, push
from sasllib import PASSWORD, SERVICES, Scram, Server, Wire, b64, scram

CLEAR = {"imap": "imap", "pop3": "pop3", "smtp": "submission"}


def plain(w, user, password, authzid=b""):
    return w.verdict(w.begin("PLAIN", b"\0".join((authzid, user, password))))


# --- T-AUTH-1 ----------------------------------------------------------------

def forms(server):
    """T-AUTH-1: what is no login, in every form of PLAIN."""
    wrong = {
        "empty": b"", "one NUL": b"\0", "one NUL in the middle": b"a\0b",
        "three NULs": b"\0u\0p\0x", "no user": b"\0\0secret word",
        "no password": b"\0alice\0",
        "a password of a byte": b"\0alice\0s",
        "a password of 10 KiB": b"\0alice\0" + b"p" * 8900,
        "another's name": b"bob\0alice\0secret word",
        "a NUL in the name": b"\0al\0ice\0secret word",
        "a line end in the name": b"\0alice\n\0secret word",
        "%s": b"\0%s%n%x\0secret word", "a slash": b"\0a/b\0secret word",
        "..": b"\0../../etc/passwd\0secret word",
        "two @": b"\0alice@example.org@x\0secret word",
        "@ alone": b"\0@\0secret word", "8-bit": b"\0al\xefce\0secret word",
        "not UTF-8": b"\0\xc0\xae\0secret word",
        "the record of nobody": b"\0/nobody\0secret word",
        "a credential's record": b"\0alice@example.org/phone\0secret word",
        "a name of 1,000 bytes": b"\0" + b"u" * 1000 + b"\0secret word",
    }
    for p in SERVICES:
        said, bad = set(), []
        for name, text in wrong.items():
            w = server.wire(p)
            line = w.begin("PLAIN", text)
            said.add(line)
            if w.verdict(line) not in ("no", "bad"):
                bad.append((name, line))
            elif plain(w, b"alice", PASSWORD.encode()) != "yes":
                bad.append((name, "no login after it"))
            w.c.close()
        ok(bad == [], "T-AUTH-1 %s: no form of PLAIN but one" % p, bad)
        refusals = {x for x in said if "base64" not in x}
        ok(len(refusals) == 1, "T-AUTH-1 %s: all refused by one answer" % p,
           said)
        w = server.wire(p)
        verb = "a AUTHENTICATE" if p == "imap" else "AUTH"
        got = [w.verdict(w.say(verb + " PLAIN " + x)) for x in
               ("!!!!", "=====", "AGE", "AGE=AGI=", "=")]
        got.append(w.verdict(w.say(verb + " PLAIN"))[:4])
        got.append(w.verdict(w.say("*")))
        ok(got[:4] == ["bad"] * 4 and got[4] in ("no", "bad") and
           got[6] == "bad" and scram(w) == "yes",
           "T-AUTH-1 %s: not base64, =, and given up" % p, got)
        for size in (12289, 65536):
            w = server.wire(p)
            push(w.c.sock, ("%s PLAIN %s\r\n" % (verb, "QUFB" * (
                size // 4))).encode())
            got = w.c.line()
            ok(not re.search(r"235|\+OK|a OK", got), "T-AUTH-1 %s: a line of %d bytes" %
               (p, size), got)


# --- T-AUTH-2 ----------------------------------------------------------------

def again_and_again(server):
    for p in SERVICES:
        w = server.wire(p)
        before, held, n = private(server.site.root), 0, 0
        while n < 1000:
            try:
                w.c.send({"imap": "a AUTHENTICATE", "pop3": "AUTH",
                          "smtp": "AUTH"}[p] + " LOGIN\r\n")
                if not w.c.line().startswith(("334", "+")):
                    break
                w.c.send("*\r\n")
                if not w.c.line():
                    break
            except OSError:
                break
            n += 1
            if n == 8:
                held = more(server.site.root, before)
        got = w.c.rest()
        ok(3 <= n <= 12 and got is not None,
           "T-AUTH-2 %s: given up and begun anew, but not for ever" % p, n,
           got)
        ok(held <= 200 or SANITIZED, "T-AUTH-2 %s: which takes no memory" %
           p, held)
        w = server.wire(p)
        n = 0
        try:
            while n < 100 and w.verdict(w.begin(
                    "PLAIN", b"\0alice\0wrong")) == "no":
                n += 1
        except OSError:
            pass
        ok(n <= 5, "T-AUTH-2 %s: so many wrong ones, and then the end" % p, n)
        w = server.wire(p)
        got = [w.verdict(w.begin(m, b"x")) for m in
               ("CRAM-MD5", "GSSAPI", "X" * 60, "PLAIN-PLUS", "SCRAM-SHA-512",
                "ANONYMOUS")]
        ok(set(got) == {"bad"} and scram(w) == "yes",
           "T-AUTH-2 %s: mechanisms that are none" % p, got)
        # The session is the real one.
        w = server.wire(p)
        got = [scram(w), w.verdict(w.begin("PLAIN", b"\0bob\0secret word"))]
        ok(got[0] == "yes" and (got[1] == "bad" or got[1].startswith("503")),
           "T-AUTH-2 %s: AUTH after a login" % p, got)
        w.c.close()
        w = server.wire(p)
        line = w.begin("LOGIN")
        line = w.say({"imap": "b AUTHENTICATE PLAIN", "pop3": "AUTH PLAIN",
                      "smtp": "AUTH PLAIN"}[p])
        ok(w.verdict(line) == "bad" and scram(w) == "yes",
           "T-AUTH-2 %s: AUTH within AUTH" % p, line)
        w.c.close()


# --- T-AUTH-3 ----------------------------------------------------------------

def attempt(server, p, source, user=b"alice", password=b"wrong"):
    """One login in clear: its verdict, and how long it took."""
    w = server.wire(p, tls=False, source=source)
    start = time.monotonic()
    try:
        got = plain(w, user, password)
    except OSError:
        got = "gone"
    took = time.monotonic() - start
    w.c.close()
    return got, took


def crowd(n, one):
    """All at once: what each gave."""
    results = [None] * n

    def run(i):
        results[i] = one(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    return threads, results


def brute(server):
    """One record for all services, three kinds of guessing."""
    good = PASSWORD.encode()
    for p in SERVICES:
        for user in (b"alice", b"bob"):
            attempt(server, p, "127.0.0.9", user, good)
    attacks = {
        "one address": lambda i: attempt(
            server, list(SERVICES)[i % 3], "127.0.1.1"),
        "a name from many addresses": lambda i: attempt(
            server, list(SERVICES)[i % 3], "127.%d.%d.1" % (1 + i % 3,
                                                            i + 1)),
        "many names from one address": lambda i: attempt(
            server, list(SERVICES)[i % 3], "127.0.2.1", b"user%d" % i),
    }
    begun = {name: crowd(48, guess) for name, guess in attacks.items()}
    known = {(p, u): attempt(server, p, "127.0.0.9", u, good)
             for p in SERVICES for u in (b"alice", b"bob")}
    running = sum(t.is_alive() for threads, _ in begun.values()
                  for t in threads)
    for p in SERVICES:
        got = [v for k, v in known.items() if k[0] == p]
        ok(all(g == "yes" and t <= 1 for g, t in got) and running > 40,
           "T-AUTH-3 %s: who is known comes in meanwhile" % p, got, running)
    for name, (threads, results) in begun.items():
        for t in threads:
            t.join()
        slow = [took for got, took in results if got == "no"]
        ok(all(got in ("no", "later", "gone") for got, _ in results) and
           (max(slow, default=9) >= 2 or len(slow) < 40),
           "T-AUTH-3 %s: all wait, whatever the protocol" % name, results)
    # The right password from elsewhere: a wait, and no more.
    for p in SERVICES:
        got, took = attempt(server, p, "127.0.%d.1" % (
            200 + len(p)), b"alice", good)
        ok(got == "yes" and took < 6,
           "T-AUTH-3 %s: nobody is locked out" % p, got, took)


# --- T-AUTH-5 ----------------------------------------------------------------

def beside(server, p, good):
    """Medians of a login's seconds, idle and beside wrong ones, and how many
    of those there were."""
    idle = statistics.median(attempt(server, p, "127.0.0.9", b"bob", good)[1]
                             for _ in range(5))
    threads, _ = crowd(50, lambda i: attempt(server, p, "127.0.1.%d" %
                                             (i + 1)))
    time.sleep(0.1)
    took, n = [], 0
    while any(t.is_alive() for t in threads) and n < 9:
        got = attempt(server, p, "127.0.0.9", b"bob", good)
        took.append(got[1])
        n += got[0] == "yes"
    for t in threads:
        t.join()
    return idle, statistics.median(took or [99]), n


def verifiers():
    """50 wrong ones that are hashed do not hold up a right one."""
    site = Site("verify", auth_free_tries=1000, auth_workers=1,
                scram_iterations=150000, connections_per_source=200,
                auth_delay_ms=0)
    add_user(site, "bob")
    server = Server(site)
    good = PASSWORD.encode()
    for p in SERVICES:
        attempt(server, p, "127.0.0.9", b"bob", good)
        # The best of three: what else the machine does is not in it.
        for _ in range(3):
            idle, busy, n = beside(server, p, good)
            if n >= 3 and busy <= 2 * idle:
                break
        print("# T-AUTH-5 %s: idle %.0f ms, beside 50 wrong ones %.0f ms" %
              (p, 1000 * idle, 1000 * busy))
        ok(n >= 3 and busy <= 2 * idle + 0.05,
           "T-AUTH-5 %s: a login beside 50 wrong ones" % p, n, idle, busy)
    server.stop()


# --- T-AUTH-6 ----------------------------------------------------------------

def counts():
    """T-AUTH-6: a record's number of rounds that cannot be."""
    if not shutil.which("cdb"):
        skip("T-AUTH-6 rounds", "cdb (tinycdb) is not installed")
        return
    site = Site("rounds")
    server = Server(site)
    path = site.root + "/etc/postern/secrets"
    with open(path) as f:
        text = f.read()
    for number in ("1", "0", "4095", "2147483648", "4294967297", "-1", ""):
        with open(path + ".bad", "w") as f:
            f.write(re.sub(r"(sha\d+):\d+:", r"\1:%s:" % number, text))
        subprocess.run(["cdb", "-c", "-m", path + ".new", path + ".bad"],
                       check=True)
        os.chown(path + ".new", *os.stat(path + ".cdb")[4:6])
        os.chmod(path + ".new", 0o600)
        os.rename(path + ".new", path + ".cdb")
        bad = []
        for p in SERVICES:
            w = server.wire(p)
            s = Scram()
            line = w.begin("SCRAM-SHA-256", s.first())
            told = w.challenge(line) or b""
            count = re.search(rb",i=(\d+)", told)
            if count and int(count.group(1)) < 4096:
                bad.append((p, told))
            w = server.wire(p)
            start = time.monotonic()
            got = plain(w, b"alice", PASSWORD.encode())
            if got == "yes" or time.monotonic() - start > 5:
                bad.append((p, got))
        ok(bad == [], "T-AUTH-6 a record of %s rounds opens nothing" % (
            number or "no"), bad)
    server.stop()


def main():
    site = Site("auth", stubs=False, auth_delay_ms=0,
                scram_plus="imap,pop3,smtp")
    for user in ("alice", "bob"):
        if user != "alice":
            add_user(site, user)
        mailbox(site, user=user)
    server = Server(site)
    for part in (forms, again_and_again):
        start = time.monotonic()
        part(server)
        print("# %s: %.1f s" % (part.__name__, time.monotonic() - start))
    ok(not server.logged("login-program-ended"),
       "T-AUTH-1 nothing of it is a violation within")
    server.stop()
    site = Site("brute", auth_free_tries=3, auth_delay_ms=0,
                connections_per_source=200)
    add_user(site, "bob")
    server = Server(site)
    start = time.monotonic()
    brute(server)
    print("# brute: %.1f s" % (time.monotonic() - start))
    server.stop()
    start = time.monotonic()
    verifiers()
    print("# verifiers: %.1f s" % (time.monotonic() - start))
    counts()


try:
    main()
finally:
    finish()
