"""Plays front for smtpd: starts it as front would, answers its frames, and
takes its messages as enqueue would.  Also prints TAP."""
import fcntl
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

STAGE = os.environ["POSTERN_STAGE"]
REQUEST = struct.Struct("=IIII64s1024s272s")
REPLY = struct.Struct("=II320s768s")
TEMPFAIL, REJECT, OK = 0, 1, 2


class Tap:
    def __init__(self):
        self.n = self.failed = 0

    def ok(self, good, name, *notes):
        self.n += 1
        print("%sok %d - %s" % ("" if good else "not ", self.n, name))
        if not good:
            self.failed += 1
            for note in notes:
                for line in str(note)[:2000].splitlines():
                    print("# " + line)
        sys.stdout.flush()
        return good

    def eq(self, got, want, name):
        return self.ok(got == want, name, "got:    %r" % (got,),
                       "wanted: %r" % (want,))

    def done(self):
        print("1..%d" % self.n)
        sys.exit(1 if self.failed else 0)


def high(fd):
    """The descriptor at a number that no program expects."""
    new = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 50)
    os.close(fd)
    return new


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-keyout", folder + "/key.pem", "-out",
         folder + "/cert.pem"], check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)


def make_root(folder, conf="", users=""):
    etc = folder + "/etc/postern"
    os.makedirs(etc + "/tls", exist_ok=True)
    os.makedirs(folder + "/run/postern/empty", exist_ok=True)
    with open(etc + "/postern.conf", "w") as f:
        f.write("hostname mx.example.test\ndomain example.test\n" + conf)
    with open(etc + "/users", "w") as f:
        f.write(users)
    subprocess.run(["cdb", "-c", "-m", etc + "/users.cdb", etc + "/users"],
                   check=True)
    if not os.path.exists(etc + "/tls/cert.pem"):
        make_certificate(etc + "/tls")
    return folder


class Message:
    def __init__(self, envelope, body):
        self.envelope, self.body = envelope, body

    def field(self, name):
        got, rest = [], self.envelope
        while rest:
            key, _, rest = rest.partition(b" ")
            n, _, rest = rest.partition(b":")
            if key == name:
                got.append(rest[:int(n)])
            rest = rest[int(n) + 2:]
        return got


class Front:
    """The other end of descriptor 3."""

    def __init__(self, channel, passwords, verdict, enqueue):
        self.channel = channel
        self.passwords = passwords
        self.verdict = verdict  # what enqueue answers
        self.enqueue = enqueue  # status of FRAME_ENQUEUE
        self.messages, self.broken, self.auths = [], 0, []
        self.threads = []
        self.user = None
        self.start(self.serve)

    def start(self, run, *args):
        t = threading.Thread(target=run, args=args, daemon=True)
        t.start()
        self.threads.append(t)

    def serve(self):
        while True:
            try:
                packet = self.channel.recv(4096)
            except OSError:
                return
            if not packet:
                return
            kind, tls, _, n, _, data, _ = REQUEST.unpack(packet)
            if kind == 1:
                self.auth(data[:n], tls)
            else:
                self.queue()

    def auth(self, data, tls):
        self.auths.append((data, tls))
        parts = data.split(b"\0")
        status, user = REJECT, b""
        if self.passwords is None:
            status = TEMPFAIL
        elif len(parts) == 3 and self.passwords.get(parts[1]) == parts[2]:
            status, user = OK, parts[1] + b"@example.test"
        self.channel.send(REPLY.pack(status, 0, user, b""))

    def queue(self):
        if self.enqueue != OK:
            self.channel.send(REPLY.pack(self.enqueue, 0, b"", b""))
            return
        ours, theirs = socket.socketpair()
        self.start(self.take, ours)
        socket.send_fds(self.channel, [REPLY.pack(OK, 0, b"", b"")],
                        [theirs.fileno()])
        theirs.close()

    def take(self, s):
        f = s.makefile("rwb")
        pieces = []
        while True:
            digits = b""
            while not digits.endswith(b":"):
                c = f.read(1)
                if not c:
                    self.broken += 1
                    return
                digits += c
            n = int(digits[:-1])
            data = f.read(n + 1)
            if len(data) < n + 1:
                self.broken += 1
                return
            if n == 0:
                break
            pieces.append(data[:-1])
        message = Message(pieces[0], b"".join(pieces[1:]))
        if self.verdict.startswith(b"K"):
            self.messages.append(message)
        try:
            f.write(self.verdict)
            f.flush()
        except OSError:
            pass
        s.close()


