"""Many sessions on one account at once, against a model of what they did.

  model.py FOLDER [--seconds N] [--operations N] [--seed N]

Workers with imapd sessions append, change flags, copy, move, expunge, and
make, rename and delete folders; messages are delivered; and programs that
know nothing of us (mblaze, mutt, notmuch, mv, cp, rm, and one of our own) add,
remove and rename files.  Each notes what it was told.  Every flag and keyword
has one worker that may change it, so that its last acknowledged change must be
there in the end.  Somebody follows it all by MODSEQ and the record of expunged
messages, as a client with CONDSTORE and QRESYNC would.  What must hold is in
judge() and in Watcher.
"""
import argparse
import collections
import glob
import os
import pickle
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storelib import AS, NOBODY, Imap, Tool  # noqa: E402
from tap import finish, ok  # noqa: E402

WORKERS = 3
SHARED = ("INBOX", "shared", "shared/deep")
FLAGS = ("\\Seen", "\\Flagged", "\\Answered")
LETTERS = "SFR"
FOLDERS = {"INBOX": "", "shared": "/.shared", "shared/deep": "/.shared.deep"}


def body(tag):
    return "Subject: %s\n\n%s" % (tag, "%s stays as it is\n" % tag * 20)


def tag_seen(text):
    """The tag of a whole message; others may have added to its header.  A
    postman's is a header only."""
    header, _, rest = (text or "").partition("\n\n")
    m = re.search(r"(?m)^Subject: (\S+)$", header)
    if m is None:
        return None
    whole = "" if re.match(r"deliver|post", m.group(1)) else \
        body(m.group(1)).partition("\n\n")[2]
    return m.group(1) if rest == whole else None


