"""Drives front and the login programs; writes TAP.

The sessions are stubs, so that what is seen here is what front hands over.
"""
import base64
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time

STAGE, TMP = sys.argv[1:3]
ROOT = os.geteuid() == 0
SANITIZED = "asan" in subprocess.run(
    ["ldd", STAGE + "/front"], capture_output=True, text=True).stdout
OWNER = 64100 if ROOT else os.geteuid()
USERS = {"net_user": 64001, "auth_user": 64002, "queue_user": 64003}
FAKE = "/usr/bin/python3"  # what another uid can run, too
PLAIN = base64.b64encode(b"\0alice\0secret word").decode()
count = failures = 0


def ok(good, name, *seen):
    global count, failures
    count += 1
    failures += not good
    print("%sok %d - %s" % ("" if good else "not ", count, name), flush=True)
    if not good:
        for s in seen:
            for line in repr(s)[:2000].split("\n"):
                print("# seen: " + line, flush=True)
    return good


def skip(name, why):
    global count
    count += 1
    print("ok %d - %s # SKIP %s" % (count, name, why), flush=True)


def wait_for(test, seconds=10):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


STUB = r"""#!/bin/sh
PATH=/usr/bin:/bin
printf '%%s OK stub uid=%%s gid=%%s groups=%%s maildir=%%s user=%%s root=%%s\r\n' \
    "$AUTH_TAG" "$(id -u)" "$(id -g)" "$(id -G)" "$1" "$USER" "$POSTERN_ROOT"
while IFS= read -r line; do
	case $line in
	*SEND*) head -c 3000000 /dev/zero; exit 0;;
	*SINK*) wc -c; exit 0;;
	*FDS*) ls /proc/$$/fd; echo end;;
	*LOGOUT*|*QUIT*) echo bye; exit 0;;
	*) printf 'echo %%s\n' "$line";;
	esac
done
"""


logs = set()


class Site:
    """A root folder with users, a certificate and programs."""

    def __init__(self, name, uid=None, programs=(), tls=True, **settings):
        self.root = TMP + "/" + name
        self.uid = uid
        self.owner = uid if uid is not None else OWNER
        self.libexec = self.root + "/libexec"
        os.makedirs(self.root + "/etc/postern/tls")
        os.makedirs(self.libexec)
        for p in os.listdir(STAGE):
            os.symlink(os.path.realpath(STAGE + "/" + p), self.libexec + "/" + p)
        for p in ("imapd", "pop3d"):
            self.program(p, STUB.replace("%%", "%"))
        for p, text in programs:
            self.program(p, text)
        conf = {"hostname": "mail.example.org", "domain": "example.org",
                "libexec": self.libexec, "auth_delay_ms": 50, "login_s": 20}
        if ROOT:
            conf.update(USERS)
        conf.update(settings)
        with open(self.root + "/etc/postern/postern.conf", "w") as f:
            for key, value in conf.items():
                f.write("%s %s\n" % (key, value))
        if tls:
            self.certificate()
        subprocess.run([STAGE + "/postern-domain", "-r", self.root, "add",
                        "example.org"], check=True, stdout=subprocess.DEVNULL)
        for address, owner in (("alice", self.owner), ("low", 5)):
            subprocess.run(
                [STAGE + "/postern-user", "-r", self.root, "add", "--uid",
                 str(owner), "--gid", str(owner), address + "@example.org"],
                input="secret word\n", text=True, check=True,
                stdout=subprocess.DEVNULL)
        if uid is not None:
            subprocess.run(["chown", "-Rh", "%d:%d" % (uid, uid), self.root],
                           check=True)

    def program(self, name, text):
        path = self.libexec + "/" + name
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)

    def certificate(self):
        for n in ("cert", "key"):
            path = TMP + "/%s.pem" % n
            if not os.path.exists(path):
                subprocess.run(
                    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=mail.example.org", "-keyout",
                     TMP + "/key.pem", "-out", TMP + "/cert.pem"],
                    check=True, stderr=subprocess.DEVNULL)
            with open(path) as f, open(
                    self.root + "/etc/postern/tls/%s.pem" % n, "w") as g:
                g.write(f.read())
        os.chmod(self.root + "/etc/postern/tls/key.pem", 0o600)

    def start(self, service, stdin, *args, **kw):
        self.log = self.root + "/log." + service
        logs.add(self.log)
        extra = {} if self.uid is None else {
            "user": self.uid, "group": self.uid, "extra_groups": []}
        with open(self.log, "a") as log:
            return subprocess.Popen(
                [STAGE + "/front", "-r", self.root, *args, service],
                stdin=stdin, stdout=subprocess.DEVNULL, stderr=log,
                **extra, **kw)

    def logged(self, pattern, service):
        with open(self.root + "/log." + service) as f:
            return re.findall(pattern, f.read())


