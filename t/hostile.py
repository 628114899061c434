"""The store's files in ways that no program of ours leaves them.

  hostile.py FOLDER [SEED [BITS]]

Index and journal are damaged, cut off, swapped, put back from a backup, taken
away or from another format; clocks go wrong and hosts have other names.  After
each, over all that was ever seen of the mailbox: no (UIDVALIDITY, UID) names
two messages, no message is missing, torn or without its flags, and neither
UIDVALIDITY nor, under one UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ go back.
"""
import ctypes
import os
import random
import shutil
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storelib import Died, Tool  # noqa: E402
from tap import finish, ok  # noqa: E402

TMP = sys.argv[1]
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
MOST = int(sys.argv[3]) if len(sys.argv) > 3 else 90
RNG = random.Random(SEED)
ROOT, BASE = TMP + "/Maildir", TMP + "/base"
INDEX, JOURNAL = "postern.index", "postern.journal"
HEAD = 64      # bytes before the first frame
LEAST = 65536


class History:
    """All that was ever told of one mailbox."""

    def __init__(self, path, box="INBOX"):
        self.path, self.box = path, box
        self.names, self.numbers, self.wrong = {}, (0, 0, 0), []
        self.texts = {}  # text: flags; what must be there

    def copy(self):
        new = History(self.path, self.box)
        new.names, new.numbers = dict(self.names), self.numbers
        new.texts = dict(self.texts)
        return new

    def see(self, tool=None):
        """Looks, with a session of its own or an open one."""
        own = tool or Tool(self.path, as_user=False)
        if tool is None:
            said = own.say("open " + self.box)
            if said != "ok":
                self.wrong.append("open: " + said)
                return own.close()
        validity, _, uidnext = own.say("validity").split()
        modseq = own.say("modseq").split()[0]
        seen = [s for s in own.names() if not s.gone]
        there = {}
        for s in seen:
            s.text = (own.read(s.uid) or "").strip()
            there[s.text] = s.flags
            if self.names.setdefault((validity, s.uid), s.text) != s.text:
                self.wrong.append("%s %d was %s, is %s" % (
                    validity, s.uid, self.names[validity, s.uid], s.text))
        if len(there) != len(seen):
            self.wrong.append("a message twice: %s" % sorted(there))
        numbers = int(validity), int(uidnext), int(modseq)
        if numbers[:2] < self.numbers[:2] or \
                numbers[0] == self.numbers[0] and numbers < self.numbers:
            self.wrong.append("numbers were %s, are %s" %
                              (self.numbers, numbers))
        self.numbers = numbers
        if there != self.texts:
            self.wrong.append("there is %s, should be %s" %
                              (there, self.texts))
        if tool is None:
            own.close()

    def do(self, tool, command, wanted="ok"):
        said = tool.say(command)
        if not said.startswith(wanted):
            self.wrong.append("%s: %s" % (command, said))
        return said

    def append(self, tool, text, flags="S"):
        said = self.do(tool, "append %s %s %s" % (self.box, flags, text),
                       "uid")
        self.texts[text] = frozenset(flags)
        return said

    def work(self, what):
        """A session does a little of everything."""
        tool = Tool(self.path, as_user=False)
        self.append(tool, what + "-a", "F")
        self.append(tool, what + "-b")
        self.do(tool, "open " + self.box)
        uid = max(s.uid for s in tool.names())
        self.do(tool, "expunge %d" % uid)
        self.texts.pop([self.names.get((self.numbers[0], uid)) or
                        what + "-b"][0], None)
        self.do(tool, "close")
        tool.close()
        self.see()


def make(path):
    """A mailbox with messages in the index, and more in the journal."""
    h = History(path)
    tool = Tool(path, as_user=False)
    for n in range(6):
        h.append(tool, "m%d" % n, "SF"[n % 2])
    h.do(tool, "open INBOX")
    turns = 0
    while os.path.getsize(path + "/" + JOURNAL) < LEAST:
        h.do(tool, "%s 1 P kw" % ("add", "remove")[turns % 2])
        turns += 1
    h.do(tool, "sync")
    h.append(tool, "after")
    h.do(tool, "sync")
    h.do(tool, "expunge 2")
    del h.texts["m1"]
    h.do(tool, "remove 1 P")
    tool.close()
    h.see()
    return h


def put_back(path, base):
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(base, path)


def read(name, path=ROOT):
    with open("%s/%s" % (path, name), "rb") as f:
        return f.read()


def write(name, data, path=ROOT):
    """As a backup puts it back: another file."""
    with open("%s/%s~" % (path, name), "wb") as f:
        f.write(data)
    os.rename("%s/%s~" % (path, name), "%s/%s" % (path, name))


def attempt(base, change, what, wrong, work=False):
    """One change of the files of the base, and a look at what comes of it."""
    put_back(ROOT, BASE)
    h = base.copy()
    try:
        change()
        h.see()
        if work:
            h.work("more")
    except (Died, ValueError) as e:
        h.wrong.append(repr(e))
    wrong += ["%s: %s" % (what, w) for w in h.wrong[:2]]


