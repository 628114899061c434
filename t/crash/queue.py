"""Kills and errors at every system call of the queue's programs.

strace counts the calls of one clean run and then, run by run, kills the
program at the n-th call of each name.  After each run the folders are
judged; in the end the queue runs, and every message that was answered with K
must be in the mailbox, once and whole.  In the same way shim.c, preloaded,
makes each call fail, or do half of what it should.

The controls kill programs that write carelessly; they must be noticed.
"""
import collections
import errno
import os
import re
import shutil
import socket
import subprocess
import sys
import time

TMP = sys.argv[1]
STAGE = os.environ["POSTERN_STAGE"]
CARELESS = os.environ["POSTERN_BUILD"] + "/t/crash/careless"
ROOT = TMP + "/root"
SPOOL = ROOT + "/var/spool/postern"
MAIL = ROOT + "/var/mail/example.test"
NULL = subprocess.DEVNULL
ENV = {"POSTERN_ROOT": ROOT, "PATH": STAGE + ":/usr/bin:/bin"}
tests = failed = 0


def ok(right, name, why=()):
    global tests, failed
    tests += 1
    failed += not right
    print("%s %d - %s" % ("ok" if right else "not ok", tests, name))
    for line in list(why)[:20]:
        print("# " + line)
    sys.stdout.flush()


def body(tag):
    """A message whose every line says which it is, and how long it is."""
    lines = "".join("%s line %d of 99\n" % (tag, i) for i in range(1, 100))
    return "Subject: %s\n\n%s" % (tag, lines)


def netstring(text):
    return b"%d:%s," % (len(text), text.encode())


def submission(tag, to="alice@example.test", sender="bob@example.test"):
    fields = "sender %d:%s,\nrcpt %d:%s,\n" % (len(sender), sender, len(to), to)
    text = body(tag)
    return (netstring(fields) + netstring(text[:1000]) +
            netstring(text[1000:]) + b"0:,")


def calls(program, stdin, args=()):
    """How often a clean run makes each call: {name: count}."""
    log = TMP + "/calls"
    subprocess.run(["strace", "-qq", "-o", log, program, *args], stdin=stdin,
                   stdout=NULL, stderr=NULL, env=ENV)
    count = collections.Counter()
    for line in open(log, errors="replace"):
        m = re.match(r"(\w+)\(", line)
        if m:
            count[m.group(1)] += 1
    count.pop("execve", None)
    count.pop("exit_group", None)
    return count


def points(count, names=None):
    return [(name, n) for name in sorted(count) for n in
            range(1, count[name] + 1) if names is None or name in names]


def traced(program, name, what, n, args=(), **kw):
    return subprocess.Popen(
        ["strace", "-qq", "-o", "/dev/null", "-e", "trace=" + name, "-e",
         "inject=%s:%s:when=%d" % (name, what, n), program, *args],
        stderr=NULL, env=ENV, **kw)


# ---- enqueue ----

def connected(tag):
    a, b = socket.socketpair()
    a.sendall(submission(tag))
    a.shutdown(socket.SHUT_WR)
    return a, b


def answer(a):
    got = b""
    try:
        while True:
            more = a.recv(1000)
            if not more:
                return got.decode()
            got += more
    except OSError:
        return got.decode()


def torn(mess):
    """The files in mess that are not whole messages."""
    bad = []
    for name in os.listdir(mess):
        text = open(mess + "/" + name, "rb").read()
        m = re.match(rb"P1 (\d{10})\n", text)
        tag = re.search(rb"\nSubject: (\S+)\n", text)
        start = 14 + int(m.group(1)) if m else 0
        if not (m and tag and b"id 24:%s,\n" % name.encode() in text[:start]
                and text[start:].decode() == body(tag.group(1).decode())):
            bad.append("%s: %r..." % (name, text[:60]))
    return bad


def try_enqueue(program, args, mess, name, what, n, tag):
    """(answer, exit code, what is wrong)"""
    a, b = connected(tag)
    p = traced(program, name, what, n, args, stdin=b, stdout=NULL)
    b.close()
    said = answer(a)
    a.close()
    code = p.wait()
    wrong = ["%s at %s %d: %s" % (what, name, n, t) for t in torn(mess)]
    return said, code, wrong