fronts = []


class Front:
    """A front that listens on a socket of ours."""

    def __init__(self, site, service):
        self.site, self.service = site, service
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(100)
        self.address = s.getsockname()
        self.process = site.start(service, s)
        s.close()
        fronts.append(self)

    def client(self, **kw):
        return Client(socket.create_connection(self.address), **kw)

    def logged(self, pattern):
        return self.site.logged(pattern, self.service)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


def context(alpn=None):
    c = ssl.create_default_context()
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if alpn:
        c.set_alpn_protocols(alpn)
    return c


class Client:
    def __init__(self, sock, tls=False, greeting=True, alpn=None):
        self.sock, self.buf = sock, b""
        sock.settimeout(15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.tls(alpn)
        self.greeting = self.line() if greeting else None

    def tls(self, alpn=None):
        self.sock = context(alpn).wrap_socket(
            self.sock, server_hostname="mail.example.org")

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())
        return self

    def line(self):
        while b"\n" not in self.buf:
            try:
                more = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLError):
                more = b""
            if not more:
                rest, self.buf = self.buf, b""
                return rest.decode("latin-1")
            self.buf += more
        line, self.buf = self.buf.split(b"\n", 1)
        return line.decode("latin-1").rstrip("\r")

    def ask(self, data, end=r"^(\S+ (OK|NO|BAD)|\* BYE|\+|-ERR)"):
        """Sends, and reads up to the line that answers."""
        self.send(data)
        lines = []
        while True:
            lines.append(self.line())
            if not lines[-1] or re.match(end, lines[-1]):
                return "\n".join(lines)

    def rest(self):
        """All that still comes; None if the connection stays open."""
        data, self.buf = self.buf, b""
        try:
            while True:
                more = self.sock.recv(65536)
                if not more:
                    return data.decode("latin-1")
                data += more
        except socket.timeout:
            return None
        except (ConnectionError, ssl.SSLError):
            return data.decode("latin-1")

    def close(self):
        self.sock.close()


def login(c, tag="a"):
    return c.ask('%s LOGIN alice "secret word"\r\n' % tag)


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
    ok(got == "t.1-x OK stub uid=%d gid=%d groups=%d maildir=%s user=%s "
       "root=%s" % (site.owner, site.owner, site.owner,
                    site.root + "/var/mail/example.org/alice",
                    "alice@example.org", site.root),
       "the session runs as the owner, on its Maildir", got)
    got = c.ask("FDS\r\n", end="end").replace("\n10\n", "\n")
    ok(got == "0\n1\n2\nend", "the session has three descriptors", got)
    c.send("NOOP\r\n")
    ok(c.line() == "echo NOOP", "the session reads on")
    c.send("LOGOUT\r\n")
    ok(c.rest() == "bye\n", "the session ends the connection")
    ok(wait_for(lambda: len(front.logged(
        r"login service=imap peer=127\.0\.0\.1 user=alice@example\.org "
        r"tls=0")) == 1), "a line in the log")
    lines = front.logged(r"login-failed service=imap peer=127\.0\.0\.1 "
                         r"user=(alice|nobody) tls=0\n")
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


# --- TLS -------------------------------------------------------------------

