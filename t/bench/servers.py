"""Servers to compare, each in a folder: Postern, Dovecot, and the floor.

A server runs below a process of its own that reaps all of its processes, so
that the kernel's sum of their time is complete once it has ended.
"""
import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import time

BUILD = os.environ.get("POSTERN_BUILD") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../../_build/run/plain")
if not os.path.exists(BUILD + "/stage"):
    sys.exit("nothing is built in %s: t/run, or POSTERN_BUILD" % BUILD)
STAGE = BUILD + "/stage"
INETD = os.environ.get("POSTERN_INETDS", "") + "/usr/sbin/inetd"
OWNER = 64100
USERS = 8
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
# "secret word", by libcrypt in either server
HASH = "$5$rounds=1000$bench$ZnaQuuo7JCs5w5u.afdTogl4jMkDu1uHCedCsiAamaD"
DOVECOT = """
base_dir = %(d)s/run
state_dir = %(d)s/run
log_path = %(d)s/log
listen = 127.0.0.1
protocols = imap pop3
mail_location = maildir:%(d)s/mail/%%n
first_valid_uid = 1000
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_max_userip_connections = 2000
ssl = yes
ssl_cert = <%(tmp)s/cert.pem
ssl_key = <%(tmp)s/key.pem
passdb {
  driver = passwd-file
  args = %(d)s/passwd
}
userdb {
  driver = static
  args = uid=%(uid)d gid=%(uid)d home=%(d)s/mail/%%n
}
service imap {
  process_limit = 2000
}
service pop3 {
  process_limit = 2000
}
"""


def reaper(argv):
    """Runs argv until stdin ends, then SIGTERM; prints user and system time
    of all processes that it had."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    server = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL)
    sys.stdin.read()
    server.send_signal(signal.SIGTERM)
    server.wait()
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(used.ru_utime, used.ru_stime)


def run(*argv, **kw):
    return subprocess.run(argv, check=True, text=True,
                          stdout=subprocess.PIPE, **kw).stdout


class Running:
    def __init__(self, argv, port, log):
        self.port = port
        self.log = open(log, "a")
        self.process = subprocess.Popen(
            [sys.executable, "-B", __file__, *argv], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            sys.exit("%s does not listen" % argv[0])

    def processes(self):
        """All that run below, but the one that reaps."""
        parent = {}
        for pid in os.listdir("/proc"):
            if pid.isdigit():
                try:
                    with open("/proc/%s/stat" % pid) as f:
                        parent[int(pid)] = int(
                            f.read().rpartition(")")[2].split()[1])
                except OSError:
                    pass
        found, more = set(), {self.process.pid}
        while more:
            more = {p for p in parent if parent[p] in more} - found
            found |= more
        return sorted(found)

    def stop(self):
        out, _ = self.process.communicate()
        self.log.close()
        return sum(float(n) for n in out.split())


class Servers:
    def __init__(self, tmp, port):
        self.tmp, self.port, self.dovecot_port = tmp, port + 10, port
        os.chmod(tmp, 0o755)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=localhost", "-keyout", tmp + "/key.pem", "-out",
            tmp + "/cert.pem", stderr=subprocess.DEVNULL)
        self.postern_root()
        self.dovecot_there = os.geteuid() == 0 and os.path.exists(
            "/usr/sbin/dovecot")
        if self.dovecot_there:
            self.dovecot_conf()

    def postern_root(self):
        root = self.root = self.tmp + "/postern"
        os.makedirs(root + "/etc/postern/tls")
        owner = OWNER if os.geteuid() == 0 else os.geteuid()
        with open(root + "/etc/postern/postern.conf", "w") as f:
            f.write("hostname localhost\ndomain example.org\n"
                    "libexec %s\nconnections 2000\n"
                    "connections_per_source 2000\n"
                    "net_user 64001\nauth_user 64002\nqueue_user 64003\n"
                    "key_user 64004\nporter_user 64005\n" %
                    os.path.realpath(STAGE))
        for n in ("cert", "key"):
            os.link("%s/%s.pem" % (self.tmp, n),
                    "%s/etc/postern/tls/%s.pem" % (root, n))
        run(STAGE + "/postern-domain", "-r", root, "add", "example.org")
        for n in range(USERS):
            run(STAGE + "/postern-user", "-r", root, "add", "--uid",
                str(owner), "--gid", str(owner), "user%d@example.org" % n,
                input="secret word\n")
            self.box(root + "/var/mail/example.org/user%d" % n, owner)
        with open(root + "/etc/postern/secrets", "w") as f:
            for n in range(USERS):
                f.write("user%d@example.org crypt=%s\n" % (n, HASH))
        run("cdb", "-c", "-m", root + "/etc/postern/secrets.cdb",
            root + "/etc/postern/secrets")

    @staticmethod
    def box(path, owner):
        for folder in ("", "/cur", "/new", "/tmp"):
            os.makedirs(path + folder, exist_ok=True)
            os.chown(path + folder, owner, owner)

    def dovecot_conf(self):
        """Login processes that are used again; the same hashes."""
        d = self.tmp + "/dovecot"
        os.makedirs(d + "/run")
        with open(d + "/passwd", "w") as f:
            for n in range(USERS):
                f.write("user%d@example.org:{CRYPT}%s\n" % (n, HASH))
                self.box(d + "/mail/user%d" % n, OWNER)
        port = self.dovecot_port
        text = DOVECOT % {"d": d, "tmp": self.tmp, "uid": OWNER}
        for n, p in enumerate(("imap", "pop3")):
            text += ("service %s-login {\n  service_count = 0\n"
                     "  process_min_avail = 2\n"
                     "  inet_listener %s {\n    port = %d\n  }\n"
                     "  inet_listener %ss {\n    port = %d\n    ssl = yes\n"
                     "  }\n}\n" % (p, p, port + 2 * n, p, port + 2 * n + 1))
        with open(d + "/dovecot.conf", "w") as f:
            f.write(text)

    def start(self, name, protocol, tls):
        log = self.tmp + "/log." + name
        if name == "dovecot":
            port = self.dovecot_port + (protocol == "pop3") * 2 + tls
            return Running(["/usr/sbin/dovecot", "-F", "-c",
                            self.tmp + "/dovecot/dovecot.conf"], port, log)
        port = self.port = self.port + 10
        if name == "floor":
            return Running(
                [BUILD + "/t/bench/floor", protocol, "tls" if tls else
                 "plain", str(port), self.tmp + "/cert.pem",
                 self.tmp + "/key.pem"], port, log)
        return Running(
            [STAGE + "/front", "-r", self.root, "--listen",
             "127.0.0.1:%d" % port, protocol + "s" * tls], port, log)

    def by_inetd(self, *command):
        """One process for each connection.  Its own limit is not in the way."""
        port = self.port = self.port + 10
        conf = "%s/inetd.%d" % (self.tmp, port)
        with open(conf, "w") as f:
            f.write("127.0.0.1:%d stream tcp nowait.1000000 root %s %s\n" % (
                port, command[0], " ".join((os.path.basename(command[0]),
                                            *command[1:]))))
        return Running([INETD, "-i", conf], port, self.tmp + "/log.inetd")

    def names(self):
        return ["postern"] + ["dovecot"] * self.dovecot_there


if __name__ == "__main__":
    reaper(sys.argv[1:])