def numbers(text):
    """A UID set, spelt out."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


class Notes:
    """What one worker did and was told; read by judge."""

    def __init__(self):
        self.operations = 0
        self.names = []   # (uidvalidity, uid, tag) that a program was told
        self.added = []   # (folder, tag) acknowledged
        self.removed = set()   # (folder, tag) that may be gone
        self.expunged = set()  # (uidvalidity, uid) acknowledged
        self.flag = {}    # (uidvalidity, uid, flag): is it set
        self.rewritten = set()  # tags of messages that got flags of before
        self.wrong = []


class Worker:
    def __init__(self, number, maildir, seed):
        self.number, self.maildir = number, maildir
        self.rng = random.Random("%d %d" % (seed, number))
        self.notes = Notes()
        self.serial = 0
        self.next = {}   # folder: (UIDVALIDITY, UIDNEXT) last seen

    def new_tag(self, what):
        self.serial += 1
        return "%s-%d-%d" % (what, self.number, self.serial)

    def work(self, goal, end, stop):
        n = self.notes
        while n.operations < goal and time.monotonic() < end and \
                not os.path.exists(stop):
            self.one()
            n.operations += 1
        self.end()
        return n


class Session(Worker):
    """An IMAP client.  tags: what it knows of the selected mailbox."""

    def __init__(self, *args):
        super().__init__(*args)
        self.imap = Imap(self.maildir)
        self.own = 0
        self.steps = (
            [self.append] * 4 + [self.store] * 6 + [self.copy] * 2 +
            [self.move] * 2 + [self.expunge] * 2 + [self.noop] * 3 +
            [self.select] + [self.folder] + [self.status])
        self.select()

    def one(self):
        if len(self.tags) > 250:
            self.expunge(5)
        else:
            self.rng.choice(self.steps)()

    def end(self):
        self.imap.close()

    def must(self, *command):
        """True for OK.  Another session may have been quicker; that says NO
        without harm, but nothing here may be BAD."""
        said, lines = self.imap.send(*command)
        if said.startswith("BAD") or "UNAVAILABLE" in said:
            self.notes.wrong.append("%s: %s" % (command[0], said))
        return said.startswith("OK"), said, lines

    def select(self):
        self.box = self.rng.choice(SHARED)
        _, lines = self.imap.must('SELECT "%s"' % self.box)
        text = "\n".join(lines)
        validity = int(re.search(r"UIDVALIDITY (\d+)", text).group(1))
        self.see_next(self.box, validity,
                      int(re.search(r"UIDNEXT (\d+)", text).group(1)))
        self.validity = validity
        self.learn()

    def see_next(self, box, validity, uidnext):
        old = self.next.get(box, (0, 0))
        if (validity, uidnext) < old:
            self.notes.wrong.append("%s: UIDVALIDITY, UIDNEXT were %s, are %s"
                                    % (box, old, (validity, uidnext)))
        self.next[box] = validity, uidnext

    def learn(self):
        self.tags = {}
        _, lines = self.imap.must(
            "UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        for line in lines:
            m = re.search(r"UID (\d+) .*Subject: (\S+)", line, re.S)
            if m:
                self.tags[int(m.group(1))] = m.group(2)
                self.notes.names.append(
                    (self.validity, int(m.group(1)), m.group(2)))

    def some(self):
        known = sorted(self.tags)
        n = min(len(known), self.rng.randint(1, 3))
        return sorted(self.rng.sample(known, n))

    def append(self):
        tag, box = self.new_tag("append"), self.rng.choice(SHARED)
        uid, validity = self.imap.append(box, body(tag))
        self.notes.names.append((validity, uid, tag))
        self.notes.added.append((box, tag))
        if box == self.box:
            self.tags[uid] = tag

    def store(self):
        uids, on = self.some(), self.rng.random() < 0.5
        if not uids:
            return self.noop()
        flag = self.rng.choice((FLAGS[self.number], "w%d" % self.number))
        good, _, _ = self.must("UID STORE %s %sFLAGS.SILENT (%s)" % (
            ",".join(map(str, uids)), "-+"[on], flag))
        for uid in uids:
            key = self.validity, uid, flag
            if good:
                self.notes.flag[key] = on
            else:
                self.notes.flag.pop(key, None)

    def copy(self, verb="COPY"):
        uids, to = self.some(), self.rng.choice(SHARED)
        if not uids or to == self.box and verb == "MOVE":
            return self.noop()
        if verb == "MOVE":
            self.notes.removed |= {(self.box, self.tags[u]) for u in uids}
        good, said, lines = self.must('UID %s %s "%s"' % (
            verb, ",".join(map(str, uids)), to))
        m = re.search(r"COPYUID (\d+) (\S+) (\S+?)\]",
                      "\n".join(lines + [said]))
        # One that somebody renames all the time stays, and nobody is told
        # of an EXPUNGE.
        gone = sum(x.endswith(" EXPUNGE") for x in lines) >= len(uids)
        if good and m:
            for old, new in zip(numbers(m.group(2)), numbers(m.group(3))):
                tag = self.tags[old]
                self.notes.names.append((int(m.group(1)), new, tag))
                self.notes.added.append((to, tag))
                if verb == "MOVE" and gone:
                    self.notes.expunged.add((self.validity, old))
                    del self.tags[old]

    def move(self):
        self.copy("MOVE")

    def expunge(self, most=1):
        uids = sorted(self.rng.sample(sorted(self.tags),
                                      min(most, len(self.tags))))
        if not uids or len(self.tags) < 10:
            return self.append()
        self.notes.removed |= {(self.box, self.tags[u]) for u in uids}
        one = ",".join(map(str, uids))
        for command in ("UID STORE %s +FLAGS.SILENT (\\Deleted)",
                        "UID EXPUNGE %s"):
            good, _, lines = self.must(command % one)
            if not good:
                return
        for uid in uids:
            del self.tags[uid]

    def noop(self):
        self.imap.must("NOOP")
        if self.rng.random() < 0.3:
            self.learn()

    def status(self):
        box = self.rng.choice(SHARED)
        _, lines = self.imap.must('STATUS "%s" (UIDNEXT UIDVALIDITY)' % box)
        text = "\n".join(lines)
        self.see_next(box, int(re.search(r"UIDVALIDITY (\d+)", text).group(1)),
                      int(re.search(r"UIDNEXT (\d+)", text).group(1)))

    def folder(self):
        """A folder of one's own: made, filled, renamed, read, deleted."""
        self.own += 1
        name = "own%d/%d" % (self.number, self.own)
        tag = self.new_tag("folder")
        self.imap.must('CREATE "%s"' % name)
        uid, validity = self.imap.append(name, body(tag))
        self.notes.names.append((validity, uid, tag))
        self.imap.must('RENAME "%s" "%s-x"' % (name, name))
        _, lines = self.imap.must('STATUS "%s-x" (MESSAGES UIDVALIDITY)' % name)
        if not any("MESSAGES 1" in x and str(validity) in x for x in lines):
            self.notes.wrong.append("%s renamed: %s" % (name, lines))
        if self.rng.random() < 0.7:
            self.imap.must('DELETE "%s-x"' % name)
        else:
            self.notes.added.append((name + "-x", tag))