def test_tls(site):
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
    front.stop()


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
    front = Front(site, "pop3")
    c = front.client()
    ok(c.greeting == "+OK mail.example.org ready", "pop3: greeting",
       c.greeting)
    got = c.ask("CAPA\r\n", end=r"\.$")
    ok("\nSTLS\n" in got and "\nUSER\n" in got and "\nSASL PLAIN\n" in got,
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
    front.stop()


def test_policy():
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
    site = Site("nosession")
    os.unlink(site.libexec + "/imapd")
    front = Front(site, "imap")
    got = login(front.client())
    ok(got.startswith("a NO [UNAVAILABLE]"), "no session program: later", got)
    front.stop()


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
        os.execv(STAGE + "/front", [STAGE + "/front", "-r", fast.root, "imap"])

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
    ok(site.start("imap", subprocess.DEVNULL, "--listen", "nonsense")
       .wait(10) == 111, "a wrong address")
    ok(site.start("gopher", subprocess.DEVNULL).wait(10) == 100,
       "an unknown service")


def test_caps():
    site = Site("caps", connections_per_source=3, connections=5)
    front = Front(site, "imap")
    three = [front.client() for _ in range(3)]
    ok(all(c.greeting for c in three), "three from one source")
    got = [front.client(greeting=False).rest() for _ in range(4)]
    ok(got == [""] * 4, "the fourth is closed at once", got)
    lines = front.logged("refused .*why=connections_per_source "
                         "source=127.0.0.1 count=1\n")
    ok(len(lines) == 1, "one line, not four", lines)
    three.pop().close()

    def again():
        c = front.client(greeting=False)
        return c.line().startswith("* OK")

    ok(wait_for(again), "a place that is free again is given again")
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

    def children(pid):
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(n) for n in f.read().split()]

    def four(n):
        return "\t".join([str(n)] * 4)

    listener = front.process.pid
    monitor = children(listener)[0]
    child = children(monitor)[0]
    caps = sum(1 << n for n in (5, 6, 7, 18))
    for name, pid in (("listener", listener), ("front", monitor)):
        s = status(pid)
        ok(s["Uid"] == four(0) and int(s["CapEff"], 16) == caps and
           int(s["CapPrm"], 16) == caps and s["NoNewPrivs"] == "1",
           name + ": root with four capabilities", s)
    s = status(child)
    ok(s["Uid"] == four(64001) and s["Gid"] == four(64001) and
       s["Groups"].strip() == "" and int(s["CapPrm"], 16) == 0 and
       int(s["CapAmb"], 16) == 0 and s["NoNewPrivs"] == "1" and
       s["Seccomp"] == "2",
       "login program: net_user, no capability, filtered", s)
    ok(os.readlink("/proc/%d/root" % child) == site.root +
       "/run/postern/empty", "with an empty root folder",
       os.readlink("/proc/%d/root" % child))
    fds = sorted(int(n) for n in os.listdir("/proc/%d/fd" % child))
    ok(fds == [0, 1, 2, 3], "and no descriptor of a file", fds)
    ok(login(c).startswith("a OK stub"), "login")
    s = status(monitor)
    ok(s["Uid"] == four(OWNER) and s["Gid"] == four(OWNER) and
       int(s["CapPrm"], 16) == 0 and int(s["CapAmb"], 16) == 0,
       "front has become the session, and is nobody else's", s)
    ok(s["Groups"].strip() == "", "without groups", s["Groups"])
    fds = sorted(int(n) for n in os.listdir("/proc/%d/fd" % child))
    ok(len(fds) == 4, "the relay has its two ends and the log", fds)
    c.close()
    front.stop()


# --- a login program that was taken over ----------------------------------

HOSTILE = """#!%s
import array, os, socket, struct, sys, time
channel = socket.socket(fileno=3)
def frame(kind, tls=0, data=b"", tag=b"t", n=None):
    return struct.pack("=III64s1024s", kind, tls,
        len(data) if n is None else n, tag, data)
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
AUTH, ENQUEUE = 1, 2
%s
os.write(1, b"alive\\n")
time.sleep(30)
"""


