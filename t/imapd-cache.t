#!/usr/bin/python3
"""imapd's answers are the same with and without postern.cache.

SEED=n repeats a run's choices.
"""
import glob
import os
import random
import resource
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
src = os.environ.get("POSTERN_SRC", ".")
sys.path.insert(0, os.path.join(src, "t"))
import imapd  # noqa
from imapd import Raw, maildir, ok, put, run, same, tmp  # noqa

SEED = int(os.environ.get("SEED", os.getpid()))
ITEMS = "uid envelope body bodystructure rfc822.size internaldate"
choose = random.Random(SEED)
print("# SEED=%d" % SEED)


def messages():
    yield b"Subject: only a header\n"
    yield b"Subject: NUL in the \0 header\n\nbody\n"
    yield b"Subject: NUL in the body\n\nbody \0\n"
    yield b"\nno header\n"
    yield b"no header\n\nand no field\n"
    yield b"Subject: CRLF\r\n\r\nbody\r\n"
    yield b"Subject: long\n" + b"X: y\n" * 20000 + b"\nbody\n"
    yield b"Subject: many\nTo: %s\n\nx\n" % (
        b",\n ".join(b"Some One <a%d@example.org>" % i for i in range(3000)))
    yield (b"Subject: parts\nContent-Type: multipart/mixed; boundary=x\n\n" +
           b"--x\n\npart\n" * 900 + b"--x--\n")
    files = glob.glob(src + "/t/vectors/mail/*.eml")
    files += glob.glob(src + "/t/vectors/mail/hostile/*")
    for name in sorted(files):
        with open(name, "rb") as f:
            text = f.read()
        if text:
            yield text


def fill(name):
    box = maildir(name)
    for i, text in enumerate(messages()):
        put(box, "1%09d.M1P1.h" % i, text)
    return box


def answers(box, limit=None, quick=False):
    """What a new session tells of all messages, in several ways."""
    if limit is None:
        s = Raw(box)
    else:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        s = Raw(box)
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    n = int(next(x for x in s.cmd("select inbox") if x.endswith(b"EXISTS"))
            .split()[1])
    out = s.cmd("fetch 1:* (%s)" % ITEMS)
    if not quick:
        for item in ITEMS.split():
            out += s.cmd("fetch 1:* %s" % item)
        for i in range(1, n + 1, 3):
            out += s.cmd("fetch %d (%s)" % (i, ITEMS))
        out += s.cmd("fetch 1:* (%s)" % ITEMS)
    out += s.cmd("close")
    ok(s.close() == 0, "the session ends well") if limit else s.close()
    return out


def cache(box):
    return os.path.join(box, "postern.cache")


def forget(box):
    if os.path.isdir(cache(box)):
        os.rmdir(cache(box))
    elif os.path.lexists(cache(box)):
        os.unlink(cache(box))


def without(box, quick=False):
    """Where a folder has its name there is no cache."""
    forget(box)
    os.mkdir(cache(box))
    out = answers(box, quick=quick)
    forget(box)
    return out


def load(box):
    with open(cache(box), "rb") as f:
        return f.read()


def store(box, data):
    with open(cache(box), "wb") as f:
        f.write(data)


def reads(box):
    """How many messages a new session opens to tell their envelopes."""
    log = os.path.join(tmp, "strace")
    r = subprocess.run(
        ["strace", "-f", "-e", "trace=openat,openat2", "-o", log,
         imapd.program, "-r", tmp, box], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        input=b"a select inbox\r\nb fetch 1:* (%s)\r\nc logout\r\n" %
        ITEMS.encode())
    with open(log) as f:
        return (sum("1000000" in x or ",S=" in x for x in f)
                if r.returncode == 0 else None)


