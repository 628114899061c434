"""Logins, TLS and the limits before a login."""
import base64
import os
import re
import signal
import socket
import ssl
import subprocess
import time

from frontlib import (FAKE, OWNER, PLAIN, ROOT, SANITIZED, STAGE, TMP, USERS,
                      Client, Front, Site, context, finish, login, logs, ok,
                      skip, wait_for)

# --- sessions and how they come about ------------------------------------

def test_login(site):
    front = Front(site, "imap")
    c = front.client()
    ok(c.greeting.startswith("* OK [CAPABILITY IMAP4rev1 "), "greeting",
       c.greeting)
    ok("STARTTLS" in c.greeting and "AUTH=PLAIN" in c.greeting,
       "loopback may log in in clear, and TLS is offered", c.greeting)
    wrong = c.ask("x LOGIN alice wrong\r\n")
    ok(wrong.startswith("x NO [AUTHENTICATIONFAILED]"), "wrong password",
       wrong)
    unknown = c.ask("x LOGIN nobody wrong\r\n")
    ok(unknown == wrong, "unknown user: the same words", unknown)
    got = login(c, "t.1-x")
    ok(got == "t.1-x OK stub uid=%d gid=%d groups=%d maildir=%s user=%s" %
       (site.owner, site.owner, site.owner,
                    site.root + "/var/mail/example.org/alice",
                    "alice@example.org"),
       "the session runs as the owner, on its Maildir", got)
    got = c.ask("FDS\r\n", end="end").replace("\n10\n", "\n")
    ok(got == "0\n1\n2\nend", "the session has three descriptors", got)
    c.send("QUOTA\r\n")
    got = c.line()
    ok(got == "quota 5242880S,9C", "the session has the mailbox's quota", got)
    c.send("NOOP\r\n")
    ok(c.line() == "echo NOOP", "the session reads on")
    c.send("LOGOUT\r\n")
    ok(c.rest() == "bye\n", "the session ends the connection")
    ok(wait_for(lambda: len(front.logged(
        r"login service=imap peer=127\.0\.0\.1 user=alice@example\.org "
        r"tls=0")) == 1), "a line in the log")
    lines = front.logged(r"login-failed service=imap peer=127\.0\.0\.1 "
                         r"user=(alice|nobody) tls=0 mechanism=PLAIN ")
    ok(lines == ["alice", "nobody"], "and one per refusal, of one shape",
       lines)
    ok("secret" not in open(front.site.log).read(), "no password in the log")
    ok(front.stop() == 0, "SIGTERM ends the listener")


