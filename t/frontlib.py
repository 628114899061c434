"""A server in a folder, its clients, and TAP, for the tests of front.

The sessions are stubs, so that what is seen is what front hands over.
"""
import base64
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import traceback

STAGE, TMP = sys.argv[1:3]
ROOT = os.geteuid() == 0
SANITIZED = "asan" in subprocess.run(
    ["ldd", STAGE + "/front"], capture_output=True, text=True).stdout
OWNER = 64100 if ROOT else os.geteuid()
USERS = {"net_user": 64001, "auth_user": 64002, "queue_user": 64003,
         "key_user": 64004, "porter_user": 64005}
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
printf '%%s OK stub uid=%%s gid=%%s groups=%%s maildir=%%s user=%%s\r\n' \
    "$AUTH_TAG" "$(id -u)" "$(id -g)" "$(id -G)" "$1" "$USER"
while IFS= read -r line; do
	case $line in
	*SEND*) head -c 3000000 /dev/zero; exit 0;;
	*SINK*) wc -c; exit 0;;
	*QUOTA*) echo "quota $POSTERN_QUOTA";;
	*FDS*) ls /proc/$$/fd; echo end;;
	*LOGOUT*|*QUIT*) echo bye; exit 0;;
	*) printf 'echo %%s\n' "$line";;
	esac
done
"""


# A program that asks front in the porter's place.
ASKS = """#!%s
import array, os, signal, socket, struct, sys, time
front = socket.socket(fileno=1)
OWNER = %d
BEGIN, BECOME, STAMP, END = range(4)
LOGIN, CHECKER, DELIVER, REMOTE, BOUNCE = 4, 6, 10, 11, 12
def tell(*words):
    os.write(2, (" ".join(map(str, words)) + "\\n").encode())
def packet(kind, program, args=(), uid=OWNER, gid=OWNER, n=None, size=None):
    text = b"".join(a.encode() + b"\\0" for a in args)
    return struct.pack("=6I", kind, program, uid, gid,
        len(args) if n is None else n,
        len(text) if size is None else size) + text
def fds_of(extra):
    got = array.array("i")
    for level, kind, value in extra:
        got.frombytes(value)
    return list(got)
def ask(packet, *fds):
    # (error, pid, process), or None where it is refused.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    socket.send_fds(front, [packet], [theirs.fileno(), *fds])
    theirs.close()
    data, extra, flags, who = ours.recvmsg(1000, 64)
    ours.close()
    if not data:
        return None
    return struct.unpack("=ii", data[:8]) + tuple(fds_of(extra))
""" % (FAKE, OWNER)

logs = set()


def programs_folder():
    """Copies that all uids reach: a build folder may lie where they don't."""
    folder = TMP + "/programs"
    if not os.path.exists(folder):
        os.mkdir(folder)
        for p in os.listdir(STAGE):
            shutil.copy(STAGE + "/" + p, folder)
        shutil.copy(STAGE + "/../t/unit/stub-session", folder)
    return folder


class Site:
    """A root folder with users, a certificate and programs."""

    def __init__(self, name, uid=None, programs=(), tls=True, stubs=True,
                 **settings):
        self.root = TMP + "/" + name
        self.uid = uid
        self.owner = uid if uid is not None else OWNER
        self.libexec = self.root + "/libexec"
        os.makedirs(self.root + "/etc/postern/tls")
        os.makedirs(self.libexec)
        for p in os.listdir(programs_folder()):
            os.symlink(programs_folder() + "/" + p, self.libexec + "/" + p)
        for p in ("imapd", "pop3d") if stubs else ():
            self.program(p, STUB.replace("%%", "%"))
        for p, text in programs:
            self.program(p, text)
        conf = {"hostname": "mail.example.org", "domain": "example.org",
                "libexec": self.libexec, "auth_delay_ms": 50, "login_s": 20,
                "auth_free_tries": 1000, "quota": "5M,9"}
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
        users = [("alice", self.owner)]
        if ROOT:
            users += [("low", 5), ("ours", USERS["queue_user"])]
        for address, owner in users:
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
        if name in ("imapd", "pop3d"):
            shutil.copy(programs_folder() + "/stub-session", path)
            path += ".sh"
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
                [programs_folder() + "/front", "-r", self.root, *args, service],
                stdin=stdin, stdout=subprocess.DEVNULL, stderr=log,
                **extra, **kw)

    def logged(self, pattern, service):
        with open(self.root + "/log." + service) as f:
            return re.findall(pattern, f.read())


fronts = []


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(n) for n in f.read().split()]
    except OSError:
        return []


def arguments(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().split(b"\0")
    except OSError:
        return [b""]


class Front:
    """A front that listens on a socket of ours."""

    def __init__(self, site, service, backlog=100, **kw):
        self.site, self.service = site, service
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(backlog)
        self.address = s.getsockname()
        self.process = site.start(service, s, **kw)
        s.close()
        fronts.append(self)

    def client(self, source="127.0.0.1", **kw):
        return Client(socket.create_connection(
            self.address, source_address=(source, 0)), **kw)

    def logged(self, pattern):
        return self.site.logged(pattern, self.service)

    def porter(self):
        """The process that accepts."""
        found = []

        def look():
            found[:] = [p for p in children(self.process.pid)
                        if arguments(p)[0].endswith(b"/porter") and
                        b"-P" not in arguments(p)]
            return found

        wait_for(look)
        return found[0]

    def limit(self, what, n, most):
        """The porter's RLIMIT_what: by its own user, who always may."""
        pid = self.porter()
        st = os.stat("/proc/%d" % pid)
        extra = {"user": st.st_uid, "group": st.st_gid,
                 "extra_groups": []} if ROOT else {}
        subprocess.run(
            [FAKE, "-c", "import resource; resource.prlimit("
             "%d, resource.RLIMIT_%s, (%d, %d))" % (pid, what, n, most)],
            check=True, **extra)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


def context(alpn=None, cert=None, version=None):
    c = ssl.create_default_context()
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if version:
        c.maximum_version = version
    if cert:
        c.load_cert_chain(cert + ".crt", cert + ".key")
    if alpn:
        c.set_alpn_protocols(alpn)
    return c


class Client:
    def __init__(self, sock, tls=False, greeting=True, **kw):
        self.sock, self.buf = sock, b""
        sock.settimeout(15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.tls(**kw)
        self.greeting = self.line() if greeting else None

    def tls(self, **kw):
        self.sock = context(**kw).wrap_socket(
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


def connected(site, service, **kw):
    """front as inetd starts it, and its client."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    client = socket.create_connection(server.getsockname())
    conn, _ = server.accept()
    p = site.start(service, conn)
    conn.close()
    server.close()
    return p, Client(client, **kw)


def login(c, tag="a"):
    return c.ask('%s LOGIN alice "secret word"\r\n' % tag)


def finish():
    """Ends what still runs; looks for reports of sanitizers; the plan."""
    if sys.exc_info()[0]:
        ok(False, "the test came to its end", traceback.format_exc())
    for f in fronts:
        if f.process.poll() is None:
            f.process.kill()
    for path in logs:
        if os.path.exists(path):
            with open(path, errors="replace") as f:
                text = re.search(r"(?s)(Sanitizer|runtime error).{,2000}",
                                 f.read())
            if text:
                ok(False, "a sanitizer's report in " + path, text.group())
    print("1..%d" % count)
    sys.exit(failures > 0)