def fake(text):
    return HOSTILE % (FAKE, text)


def test_hostile():
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
        ("AUTH of smtp", "smtp",
         "ask(frame(AUTH, 1, GOOD, tag=b''))"),
        ("ENQUEUE before AUTH of submission", "submission",
         "ask(frame(ENQUEUE, tag=b''))"),
        ("AUTH after AUTH", "submission",
         "ask(frame(AUTH, 1, GOOD, b'')); ask(frame(AUTH, 1, GOOD, b''))"),
        ("a fourth attempt", "imap",
         "[ask(frame(AUTH, data=b'x')) for i in range(4)]"),
    ]
    site = Site("hostile", auth_delay_ms=0)
    for name, service, text in cases:
        for p in ("imap-login", "smtpd"):
            site.program(p, fake(text))
        front = Front(site, service)
        got = front.client(greeting=False).rest()
        ok(got in ("", "gone\n") and wait_for(
            lambda: front.logged("login-program-ended")),
           "ended: " + name, got)
        front.stop()
        os.unlink(site.log)
    site.program("imap-login", fake(
        "s = ask(frame(AUTH, data=GOOD))\nos.write(1, b'%d' % s[0])"))
    front = Front(site, "imap")
    c = front.client(greeting=False)
    ok(wait_for(lambda: front.logged("login-program-ended"), 15) and
       "stub" not in (c.rest() or ""),
       "a program that will not leave gets no session beside it")
    front.stop()
    # checkpw says more than it may.
    for name, verdict in (
            ("root", "2, 0, 0, b'alice', b'%s/m'"),
            ("uid -1", "2, 0xffffffff, 9999, b'alice', b'%s/m'"),
            ("another folder", "2, %d, %d, b'alice', b'/etc'" %
             (OWNER, OWNER)),
            ("a way out", "2, %d, %d, b'alice', b'%%s/m/../../x'" %
             (OWNER, OWNER)),
            ("no name", "2, %d, %d, b'', b'%%s/m'" % (OWNER, OWNER)),
            ("no NUL", "2, %d, %d, b'a' * 320, b'%%s/m'" % (OWNER, OWNER)),
            ("an unknown status", "3, %d, %d, b'alice', b'%%s/m'" %
             (OWNER, OWNER))):
        site = Site("verdict" + name.replace(" ", ""))
        site.program("checkpw", "#!%s\nimport socket, struct\n"
                     "s = socket.socket(fileno=0)\ns.recv(2000)\n"
                     "s.send(struct.pack('=III320s2048s', %s))\n" %
                     (FAKE, verdict.replace("%s", site.root)))
        front = Front(site, "imap")
        got = login(front.client())
        ok(got.startswith("a NO [UNAVAILABLE]"),
           "a verdict that is not believed: " + name, got)
        front.stop()


def test_enqueue():
    if not os.path.exists(FAKE):
        skip("enqueue", "no " + FAKE)
        return
    enqueue = ("#!/bin/sh\nPATH=/usr/bin:/bin\nread -r line\n"
               "echo \"$line uid=$(id -u) user=${SUBMIT_USER-none} "
               "peer=$SUBMIT_PEER root=$POSTERN_ROOT\"\n")
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
    test_sockets(site)
    test_caps()
    test_rights(site)
    test_hostile()
    test_enqueue()
    if ROOT:
        print("# the same as one uid that is not root")
        site = Site("single", uid=64100)
        test_login(site)
        test_tls(site)


try:
    main()
finally:
    for f in fronts:
        if f.process.poll() is None:
            f.process.kill()
for path in logs:
    if os.path.exists(path):
        with open(path, errors="replace") as f:
            text = re.search(r"(?s)(Sanitizer|runtime error).{,2000}", f.read())
        if text:
            ok(False, "a sanitizer's report in " + path, text.group())
print("1..%d" % count)
sys.exit(failures > 0)
