"""Programs that were taken over: what code of a stranger's can reach from a
session and from a program that talks before the login.

Each probe runs in the real program, started by front as ever, with all that
it has at that moment; then without any jail and as root, where it must
succeed, or it would prove nothing.
"""
import ctypes
import glob
import os
import re
import resource
import shutil
import signal
import socket
import subprocess

from frontlib import (OWNER, ROOT, TMP, Front, Site, connected, finish, fronts,
                      login, ok, skip)

BUILD = os.environ["POSTERN_BUILD"]
INJECTED = ["imapd", "pop3d", "imap-login", "pop3-login", "smtpd"]
ALONE = ["adopt", "bounce", "checkpw", "deliver", "enqueue", "porter", "qsend",
         "remote", "signer"]
OTHER = 64101 if ROOT else OWNER
LEAST = 40  # probes of a session that are known to prove something
PR_SET_CHILD_SUBREAPER = 36
number = 0


def unique():
    global number
    number += 1
    return str(number)


def injected_site():
    site = Site("probe", stubs=False, login_s=600)
    for p in INJECTED:
        os.unlink(site.libexec + "/" + p)
        shutil.copy(BUILD + "/t/probe/" + p, site.libexec + "/" + p)
    os.mkdir(site.root + "/alone")
    for p in ALONE:
        shutil.copy(BUILD + "/t/probe/" + p, site.root + "/alone/" + p)
    shutil.copy(BUILD + "/t/probe/bare", site.root + "/bare")
    os.chmod(site.root + "/bare", 0o755)
    return site


def write(path, owner, text=b"Subject: secret\n\nsecret\n", mode=0o600):
    with open(path, "wb") as f:
        f.write(text)
    os.chmod(path, mode)
    if ROOT:
        os.chown(path, owner, owner)
    return path


class Aims:
    """What there is to be reached."""

    def __init__(self, site):
        run = lambda *a, **k: subprocess.run(
            a, check=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, **k)
        self.root = site.root
        self.etc = site.root + "/etc/postern"
        run(site.libexec + "/postern-user", "-r", site.root, "add", "--uid",
            str(OTHER), "--gid", str(OTHER), "bob@example.org",
            input=b"other word\n")
        run(site.libexec + "/qsend", "-r", site.root, "-c")
        self.queue = site.root + "/var/spool/postern"
        self.queued = write(self.queue + "/mess/probe", 64003)
        run(site.libexec + "/sendmail", "-r", site.root, "x@example.net",
            input=b"Subject: x\n\nx\n")
        message = max(glob.glob(self.queue + "/mess/*"), key=len)
        self.id = os.path.basename(message)
        with open(message, "rb") as f:
            self.copy = write(site.root + "/copy", OWNER, f.read(), 0o644)
        for name, owner in (("alice", OWNER), ("bob", OTHER)):
            box = site.root + "/var/mail/example.org/" + name
            for d in ("", "/cur", "/new", "/tmp"):
                os.makedirs(box + d, exist_ok=True)
                os.chmod(box + d, 0o700)
                if ROOT:
                    os.chown(box + d, owner, owner)
        self.alice = site.root + "/var/mail/example.org/alice"
        self.bob = site.root + "/var/mail/example.org/bob"
        self.mail = write(self.bob + "/new/1.M1.host", OTHER)
        os.symlink(self.mail, self.alice + "/link")
        os.symlink(self.bob, self.alice + "/folder")
        # Where everybody may do everything, but for the jail.
        self.open = site.root + "/open"
        os.mkdir(self.open)
        os.chmod(self.open, 0o777)

    def mine(self):
        return write(self.alice + "/cur/%s.M1.host:2," % unique(), OWNER)

    def theirs(self):
        """A file outside that is the owner's."""
        return write(self.open + "/mine" + unique(), OWNER, mode=0o666)

    def fresh(self, folder):
        return folder + "/fresh" + unique()


def processes(a, victim, front):
    """victim: a process of the same uid; front: one with rights."""
    return [(p, lambda p=p: str(victim)) for p in (
        "ptrace", "kill", "tkill", "queue-signal", "pidfd-open",
        "pidfd-signal", "pidfd-steal", "kcmp", "setpriority",
        "get-affinity", "get-robust-list", "signal-by-owner")] + [
        ("tgkill", lambda: "%d" % victim),
        ("kill", lambda: str(front)),
        ("signal-by-owner", lambda: str(front)),
        ("memory-read", lambda: "%d %d" % (victim, address(victim))),
        ("memory-write", lambda: "%d %d" % (victim, address(victim))),
        ("read", lambda: "/proc/%d/maps" % victim),
        ("read", lambda: "/proc/%d/environ" % victim),
        ("read", lambda: "/proc/self/maps"),
        ("list", lambda: "/proc"),
        ("list", lambda: "/proc/%d/fd" % victim)]