class Outsider(Worker):
    """A program of another house: only rename, link and unlink."""

    def some_file(self):
        """(mailbox, its folder, a name in cur/); the last may be None."""
        box = self.rng.choice(SHARED)
        where = self.maildir + FOLDERS[box]
        names = os.listdir(where + "/cur")
        return box, where, self.rng.choice(names) if names else None

    def one(self):
        time.sleep(0.002)
        box, where, name = self.some_file()
        if self.rng.random() < 0.25:
            return self.put(box, where)
        if name is None:
            return None
        dice = self.rng.random()
        if dice < 0.75:
            return self.mark(where, name)
        return self.take(box, where, name, dice)

    def end(self):
        pass

    def put(self, box, where):
        tag = self.new_tag("put")
        name = "%d.M%dQ%d.else" % (time.time(), self.serial, self.number)
        with open(where + "/tmp/" + name, "w") as f:
            if os.getuid() == 0:
                os.fchown(f.fileno(), NOBODY, NOBODY)
            f.write(body(tag))
        to = self.rng.choice(("/new/" + name, "/cur/" + name + ":2,"))
        os.rename(where + "/tmp/" + name, where + to)
        self.notes.added.append((box, tag))

    def mark(self, where, name):
        """Passed on, or not: a flag that no session of ours changes."""
        base, sep, flags = name.partition(":2,")
        flags = set(flags) ^ {"P"}
        try:
            os.rename("%s/cur/%s" % (where, name), "%s/cur/%s:2,%s" % (
                where, base, "".join(sorted(flags))))
        except FileNotFoundError:
            pass

    def read(self, path):
        """The tag of a file, or None where it is not there any more."""
        try:
            with open(path) as f:
                tag = tag_seen(f.read())
        except FileNotFoundError:
            return None
        if tag is None:
            self.notes.wrong.append("torn: %s" % path)
        return tag

    def take(self, box, where, name, dice):
        tag = self.read("%s/cur/%s" % (where, name))
        if tag is None:
            return
        self.notes.removed.add((box, tag))
        try:
            if dice < 0.85:
                os.unlink("%s/cur/%s" % (where, name))
                return
            to = self.rng.choice(SHARED)
            if to != box:
                os.rename("%s/cur/%s" % (where, name), "%s%s/cur/%s" % (
                    self.maildir, FOLDERS[to], name))
                self.notes.added.append((to, tag))
        except FileNotFoundError:
            pass


# Without maildir_trash mutt unlinks whatever has the flag T, not only what it
# was told to delete; that may just have come from elsewhere with that flag.
MUTT = """set maildir_trash=yes
set folder=%s mbox_type=Maildir header_cache="" sleep_time=0
set confirmappend=no confirmcreate=no delete=yes move=no mark_old=no quit=yes
unset wait_key beep
"""
NOTMUCH = """[database]
path=%s
mail_root=%s
[user]
name=nobody
primary_email=nobody@example.test
[new]
tags=
ignore=/.*postern.*/
[maildir]
synchronize_flags=true
"""