def frames(journal):
    """Where each ends (STORE): cut there it is the journal of a while ago, and
    nobody can tell."""
    at, found = HEAD, {HEAD}
    while at + 4 <= len(journal):
        at += int.from_bytes(journal[at:at + 4], "little")
        found.add(at)
    return found


def every_byte(base):
    for name in INDEX, JOURNAL:
        good, wrong = read(name, BASE), []
        places = sorted(RNG.sample(range(len(good)), min(len(good), MOST)))
        for at in places:
            bad = bytearray(good)
            bad[at] ^= 1 << RNG.randrange(8)
            attempt(base, lambda: write(name, bad), "byte %d" % at, wrong)
        ok(not wrong, "%s, one bit wrong, %d times" % (name, len(places)),
           wrong)
        wrong = []
        whole = frames(good) if name == JOURNAL else set()
        for size in sorted(RNG.sample(range(len(good)), MOST // 3)):
            if size in whole:
                continue
            attempt(base, lambda: write(name, good[:size]),
                    "%d bytes" % size, wrong)
        for tail in b"\0" * 64, bytes(RNG.randbytes(100)), good:
            attempt(base, lambda: write(name, good + tail), "%d more" %
                    len(tail), wrong, name == INDEX)
        ok(not wrong, name + ", cut off and with bytes behind it", wrong)


def others(base):
    """Files of another mailbox, of which some have the same generation."""
    wrong = []
    for names in [INDEX], [JOURNAL], [INDEX, JOURNAL], \
            [INDEX, JOURNAL, "postern.cache"]:
        def change():
            for n in names:
                write(n, read(n, TMP + "/other"))
        mine = base.copy()
        if INDEX in names and JOURNAL in names:
            # Nothing says whose they are: then it is another mailbox, of
            # which no UID was ever told here.
            mine.numbers = 0, 0, 0
        attempt(mine, change, "%s of another" % names, wrong, True)
    ok(not wrong, "files of another mailbox", wrong)


def formats(base):
    """A head with a right sum that says something else."""
    wrong = []
    for name, size, sum_at in (INDEX, 128, 124), (JOURNAL, 64, 60):
        for at, value in ((0, b"PSTNIDX9"), (8, struct.pack("<I", 2)),
                          (12, struct.pack("<I", 4096)),
                          (16, b"\xff" * 8), (24, b"\xff" * 8),
                          (48, b"\xff" * 4), (88, b"\xff" * 8)):
            if at >= size - 8:
                continue
            bad = bytearray(read(name, BASE))
            bad[at:at + len(value)] = value
            bad[sum_at:sum_at + 4] = struct.pack("<I", crc32c(
                bytes(bad[:sum_at])))
            attempt(base, lambda: write(name, bad), "%s at %d" % (name, at),
                    wrong, True)
    ok(not wrong, "other formats, and numbers that cannot be", wrong)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def missing(base):
    wrong = []
    for names in ([INDEX], [JOURNAL], [INDEX, JOURNAL],
                  [INDEX, JOURNAL, "postern.uidvalidity"]):
        attempt(base, lambda: [os.unlink(ROOT + "/" + n) for n in names],
                "without %s" % names, wrong, True)
    ok(not wrong, "files that are not there", wrong)
    refused = []
    for name in INDEX, JOURNAL:
        for thing in "folder", "fifo", "link", "socket":
            put_back(ROOT, BASE)
            path = ROOT + "/" + name
            os.unlink(path)
            if thing == "folder":
                os.mkdir(path)
            elif thing == "fifo":
                os.mkfifo(path)
            elif thing == "link":
                os.symlink(TMP + "/victim", path)
            else:
                os.mknod(path, 0o140600)
            tool = Tool(ROOT, as_user=False)
            said = tool.say("open INBOX")
            tool.close()
            if not said.startswith(("ok", "error")):
                refused.append("%s as %s: %s" % (name, thing, said))
    if os.path.exists(TMP + "/victim"):
        refused.append("a link was followed")
    ok(not refused, "files that are something else", refused)


def backups(base):
    """Yesterday's files, today."""
    put_back(ROOT, BASE)
    today = base.copy()
    for n in range(3):
        today.work("today%d" % n)
    shutil.rmtree(TMP + "/today", ignore_errors=True)
    shutil.copytree(ROOT, TMP + "/today")
    for names in [INDEX], [JOURNAL], [INDEX, JOURNAL]:
        for open_all_the_time in False, True:
            put_back(ROOT, TMP + "/today")
            h = today.copy()
            bystander = Tool(ROOT, as_user=False)
            if open_all_the_time:
                h.do(bystander, "open INBOX")
            for n in names:
                write(n, read(n, BASE))
            if open_all_the_time:
                said = bystander.say("sync")
                if said == "ok":
                    bystander.write("forget")
                    h.see(bystander)
                elif said != "error ESTALE":
                    h.wrong.append(said)
            h.see()
            h.work("then")
            bystander.close()
            ok(not h.wrong, "yesterday's %s%s" % (
                " and ".join(names), ", a session is there" *
                open_all_the_time), h.wrong)
    # All of it is from yesterday: as it was then, and only as a session that
    # was there all the time can know, with other numbers.
    put_back(ROOT, TMP + "/today")
    h = today.copy()
    bystander = Tool(ROOT, as_user=False)
    h.do(bystander, "open INBOX")
    for folder in "cur", "new":
        for name in os.listdir(ROOT + "/" + folder):
            os.unlink("%s/%s/%s" % (ROOT, folder, name))
        for name in os.listdir(BASE + "/" + folder):
            shutil.copy2("%s/%s/%s" % (BASE, folder, name),
                         "%s/%s/%s" % (ROOT, folder, name))
    for name in INDEX, JOURNAL, "postern.uidvalidity":
        write(name, read(name, BASE))
    h.texts = dict(base.texts)
    said = bystander.say("sync")
    if said not in ("ok", "error ESTALE"):
        h.wrong.append(said)
    h.see()
    h.work("then")
    bystander.close()
    ok(not h.wrong, "all of it from yesterday, a session is there", h.wrong)
    # With nobody there nothing but the backup can tell.
    put_back(ROOT, BASE)
    h = base.copy()
    h.work("then")
    ok(not h.wrong, "all of it from yesterday: as it was", h.wrong)


def clocks(base):
    """Times of folders and files far in the future and the past."""
    wrong = []
    for years in -30, -1, 1, 30, 100:
        def change():
            when = time.time() + years * 31557600
            for folder in "cur", "new", ".":
                os.utime("%s/%s" % (ROOT, folder), (when, when))
            for name in os.listdir(ROOT + "/cur"):
                os.utime("%s/cur/%s" % (ROOT, name), (when, when))
        attempt(base, change, "%d years" % years, wrong, True)
    ok(not wrong, "files from another time", wrong)
    # The counter of UIDVALIDITY is far ahead of the clock.
    put_back(ROOT, BASE)
    h = base.copy()
    with open(ROOT + "/postern.uidvalidity", "w") as f:
        f.write("4000000000\n")
    os.unlink(ROOT + "/" + JOURNAL)
    h.see()
    h.work("then")
    ok(not h.wrong and h.numbers[0] == 4000000001,
       "a clock behind UIDVALIDITY", h.wrong)


def hosts(base):
    """Two hosts, by their names, and the same process ids."""
    libc = ctypes.CDLL(None, use_errno=True)
    put_back(ROOT, BASE)
    h = base.copy()

    def host(name):
        def become():
            if libc.unshare(0x04000000) == 0:
                libc.sethostname(name, len(name))
        return become

    tools = [Tool(ROOT, as_user=False, preexec_fn=host(n))
             for n in (b"one", b"two", b"two", b"bad/:,name")]
    for n in range(40):
        tool = tools[n % len(tools)]
        if n % 8 < 4:
            h.do(tool, "deliver INBOX d%d" % n)
            h.texts["d%d" % n] = frozenset()
        else:
            h.append(tool, "a%d" % n)
    for tool in tools:
        h.do(tool, "open INBOX")
    for n in range(8):
        h.do(tools[n % 4], "add %d R" % (3 + n % 4))
    for tool in tools:
        h.do(tool, "sync")
        tool.write("forget")
    names = [sorted((s.uid, s.flags, s.keywords) for s in t.names())
             for t in tools]
    for tool in tools:
        tool.close()
    for n in range(3, 7):
        text = h.names[str(h.numbers[0]), n]
        h.texts[text] |= {"R"}
    h.see()
    ok(not h.wrong and names.count(names[0]) == 4, "sessions on hosts of "
       "different names", h.wrong)


def in_memory():
    """A view that cannot be kept has numbers of its own."""
    box = TMP + "/readonly"
    h = make(box)
    validity = h.numbers[0]
    for n in INDEX, JOURNAL, "postern.uidvalidity":
        os.unlink(box + "/" + n)
    folders = box, box + "/cur", box + "/new"
    for f in folders:
        os.utime(f, (validity, validity))
        os.chmod(f, 0o555)
    os.chmod(TMP, 0o755)
    tool = Tool(box)
    said = tool.say("open INBOX")
    seen = int(tool.say("validity").split()[0]) if said == "ok" else 0
    tool.close()
    for f in folders:
        os.chmod(f, 0o755)
    good = said == "ok" and seen not in (0, validity) and \
        not os.path.exists(box + "/" + JOURNAL)
    ok(good, "a view in memory: another UIDVALIDITY",
       [] if good else ["%s: %s, was %s" % (said, seen, validity)])


print("# seed %d" % SEED)
other = make(TMP + "/other")
first = make(ROOT)
shutil.copytree(ROOT, BASE)
every_byte(first)
others(first)
formats(first)
missing(first)
in_memory()
backups(first)
clocks(first)
hosts(first)
finish()