def address(pid):
    """Of something in the memory of that process that can be written."""
    with open("/proc/%d/maps" % pid) as f:
        m = re.search(r"^([0-9a-f]+)-\S+ rw.*\[stack\]", f.read(), re.M)
    return int(m.group(1), 16)


def kernel(a):
    return [(p, lambda: "") for p in (
        "fork", "clone3", "memfd", "personality", "unshare-user",
        "unshare-net", "unshare-mount", "clone-user", "clone-net", "fsopen",
        "setuid", "setresuid", "setgid", "setgroups", "setfsuid", "capset",
        "dumpable", "raise-limit", "io-uring", "bpf", "keyctl", "add-key",
        "perf", "userfaultfd", "fanotify", "shmget", "semget", "msgget",
        "mq-open", "syslog", "socketpair", "inet", "inet6", "netlink",
        "packet", "families", "filter", "readlink", "setpgid",
        "code-mapped", "code-mprotect", "code-anonymous",
        "many-descriptors", "much-memory", "dump")] + [
        ("mount", lambda: a.open), ("open-tree", lambda: a.open),
        ("chroot", lambda: a.open), ("chdir", lambda: a.open),
        ("unix-connect", lambda: a.listening),
        ("unix-connect", lambda: a.abstract),
        ("unix-bind", lambda: "@postern-probe-" + unique()),
        ("exec", lambda: a.root + "/bare"),
        ("execveat", lambda: a.root + "/bare")]


def files(a):
    mine, theirs, fresh = a.mine, a.theirs, a.fresh
    return [
        ("read", lambda: a.mail), ("read-openat2", lambda: a.mail),
        ("read-i386", lambda: a.mail), ("by-handle", lambda: a.mail),
        ("read-above", lambda: "../bob/new/1.M1.host"),
        ("read-above", lambda: "../../bob/new/1.M1.host"),
        ("read", lambda: a.alice + "/../bob/new/1.M1.host"),
        ("read", lambda: a.alice + "/link"),
        ("list", lambda: a.alice + "/folder"),
        ("create", lambda: fresh(a.alice + "/folder/new")),
        ("list", lambda: a.bob), ("list", lambda: a.bob + "/new"),
        ("list", lambda: "/"), ("list", lambda: os.path.dirname(a.bob)),
        ("create", lambda: fresh(a.bob + "/new")),
        ("read", lambda: a.etc + "/secrets.cdb"),
        ("read", lambda: a.etc + "/secrets"),
        ("read", lambda: a.etc + "/users.cdb"),
        ("read", lambda: a.etc + "/tls/key.pem"),
        ("write", lambda: a.etc + "/users"),
        ("read", lambda: a.queued), ("list", lambda: a.queue),
        ("create", lambda: fresh(a.queue)),
        ("read", lambda: "/etc/passwd"), ("read", lambda: "/etc/shadow"),
        ("read", theirs), ("write", theirs), ("unlink", theirs),
        ("truncate", theirs), ("chmod", theirs), ("chown", theirs),
        ("utimes", theirs), ("setxattr", theirs), ("access", theirs),
        ("statfs", theirs), ("setuid-chmod", theirs),
        ("create", lambda: fresh(a.open)), ("mkdir", lambda: fresh(a.open)),
        ("link", lambda: mine() + " " + fresh(a.open)),
        ("rename", lambda: mine() + " " + fresh(a.open)),
        ("link", lambda: theirs() + " " + fresh(a.alice + "/cur")),
        ("rename", lambda: theirs() + " " + fresh(a.alice + "/cur")),
        ("exchange", lambda: mine() + " " + theirs()),
        ("symlink", lambda: a.mail + " " + fresh(a.alice)),
        ("fifo", lambda: fresh(a.alice)),
        ("device", lambda: fresh(a.alice)),
        ("chmod", mine),
        ("setuid-open", lambda: fresh(a.alice)),
        ("setuid-openat2", lambda: fresh(a.alice)),
        ("setuid-chmod", mine),
        ("huge-file", lambda: fresh(a.alice))]