class Session:
    crashes = []  # of all sessions

    def __init__(self, root, service="smtp", peer="192.0.2.7", clear=False,
                 passwords=None, verdict=b"K q1\n", enqueue=OK, users=True,
                 tls_files=True, early=b""):
        etc = root + "/etc/postern"
        self.sock, theirs = socket.socketpair()
        front, channel = socket.socketpair(socket.AF_UNIX,
                                           socket.SOCK_SEQPACKET)
        if early:
            self.sock.sendall(early)
        self.front = Front(front, passwords, verdict, enqueue)
        log_r, log_w = os.pipe()
        fds = {0: theirs.fileno(), 1: theirs.fileno(), 2: log_w,
               3: channel.fileno()}
        opened = []
        if tls_files:
            for at, name in ((4, "tls/cert.pem"), (5, "tls/key.pem")):
                fds[at] = high(os.open(etc + "/" + name, os.O_RDONLY))
                opened.append(fds[at])
        if users and os.path.exists(etc + "/users.cdb"):
            fds[6] = high(os.open(etc + "/users.cdb", os.O_RDONLY))
            opened.append(fds[6])
        copies = {n: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 50)
                  for n, fd in fds.items()}
        argv = ["smtpd", "-r", root, "--", service, peer]
        self.pid = os.posix_spawn(
            STAGE + "/smtpd", argv + (["clear"] if clear else []),
            {k: v for k, v in os.environ.items() if "SAN" in k},
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, n)
                          for n, fd in copies.items()])
        for fd in list(copies.values()) + opened:
            os.close(fd)
        theirs.close()
        channel.close()
        os.close(log_w)
        self.log_fd = log_r
        self.buf = b""
        self.sock.settimeout(10)
        self.status = None

    def read(self):
        """One reply, all lines; b'' at the end."""
        lines = []
        while True:
            while b"\r\n" not in self.buf:
                try:
                    more = self.sock.recv(65536)
                except ssl.SSLEOFError:
                    more = b""
                except (ConnectionError, ssl.SSLError):
                    more = b""
                if not more:
                    got, self.buf = self.buf, b""
                    return b"\n".join(lines) + got
                self.buf += more
            line, _, self.buf = self.buf.partition(b"\r\n")
            lines.append(line)
            if line[3:4] != b"-":
                return b"\n".join(lines)

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionError):
            pass

    def cmd(self, line):
        self.send(line + b"\r\n")
        return self.read()

    def code(self, line):
        return self.cmd(line)[:9].decode("latin-1")

    def greet(self, name=b"client.example.test"):
        self.banner = self.read()
        return self.cmd(b"EHLO " + name)

    def tls(self, **kw):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(
            self.sock, server_hostname="localhost", **kw)
        return self

    def starttls(self):
        got = self.cmd(b"STARTTLS")
        if got.startswith(b"220"):
            self.tls()
        return got

    def rest(self):
        """Everything until the end."""
        out, self.buf = self.buf, b""
        while True:
            try:
                more = self.sock.recv(65536)
            except (OSError, ssl.SSLError):
                more = b""
            if not more:
                return out
            out += more

    def close(self):
        """Ends it; the log, as text."""
        try:
            self.sock.close()
        except OSError:
            pass
        self.status = os.waitpid(self.pid, 0)[1]
        try:
            self.front.channel.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for t in self.front.threads:
            t.join(5)
        self.front.channel.close()
        log = b""
        while True:
            more = os.read(self.log_fd, 65536)
            if not more:
                break
            log += more
        os.close(self.log_fd)
        self.log = log.decode("latin-1")
        if self.status != 0 or "Sanitizer" in self.log or \
                "runtime error" in self.log:
            Session.crashes.append((self.status, self.log))
        return self.log

    def message(self, body, sender=b"a@out.test", rcpt=b"alice@example.test"):
        """MAIL, RCPT, DATA and the body: the last reply."""
        for line in (b"MAIL FROM:<" + sender + b">",
                     b"RCPT TO:<" + rcpt + b">", b"DATA"):
            got = self.cmd(line)
            if got[:1] not in b"23":
                return got
        self.send(body)
        return self.read()


def wait(test, seconds=10):
    end = time.time() + seconds
    while time.time() < end:
        if test():
            return True
        time.sleep(0.01)
    return False