def test_forms(front):
    """The forms of LOGIN and AUTHENTICATE."""
    forms = [
        ("quoted", b'a LOGIN "alice" "secret word"\r\n'),
        ("with a domain, in capitals",
         b'a LOGIN ALICE@Example.ORG "secret word"\r\n'),
        ("escapes", b'a LOGIN "\\"alice" "x"\r\n'),
        ("literals without waiting",
         b"a LOGIN {005+}\r\nalice {11+}\r\nsecret word\r\n"),
        ("initial response", b"a AUTHENTICATE PLAIN %s\r\n" % PLAIN.encode()),
    ]
    for name, text in forms:
        c = front.client()
        want = "a NO" if name == "escapes" else "a OK stub"
        got = c.ask(text)
        ok(got.startswith(want), "login: " + name, got)
        c.close()
    c = front.client()
    got = [c.ask("a LOGIN {5}\r\n"), c.ask("alice {11}\r\n"),
           c.ask("secret word\r\n")]
    ok(got[0][0] == got[1][0] == "+" and got[2].startswith("a OK stub"),
       "login: literals", got)
    c = front.client()
    got = [c.ask("a AUTHENTICATE plain\r\n"), c.ask("*\r\n"),
           c.ask("b AUTHENTICATE PLAIN\r\n"), c.ask("????\r\n"),
           c.ask("c AUTHENTICATE PLAIN\r\n"), c.ask(PLAIN + "\r\n")]
    ok(got[0] == "+ " and got[1].startswith("a BAD") and
       got[3].startswith("b BAD") and got[5].startswith("c OK stub"),
       "AUTHENTICATE: cancelled, not base64, then right", got)
    c = front.client()
    for byte in b'a LOGIN {5}\r\n':
        c.send(bytes([byte]))
        time.sleep(0.002)
    c.line()
    for byte in b'alice "secret word"\r\nb NOOP\r\n':
        c.send(bytes([byte]))
        time.sleep(0.002)
    got = [c.line(), c.line()]
    ok(got[0].startswith("a OK stub") and got[1] == "echo b NOOP",
       "byte by byte", got)
    c = front.client()
    c.send(b"a LOGIN {5+}\r\nalice {11+}\r\nsecret word\r\nb NOOP\r\nc X\r\n")
    got = [c.line(), c.line(), c.line()]
    ok(got[0].startswith("a OK stub") and
       got[1:] == ["echo b NOOP", "echo c X"],
       "what follows a login in clear is the session's", got)
    for name, text in (
            ("somebody else's name", b"bob\0alice\0secret word"),
            ("no NUL", b"alice"), ("one NUL", b"\0alice"), ("empty", b""),
            ("empty password", b"\0alice\0"), ("a path", b"\0../../x\0y"),
            ("a password of 900 bytes", b"\0alice\0" + b"p" * 900),
            ("a password of 9000 bytes", b"\0alice\0" + b"p" * 9000)):
        c = front.client()
        got = c.ask(b"a AUTHENTICATE PLAIN %s\r\n" %
                    (base64.b64encode(text) or b"="))
        ok(got.startswith("a NO [AUTHENTICATIONFAILED]"),
           "refused: " + name, got)
        c.close()
    c = front.client()
    got = c.ask(b"a AUTHENTICATE PLAIN %s\r\n" %
                base64.b64encode(b"alice\0alice\0secret word"))
    ok(got.startswith("a OK"), "one's own name as authzid", got)


def test_owner(front):
    if not ROOT or front.site.uid is not None:
        skip("a uid below uid_min gets no session", "not root")
        return
    c = front.client()
    got = c.ask('a LOGIN low "secret word"\r\n')
    ok(got.startswith("a NO [UNAVAILABLE]"),
       "a uid below uid_min gets no session", got)
    ok(wait_for(lambda: front.logged("login-unavailable .* why=owner\n")),
       "which the log tells")


# --- TLS -------------------------------------------------------------------