def bare(a, text):
    """Without a jail.  Its memory and its namespace are its own."""
    def rights():
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_NOFILE, (10000, 10000))

    argv = [a.root + "/bare", text]
    if ROOT:
        argv = ["unshare", "-m"] + argv
    p = subprocess.run(argv, stdout=subprocess.PIPE, preexec_fn=rights,
                       stdin=subprocess.DEVNULL, cwd=a.core,
                       stderr=subprocess.DEVNULL, pass_fds=a.extra)
    if text == "dump":
        return os.path.exists(a.core + "/core") or any(
            f.startswith("core") for f in os.listdir(a.core))
    if os.environ.get("PROBE_TELL"):
        print("# " + p.stdout.decode())
    return won(p.stdout.decode())


def won(said):
    return bool(re.search(r"^PROBE (\S+ yes|ran )", said, re.M))


def reaped():
    """How those ended that lost their parent."""
    ends = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ends
        if pid == 0:
            return ends
        ends.append(status)


def enter_imap(c):
    return login(c).startswith("a OK")


def enter_pop3(c):
    c.ask("USER alice\r\n", end=r"[+-]")
    return c.ask("PASS secret word\r\n", end=r"[+-]").startswith("+OK")


def attack(site, service, enter, text):
    """(it succeeded, the end is a refusal, what was seen)"""
    p, c = connected(site, service)
    told = os.path.getsize(site.log)
    if enter and not enter(c):
        return False, False, "no login"
    c.send("PROBE " + text + "\r\n")
    said = c.rest() or ""
    c.close()
    status = p.wait(10)
    ends = [-status] if status < 0 else []
    ends += [os.WTERMSIG(s) for s in reaped() if os.WIFSIGNALED(s)]
    with open(site.log) as f:
        f.seek(told)
        ends += [int(n) for n in re.findall(r"program-killed signal=(\d+)", f.read())]
    refused = bool(re.search(r"^PROBE \S+ no: ", said, re.M))
    killed = signal.SIGSYS in ends or (text == "dump" and
                                       signal.SIGSEGV in ends)
    return won(said), refused or killed, (said, status, ends)


proved = {}


def proves(a, name, make):
    """Whether it succeeds where there is no jail."""
    key = (name, make().split("/")[-1] if name == "read" else "")
    if key not in proved:
        proved[key] = bare(a, (name + " " + make()).strip())
    return proved[key]


def is_guarded(a, what, text):
    """Whether it is kept off without Landlock, too: by owners and modes."""
    others = [a.bob, "/secrets", "/key.pem", "/etc/shadow"]
    if what not in ("bounce", "enqueue", "qsend"):
        others.append(a.queue)
    return "/" not in text or (ROOT and any(path in text for path in others))


def alone(program, args, uid, stdin, text):
    """A program for one task, as its starter would start it."""
    who = {"user": uid, "group": uid, "extra_groups": []} if ROOT else {}
    with open(stdin, "rb") as f:
        p = subprocess.run([program, *args], stdin=f, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env={"PROBE": text}, **who)
    said = p.stdout.decode()
    refused = re.search(r"^PROBE \S+ no: ", said, re.M) or (
        p.returncode == -signal.SIGSYS) or (
        b"did not come to its end" in p.stderr) or (        text == "dump" and p.returncode == -signal.SIGSEGV)
    return won(said), bool(refused), (said, p.returncode, p.stderr)


# landlock_create_ruleset, which says its version.
LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


def but_for_landlock(a, what, bad):
    """Without it these are left: what is kept off by something else."""
    if LANDLOCK:
        return bad
    left = [b for b in bad if is_guarded(a, what, b[0])]
    skip(what + ": what any process of the owner may reach",
         "no Landlock here, and %d probes were kept off by nothing else"
         % (len(bad) - len(left)))
    return left


def run_all(a, what, one, probes):
    good = 0
    vain, bad, odd = [], [], []
    for name, make in probes:
        text = (name + " " + make()).strip()
        if not proves(a, name, make):
            vain.append(text)
            continue
        success, refused, seen = one(text)
        if success:
            bad.append((text, seen))
        elif not refused:
            odd.append((text, seen))
        else:
            good += 1
    print("# %s: %d probes refused; %d prove nothing here: %s" % (
        what, good, len(vain), " ".join(v.split()[0] for v in vain)))
    bad = but_for_landlock(a, what, bad)
    ok(not bad, what + ": no probe succeeds", bad)
    ok(not odd, what + ": each of them was refused, by an error or the end",
       odd[:5])
    if ROOT:
        ok(good >= LEAST, what + ": at least %d probes" % LEAST, good)


