"""The power goes off, at any moment, on ext4.

  power.py FOLDER [--states N] [--seconds N (at most)] [--seed N]

A file system on a recording disk (recorder.c) gets a life of mailboxes and
queue; each step that a program has answered for is marked in the log.  Then
disks are made that a power cut may have left: all writes up to the last flush
before a moment, and none, all or some of the later ones, the last of them
torn.  Each is mounted, and what is there is compared with what was answered
for by then.

500 states are tried, with --states N so many.  The controls, in the same run,
leave fsync out (by nosync.c) and must be noticed.
"""
import argparse
import copy
import ctypes
import mmap
import os
import pickle
import random
import re
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/..")
from storelib import (AS, BUILD, NOBODY, STAGE, Died, Imap,  # noqa: E402
                      Tool, quota_wrong, unfinished)
from tap import finish, ok  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
NULL = subprocess.DEVNULL
IMAGE_SIZE = 24 << 20
QUOTA = 50000000, 20000
MANY = 200  # messages in the folder whose journal is to outgrow its index
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*command, **kw):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          **kw).stdout.decode()


def body(tag):
    """Every line says which message it is, and how long that is."""
    lines = 300 if tag.endswith("5") else 8
    return "Subject: %s\n\n%s" % (tag, "".join(
        "%s line %d of %d\n" % (tag, i, lines) for i in range(1, lines + 1)))


def tag_of(text):
    """The tag of a message that is whole, or None."""
    m = re.search(r"(?m)^Subject: (\S+)\n\n", text or "")
    if m and text.endswith(body(m.group(1))):
        return m.group(1)
    return None


# ---- the disk

def mount(source, target):
    if LIBC.mount(source.encode(), target.encode(), b"ext4", 0, b"") != 0:
        raise OSError(ctypes.get_errno(), "mount")


def umount(target):
    for _ in range(100):
        if LIBC.umount2(target.encode(), 0) == 0:
            return
        time.sleep(0.05)
    raise OSError(ctypes.get_errno(), "umount " + target)


class Disk:
    """A recorded file system, from base image to log."""

    def __init__(self, tmp, name, env=None):
        self.base, self.image = tmp + "/base.img", "%s/%s.img" % (tmp, name)
        self.log = "%s/%s.log" % (tmp, name)
        self.fuse, self.root = tmp + "/disk-" + name, tmp + "/mnt-" + name
        self.env = env
        os.makedirs(self.fuse)
        os.makedirs(self.root)

    def start(self):
        run("cp", "--sparse=always", self.base, self.image)
        self.child = subprocess.Popen([BUILD + "/t/crash/recorder",
                                       self.image, self.log, self.fuse])
        while not os.path.exists(self.fuse + "/disk"):
            time.sleep(0.02)
        self.loop = run("losetup", "-f", "--show", self.fuse + "/disk").strip()
        mount(self.loop, self.root)
        self.marks = os.open(self.fuse + "/mark", os.O_WRONLY)

    def mark(self, number):
        os.pwrite(self.marks, b"%d" % number, 0)

    def stop(self):
        os.close(self.marks)
        umount(self.root)
        run("losetup", "-d", self.loop)
        run("fusermount3", "-u", self.fuse)
        self.child.wait()
        os.unlink(self.image)