def test_same():
    box = fill("box")
    want = without(box)
    short = without(box, quick=True)
    same(answers(box), want, "absent: what is learned on the way")
    ok(os.path.getsize(cache(box)) > 1000, "it is learned")
    same(answers(box), want, "present")
    good = load(box)
    other = answers(fill("other"))
    store(box, load(os.path.join(tmp, "other")))
    same(answers(box), want, "of another mailbox")
    same(len(other), len(want), "which has as many")
    for data in (b"", b"PSTNCCH1", b"\xff" * 100000, good[:16],
                 good[:16] + good[24:], good + good, good[:-1] + b"\0"):
        store(box, data)
        same(answers(box, quick=True), short, "%d odd bytes" % len(data))
        same(answers(box, quick=True), short, "and what became of them")
    for _ in range(40):
        data = bytearray(good)
        for _ in range(choose.choice((1, 1, 10, 1000))):
            data[choose.randrange(len(data))] = choose.randrange(256)
        data = data[:choose.choice((len(data), choose.randrange(len(data))))]
        store(box, bytes(data))
        if answers(box, quick=True) != short or \
                answers(box, quick=True) != short:
            ok(False, "damaged")
            return
    ok(True, "damaged at random bytes, and cut off")
    shutil.rmtree(os.path.join(tmp, "other"))


def test_used():
    box = os.path.join(tmp, "box")
    forget(box)
    if shutil.which("strace") is None or reads(box) is None:
        ok(True, "it spares reading # SKIP no strace here")
        return
    n = len(os.listdir(box + "/cur"))
    ok(reads(box) <= 20, "known after one look: few are read", n)
    os.unlink(cache(box))
    ok(reads(box) >= n, "unknown: all are", n)


def test_kinds():
    """Links, pipes and what cannot be written: as if there were none."""
    box = os.path.join(tmp, "box")
    want = without(box, quick=True)
    os.mkfifo(cache(box))
    same(answers(box, quick=True), want, "a pipe")
    forget(box)
    victim = os.path.join(tmp, "victim")
    with open(victim, "wb") as f:
        f.write(b"precious")
    os.symlink(victim, cache(box))
    same(answers(box, quick=True), want, "a link")
    with open(victim, "rb") as f:
        same(f.read(), b"precious", "and what it leads to is left alone")
    forget(box)