class Programs(Outsider):
    """Programs that people have, each as a process of its own."""

    def __init__(self, number, maildir, seed, folder):
        super().__init__(number, maildir, seed)
        self.home = folder
        self.env = dict(os.environ, HOME=folder, TERM="xterm",
                        NOTMUCH_CONFIG=folder + "/notmuchrc")
        self.can = [self.move, self.link, self.delete]
        for name, steps in (
                ("mflag", [self.mflag] * 3), ("mrefile", [self.mrefile] * 2),
                ("mdeliver", [self.mdeliver]), ("notmuch", [self.notmuch]),
                ("mutt", [self.mutt_delete, self.mutt_save])):
            if shutil.which(name):
                self.can += steps
            else:
                print("# %s is not installed" % name, flush=True)
        with open(folder + "/muttrc", "w") as f:
            f.write(MUTT % maildir)
        with open(folder + "/notmuchrc", "w") as f:
            f.write(NOTMUCH % (folder + "/notmuch", maildir))
        os.mkdir(folder + "/notmuch")
        if os.getuid() == 0:
            os.chown(folder + "/notmuch", NOBODY, NOBODY)
            for name in "/muttrc", "/notmuchrc":
                os.chmod(folder + name, 0o644)

    def run(self, *command, text=None):
        """(did it go well, what it said)"""
        r = subprocess.run(command, input=text, env=self.env, text=True,
                           stdout=subprocess.PIPE, timeout=60,
                           stderr=subprocess.DEVNULL, **AS)
        return r.returncode == 0, r.stdout

    def one(self):
        time.sleep(0.002)
        self.rng.choice(self.can)()

    def file(self):
        """(mailbox, path, tag) of some message in cur/, or None."""
        box, where, name = self.some_file()
        path = "%s/cur/%s" % (where, name)
        tag = self.read(path) if name else None
        return (box, path, tag) if tag else None

    def other(self, box):
        to = self.rng.choice([b for b in SHARED if b != box])
        return to, self.maildir + FOLDERS[to]

    def move(self):
        got = self.file()
        if got:
            box, path, tag = got
            to, where = self.other(box)
            self.notes.removed.add((box, tag))
            if self.run("mv", "-n", path, where + "/cur")[0]:
                self.notes.added.append((to, tag))

    def link(self):
        got = self.file()
        if got:
            box, path, tag = got
            to, where = self.other(box)
            name = "%d.C%dQ%d.cp" % (time.time(), self.serial, self.number)
            self.serial += 1
            if self.run("cp", "-p", path, where + "/tmp/" + name)[0] and \
                    self.run("mv", "-n", where + "/tmp/" + name,
                             where + "/new/" + name)[0]:
                self.notes.added.append((to, tag))

    def delete(self):
        got = self.file()
        if got:
            box, path, tag = got
            self.notes.removed.add((box, tag))
            self.run("rm", "-f", path)

    def mflag(self):
        got = self.file()
        if got:
            self.run("mflag", self.rng.choice(("-P", "-p")), got[1])

    def mrefile(self):
        got = self.file()
        if got:
            box, path, tag = got
            to, where = self.other(box)
            copy = self.rng.random() < 0.5
            if not copy:
                self.notes.removed.add((box, tag))
            p = subprocess.Popen(["mrefile", *["-k"] * copy, path, where],
                                 env=self.env, stderr=subprocess.DEVNULL,
                                 **AS)
            p.wait(60)
            # It says nothing where the file has another name by then.
            if glob.glob("%s/*/*P%dQ*" % (where, p.pid)):
                self.notes.added.append((to, tag))

    def mdeliver(self):
        box, tag = self.rng.choice(SHARED), self.new_tag("mdeliver")
        if self.run("mdeliver", *self.rng.choice(((), ("-c",))),
                    self.maildir + FOLDERS[box], text=body(tag))[0]:
            self.notes.added.append((box, tag))

    def notmuch(self):
        """It gives files the flags that it thinks they have."""
        self.run("notmuch", "new", "--quiet")
        got = self.file()
        if got:
            self.notes.rewritten.add(got[2])
            self.run("notmuch", "tag", self.rng.choice(("+", "-")) + "passed",
                     "subject:\"%s\"" % got[2])

    def mutt(self, box, keys):
        """Its process id; mutt wants a terminal."""
        pid, fd = pty.fork()
        if pid == 0:
            try:
                if AS:
                    os.setgroups([])
                    os.setgid(NOBODY)
                    os.setuid(NOBODY)
                os.execvpe("mutt", [
                    "mutt", "-n", "-F", self.home + "/muttrc", "-f",
                    self.maildir + FOLDERS[box], "-e",
                    'push "%s<quit>"' % keys], self.env)
            finally:
                os._exit(1)
        self.leave(fd, pid)
        os.close(fd)
        os.waitpid(pid, 0)
        return pid

    @staticmethod
    def leave(fd, pid):
        """Reads until it ends.  An error makes it forget what it was told to
        do next; so where it waits it is told to exit, and killed at last."""
        for idle in range(6):
            try:
                while select.select([fd], [], [], 0.3)[0]:
                    if not os.read(fd, 65536):
                        return
                os.write(fd, b"\x07x")
            except OSError:  # the other end of a terminal is closed
                return
        os.kill(pid, signal.SIGKILL)

    def mutt_delete(self):
        got = self.file()
        if got:
            box, _, tag = got
            self.notes.removed.add((box, tag))
            self.mutt(box, "<delete-pattern>~s %s$<enter>" % tag)

    def mutt_save(self):
        got = self.file()
        if got:
            box, _, tag = got
            to, where = self.other(box)
            self.notes.removed.add((box, tag))
            pid = self.mutt(box, "<tag-pattern>~s %s$<enter>"
                            "<tag-prefix-cond><save-message>%s<enter>"
                            "<end-cond>" % (tag, where))
            # Where another one has taken it away since, it proves nothing.
            if glob.glob("%s/*/*.%d_*" % (where, pid)):
                self.notes.added.append((to, tag))