def make_base(tmp):
    image, root = tmp + "/base.img", tmp + "/mnt-base"
    os.mkdir(root)
    with open(image, "wb") as f:
        f.truncate(IMAGE_SIZE)
    run("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-N", "2048", "-J",
        "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
    loop = run("losetup", "-f", "--show", image).strip()
    mount(loop, root)
    os.chown(root, NOBODY, NOBODY)
    furnish(root)
    umount(root)
    run("losetup", "-d", loop)


def furnish(root):
    """An account on the new disk, with a folder of many messages."""
    env = dict(os.environ, POSTERN_ROOT=root)
    for name in "/etc", "/etc/postern":
        os.mkdir(root + name)
        os.chown(root + name, NOBODY, NOBODY)
    with open(root + "/etc/postern/postern.conf", "w") as f:
        os.fchmod(f.fileno(), 0o644)
        f.write("domain example.test\nhostname mx.example.test\n"
                "libexec %s\nuid_min 1\nretry_min_s 1\n" % STAGE)
    for args in ["domain", "add", "example.test"], ["user", "add", "alice"]:
        subprocess.run([STAGE + "/postern", *args], input=b"x\n", env=env,
                       stdout=NULL, check=True, **AS)
    subprocess.run([STAGE + "/front", "-1", "queue"], env=env, check=True, **AS)
    tool = Tool(root + MAILDIR)
    for name in "many", "old", "old/child":
        assert tool.say("create " + name) == "ok"
    for n in range(MANY):
        with open("%s%s/.many/new/%d.M1P1Q%d.h" %
                  (root, MAILDIR, 1000000000 + n, n), "w") as f:
            os.fchown(f.fileno(), NOBODY, NOBODY)
            f.write(body("many%d." % n))
    with open(root + MAILDIR + "/maildirsize", "w") as f:
        os.fchown(f.fileno(), NOBODY, NOBODY)
        f.write("%dS,%dC\n" % QUOTA)
    tool.say("recount")
    tool.close()


MAILDIR = "/var/mail/example.test/alice"


# ---- the life

class Life:
    """Does things, keeps what must be there after each, and marks it.

    state: {"boxes": {name: {"validity", "next", "modseq", "mail": {tag:
    [uid or None, flags, keywords]}}}, "queue": {tag: copies}}
    """

    def __init__(self, disk, tmp):
        self.disk, self.tmp = disk, tmp
        self.state = {"boxes": {}, "queue": []}
        self.states = []
        self.names = {}  # (uidvalidity, uid): tag, for ever
        self.serial = 0
        self.env = dict(os.environ, POSTERN_ROOT=disk.root, **disk.env or {})
        self.maildir = disk.root + MAILDIR
        for name in "INBOX", "many", "old", "old/child":
            self.box(name)
        for n in range(MANY):
            self.mail("many")["many%d." % n] = [None, frozenset(), frozenset()]

    def done(self):
        self.states.append(copy.deepcopy(self.state))
        self.disk.mark(len(self.states) - 1)

    def tag(self, what):
        self.serial += 1
        return "%s%d" % (what, self.serial)

    def box(self, name):
        return self.state["boxes"].setdefault(
            name, {"validity": 0, "next": 0, "modseq": 0, "mail": {}})

    def mail(self, name):
        return self.box(name)["mail"]

    def look(self, *names):
        """Another session tells what is there; that is an answer, too."""
        tool = Tool(self.maildir, env=self.env)
        for name in names:
            validity, uidnext, seen = tool.look(name, how="examine")
            box = self.box(name)
            tags = [tag_of(s.text) for s in seen]
            assert sorted(tags) == sorted(box["mail"]), (name, tags, box)
            for tag, s in zip(tags, seen):
                known = box["mail"][tag]
                assert known[0] in (None, s.uid), (name, tag, known, s.uid)
                assert known[1:] == [s.flags, s.keywords], (known, s.flags)
                known[0] = s.uid
                self.names[validity, s.uid] = tag
            box["validity"], box["next"] = validity, uidnext
            box["modseq"] = max([s.modseq for s in seen] + [box["modseq"]])
        tool.close()
        self.done()

    def settle(self, *names):
        """Until the recorded times are proven: nobody reads the folders
        without a reason then, and what a scan would mend stays as it is."""
        for name in names:
            tool = Tool(self.maildir, env=self.env)
            tool.say("open " + name)
            for _ in range(2):
                tool.say("wait 200")
                tool.line()
                tool.say("sync")
            tool.close()

    def imap(self, box=None):
        session = Imap(self.maildir, env=self.env)
        if box:
            session.must('SELECT "%s"' % box)
        return session

    def append(self, session, box, flags="", have=""):
        tag = self.tag("append")
        uid, validity = session.append(box, body(tag), flags)
        self.mail(box)[tag] = [uid, frozenset(have), frozenset()]
        self.names[validity, uid] = tag
        self.done()

    def store(self, session, box, numbers, change, flags, keywords=""):
        """numbers: places from 1 in the order of UIDs."""
        mail = self.mail(box)
        tags = sorted(mail, key=lambda t: mail[t][0])
        session.must("STORE %s %s" % (",".join(map(str, numbers)), change))
        for n in numbers:
            mail[tags[n - 1]][1:] = [frozenset(flags),
                                     frozenset(keywords.split())]
        self.done()

    def expunge(self, session, box):
        session.must("EXPUNGE")
        mail = self.mail(box)
        for tag in [t for t in mail if "T" in mail[t][1]]:
            del mail[tag]
        self.done()

    def copy(self, session, box, numbers, to, verb="COPY"):
        mail = self.mail(box)
        tags = sorted(mail, key=lambda t: mail[t][0])
        said, lines = session.must("%s %s %s" % (
            verb, ",".join(map(str, numbers)), to))
        m = re.search(r"COPYUID (\d+) \S+ (\S+?)\]", "\n".join(lines + [said]))
        uids = []
        for part in m.group(2).split(","):
            first, _, last = part.partition(":")
            uids += range(int(first), int(last or first) + 1)
        for n, uid in zip(numbers, uids):
            tag = tags[n - 1]
            self.mail(to)[tag] = [uid] + mail[tag][1:]
            self.names[int(m.group(1)), uid] = tag
            if verb == "MOVE":
                del mail[tag]
        self.done()

    def foreign(self, count):
        """Another program delivers, without any fsync, into a mailbox that
        nothing is said of; all is copied to INBOX, and that is answered."""
        loose, tags = self.maildir + "/.loose", []
        for name in "", "/cur", "/new", "/tmp":
            os.mkdir(loose + name)
            os.chown(loose + name, NOBODY, NOBODY)
        for _ in range(count):
            tags.append(self.tag("foreign"))
            name = "/%d.M%dP1.host" % (1795423005 + len(tags), len(tags))
            with open(loose + "/tmp" + name, "w") as f:
                f.write(body(tags[-1]))
                os.fchown(f.fileno(), NOBODY, NOBODY)
            os.rename(loose + "/tmp" + name, loose + "/new" + name)
        session = self.imap("loose")
        said, lines = session.must("COPY 1:* INBOX")
        m = re.search(r"COPYUID (\d+) \S+ (\d+):(\d+)\]",
                      "\n".join(lines + [said]))
        validity, first, last = map(int, m.groups())
        assert last - first + 1 == count, m.group()
        for n, tag in enumerate(tags):
            self.mail("INBOX")[tag] = [first + n, frozenset(), frozenset()]
            self.names[validity, first + n] = tag
        self.done()
        session.close()

    def submit(self, tag, env):
        """enqueue's answer for a message to alice."""
        a, b = socket.socketpair()
        net = lambda t: b"%d:%s," % (len(t), t.encode())  # noqa: E731
        a.sendall(net("sender 16:bob@example.test,\n"
                      "rcpt 18:alice@example.test,\n") +
                  net(body(tag)) + b"0:,")
        a.shutdown(socket.SHUT_WR)
        subprocess.run([STAGE + "/enqueue"], stdin=b, stdout=NULL,
                       stderr=NULL, env=env, **AS)
        b.close()
        said = a.recv(1000).decode()
        a.close()
        assert said.startswith("K "), said
        return said[2:].strip()

    def enqueue(self):
        tag = self.tag("queue")
        self.submit(tag, self.env)
        self.state["queue"].append(tag)
        self.done()

    def send(self):
        """The queue's messages come to INBOX."""
        subprocess.run([STAGE + "/front", "-1", "queue"], env=self.env, check=True,
                       stderr=NULL, **AS)
        left = os.listdir(self.disk.root + "/var/spool/postern/mess")
        assert not left, left
        for tag in self.state["queue"]:
            self.mail("INBOX")[tag] = [None, frozenset(), frozenset()]
        self.state["queue"] = []
        self.done()

    def deliver(self, count=1):
        for _ in range(count):
            tag = self.tag("deliver")
            with open(self.queue_file(tag), "rb") as f:
                subprocess.run([STAGE + "/deliver", "alice@example.test",
                                self.maildir], stdin=f, stdout=NULL,
                               stderr=NULL, env=self.env, check=True,
                               **AS)
            self.mail("INBOX")[tag] = [None, frozenset(), frozenset()]
            self.done()

    def queue_file(self, tag):
        """A message as qsend hands it to deliver, on another disk."""
        text = body(tag)
        fields = "".join("%s %d:%s,\n" % (name, len(value), value)
                         for name, value in (
            ("id", "1ng7yrx1zqv00pgfhnngz5hm"), ("time", "1795423005"),
            ("size", "%020d" % len(text)), ("sender", "bob@example.test"),
            ("rcpt", "alice@example.test")))
        with open(self.tmp + "/message", "w") as f:
            f.write("P1 %010d\n" % len(fields) + fields + text)
        return self.tmp + "/message"


def whole_life(life):
    life.look("INBOX", "many")
    life.deliver(3)
    life.enqueue()
    inbox = life.imap("INBOX")
    life.look("INBOX")
    life.append(inbox, "INBOX", "\\Seen", "S")
    inbox.must("NOOP")
    for n, change, flags, words in (
            (1, "FLAGS (\\Seen)", "S", ""),
            (2, "FLAGS (\\Flagged work)", "F", "work"),
            (1, "+FLAGS (\\Answered)", "RS", ""),
            (2, "-FLAGS (\\Flagged)", "", "work")):
        life.store(inbox, "INBOX", [n], change, flags, words)
    life.look("INBOX")
    life.enqueue()
    life.send()
    inbox.must("NOOP")
    life.look("INBOX")
    life.append(inbox, "old/child", "\\Flagged", "F")
    life.append(inbox, "old")
    life.settle("old", "old/child")
    life.copy(inbox, "INBOX", [1, 2, 3], "old/child")
    life.look("old/child", "old")
    life.settle("old", "old/child")
    life.copy(inbox, "INBOX", [3], "old", "MOVE")
    life.look("INBOX", "old")
    inbox.must("RENAME old fresh")
    for name in "", "/child":
        life.state["boxes"]["fresh" + name] = \
            life.state["boxes"].pop("old" + name)
    life.done()
    life.look("fresh", "fresh/child")
    life.store(inbox, "INBOX", [2], "FLAGS (\\Deleted)", "T")
    life.expunge(inbox, "INBOX")
    life.look("INBOX")
    life.deliver(2)
    life.append(inbox, "INBOX")
    inbox.must("NOOP")
    life.look("INBOX")
    # The last one goes: its UID must not come back.
    last = len(life.mail("INBOX"))
    life.store(inbox, "INBOX", [last], "FLAGS (\\Deleted)", "T")
    life.expunge(inbox, "INBOX")
    life.look("INBOX")
    life.append(inbox, "INBOX")
    inbox.must('CREATE "box"')
    life.box("box")
    life.done()
    life.append(inbox, "box")
    inbox.must('DELETE "box"')
    del life.state["boxes"]["box"]
    life.done()
    life.foreign(20)
    compaction(life)
    inbox.must("NOOP")
    life.look("INBOX", "many", "fresh", "fresh/child")
    inbox.must("RENAME INBOX before")
    life.state["boxes"]["before"] = dict(life.box("INBOX"), validity=0,
                                         next=0, modseq=0)
    for known in life.mail("before").values():
        known[0] = None
    life.box("INBOX")["mail"] = {}
    life.done()
    inbox.must("NOOP")
    life.deliver(1)
    life.look("INBOX", "before")
    inbox.close()


def compaction(life):
    """Changes until the journal of `many' is folded into its index."""
    many = life.imap("many")
    journal = life.maildir + "/.many/postern.journal"
    first, everything, turns = os.stat(journal).st_ino, range(1, MANY + 1), 0
    while os.stat(journal).st_ino == first:
        assert turns < 60, "the journal is never folded"
        word = "k%d" % (turns % 2)
        life.store(many, "many", everything,
                   "FLAGS (%s%s)" % (word, " \\Seen" * (turns % 8 == 3)),
                   "S" * (turns % 8 == 3), word)
        turns += 1
    life.store(many, "many", [7], "FLAGS (\\Deleted)", "T")
    life.expunge(many, "many")
    life.append(many, "many")
    many.close()


def deliveries(life):
    life.deliver(8)


def copies(life):
    life.look("INBOX")
    life.foreign(20)


def appends(life):
    life.look("INBOX")
    inbox = life.imap("INBOX")
    for n in range(1, 7):
        life.append(inbox, "INBOX")
        inbox.must("NOOP")
        life.store(inbox, "INBOX", [n], "FLAGS (\\Seen)", "S")
    inbox.close()


# ---- the states

class Log:
    """A recorder's log: the writes, and where flushes and marks lie."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.bytes = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        self.records, at = [], 0
        while at < len(self.bytes):
            kind, n, where = struct.unpack_from("=IIQ", self.bytes, at)
            self.records.append((kind, where, at + 16, n))
            at += 16 + n

    def data(self, i):
        _, _, at, n = self.records[i]
        return self.bytes[at:at + n]

    def moments(self):
        """Each (record, mode) once: after each mark and after each write."""
        last_flush, found = -1, []
        for i, (kind, _, _, _) in enumerate(self.records):
            if kind == 2:
                last_flush = i
            elif kind == 3 or i + 1 == len(self.records) or \
                    self.records[i + 1][0] == 2:
                found.append((i + 1, "none"))
            if kind == 1 or (kind == 3 and last_flush < i - 1):
                found += [(i + 1, m) for m in ("all", "some", "torn")]
        return found


def choose(log, n, rng):
    """n moments in the order of the log; what follows a mark comes first."""
    all_of_them = log.moments()
    marks = [m for m in all_of_them if log.records[m[0] - 1][0] == 3]
    rest = [m for m in all_of_them if log.records[m[0] - 1][0] != 3]
    rng.shuffle(rest)
    rng.shuffle(marks)
    half = marks[:n // 3]
    chosen = half + rest[:n - len(half)]
    while len(chosen) < n:  # other dice
        i, _ = rng.choice(all_of_them)
        chosen.append((i, rng.choice(("some", "torn"))))
    return sorted(chosen)


class Replay:
    """Disks as a power cut leaves them, one after the other."""

    def __init__(self, disk, log, tmp, name):
        self.log, self.at = log, 0
        self.quota = []  # by how much it was wrong
        with open(disk.base, "rb") as f:
            self.sure = bytearray(f.read())
        self.image, self.root = "%s/%s.img" % (tmp, name), tmp + "/mnt" + name
        os.mkdir(self.root)
        self.fd = os.open(self.image, os.O_RDWR | os.O_CREAT, 0o600)
        os.truncate(self.image, IMAGE_SIZE)
        self.loop = run("losetup", "-f", "--show", self.image).strip()

    def state(self, k, mode, rng):
        """Puts it into the image; the number of the last mark before k."""
        records, log = self.log.records, self.log
        flush = max([i for i in range(self.at, k) if records[i][0] == 2],
                    default=self.at - 1)
        for i in range(self.at, flush + 1):
            if records[i][0] == 1:
                where = records[i][1]
                self.sure[where:where + records[i][3]] = log.data(i)
        self.at = flush + 1
        os.pwrite(self.fd, self.sure, 0)
        later = [i for i in range(self.at, k) if records[i][0] == 1]
        if mode == "none":
            later = []
        elif mode != "all":
            later = [i for i in later if rng.random() < 0.5]
        for i in later:
            data = log.data(i)
            # Half a superblock is nothing that ext4 gets over by itself, with
            # or without us.
            if mode == "torn" and i == later[-1] and records[i][1] >= 4096:
                data = data[:512 * rng.randrange(len(data) // 512)]
            os.pwrite(self.fd, data, records[i][1])
        return max([int(log.data(i)) for i in range(k) if
                    records[i][0] == 3], default=-1)

    def judge(self, life, last):
        if last < 0:
            return []
        try:
            mount(self.loop, self.root)
        except OSError:
            # Half a superblock of its journal.
            subprocess.run(["e2fsck", "-fy", self.loop], stdout=NULL,
                           stderr=NULL)
            mount(self.loop, self.root)
        try:
            wrong = check(self.root, life, last)
            mended, off = quota_wrong(self.root + MAILDIR, QUOTA)
            wrong += mended
            self.quota.append(off)
        except (Died, ValueError, AttributeError) as e:
            wrong = ["what is there cannot be read: %r" % e]
        umount(self.root)
        r = subprocess.run(["e2fsck", "-fn", self.image], stdout=NULL,
                           stderr=NULL)
        return wrong + ["e2fsck: %d" % r.returncode] * (r.returncode != 0)

    def stop(self):
        run("losetup", "-d", self.loop)
        os.close(self.fd)
        os.unlink(self.image)


# ---- the judgement

def found_on(root):
    """({box: (validity, uidnext, [Seen])}, [tags in the queue], [wrong])"""
    wrong, queue, boxes = [], [], {}
    tool = Tool(root + MAILDIR, as_user=False)
    for name in tool.folders():
        boxes[name] = tool.look(name)
        if isinstance(boxes[name], str):
            wrong.append("%s cannot be opened: %s" % (name, boxes[name]))
            del boxes[name]
    tool.close()
    mess = root + "/var/spool/postern/mess"
    for name in os.listdir(mess):
        with open(mess + "/" + name, errors="replace") as f:
            text = f.read()
        m = re.match(r"P1 (\d{10})\n", text)
        queue.append(tag_of(text[14 + int(m.group(1)):] if m else None))
        if queue[-1] is None:
            wrong.append("torn in the queue: " + name)
    return boxes, queue, wrong


def check(root, life, last):
    """What is wrong after the step `last' was answered for."""
    boxes, queue, wrong = found_on(root)
    before = life.states[last]
    after = life.states[min(last + 1, len(life.states) - 1)]
    there = {}  # tag: [(box, Seen)]
    for name, (validity, uidnext, seen) in boxes.items():
        known = before["boxes"].get(name) or after["boxes"].get(name)
        if name == "loose":
            continue
        if known is None:
            wrong.append("nobody made " + name)
            continue
        wrong += check_box(name, known, validity, uidnext, seen)
        wrong += ["%s: will be swept: %s" % (name, file)
                  for file in unfinished(root + MAILDIR, name, seen)]
        for s in seen:
            tag = tag_of(s.text)
            if tag is None:
                wrong.append("torn: %s %d %r" % (name, s.uid, s.text))
            there.setdefault(tag, []).append((name, s))
            if life.told(last).get((validity, s.uid), tag) != tag:
                wrong.append("UID %d of %s was another's" % (s.uid, name))
    for name, box in before["boxes"].items():
        if name in after["boxes"] and name not in boxes:
            wrong.append("no mailbox " + name)
        for tag, known in box["mail"].items():
            wrong += check_mail(name, tag, known, after, there, queue)
    wrong += check_strangers(before, after, there)
    for tag in before["queue"]:
        if tag not in queue and not any(
                n in ("INBOX", "before") for n, _ in there.get(tag, ())):
            wrong.append("lost from the queue: " + tag)
    return wrong


def check_box(name, known, validity, uidnext, seen):
    wrong = []
    if known["validity"] not in (0, validity):
        wrong.append("%s: UIDVALIDITY was %d, is %d" %
                     (name, known["validity"], validity))
    if uidnext < known["next"]:
        wrong.append("%s: UIDNEXT was %d, is %d" %
                     (name, known["next"], uidnext))
    return wrong


def check_mail(name, tag, known, after, there, queue):
    """An answer was given for this message in this box."""
    here = [s for n, s in there.get(tag, ()) if n == name]
    then = after["boxes"].get(name, {"mail": {}})["mail"].get(tag)
    if then is None:
        # It is leaving, for another box or for good.
        moves = [n for n, b in after["boxes"].items() if tag in b["mail"]]
        if moves and tag not in there:
            return ["lost on the way: %s from %s" % (tag, name)]
        return []
    if not here:
        return ["lost: %s in %s" % (tag, name)]
    wrong = []
    if len(here) > 1:
        wrong.append("twice: %s in %s" % (tag, name))
    for s in here:
        if known[0] not in (None, s.uid):
            wrong.append("%s in %s had UID %d, has %d" %
                         (tag, name, known[0], s.uid))
        if [s.flags, s.keywords] not in (known[1:], then[1:]):
            wrong.append("flags of %s in %s: %s %s" %
                         (tag, name, sorted(s.flags), sorted(s.keywords)))
    return wrong


def check_strangers(before, after, there):
    """Nothing is where neither the last nor the next step has it."""
    wrong = []
    for tag, places in there.items():
        for name, _ in places:
            queued = name == "INBOX" and tag in before["queue"]
            if not queued and not any(
                    tag in s["boxes"].get(name, {"mail": ()})["mail"]
                    for s in (before, after)):
                wrong.append("%s in %s: should not be there" % (tag, name))
    return wrong


def told(life, last):
    """The names that were given out by then."""
    names = {}
    for state in life.states[:last + 1]:
        for box in state["boxes"].values():
            for tag, known in box["mail"].items():
                if known[0] is not None and box["validity"]:
                    names[box["validity"], known[0]] = tag
    return names


class Past:
    """What is left of a life for those who judge."""

    def __init__(self, life):
        self.states, self.names = life.states, {}

    def told(self, last):
        if last not in self.names:
            self.names = {last: told(self, last)}
        return self.names[last]


def record(tmp, name, live, env=None):
    disk = Disk(tmp, name, env)
    disk.start()
    life = Life(disk, tmp)
    live(life)
    disk.stop()
    return disk, Past(life), Log(disk.log)


def judge_some(disk, past, log, tmp, name, moments, seed, end, out):
    """A child's work: the results go as a pickle to out."""
    replay = Replay(disk, log, tmp, name)
    tried, bad = 0, []
    for k, mode in moments:
        if time.monotonic() > end:
            break
        rng = random.Random("%s %d %s %d" % (seed, k, mode, tried))
        wrong = replay.judge(past, replay.state(k, mode, rng))
        tried += 1
        if wrong:
            bad.append("write %d, %s: %s" % (k, mode, "; ".join(wrong[:3])))
    replay.stop()
    with os.fdopen(out, "wb") as f:
        pickle.dump((tried, bad, replay.quota), f)


def judge(disk, past, log, tmp, n, seconds, seed, workers=1):
    """(states tried, what was wrong, the quotas' faults); spread over the whole log even when
    time is short.  Each child has its own disk."""
    moments = choose(log, n, random.Random(seed))
    order = list(range(len(moments)))
    random.Random(seed).shuffle(order)
    end, tried, bad, rounds = time.monotonic() + seconds, 0, [], 0
    quota = []
    while order and time.monotonic() < end:
        part = sorted(moments[i] for i in order[:200 * workers])
        order = order[200 * workers:]
        pipes = []
        for w in range(workers):
            r, out = os.pipe()
            name = "%s-%d-%d" % (disk.root[-4:], rounds, w)
            if os.fork() == 0:
                status = 1
                try:
                    # In turn, so that each child sees the whole log.
                    judge_some(disk, past, log, tmp, name, part[w::workers],
                               seed, end, out)
                    status = 0
                except Exception as e:
                    print("# the state cannot be judged: %r" % e, flush=True)
                finally:
                    os._exit(status)
            os.close(out)
            pipes.append(r)
        for r in pipes:
            with os.fdopen(r, "rb") as f:
                got = f.read()
            if not got:
                raise Died("of those who judge")
            t, b, q = pickle.loads(got)
            tried += t
            bad += b
            quota += [off for off in q if off]
            os.wait()
        rounds += 1
    return tried, bad, quota


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("--states", type=int, default=500)
    p.add_argument("--seconds", type=int, default=0)
    p.add_argument("--seed", type=int, default=int(time.time()))
    o = p.parse_args()
    os.umask(0o077)
    tmp, seconds = o.folder, o.seconds or 0.6 * o.states
    os.chmod(tmp, 0o711)
    shim = tmp + "/nosync.so"
    run(os.environ.get("CC", "cc").split()[0], "-shared", "-fPIC", "-w", "-o",
        shim, HERE + "/nosync.c")
    os.chmod(shim, 0o755)
    print("# seed %d" % o.seed)
    make_base(tmp)
    for name, live, what in (
            ("file", deliveries, "a delivery without fsync of the file"),
            ("dir", deliveries, "a delivery without fsync of the folder"),
            ("fs", copies, "a copy without syncfs"),
            ("all", appends, "a store that syncs nothing")):
        disk, past, log = record(tmp, name, live, {
            "LD_PRELOAD": shim, "NOSYNC": name})
        tried, bad, _ = judge(disk, past, log, tmp, 40, 20, o.seed)
        ok(bad, "control: %s is noticed" % what,
           ["%d of %d states" % (len(bad), tried)] + bad[:1])
    disk, past, log = record(tmp, "life", whole_life)
    print("# %d steps, %d writes, %d flushes, %d moments" % (
        len(past.states), sum(r[0] == 1 for r in log.records),
        sum(r[0] == 2 for r in log.records), len(log.moments())))
    tried, bad, quota = judge(disk, past, log, tmp, o.states, seconds, o.seed,
                              min(2, os.cpu_count()))
    counts = [n for _, n in quota] or [0]
    print("# the quota was %d to %d messages off in %d states" % (
        min(counts), max(counts), sum(n != 0 for n in counts)))
    ok(not bad and tried == o.states, "power cut in %d states: nothing "
       "answered for is lost or torn, no UID is another's, and no quota is "
       "wrong but for what a recount mends" % tried, bad)
    finish()


main()