def test_tls(site):
    """T-TLS-11 to T-TLS-13 for IMAP; all services: gate.py."""
    front = Front(site, "imaps")
    c = front.client(tls=True)
    ok("STARTTLS" not in c.greeting and "AUTH=PLAIN" in c.greeting,
       "imaps: greeting", c.greeting)
    ok(c.sock.version() == "TLSv1.3", "TLS 1.3", c.sock.version())
    ok(c.ask("a STARTTLS\r\n").startswith("a BAD"), "no STARTTLS in TLS")
    c.send('b LOGIN alice "secret word"\r\nc NOOP\r\nd NOOP\r\n')
    got = [c.line(), c.line(), c.line()]
    ok(got[0].startswith("b OK stub uid=%d " % site.owner) and
       got[1:] == ["echo c NOOP", "echo d NOOP"],
       "the relay, and what followed the login in the same record", got)
    c.send("SEND\r\n")
    got = c.rest()
    ok(got is not None and len(got) == 3000000, "3 MB come down",
       got and len(got))
    for name, kw, good in (
            ("imap", {"alpn": ["imap"]}, True),
            ("http/1.1", {"alpn": ["http/1.1"]}, False),
            ("pop3", {"alpn": ["pop3"]}, False)):
        try:
            got = front.client(tls=True, **kw).greeting.startswith("* OK")
        except (ssl.SSLError, OSError):
            got = False
        ok(got == good, "ALPN %s on imaps: %s" %
           (name, "taken" if good else "refused"))
    for flag, text in (("-tls1_1", "TLS 1.1"), ("-no_tls1_3 -cipher "
                       "AES128-SHA@SECLEVEL=0", "RSA key exchange and CBC")):
        r = subprocess.run(
            ["openssl", "s_client", "-connect", "%s:%d" % front.address] +
            flag.split(), input=b"", capture_output=True)
        ok(b"Cipher is (NONE)" in r.stdout or r.returncode != 0,
           text + " is refused", r.stdout[-300:])
    r = subprocess.run(
        ["openssl", "s_client", "-tls1_2", "-connect",
         "%s:%d" % front.address, "-sess_out", TMP + "/sess"],
        input=b"", capture_output=True)
    ok(b"TLSv1.2" in r.stdout and b"ECDHE" in r.stdout,
       "TLS 1.2 with forward secrecy is served", r.stdout[-300:])
    for flag in ("-tls1_2", "-tls1_3"):
        r = subprocess.run(
            ["openssl", "s_client", flag, "-reconnect", "-connect",
             "%s:%d" % front.address], input=b"", capture_output=True)
        ok(b"New, TLS" in r.stdout and b"Reused, " not in r.stdout,
           "no session is resumed, %s" % flag, r.stdout[-300:])
    for name in ("a" * 255, "../x", "x\\"):
        r = subprocess.run(
            ["openssl", "s_client", "-connect", "%s:%d" % front.address,
             "-servername", name], input=b"", capture_output=True)
        ok(b"Cipher is TLS" in r.stdout or b"alert" in r.stderr,
           "SNI %.10s: served or refused" % name, r.stderr[-300:])
    c = front.client(greeting=False)
    c.send("a CAPABILITY\r\n" * 4)
    ok("a OK" not in (c.rest() or "x"), "clear text on a TLS port ends")
    c = front.client(tls=True)
    c.send("POST / HTTP/1.1\r\nHost: x\r\n\r\na LOGIN alice x\r\n")
    ok(c.rest() == "", "HTTP in TLS: the end, without a word")
    ok(wait_for(lambda: front.logged("tls-failed service=imaps "
                                     "peer=127.0.0.1")), "failures are logged")
    failures_told(front)
    front.stop()


def failures_told(front):
    def told(why):
        return wait_for(lambda: front.logged(
            'tls-failed service=imaps peer=127.0.0.1 error="%s"' % why))

    subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % front.address,
                    "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], input=b"",
                   capture_output=True)
    ok(told("Protocol not supported"), "TLS 1.1: the log says what is wrong")
    # By TLS 1.3 OpenSSL says so in clear, where nobody takes it.
    doubting = ssl.create_default_context()
    doubting.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(front.address) as s:
        try:
            doubting.wrap_socket(s, server_hostname="localhost").close()
        except ssl.SSLCertVerificationError:
            pass
    ok(told("Connection refused"), "a client that does not trust us: the same",
       front.logged("tls-failed.*"))