class Snapshot:
    """A mailbox as a client keeps it that syncs by MODSEQ."""

    def __init__(self, tool, since=0):
        self.validity = tool.say("validity").split()[0]
        self.highest, self.floor = map(int, tool.say("modseq").split())
        self.vanished = set(map(int, tool.say(
            "vanished %d" % since).split()[:-1]))
        self.mail = {s.uid: (s.flags, s.keywords, s.modseq)
                     for s in tool.names() if not s.gone}


def resync(old, new):
    """What a client would get wrong that knew `old' and asks what changed
    since (RFC 7162 3.1.4.1 and 3.2.6); None: the record does not reach back
    so far."""
    if new.floor > old.highest:
        return None
    wrong = []
    if new.validity != old.validity:
        wrong.append("UIDVALIDITY was %s, is %s" %
                     (old.validity, new.validity))
    if new.highest < old.highest:
        wrong.append("HIGHESTMODSEQ was %d, is %d" %
                     (old.highest, new.highest))
    mail = {u: m for u, m in old.mail.items() if u not in new.vanished}
    mail.update((u, m) for u, m in new.mail.items() if m[2] > old.highest)
    for u in sorted(mail.keys() | new.mail.keys()):
        if mail.get(u) != new.mail.get(u):
            wrong.append("%d from %d to %d: %s is %s" % (
                u, old.highest, new.highest, mail.get(u), new.mail.get(u)))
        if new.mail.get(u, (0, 0, 0))[2] > new.highest:
            wrong.append("%d: MODSEQ above the highest" % u)
    return wrong


class Watcher(Worker):
    """Follows all by what changed since, in views that stay open for long."""

    def __init__(self, *args):
        super().__init__(*args)
        self.tools = {box: Tool(self.maildir) for box in SHARED}
        self.known = {}
        self.synced = 0
        for box, tool in self.tools.items():
            assert tool.say("open " + box) == "ok"
            self.known[box] = Snapshot(tool)

    def one(self):
        time.sleep(0.01)
        box = self.rng.choice(SHARED)
        tool, old = self.tools[box], self.known[box]
        said = tool.say("open " + box if self.rng.random() < 0.1 else "sync")
        if said != "ok":
            self.notes.wrong.append("%s: %s" % (box, said))
            return
        tool.write("forget")
        new = Snapshot(tool, old.highest)
        wrong = resync(old, new)
        self.synced += wrong is not None
        self.notes.wrong += ["%s, %s" % (box, w) for w in wrong or ()]
        self.known[box] = new

    def end(self):
        for tool in self.tools.values():
            tool.close()
        if self.synced < self.notes.operations // 2:
            self.notes.wrong.append("the record never reached back")