def kill_enqueue(program, args, mess, prefix):
    a, b = connected(prefix + "clean")
    count = calls(program, b, args)
    b.close()
    acked, unknown, wrong = [], [], []
    if answer(a).startswith("K "):
        acked.append(prefix + "clean")
    a.close()
    for name, n in points(count):
        tag = "%s%s%d" % (prefix, name, n)
        said, code, bad = try_enqueue(program, args, mess, name,
                                      "signal=KILL", n, tag)
        wrong += bad
        if said.startswith("K ") and said.endswith("\n"):
            acked.append(tag)
        elif said == "":
            unknown.append(tag)
        else:
            wrong.append("%s %d: half an answer: %r" % (name, n, said))
        if bad:
            for f in os.listdir(mess):
                os.unlink(mess + "/" + f)
    return acked, unknown, wrong


# ---- errors: a library in between, for strace cannot fail what a jail sees

ERRORS = "EIO", "ENOSPC", "EMFILE", "EINTR"


def build_shim():
    shim = TMP + "/shim.so"
    source = os.path.dirname(os.path.abspath(__file__)) + "/shim.c"
    cc = os.environ.get("CC", "cc").split()
    try:
        r = subprocess.run(cc + ["-shared", "-fPIC", "-w", "-o", shim, source])
    except FileNotFoundError:
        return None
    return shim if r.returncode == 0 else None


def faults(program, stdin, args=()):
    """What can be made to fail in a clean run: FAULT's values."""
    log = TMP + "/functions"
    open(log, "w").close()
    subprocess.run([program, *args], stdin=stdin, stdout=NULL, stderr=NULL,
                   env=dict(ENV, LD_PRELOAD=SHIM, FAULT_COUNT=log))
    count = collections.Counter(open(log).read().split())
    halves = "read", "write", "pread"
    return ["%s:%d:%d" % (name, n, number) for name, n in points(count)
            for number in [getattr(errno, e) for e in ERRORS] +
            [0] * (name in halves)]


def faulty(program, fault, args=(), **kw):
    return subprocess.Popen([program, *args], stderr=NULL,
                            env=dict(ENV, LD_PRELOAD=SHIM, FAULT=fault), **kw)


def fail_enqueue(mess):
    a, b = connected("e-clean")
    all_faults = faults("enqueue", b)
    b.close()
    acked = ["e-clean"] if answer(a).startswith("K ") else []
    a.close()
    none, wrong = [], []
    for fault in all_faults:
        a, b = connected("e-" + fault)
        p = faulty("enqueue", fault, stdin=b, stdout=NULL)
        b.close()
        said = answer(a)
        a.close()
        code = p.wait()
        wrong += ["%s: %s" % (fault, t) for t in torn(mess)]
        if said.startswith("K ") and code == 0:
            acked.append("e-" + fault)
        elif said.startswith("Z ") and code == 111:
            none.append("e-" + fault)
        elif said == "" and code == 0:  # the answer itself
            pass
        else:
            wrong.append("%s: %r, exit %d" % (fault, said, code))
    return acked, none, wrong, len(all_faults)


def delivered():
    """How many whole copies of each message alice has; what is not whole."""
    count, bad = collections.Counter(), []
    for name in os.listdir(MAIL + "/alice/new"):
        text = open(MAIL + "/alice/new/" + name).read()
        m = re.match(r"Return-Path: <(.*)>\nDelivered-To: alice@example.test\n",
                     text)
        tag = re.search(r"\nSubject: (\S+)\n", text)
        if m and tag and text[m.end():] == body(tag.group(1)):
            count[tag.group(1)] += 1
        else:
            bad.append("%s: %r" % (name, text[:60]))
    return count, bad


def empty_mailbox(user="alice"):
    for sub in "new", "tmp", "cur":
        for name in os.listdir("%s/%s/%s" % (MAIL, user, sub)):
            os.unlink("%s/%s/%s/%s" % (MAIL, user, sub, name))


def judge(acked, unknown, absent, what):
    """Runs the queue and compares the mailbox with the answers."""
    run()
    count, wrong = delivered()
    wrong += ["%s: %d copies" % (t, count[t]) for t in acked if count[t] != 1]
    wrong += ["%s: %d copies" % (t, count[t]) for t in unknown if count[t] > 1]
    wrong += ["%s: refused, but there" % t for t in absent if count[t] > 0]
    wrong += ["left: " + f for d in ("mess", "state", "bad") for f in
              os.listdir(SPOOL + "/" + d)]
    ok(not wrong, what, wrong)
    empty_mailbox()