def half_close(site):
    """The session's answer comes after the client's close_notify."""
    front = Front(site, "imaps")
    sock = socket.create_connection(front.address)
    sock.settimeout(15)
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(inward, outward)

    def pump(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                sock.sendall(outward.read())
                more = sock.recv(65536)
                if not more:
                    return b""
                inward.write(more)
            finally:
                sock.sendall(outward.read())

    def line():
        text = b""
        while not text.endswith(b"\n"):
            more = pump(lambda: tls.read(1))
            if not more:
                break
            text += more
        return text

    pump(tls.do_handshake)
    line()
    tls.write(b'a LOGIN alice "secret word"\r\n')
    sock.sendall(outward.read())
    line()
    tls.write(b"SINK\r\n" + b"x" * 200000)
    sock.sendall(outward.read())
    try:
        tls.unwrap()
    except ssl.SSLError:
        pass
    sock.sendall(outward.read())
    got = b""
    try:
        while True:
            more = sock.recv(65536)
            if not more:
                break
            got += more
            inward.write(more)
    except OSError:
        pass
    # OpenSSL gives nothing after its own close_notify but the alert, so
    # that what came is judged by its length: an answer and a close_notify.
    ok(len(got) > 24 + 24, "an answer after the client's close_notify", got)
    front.stop()


def test_starttls(site):
    """T-TLS-4 to T-TLS-6."""
    front = Front(site, "imap")
    c = front.client()
    got = c.ask("a STARTTLS\r\n")
    ok(got == "a OK Begin TLS negotiation now", "STARTTLS", got)
    c.tls()
    got = c.ask("b CAPABILITY\r\n")
    ok("STARTTLS" not in got and "AUTH=PLAIN" in got, "then no STARTTLS", got)
    ok(c.ask("c STARTTLS\r\n").startswith("c BAD"), "and none again")
    ok(login(c, "d").startswith("d OK stub"), "login")
    c.send("POST / HTTP/1.1\r\n")
    ok(c.line().startswith("echo POST"), "the session is not the login")
    c = front.client()
    c.ask("a STARTTLS\r\n")
    c.tls()
    c.send("GET / HTTP/1.1\r\n\r\n")
    ok(c.rest() == "", "HTTP first after STARTTLS")
    # Bytes behind STARTTLS are never commands (security: injection).
    for name, text in (
            ("NOOP", b"A STARTTLS\r\nXQZ NOOP\r\n"),
            ("LOGIN", b"A STARTTLS\r\nB LOGIN alice {11+}\r\nsecret word\r\n"),
            ("half a command", b"A STARTTLS\r\nXQZ NO")):
        c = front.client()
        c.send(text)
        got = c.rest()
        ok(got is not None and got.startswith("A BAD") and "XQZ" not in got
           and "stub" not in got, "injection refused: " + name, got)
    for gap in (0, 0.02):
        text = b"A STARTTLS\r\nXQZ NOOP\r\nXQZ LOGIN alice x\r\n"
        bad = []
        for cut in range(1, len(text), 1 if gap == 0 else 7):
            c = front.client()
            try:
                c.send(text[:cut])
                time.sleep(gap)
                c.send(text[cut:])
            except OSError:
                pass
            got = c.rest()
            if got is None or "XQZ" in got:
                bad.append((cut, got))
            c.close()
        ok(bad == [], "injection cut at every byte, %g s apart" % gap, bad)
    c = front.client()
    got = [c.ask("NOO"  "A STARTTLS x\r\n"), c.ask("A STARTTLS x\r\n"),
           c.ask("A STARTTLS {3}\r\n")]
    ok(all("BAD" in g for g in got), "STARTTLS with arguments", got)
    # The handshake is broken by what is still in the kernel.
    c = front.client()
    c.ask("a STARTTLS\r\n")
    c.send("b CAPABILITY\r\n" * 20)
    got = c.rest()
    ok(got is not None and "CAPABILITY" not in got, "clear text after OK")
    front.stop()


def test_pop3(site):
    """T-TLS-3, with the rest of POP3 before a login."""
    front = Front(site, "pop3")
    c = front.client()
    ok(c.greeting == "+OK mail.example.org ready", "pop3: greeting",
       c.greeting)
    got = c.ask("CAPA\r\n", end=r"\.$")
    ok("\nSTLS\n" in got and "\nUSER\n" in got and "\nSASL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN\n" in got,
       "CAPA", got)
    ok(c.ask("PASS x\r\n").startswith("-ERR"), "PASS needs USER")
    ok(c.ask("USER nobody\r\n") == c.ask("USER alice\r\n"),
       "USER tells nothing")
    wrong = c.ask("PASS wrong\r\n")
    ok(wrong.startswith("-ERR [AUTH]"), "wrong password", wrong)
    ok(c.ask("PASS secret word\r\n").startswith("-ERR"), "USER again")
    c.ask("USER alice\r\n")
    got = c.ask("PASS secret word\r\n")
    ok(got.startswith("+OK OK stub uid=%d " % site.owner), "login", got)
    c = front.client()
    got = [c.ask("AUTH PLAIN\r\n"), c.ask("*\r\n"), c.ask("AUTH PLAIN =\r\n"),
           c.ask("AUTH PLAIN %s\r\n" % PLAIN)]
    ok(got[0] == "+ " and got[1].startswith("-ERR") and
       got[2].startswith("-ERR [AUTH]") and got[3].startswith("+OK OK stub"),
       "AUTH PLAIN", got)
    c = front.client()
    got = c.ask("STLS\r\n")
    c.tls()
    got += c.ask("CAPA\r\n", end=r"\.$")
    ok("\nSTLS\n" not in got and "+OK" in got, "STLS", got)
    c.send("USER alice\r\nPASS secret word\r\nNOOP\r\n")
    got = [c.line(), c.line(), c.line()]
    ok(got[1].startswith("+OK OK stub") and got[2] == "echo NOOP",
       "pipelined login over TLS", got)
    for text in (b"STLS\r\nCAPA\r\n", b"STLS\r\nUSER alice\r\nPASS x\r\n"):
        c = front.client()
        c.send(text)
        got = c.rest()
        ok(got is not None and got.startswith("-ERR") and
           got.count("\n") == 1, "injection refused: %r" % text, got)
    c = front.client()
    c.send("USER alice\r\nPASS secret word\r\nA\r\nB\r\n")
    got = [c.line(), c.line(), c.line(), c.line()]
    ok(got[2:] == ["echo A", "echo B"], "pipelined login in clear", got)
    front.stop()
    front = Front(site, "pop3s")
    c = front.client(tls=True, alpn=["pop3"])
    ok(c.greeting.startswith("+OK"), "pop3s", c.greeting)
    ok(c.ask("QUIT\r\n").startswith("+OK") and c.rest() == "", "QUIT")
    try:
        got = front.client(tls=True, alpn=["imap"]).greeting
    except (ssl.SSLError, OSError):
        got = ""
    ok(got == "", "ALPN imap on pop3s is refused", got)
    front.stop()


# --- limits ------------------------------------------------------------------

def test_limits(front):
    ends = {"a LOGIN {4294967296}": False,
            "a LOGIN {18446744073709551616}": False,
            "a LOGIN {99999999999999999999+}": True, "a LOGIN {-1}": True,
            "a LOGIN {+}": True, "a LOGIN {}": True, "a LOGIN { 5}": True,
            "a LOGIN {5 }": True, "a LOGIN {0x5}": True,
            "a LOGIN {5++}": True, "a LOGIN ~{5}": True,
            "a LOGIN {4097+}": True, "a NOOP {5+}": True,
            "a NOOP {5}": False, "a XYZZY {5}": False}
    for text, ended in ends.items():
        c = front.client()
        got = c.ask(text + "\r\n")
        c.send("b NOOP\r\n")
        rest = c.rest() if ended else c.line()
        good = rest is not None and (
            "b OK" not in rest if ended else rest.startswith("b OK"))
        ok(re.match("a (BAD|NO)", got) and good, "literal: " + text,
           got, rest)
        c.close()
    c = front.client()
    got = [c.ask("a LOGIN {0}\r\n"), c.ask(" {001}\r\n"), c.ask("x\r\n")]
    ok(got[0][0] == "+" and got[2].startswith("a NO"), "{0} and {001}", got)
    c = front.client()
    c.send(b"a LOGIN {5}\n")
    got = c.rest()
    ok(got is not None and "BAD" in got, "a literal behind a bare LF", got)
    for name, text, want in (
            ("NUL", b"a NO\0OP\r\n", "a BAD"),
            ("bare CR", b"a NO\rOP\r\n", "a BAD"),
            ("bare LF", b"a NOOP\n", "a BAD"),
            ("tag +", b"+ NOOP\r\n", r"\* BAD"),
            ("tag *", b"* NOOP\r\n", r"\* BAD"),
            ("no tag", b" NOOP\r\n", r"\* BAD"),
            ("empty", b"\r\n", r"\* BAD"),
            ("tag alone", b"a \r\n", "a BAD"),
            ("a long tag", b"a" * 5000 + b" NOOP\r\n", r"\* BAD.{0,80}$"),
            ("parentheses", b"a NOOP " + b"(" * 4001 + b"\r\n", "a BAD"),
            ("backslash at the end", b'a LOGIN "x\\\r\n', "a BAD"),
            ("open quote", b'a LOGIN "x y\r\n', "a BAD"),
            ("8-bit atom", b"a LOGIN \xe4 x\r\n", "a BAD"),
            ("one argument", b"a LOGIN x\r\n", "a BAD"),
            ("three arguments", b"a LOGIN x y z\r\n", "a BAD"),
            ("unknown mechanism", b"a AUTHENTICATE NTLM\r\n", "a NO"),
            ("a later command", b"a SELECT INBOX\r\n", "a BAD")):
        c = front.client()
        got = c.ask(text, end=".")
        good = re.match(want, got) is not None
        ok(good and c.ask("b NOOP\r\n").startswith("b OK"), name, got)
        c.close()
    for name, text in (("a line", b"a NOOP " + b"x" * 20000),
                       ("a quoted string", b'a LOGIN "' + b"x" * 20000),
                       ("a tag", b"t" * 20000)):
        c = front.client()
        try:
            c.send(text)
        except OSError:
            pass
        got = c.rest()
        ok(got is not None and "* BYE Line too long" in got,
           name + " without end", got)
    c = front.client()
    c.send("a X\r\n" * 50)
    got = c.rest()
    ok(got is not None and got.count("a BAD") == 10 and "* BYE" in got,
       "ten bad commands", got)
    c = front.client()
    c.send("a AUTHENTICATE PLAIN\r\n*\r\n" * 50)
    got = c.rest()
    ok(got is not None and got.count("a BAD") == 10 and "* BYE" in got,
       "ten cancelled exchanges", got)
    c = front.client()
    c.send("a LOGIN alice x\r\n" * 50)
    got = c.rest()
    ok(got is not None and got.count("a NO") == 3 and "* BYE" in got,
       "three wrong passwords", got)


def test_deadlines():
    """T-DOS-1 and T-TLS-8 for IMAP; all services: gate.py."""
    site = Site("deadlines", login_s=1, auth_delay_ms=400)
    front = Front(site, "imap")
    c = front.client()
    begin = time.monotonic()
    for answer in ("wrong", "unknown"):
        c.ask("a LOGIN %s x\r\n" %
              ("alice" if answer == "wrong" else "nobody"))
        took, begin = time.monotonic() - begin, time.monotonic()
        ok(0.39 <= took <= 5, "a refusal takes auth_delay_ms: " + answer,
           took)
    c = front.client()
    begin = time.monotonic()
    got = ""
    c.sock.settimeout(0.1)
    while time.monotonic() - begin < 8:
        try:
            c.sock.sendall(b"x")
            more = c.sock.recv(1000)
            if not more:
                break
            got += more.decode()
        except socket.timeout:
            continue
        except OSError:
            break
    ok(0.9 < time.monotonic() - begin < 7 and "* BYE Login took" in got,
       "bytes that trickle do not move the deadline", got)
    c = front.client()
    c.ask("a STARTTLS\r\n")
    begin = time.monotonic()
    ok(c.rest() == "" and time.monotonic() - begin < 7,
       "nor does a handshake that does not come")
    # Good commands without an end, and answers that nobody reads.
    for service, line in (("imap", "a CAPABILITY\r\n"), ("pop3", "CAPA\r\n")):
        other = Front(site, service)
        c = other.client()
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 8:
                c.send(line * 8)
                c.sock.recv(65536)
                time.sleep(0.02)
        except OSError:
            pass
        ok(time.monotonic() - begin < 6, service + ": a deadline for who "
           "always has one more command", time.monotonic() - begin)
        c = other.client()
        c.send(line * 1100)
        got = c.rest()
        ok(got is not None and "Too many commands" in got,
           service + ": and a number", got and got[-200:])
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        s.connect(other.address)
        s.settimeout(0.2)
        begin = time.monotonic()
        while time.monotonic() - begin < 8:
            try:
                s.sendall(line.encode() * 200)
                time.sleep(0.05)
            except socket.timeout:
                continue
            except OSError:
                break
        ok(time.monotonic() - begin < 7, service + ": and for who reads no "
           "answers", time.monotonic() - begin)
        s.close()
        other.stop()
        ok(not other.logged("login-program-ended"),
           service + ": it ends by itself", other.logged(".*-ended.*"))
    front.stop()


def test_policy():
    """T-TLS-7."""
    site = Site("policy", clear_login="never")
    front = Front(site, "imap")
    c = front.client()
    ok("LOGINDISABLED" in c.greeting and "AUTH=PLAIN" not in c.greeting,
       "clear_login never: LOGINDISABLED", c.greeting)
    got = [login(c), c.ask("b AUTHENTICATE PLAIN %s\r\n" % PLAIN),
           c.ask("c LOGIN {5}\r\n")]
    ok(all(re.match(". NO .PRIVACYREQUIRED", g) for g in got),
       "LOGIN and AUTHENTICATE are refused in clear", got)
    c.ask("d STARTTLS\r\n")
    c.tls()
    ok(login(c).startswith("a OK stub"), "and taken in TLS")
    c = front.client()
    c.send("c LOGIN {5+}\r\nalice {1+}\r\nb LOGOUT\r\n")
    got = c.rest()
    ok(got is not None and "BYE" in got and "b OK" not in got,
       "a literal sent unasked ends it", got)
    front.stop()
    other = Front(Site("literals"), "imap")
    for text in ('LOGIN "bad\\q" {8+}', "LOGIN us(er {8+}",
                 "LOGIN %s {8+}" % ("u" * 300), "LOGIN alice x {8+}",
                 "LOGIN {1+}\r\n\0 {8+}", "AUTHENTICATE PLAIN {8+}",
                 "AUTHENTICATE NONE {8+}", "AUTHENTICATE PLAIN x {8+}"):
        c = other.client()
        c.send("a " + text + "\r\nb NOOP\r\n\r\n")
        got = c.rest()
        ok(got is not None and "BYE" in got and "b " not in got,
           "what follows %.24r is no command" % text, got)
    other.stop()
    front = Front(site, "pop3")
    c = front.client()
    got = [c.ask("USER alice\r\n"), c.ask("AUTH PLAIN %s\r\n" % PLAIN)]
    ok(all(g.startswith("-ERR [AUTH]") for g in got),
       "USER and AUTH are refused in clear", got)
    front.stop()
    site = Site("notls", tls=False)
    front = Front(site, "imap")
    c = front.client()
    ok("STARTTLS" not in c.greeting, "no certificate, no STARTTLS",
       c.greeting)
    ok(c.ask("a STARTTLS\r\n").startswith("a BAD"), "nor on demand")
    ok(login(c).startswith("a OK stub"), "the rest works")
    front.stop()
    for name in ("secrets.cdb", "users.cdb"):
        for how in ("missing", "damaged"):
            site = Site(name + how)
            path = site.root + "/etc/postern/" + name
            os.unlink(path)
            if how == "damaged":
                with open(path, "w") as f:
                    f.write("x" * 3000)
            front = Front(site, "imap")
            got = login(front.client())
            ok(got.startswith("a NO [UNAVAILABLE]"),
               "%s is %s: later, not never" % (name, how), got)
            front.stop()
    ok(front.logged("login-unavailable .* mechanism=PLAIN why=database\n"),
       "the log has what was tried", front.logged("login-una.*"))
    front = Front(site, "submissions")
    c = front.client(tls=True)
    c.ask("EHLO x\r\n", end="250 ")
    got = [c.ask("AUTH PLAIN %s\r\n" % PLAIN, end=r"\d+ ")
           for _ in range(3)] + [c.rest()]
    ok([g[:3] for g in got] == ["454"] * 3 + ["421"] and
       not front.logged("login-program-ended"),
       "submission: so many tries, and then no more", got)
    front.stop()
    site = Site("nosession")
    os.unlink(site.libexec + "/imapd")
    front = Front(site, "imap")
    got = login(front.client())
    ok(got.startswith("a NO [UNAVAILABLE]"), "no session program: later", got)
    front.stop()


def main():
    site = Site("site")
    test_login(site)
    front = Front(site, "imap")
    test_forms(front)
    test_owner(front)
    test_limits(front)
    front.stop()
    test_tls(site)
    half_close(site)
    test_starttls(site)
    test_pop3(site)
    test_policy()
    test_deadlines()
    if ROOT:
        print("# the same as one uid that is not root")
        site = Site("single", uid=64100)
        test_login(site)
        test_tls(site)


try:
    main()
finally:
    finish()
