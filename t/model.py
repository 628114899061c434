"""Many sessions on one account at once, against a model of what they did.

  model.py FOLDER [--seconds N] [--operations N] [--seed N]

Workers with imapd sessions append, change flags, copy, move, expunge, and
make, rename and delete folders; messages are delivered; and a program that
knows nothing of us adds, removes and renames files.  Each notes what it was
told.  Every flag and keyword has one worker that may change it, so that its
last acknowledged change must be there in the end.  What must hold is in
judge().
"""
import argparse
import collections
import os
import pickle
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storelib import NOBODY, Imap, Tool  # noqa: E402
from tap import finish, ok  # noqa: E402

WORKERS = 3
SHARED = ("INBOX", "shared", "shared/deep")
FLAGS = ("\\Seen", "\\Flagged", "\\Answered")
LETTERS = "SFR"
FOLDERS = {"INBOX": "", "shared": "/.shared", "shared/deep": "/.shared.deep"}


def body(tag):
    return "Subject: %s\n\n%s" % (tag, "%s stays as it is\n" % tag * 20)


def tag_of(text):
    m = re.search(r"(?m)^Subject: (\S+)\n\n", text or "")
    return m.group(1) if m and text.endswith(body(m.group(1))) else None


def tag_seen(text):
    """The tag of a whole message: as above, or a postman's."""
    m = re.fullmatch(r"Subject: (deliver-\d+-\d+)\n", text or "")
    return m.group(1) if m else tag_of(text)


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

    def work(self, goal, end):
        n = self.notes
        while n.operations < goal and time.monotonic() < end:
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
        if good and m:
            for old, new in zip(numbers(m.group(2)), numbers(m.group(3))):
                tag = self.tags[old]
                self.notes.names.append((int(m.group(1)), new, tag))
                self.notes.added.append((to, tag))
                if verb == "MOVE":
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

    def one(self):
        time.sleep(0.002)
        box = self.rng.choice(SHARED)
        where = self.maildir + FOLDERS[box]
        if self.rng.random() < 0.25:
            return self.put(box, where)
        names = os.listdir(where + "/cur")
        if not names:
            return None
        name = self.rng.choice(names)
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

    def take(self, box, where, name, dice):
        try:
            with open("%s/cur/%s" % (where, name)) as f:
                tag = tag_seen(f.read())
        except FileNotFoundError:
            return
        if tag is None:
            self.notes.wrong.append("torn: %s" % name)
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


class Postman(Worker):
    """Deliveries, by the library that deliver uses."""

    def __init__(self, *args):
        super().__init__(*args)
        self.tool = Tool(self.maildir)

    def one(self):
        time.sleep(0.002)
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
            there.add((box, tag))
            if names.setdefault((validity, s.uid), tag) != tag:
                doubles.append("%d %d" % (validity, s.uid))
            if (validity, s.uid) in expunged:
                back.append("%s %d" % (box, s.uid))
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
    for name in os.listdir(cur):
        with open(cur + name) as f:
            tag = tag_seen(f.read())
        sure = ("INBOX", tag) in added - removed
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


def spawn(make, goal, end, path):
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        notes = make().work(goal, end)
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
    kinds = [Session] * WORKERS + [Outsider, Postman]
    for i, kind in enumerate(kinds):
        path = "%s/notes%d" % (o.folder, i)
        children[spawn(lambda: kind(i, maildir, o.seed), goal, end, path)] = \
            path
    dead = sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
    ok(dead == 0, "every worker came to its end")
    notes = []
    for path in children.values():
        if os.path.exists(path):
            with open(path, "rb") as f:
                notes.append(pickle.load(f))
    print("# operations: %d" % sum(n.operations for n in notes))
    report(judge(maildir, notes))
    sabotage(maildir, notes)
    v = judge(maildir, notes)
    ok(v.lost and v.torn and v.flags, "control: sabotage is noticed",
       ["%d lost, %d torn, %d flags" % (len(v.lost), len(v.torn),
                                        len(v.flags))])
    finish()


main()