# ---- deliver ----

DELIVER_ARGS = ("alice@example.test", MAIL + "/alice")


def queue_file(tag):
    """A message in the queue, taken out of it: an open file."""
    a, b = connected(tag)
    subprocess.run(["enqueue"], stdin=b, stderr=NULL, env=ENV, check=True)
    b.close()
    name = SPOOL + "/mess/" + answer(a)[2:].strip()
    f = open(name, "rb")
    os.unlink(name)
    return f


def whole(new, tag):
    """How many whole copies are in new; what is not whole."""
    n, bad = 0, []
    for name in os.listdir(new):
        text = open(new + "/" + name).read()
        if text.endswith("\n" + body(tag)) or text == body(tag):
            n += 1
        else:
            bad.append("torn: %r" % text[:60])
    return n, bad


def kill_deliver(program, args, new):
    f = queue_file("d")
    count = calls(program, f, args)
    wrong = []
    for name, n in points(count):
        empty_mailbox()
        code = traced(program, name, "signal=KILL", n, args, stdin=f,
                      stdout=NULL).wait()
        copies, bad = whole(new, "d")
        wrong += ["killed at %s %d: %s" % (name, n, b) for b in bad]
        if copies > 1 or (code == 0 and copies != 1):
            wrong.append("%s %d: %d copies" % (name, n, copies))
        subprocess.run([program, *args], stdin=f, stdout=NULL, stderr=NULL,
                       env=ENV)
        again, bad = whole(new, "d")
        wrong += ["again after %s %d: %s" % (name, n, b) for b in bad]
        if again < 1 or again > copies + 1:
            wrong.append("again after %s %d: %d copies" % (name, n, again))
    empty_mailbox()
    return wrong, sum(count.values())


def fail_deliver():
    f = queue_file("f")
    new, wrong = MAIL + "/alice/new", []
    all_faults = faults("deliver", f, DELIVER_ARGS)
    for fault in all_faults:
        empty_mailbox()
        code = faulty("deliver", fault, DELIVER_ARGS, stdin=f,
                      stdout=NULL).wait()
        copies, bad = whole(new, "f")
        if bad or copies != (code == 0) or code not in (0, 111):
            wrong.append("%s: exit %d, %d copies %s" %
                         (fault, code, copies, bad))
    empty_mailbox()
    return wrong, len(all_faults)


# ---- qsend ----

def run(until_empty=True):
    """The queue until nothing is due, and again until it is empty."""
    for _ in range(100):
        subprocess.run(["front", "-1", "queue"], stderr=NULL, env=ENV, timeout=60)
        if not until_empty or not os.listdir(SPOOL + "/mess"):
            return
        time.sleep(0.05)


def copies_of(user, pattern):
    new = "%s/%s/new/" % (MAIL, user)
    return sum(bool(re.search(pattern, open(new + f).read()))
               for f in os.listdir(new))


def wrap_qsend(command):
    """Puts a command in front of the qsend that front starts."""
    path = TMP + "/libexec/qsend"
    if os.path.lexists(path):
        os.unlink(path)
    if command is None:
        os.symlink(STAGE + "/qsend", path)
        return
    with open(path, "w") as f:
        f.write('#!/bin/sh\nexec %s "%s/qsend" "$@"\n' % (command, STAGE))
    os.chmod(path, 0o755)


def send_to(*recipients):
    subprocess.run(["sendmail", "-f", "bob@example.test", *recipients],
                   input=body("three").encode(), stderr=NULL, env=ENV,
                   check=True)


def send_three():
    send_to("alice@example.test", "group@example.test", "nosuch@example.test")


QSEND = {"openat", "write", "fdatasync", "fsync", "unlinkat", "sendmsg",
         "recvmsg", "poll", "pread64", "ftruncate", "pipe2", "close",
         "socketpair"}