def test_full():
    box = os.path.join(tmp, "box")
    want = without(box)
    answers(box)
    whole = os.path.getsize(cache(box))
    least = max(os.path.getsize(os.path.join(box, x)) + 16384
                for x in ("postern.journal", "postern.index")
                if os.path.exists(os.path.join(box, x)))
    for limit in (least, (least + whole) // 2, whole - 1):
        forget(box)
        same(answers(box, limit), want, "no room behind %d bytes" % limit)
        same(answers(box), want, "and room again")
    ok(os.path.getsize(cache(box)) > whole * 0.9, "then all is learned",
       os.path.getsize(cache(box)), whole)


def test_changed():
    """Another file under a name that was there before."""
    box = os.path.join(tmp, "box")
    answers(box)
    for name in sorted(os.listdir(box + "/cur"))[:12]:
        os.unlink(os.path.join(box, "cur", name))
    s = Raw(box)
    s.cmd("select inbox")
    s.close()
    for i in range(12):
        put(box, "1%09d.M1P1.h" % i, b"Subject: another\n\n%d\n" % i)
    got = answers(box)
    ok(b'"another"' in b"".join(got), "the new one is told")
    same(got, without(box), "as it would be without a cache")


def test_two():
    """Two sessions learn at the same moment; a third throws records out."""
    box = fill("two")
    for i in range(500):
        put(box, "2%09d.M1P1.h" % i, b"Subject: %d\n\nsome text\n" % i)
    want = without(box, quick=True)
    all_at_once = [Raw(box) for _ in range(3)]
    for s in all_at_once:
        s.cmd("select inbox")
        s.send(b"x fetch 1:* (%s)\r\n" % ITEMS.encode())
    got = []
    for s in all_at_once:
        out = []
        while not out or not out[-1].startswith(b"x "):
            out.append(s.line())
        got.append(out[:-1])
    ok(all(g == want[:len(g)] and len(g) > 500 for g in got),
       "three sessions at once")
    size = os.path.getsize(cache(box))
    all_at_once[0].cmd("store 20:* +flags.silent \\Deleted")
    all_at_once[0].cmd("close")
    for s in all_at_once:
        s.close()
    same(answers(box), without(box), "after an expunge")
    answers(box)
    ok(os.path.getsize(cache(box)) < size, "and it is smaller",
       size, os.path.getsize(cache(box)))


def test_arrivals():
    """What came by APPEND and COPY is known without being read."""
    box = maildir("arrivals")
    s = Raw(box)
    for i in range(30):
        text = b"Subject: %d\r\n\r\nbody\r\n" % i
        s.cmd(b"append inbox {%d+}\r\n%s" % (len(text), text))
    ok(os.path.getsize(cache(box)) > 30 * 100, "APPEND")
    s.cmd("create there")
    s.cmd("create moved")
    s.cmd("select inbox")
    there = os.path.join(box, ".there")
    s.cmd("copy 1:* there")
    size = os.path.getsize(cache(there))
    ok(size > 30 * 100, "COPY")
    s.cmd("move 1:* moved")
    ok(os.path.getsize(cache(os.path.join(box, ".moved"))) > 30 * 100, "MOVE")
    for name in "there", "moved":
        cold = os.path.join(tmp, name)
        shutil.copytree(os.path.join(box, "." + name), cold)
        want = without(cold)
        same([x for x in fetch(s, name) if b"FETCH" in x],
             [x for x in want if b"FETCH" in x][:30], name)
        same(os.path.getsize(cache(os.path.join(box, "." + name))), size,
             "nothing was to be learned")
    s.close()


def test_delivered():
    """deliver leaves a cache that makes no difference, but for time."""
    box, queued = maildir("delivered"), os.path.join(tmp, "queued")
    owner = {}
    if os.getuid() == 0:
        os.chmod(tmp, 0o711)
        owner = {"user": 65534, "group": 65534, "extra_groups": []}
        for sub in "", "/cur", "/new", "/tmp":
            os.chown(box + sub, 65534, 65534)
        if subprocess.run(["test", "-x", imapd.stage + "/deliver"],
                          **owner).returncode:
            ok(True, "deliver # SKIP another user cannot run it")
            return
    n = bad = 0
    for text in messages():
        fields = b"".join(b"%s %d:%s,\n" % (k, len(v), v) for k, v in (
            (b"id", b"1ng7yrx1zqv00pgfhnngz5hm"), (b"time", b"1795423005"),
            (b"size", b"%020d" % len(text)), (b"sender", b"b@example.org"),
            (b"rcpt", b"a@example.org")))
        with open(queued, "wb") as f:
            f.write(b"P1 %010d\n" % len(fields) + fields + text)
        with open(queued, "rb") as f:
            r = subprocess.run([imapd.stage + "/deliver", "-r", tmp,
                                "a@example.org", box], stdin=f, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, **owner)
        bad += r.returncode != 0 or r.stdout != b"0 ok 2.0.0 Delivered\n"
        n += 1
    same((bad, len(os.listdir(box + "/new"))), (0, n), "all are delivered")
    ok(os.path.getsize(cache(box)) > n * 300, "and known")
    mine = os.path.join(tmp, "mine")
    shutil.copytree(box, mine)
    learned = load(mine)
    got = answers(mine, quick=True)
    same(got, without(mine, quick=True), "answers are the same")
    store(mine, learned)
    got = reads(mine)
    ok(got is None or got <= 20, "few are read", got, n)
    # As its owner: a session of root's has not all the jail.
    r = subprocess.run([imapd.program, "-r", tmp, box], **owner,
                       stdout=subprocess.PIPE,
                       input=b"a create there\r\nb select inbox\r\n"
                       b"c copy 1:* there\r\nd logout\r\n")
    ok(b"\r\nc OK" in r.stdout and r.returncode == 0,
       "the owner copies them all", r)


def fetch(s, name):
    s.cmd("select " + name)
    return s.cmd("fetch 1:* (%s)" % ITEMS)


run(test_same, test_used, test_kinds, test_full, test_changed, test_two,
    test_arrivals, test_delivered)