def run_nursery(site, a, what, service, enter, probes):
    """As children of a nursery, whose ends nobody else gets to see."""
    front = Front(site, service)
    good, bad, out = 0, [], []
    for name, make in probes:
        if not proves(a, name, make):
            continue
        text = (name + " " + make()).strip()
        c = front.client()
        if enter and not enter(c):
            out.append(text)
            continue
        said = c.send("PROBE " + text + "\r\n").rest()
        c.close()
        if said is None or won(said):
            bad.append((text, said))
        else:
            good += 1
    print("# %s: %d probes refused" % (what, good))
    bad = but_for_landlock(a, what, bad)
    ok(not bad, what + ": no probe succeeds", bad)
    ok(not out, what + ": each was tried", out)
    c = front.client()
    ok(c.greeting, what + ": the next client is served")
    c.close()
    front.stop()


def run_alone(site, a, victims):
    network = "inet", "inet6", "families"
    root = ["-r", site.root]
    for name, uid, args, probes in (
            ("deliver", OWNER, ["alice@example.org", a.alice],
             files(a) + kernel(a) + [("inherited", lambda: str(OWNER))] +
             processes(a, victims[1], 1)),
            ("enqueue", 64003, [], kernel(a) + files(a)),
            ("bounce", 64003, [a.id], kernel(a) + files(a)),
            ("qsend", 64003, [], [
                p for p in kernel(a) if p[0] != "socketpair"] + [
                p for p in files(a) if a.queue not in p[1]() and
                not p[1]().endswith("/users.cdb") and
                (ROOT or "/secrets" not in p[1]())]),
            ("adopt", OWNER, [a.alice], kernel(a) + [
                p for p in files(a) if p[0] != "huge-file"]),
            ("remote", 64001, ["example.org", "0"],
             [p for p in kernel(a) if p[0] not in network] + files(a) +
             [("families", lambda: "but-ip"),
              ("inherited", lambda: "none")] +
             processes(a, victims[0], 1)),
            ("checkpw", 64002, ["imap", "192.0.2.1"], kernel(a) + files(a)),
            ("porter", 64005, ["imap"], [
                p for p in kernel(a) if p[0] != "socketpair"] + files(a)),
            ("signer", 64004, None, kernel(a) + files(a))):
        run_all(a, name, lambda text: alone(
            site.root + "/alone/" + name, [] if args is None else root + args,
            uid, a.copy, text),
            probes)


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(n) for n in f.read().split()]


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    site = injected_site()
    a = Aims(site)
    a.core = TMP + "/core"
    os.mkdir(a.core)
    os.chmod(a.core, 0o777)
    # What a session has open, too, and something that none has.
    a.extra = [os.open(p, os.O_RDONLY) for p in (
        a.alice, a.alice + "/cur", "/dev/null")]
    a.abstract = "@postern-probe-" + str(os.getpid())
    quiet = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    a.listening = site.root + "/open/listening"
    quiet[0].bind(a.listening)
    quiet[1].bind("\0" + a.abstract[1:])
    os.chmod(a.listening, 0o777)
    for s in quiet:
        s.listen(100)
    # Somebody else of the same uid, at each stage.
    front, other = connected(site, "imap")
    talker = children(front.pid)[-1]
    session, there = connected(site, "imap")
    ok(enter_imap(there), "a session to be looked at")
    victims = talker, session.pid
    if not ROOT:
        # Ours cannot be looked into, even without a jail.
        idle = subprocess.Popen(["sleep", "600"])
        fronts.append(type("Idle", (), {"process": idle}))
        victims = idle.pid, idle.pid
    for service, enter in (("imap", enter_imap), ("pop3", enter_pop3)):
        run_all(a, "%s session" % service,
                lambda text: attack(site, service, enter, text),
                files(a) + kernel(a) +
                [("inherited", lambda: str(OWNER))] +
                processes(a, victims[1], front.pid))
        run_nursery(site, a, "%s session of a nursery" % service, service,
                    enter, files(a) + kernel(a) +
                    [("inherited", lambda: str(OWNER))] +
                    processes(a, victims[1], front.pid))
    for service in ("imap", "pop3", "smtp"):
        kind = "smtp" if service == "smtp" else "login"
        run_all(a, "%s before the login" % service,
                lambda text: attack(site, service, None, text),
                files(a) + kernel(a) + [("inherited", lambda: kind)] +
                processes(a, victims[0], front.pid))
        run_nursery(site, a, "%s below a nursery" % service, service, None,
                    kernel(a) + [("inherited", lambda: kind)] +
                    processes(a, victims[0], front.pid))
    run_alone(site, a, victims)
    ok(there.ask("n NOOP\r\n").startswith("n OK"),
       "the session that was aimed at lives")
    other.send("n NOOP\r\n")
    ok(other.line().startswith("n OK"), "and so does the login program")


try:
    main()
finally:
    finish()