def try_qsend(command):
    """Three recipients, one of them unknown, with that command in front of
    qsend; then the queue as it should be.  Returns what is wrong."""
    send_three()
    wrap_qsend(command)
    run(False)
    wrap_qsend(None)
    run()
    got = (copies_of("alice", "\nSubject: three\n"),
           copies_of("carol", "\nSubject: three\n"),
           copies_of("bob", "(?s)\nFrom: Mail Deliv.*5.1.1"))
    report = copies_of("bob", "Final-Recipient: rfc822; (?!nosuch)")
    left = [d + "/" + f for d in ("mess", "state", "bad") for f in
            os.listdir(SPOOL + "/" + d)]
    for user in "alice", "bob", "carol":
        empty_mailbox(user)
    # The report may be made again, and its delivery be under way too.
    if all(1 <= g <= most for g, most in zip(got, (2, 2, 3))) and \
            not report and not left:
        return []
    return ["%s: %s copies, %d wrong reports, left %s" %
            (command.split("-e ")[-1], got, report, left)]


def kill_qsend():
    log, wrong = TMP + "/calls", []
    wrong += try_qsend("strace -qq -o %s" % log)
    count = collections.Counter(
        m.group(1) for m in (re.match(r"(\w+)\(", line) for line in
                             open(log, errors="replace")) if m)
    for name, n in points(count, QSEND):
        wrong += try_qsend("strace -qq -o /dev/null -e trace=%s -e "
                           "inject=%s:signal=KILL:when=%d" % (name, name, n))
    return wrong, len(points(count, QSEND))


def fail_qsend():
    log, wrong = TMP + "/functions", []
    open(log, "w").close()
    wrong += try_qsend("env LD_PRELOAD=%s FAULT_COUNT=%s" % (SHIM, log))
    count = collections.Counter(open(log).read().split())
    count.pop("close", None)
    for name, n in points(count):
        wrong += try_qsend("env LD_PRELOAD=%s FAULT=%s:%d:%d" %
                           (SHIM, name, n, errno.EIO))
    return wrong, len(points(count))


def order_qsend():
    """What qsend does with messages that are done: nothing is started, and no
    state removed, before their removal is on the disk."""
    log, wrong, gone, synced, started, unsynced = TMP + "/order", [], 0, 0, 0, 0
    for _ in range(20):
        send_to("alice@example.test")
        send_to("alice@example.test", "carol@example.test")
    with open(SPOOL + "/state/1ng7yrx1zqv00pgfhnngz500", "w") as f:
        f.write("0 ok 1700000000 2.0.0 x\n")
    wrap_qsend("strace -qq -o %s -e trace=openat,unlinkat,fsync,sendmsg" % log)
    run(False)
    wrap_qsend(None)
    first = True
    # Nobody is shown the files of a process in a jail: strace sees their
    # numbers.
    folder = {}
    for line in open(log, errors="replace"):
        opened = re.match(r'openat\(\d+, "(mess|state)".* = (\d+)$', line)
        at = folder.get((re.match(r"\w+\((\d+)", line) or [0, 0])[1])
        if opened:
            folder[opened.group(2)] = opened.group(1)
        elif line.startswith("unlinkat(") and at == "mess":
            gone, unsynced = gone + 1, unsynced + 1
        elif line.startswith("fsync(") and at == "mess":
            synced, unsynced, first = synced + 1, 0, False
        elif line.startswith("sendmsg("):
            started += 1
            if unsynced:
                wrong.append("%d unsynced: %s" % (unsynced, line[:60]))
        elif line.startswith("unlinkat(") and at == "state":
            if unsynced or first:
                wrong.append("%d unsynced: %s" % (unsynced, line[:60]))
    if unsynced or (gone, started) != (40, 60):
        wrong.append("%d removed, %d started, %d unsynced at the end" %
                     (gone, started, unsynced))
    wrong += ["left: " + f for f in os.listdir(SPOOL + "/state")]
    empty_mailbox("alice")
    empty_mailbox("carol")
    return wrong, synced


# ---- bounce ----