class Postman(Worker):
    """Deliveries, by the library that deliver uses."""

    def __init__(self, *args):
        super().__init__(*args)
        self.tool = Tool(self.maildir)

    def rename(self):
        """A mailbox keeps what it is, and so do those below it."""
        self.serial += 1
        old = "post%d" % self.serial
        new, seen = old + "/new", []
        for name in old + "/a", old:
            self.tool.say("create " + name)
            self.tool.say("deliver %s Subject: %s" % (name, name))
        for names in (old + "/a", old), (new + "/a", new):
            for name in names:
                self.tool.say("open " + name)
                seen.append((self.tool.say("validity"),
                             self.tool.say("modseq"), self.tool.read(1)))
            if names[1] == old:
                said = [self.tool.say("rename %s moved" % old),
                        self.tool.say("rename moved " + new)]
        if seen[:2] != seen[2:]:
            self.notes.wrong.append("%s, renamed: %s" % (said, seen))
        for name in new + "/a", new:
            self.tool.say("delete " + name)

    def one(self):
        time.sleep(0.002)
        if self.rng.random() < 0.02:
            return self.rename()
        box, tag = self.rng.choice(SHARED), self.new_tag("deliver")
        # store-tool takes one line, which is the message.
        said = self.tool.say("deliver %s Subject: %s" % (box, tag))
        if said == "ok":
            self.notes.added.append((box, tag))
        else:
            self.notes.wrong.append("deliver: " + said)

    def end(self):
        self.tool.close()


Verdict = collections.namedtuple(
    "Verdict", "wrong lost torn doubles back flags differ names expected "
    "counts")


def judge(maildir, notes):
    time.sleep(0.2)
    one, two = Tool(maildir), Tool(maildir)
    wrong = [w for n in notes for w in n.wrong]
    names, there, torn, differ = {}, set(), [], []
    doubles, back, flags = [], [], []
    for n in notes:
        for validity, uid, tag in n.names:
            if names.setdefault((validity, uid), tag) != tag:
                doubles.append("%d %d" % (validity, uid))
    removed = set().union(*(n.removed for n in notes))
    expunged = set().union(*(n.expunged for n in notes))
    rewritten = set().union(*(n.rewritten for n in notes))
    expected = {}
    for n in notes:
        expected.update(n.flag)
    for box in one.folders():
        look, again = one.look(box), two.look(box, texts=False)
        validity, uidnext, seen = look
        if [(s.uid, s.flags, s.keywords) for s in seen] != \
                [(s.uid, s.flags, s.keywords) for s in again[2]]:
            differ.append(box)
        for s in seen:
            tag = tag_seen(s.text)
            if tag is None:
                torn.append("%s %d: %r" % (box, s.uid, s.text))
            elif s.size != len(s.text) or \
                    s.wire != s.size + s.text.count("\n"):
                torn.append("%s %d: %d bytes, %d with CRLF, of %d" % (
                    box, s.uid, s.size, s.wire, len(s.text)))
            there.add((box, tag))
            if names.setdefault((validity, s.uid), tag) != tag:
                doubles.append("%d %d" % (validity, s.uid))
            if (validity, s.uid) in expunged:
                back.append("%s %d" % (box, s.uid))
            # So does mutt, with what it was to delete.
            if (box, tag) in removed or tag in rewritten:
                continue
            for flag in FLAGS + ("w0", "w1", "w2"):
                want = expected.get((validity, s.uid, flag))
                has = (LETTERS[FLAGS.index(flag)] in s.flags
                       if flag in FLAGS else flag in s.keywords)
                if want not in (None, has):
                    flags.append("%s %d %s: should be %s" %
                                 (box, s.uid, flag, want))
    added = {a for n in notes for a in n.added}
    one.close()
    two.close()
    return Verdict(
        wrong=wrong, torn=torn, doubles=doubles, back=back, flags=flags,
        differ=differ, names=len(names), expected=len(expected),
        lost=sorted("%s in %s" % (t, b) for b, t in added - removed - there),
        counts=(len(added & there), len(added), len(added & removed)))


def report(v):
    ok(not v.wrong, "nothing went wrong on the way, no number went back",
       v.wrong)
    ok(not v.lost, "nothing that was answered for is lost: %d of %d are "
       "there, %d may be gone" % v.counts, v.lost)
    ok(not v.torn, "nothing is torn", v.torn)
    ok(not v.doubles, "a UID names one message: %d names" % v.names, v.doubles)
    ok(not v.back, "what was moved away does not come back", v.back)
    ok(not v.flags, "the last change of a flag is there: %d" % v.expected,
       v.flags)
    ok(not v.differ, "two sessions see the same", v.differ)


def sabotage(maildir, notes):
    """The control: behind everybody's back a message goes, the flags of all
    change, and a text is cut short."""
    added = {a for n in notes for a in n.added}
    removed = set().union(*(n.removed for n in notes))
    cur, gone, torn = maildir + "/cur/", 0, 0
    tags = {}
    for name in os.listdir(cur):
        with open(cur + name) as f:
            tags[name] = tag_seen(f.read())
    copies = collections.Counter(tags.values())
    for name, tag in tags.items():
        sure = ("INBOX", tag) in added - removed and copies[tag] == 1
        if sure and not gone:
            os.unlink(cur + name)
            gone = 1
            continue
        base, _, flags = name.partition(":2,")
        flags = "".join(sorted(set(flags) ^ set(LETTERS)))
        if not torn:
            os.truncate(cur + name, 9)
            torn = 1
        os.rename(cur + name, cur + base + ":2," + flags)


def control(maildir):
    """A record that is not complete is noticed."""
    tool = Tool(maildir)
    tool.say("open INBOX")
    good, found = Snapshot(tool), []
    uid = max(good.mail)
    flags, keywords, modseq = good.mail[uid]
    for mail in ({u: m for u, m in good.mail.items() if u != uid},
                 dict(good.mail, **{"7000000": 0}),
                 {**good.mail, uid: (flags ^ {"S"}, keywords, modseq)},
                 {**good.mail, uid: (flags, keywords, modseq - 1)}):
        old = Snapshot(tool)
        old.mail = {int(u): m for u, m in mail.items()}
        found.append(resync(old, good))
    tool.close()
    ok(all(found) and resync(good, good) == [],
       "control: an incomplete record is noticed", found if not all(found)
       else ())


def spawn(make, goal, end, stop, path):
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        notes = make().work(goal, end, stop)
        with open(path, "wb") as f:
            pickle.dump(notes, f)
        status = 0
    except BaseException as e:
        print("# %r" % e, flush=True)
    finally:
        os._exit(status)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("--seconds", type=int, default=0)
    p.add_argument("--operations", type=int, default=0)
    p.add_argument("--seed", type=int, default=int(time.time()))
    o = p.parse_args()
    print("# seed %d" % o.seed, flush=True)
    seconds = o.seconds or (86400 if o.operations else 12)
    goal = o.operations // (WORKERS + 2) + 1 if o.operations else 1 << 40
    maildir = o.folder + "/Maildir"
    os.umask(0o077)
    os.mkdir(maildir)
    if os.getuid() == 0:
        os.chmod(o.folder, 0o711)
        os.chown(maildir, NOBODY, NOBODY)
    tool = Tool(maildir)
    for name in SHARED[1:]:
        assert tool.say("create " + name) == "ok"
    tool.close()
    end, children = time.monotonic() + seconds, {}
    stop = o.folder + "/stop"
    makers = [lambda i=i, kind=kind: kind(i, maildir, o.seed)
              for i, kind in enumerate([Session] * WORKERS + [
                  Outsider, Postman, Watcher])]
    makers.append(lambda: Programs(len(makers), maildir, o.seed, o.folder))
    for i, make in enumerate(makers):
        path = "%s/notes%d" % (o.folder, i)
        # The last two go on as long as there is something to see.
        most = goal if i < WORKERS + 2 else 1 << 40
        pid = spawn(make, most, end, stop, path)
        children[pid] = path
    working, dead = list(children)[:WORKERS + 2], 0
    for pid in working:
        dead += os.waitpid(pid, 0)[1] != 0
    open(stop, "w").close()
    for pid in set(children) - set(working):
        dead += os.waitpid(pid, 0)[1] != 0
    ok(dead == 0, "every worker came to its end")
    notes = []
    for path in children.values():
        if os.path.exists(path):
            with open(path, "rb") as f:
                notes.append(pickle.load(f))
    print("# operations: %d (%s)" % (
        sum(n.operations for n in notes),
        ", ".join(str(n.operations) for n in notes)))
    report(judge(maildir, notes))
    control(maildir)
    sabotage(maildir, notes)
    v = judge(maildir, notes)
    ok(v.lost and v.torn and v.flags, "control: sabotage is noticed",
       ["%d lost, %d torn, %d flags" % (len(v.lost), len(v.torn),
                                        len(v.flags))])
    finish()


main()