def kill_bounce():
    """One message with a recipient that failed; its report, cut off."""
    mess = SPOOL + "/mess/"
    for left in os.listdir(SPOOL + "/tmp"):
        os.unlink(SPOOL + "/tmp/" + left)
    a, b = connected("b")
    subprocess.run(["enqueue"], stdin=b, stderr=NULL, env=ENV, check=True)
    b.close()
    message = answer(a)[2:].strip()
    with open(SPOOL + "/state/" + message, "w") as f:
        f.write("0 perm 1700000000 5.1.1 no\n")
    count = calls("bounce", NULL, [message])
    wrong, reports = [], 0
    for name, n in [(None, 0)] + points(count):
        if name:
            traced("bounce", name, "signal=KILL", n, [message], stdin=NULL,
                   stdout=NULL).wait()
        for new in set(os.listdir(mess)) - {message}:
            text = open(mess + new).read()
            start = 14 + int(text[3:13])
            size = int(re.search(r"\nsize 20:(\d+),", text).group(1))
            if (len(text) != start + size or "\nsender 0:,\n" not in text or
                    "\nrcpt 16:bob@example.test,\n" not in text or
                    not text.endswith("--\n")):
                wrong.append("%s %d: %r" % (name, n, text))
            reports += 1
            os.unlink(mess + new)
    os.unlink(mess + message)
    os.unlink(SPOOL + "/state/" + message)
    if reports < 2:
        wrong.append("%d reports" % reports)
    return wrong, sum(count.values())


def setup():
    os.makedirs(ROOT + "/etc/postern")
    os.makedirs(TMP + "/libexec")
    for name in os.listdir(STAGE):
        os.symlink(STAGE + "/" + name, TMP + "/libexec/" + name)
    with open(ROOT + "/etc/postern/postern.conf", "w") as f:
        f.write("domain example.test\nhostname mx.example.test\n"
                "libexec %s/libexec\nuid_min 1\nretry_min_s 1\n" % TMP)
    for args in (["domain", "add", "example.test"], ["user", "add", "alice"],
                 ["user", "add", "bob"], ["user", "add", "carol"],
                 ["alias", "add", "group@example.test", "carol@example.test"]):
        subprocess.run(["postern", *args], input=b"x\n", env=ENV, check=True)
    subprocess.run(["front", "-1", "queue"], env=ENV, check=True)


def clear(folder):
    shutil.rmtree(folder)
    os.mkdir(folder)


SHIM = build_shim()


def main():
    setup()
    mess = SPOOL + "/mess"
    acked, unknown, wrong = kill_enqueue("enqueue", (), mess, "k-")
    ok(not wrong and len(acked) > 0 and len(unknown) > 50,
       "enqueue, killed at %d calls: nothing torn" % len(unknown), wrong)
    judge(acked, unknown, [], "what it answered for is delivered, once")
    wrong, runs = kill_deliver("deliver", DELIVER_ARGS, MAIL + "/alice/new")
    ok(not wrong and runs > 50, "deliver, killed at %d calls: nothing torn, "
       "nothing lost" % runs, wrong)
    if SHIM:
        acked, none, wrong, runs = fail_enqueue(mess)
        ok(not wrong and len(none) > 50, "enqueue, %d faults: later, or it is "
           "there" % runs, wrong)
        judge(acked, [], none, "and what it refused is nowhere")
        wrong, runs = fail_deliver()
        ok(not wrong and runs > 50, "deliver, %d faults: later, or it is there"
           % runs, wrong)
    wrong, runs = kill_qsend()
    ok(not wrong and runs > 50, "qsend, killed at %d calls: everybody has it, "
       "at most as often as things were under way" % runs, wrong)

    wrong, runs = order_qsend()
    ok(not wrong and runs > 0, "qsend starts nothing while a removal is not "
       "on the disk", wrong)
    if SHIM:
        wrong, runs = fail_qsend()
        ok(not wrong and runs > 20, "qsend, %d faults: everybody has it, and "
           "no report is made of them" % runs, wrong)
    wrong, runs = kill_bounce()
    ok(not wrong and runs > 50, "bounce, killed at %d calls: a whole report "
       "or none" % runs, wrong)

    os.mkdir(TMP + "/careless")
    acked, _, wrong = kill_enqueue(CARELESS, ("enqueue", TMP + "/careless"),
                               TMP + "/careless", "c-")
    ok("c-clean" in acked and len(wrong) > 0, "control: a careless enqueue is noticed")
    wrong, _ = kill_deliver(CARELESS, ("deliver", MAIL + "/alice/new"),
                            MAIL + "/alice/new")
    ok(len(wrong) > 0, "control: a careless deliver is noticed")
    print("1..%d" % tests)
    sys.exit(failed > 0)


main()
