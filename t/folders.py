"""Names of mailboxes, on the wire and on disk.

  folders.py FOLDER

What cannot be a name is refused by every command, in either form; what other
programs called their folders is shown, opened and renamed; every name leads
to one folder and every folder has one name.
"""
import base64
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storelib import AS, NOBODY, Imap  # noqa: E402
import tap  # noqa: E402


def ok(right, name, *why):
    tap.ok(right, name, [] if right else [repr(w)[:900] for w in why])


TMP = sys.argv[1]
COMMANDS = ["CREATE %s", "DELETE %s", "RENAME %s other", "RENAME there %s",
            "SELECT %s", "EXAMINE %s", "SUBSCRIBE %s", "UNSUBSCRIBE %s",
            "STATUS %s (MESSAGES)", "GETQUOTAROOT %s", "COPY 1 %s"]
# As UTF-8; the client sends modified UTF-7.
REFUSED = ["..", "../x", "a/../../b", "a/..", "./a", ".", "", "/", "//a",
           "/etc/passwd", "a//b", ".INBOX", "..a", "~root", "~", "*", "%",
           "a*b", "-rf", "x" * 201, "x" * 256, "x" * 4096,
           "/".join("a" * 1000), "/".join("a" * 17), "a\u202eb", "a\u2066b",
           "a\u200bb", "\ufeffa", "a\x1b[2Jb", "a\nb", "a\0b", "a\x7fb",
           "a\u2028b", "=?", "=?a", "=?/=?", "a/=?b", "=?a=2Fb", "=?=00",
           "=?=2E=2E", "=?=fc"]
# As they are sent: forms that no encoder makes.
MALFORMED = [b"&AC4ALg-", b"&AC8-", b"&AAA-", b"&AGE-", b"&", b"a&", b"&2AA-",
             b"&Jjo!-", b"&AOk", b"&AOkA-", b"&AOk-&AOk-", b"\xc0\xae\xc0\xae",
             b"\xe0\x80\xae", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xff"]
TAKEN = ["a.b", "cur", "new", "tmp", "dovecot.index", "postern.journal",
         "postern.gone.x", "subscriptions", "maildirsize", "a\\b", 'a"b',
         "&-&-", "R&D", "Entw\u00fcrfe", "e\u0301t\u00e9", "\u0130NBOX",
         "INBOXES", "inbox/x", "INBOX.x", "\u0430dmin", "admin", "Admin",
         "\U0001f4e7", "\u65e5\u672c\u8a9e", "a" * 200, "=", "a=?b", "?=",
         "a b", " a", "a ", "()", "{5}", "/".join("a" * 16)]
# Folders that Courier, Dovecot, mutt or a person made.
FOREIGN = [b".Entw\xc3\xbcrfe", b".Entw\xfcrfe", b".&AGE-", b".&AC4ALg-",
           b".a&", b".&2AA-", b".INBOX", b".inbox", b".Inbox.sub", b"..x",
           b".x.", b".x..y", b"...", b".-rf", b".~root", b".a*b", b".a%b",
           b".a\x01b", b".a\nb", b".=?a", b".=?=FC", b".=?", b".a.=?b",
           b".&IC4-", b".&AOk-&AOk-", b"." + b"y" * 201, b"." + b"\xff" * 250,
           b"." + b".".join([b"d"] * 20), b".good", b".good.\xfc", b". ",
           b".a\\b", b'.a"b', b".postern.journal", b".&AC4-", b".a/".rstrip(b"/")]


def utf7(name):
    """Modified UTF-7 (RFC 3501 5.1.3)."""
    out, run = b"", ""
    for c in name + "\0":
        if c != "\0" and not " " <= c <= "~":
            run += c
            continue
        if run:
            b = base64.b64encode(run.encode("utf-16-be", "surrogatepass"))
            out += b"&" + b.rstrip(b"=").replace(b"/", b",") + b"-"
            run = ""
        if c != "\0":
            out += b"&-" if c == "&" else c.encode()
    return out


def quoted(wire):
    return (b'"' + wire.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"')


class Session(Imap):
    def run(self, command, wire):
        """The tagged answer; names are sent as literals where they must."""
        self.serial += 1
        if any(c < 32 or c > 126 for c in wire):
            name = b"{%d+}\r\n" % len(wire) + wire
        else:
            name = quoted(wire)
        text = b"t%d " % self.serial + command.encode() % name + b"\r\n"
        self.child.stdin.write(text)
        self.child.stdin.flush()
        return self.reply()

    def names(self, command='LIST "" "*"'):
        _, lines = self.must(command)
        return [line[line.index('"/" ') + 5:-1].replace("\\\\", "\\")
                .replace('\\"', '"') for line in lines]


def maildir(name):
    box = os.path.join(TMP, name)
    for sub in "", "cur", "new", "tmp":
        os.makedirs(os.path.join(box, sub), exist_ok=True)
        own(os.path.join(box, sub))
    return box


def own(path):
    if AS:
        os.chown(path, NOBODY, NOBODY)


def put(box, folder, text):
    path = os.path.join(os.fsencode(box), folder)
    for sub in b"", b"cur", b"new", b"tmp":
        os.makedirs(os.path.join(path, sub), exist_ok=True)
        own(os.path.join(path, sub))
    name = os.path.join(path, b"new", b"1.%d.h" % random.getrandbits(40))
    with open(name, "wb") as f:
        f.write(text)
    own(name)


def disk(box):
    return sorted(os.listdir(os.fsencode(box)))


def check_refused():
    box = maildir("refused")
    put(box, b".there", b"Subject: x\n\n")
    s = Session(box)
    s.must('SELECT "there"')
    s.must("NOOP")
    before = disk(box)
    wrong = []
    for wire in [utf7(n) if "\0" not in n else b"a&AAA-b"
                 for n in REFUSED] + MALFORMED:
        for command in COMMANDS:
            if wire == b"" and command.startswith("LIST"):
                continue
            if command.startswith("COPY"):
                s.must('SELECT "there"')
            said = s.run(command, wire)[0]
            good = said.startswith("NO [CANNOT]")
            if not good and not (command[0] != "C" and wire[-1:] == b"/"):
                wrong.append((command, wire[:30], said[:60]))
        said = s.send("APPEND %s" % quoted(wire[:1000]).decode("latin-1"),
                      b"x: y\r\n\r\n")[0] if wire.isascii() and \
            b"\n" not in wire and b"\0" not in wire and len(wire) < 1000 \
            else "NO [CANNOT]"
        if not said.startswith("NO [CANNOT]"):
            wrong.append(("APPEND", wire[:30], said[:60]))
    ok(not wrong, "refused by every command", *wrong[:8])
    s.close()
    now = disk(box)
    ok(now == sorted(set(before) | {b"postern.uidvalidity"} & set(now)),
       "and nothing was made of it", now)
    ok(sorted(os.listdir(TMP)) == ["refused"], "nor outside",
       os.listdir(TMP))


def check_taken():
    box = maildir("taken")
    s = Session(box)
    wrong = []
    for name in TAKEN:
        said = s.run("CREATE %s", utf7(name))[0]
        if not said.startswith("OK"):
            wrong.append((name, said))
    ok(not wrong, "good names are taken", *wrong[:8])
    listed = s.names()
    canonical = {("INBOX" + n[5:] if n.lower().startswith("inbox/") else n)
                 for n in TAKEN}
    missing = [n for n in canonical if utf7(n).decode() not in listed]
    ok(not missing, "and listed", *missing)
    folders = [f for f in disk(box) if f.startswith(b".")]
    ok(len(folders) == len(TAKEN), "each has a folder of its own", folders)
    ok(all(f.isascii() for f in folders), "in ASCII")
    again = [n for n in TAKEN
             if not s.run("CREATE %s", utf7(n))[0].startswith(
                 "NO [ALREADYEXISTS]")]
    ok(not again, "which is there once", *again)
    # INBOX has no case, and there is no second one.
    said = [s.run("CREATE %s", w)[0] for w in (b"InBox", b"INBOX", b"iNBOX/X")]
    ok([w.split("]")[0] for w in said] == ["NO [ALREADYEXISTS"] * 2 + ["OK Done"],
       "INBOX in any case", said)
    s.close()


def check_foreign():
    box = maildir("foreign")
    for folder in FOREIGN:
        put(box, folder, b"Subject: f\n\n" + folder.hex().encode() + b"\n")
    s = Session(box)
    listed = [n for n in s.names()]
    real = [n for n in listed if n != "INBOX"]
    seen, wrong = {}, []
    for name in real:
        said, _ = s.run("SELECT %s", name.encode())
        if not said.startswith("OK"):
            continue    # a parent that is no mailbox
        _, lines = s.must("FETCH 1 BODY.PEEK[TEXT]")
        text = "".join(lines)
        found = [f for f in FOREIGN if "\n%s\r" % f.hex() in text]
        if len(found) != 1 or found[0] in seen:
            wrong.append((name, text[:200]))
        else:
            seen[found[0]] = name
    missing = [f for f in FOREIGN if f not in seen]
    ok(not missing and not wrong, "every folder is a mailbox", missing, wrong)
    bad = [n for n in seen.values()
           if not s.run("STATUS %s (MESSAGES)", n.encode())[1]]
    ok(not bad, "which has a STATUS", *bad)
    # Names of that form are for what is there.
    said = [s.run("CREATE %s", n)[0].split("]")[0] for n in
            (b"=?new=FC", b"good/=?new=FC", b"=?Entw=FCrfe/new", b"=?x")]
    ok(said == ["NO [CANNOT"] * 4, "no new ones", said)
    # They can be subscribed to, and renamed to a clean name with all below.
    raw = seen[b".Entw\xfcrfe"]
    s.must('SUBSCRIBE "%s"' % raw)
    ok(raw in s.names('LSUB "" "*"'), "subscribed")
    s.must('RENAME "%s" "Drafts of old"' % raw)
    said, _ = s.must('SELECT "Drafts of old"')
    ok(b".Drafts of old" in disk(box) and b".Entw\xfcrfe" not in disk(box),
       "renamed to a clean name")
    s.must('RENAME "good" "better"')
    ok(b".better.\xfc" in disk(box), "a clean one takes those below along",
       disk(box))
    said, _ = s.run("RENAME %s \"=?worse=FC\"", b"better")
    ok(said.startswith("NO [CANNOT]"), "but none gets such a name", said)
    # Each can be deleted.
    left = [n for n in s.names() if n != "INBOX"]
    for n in sorted(left, reverse=True):
        s.run("DELETE %s", n.encode())
    ok(not [f for f in disk(box) if f.startswith(b".")], "and deleted",
       disk(box))
    s.close()


def check_random():
    """Any folder: one name; any name: one folder."""
    box = maildir("random")
    random.seed(seed := random.randrange(1 << 30))
    print("# seed", seed)
    alphabet = [b".", b"=", b"?", b"&", b"-", b"A", b"OkA", b"a", b"\xc3\xa9",
                b"\xff", b"INBOX", b"=?", b"=FC", b",", b" "]
    folders = set()
    while len(folders) < 300:
        f = b"." + b"".join(random.choice(alphabet)
                            for _ in range(random.randrange(1, 9)))
        if f not in (b".", b".."):
            folders.add(f)
    for f in folders:
        put(box, f, b"Subject: f\n\n")
    s = Session(box)
    opened = [n for n in s.names() if n != "INBOX" and
              s.run("EXAMINE %s", n.encode())[0].startswith("OK")]
    ok(len(opened) == len(folders) == len(set(opened)),
       "%d random folders, as many mailboxes" % len(folders),
       len(opened), len(folders))
    s.close()


def check_deleted():
    """Another session deletes the mailbox: it says so."""
    box = maildir("deleted")
    a, b = Session(box), Session(box)
    a.must("CREATE box")
    a.append("box", "Subject: x\n\ny\n")
    a.must("SELECT box")
    b.must("DELETE box")
    a.child.stdin.write(b"x NOOP\r\n")
    a.child.stdin.flush()
    said = a.child.stdout.read().decode()
    ok("* BYE the mailbox was deleted" in said, "BYE says why", said)
    b.close()


def check_subscriptions():
    box = maildir("subs")

    def write(text):
        with open(box + "/subscriptions", "wb") as f:
            f.write(text)
        own(box + "/subscriptions")

    def read():
        with open(box + "/subscriptions", "rb") as f:
            return f.read()
    s = Session(box)
    strange = b"Lists.a\nbad\xfcname\n" + b"z" * 300 + b"\n&AGE-\nDrafts\n"
    write(strange)
    s.must("SUBSCRIBE Sent")
    s.must("UNSUBSCRIBE Drafts")
    ok(read() == strange.replace(b"Drafts\n", b"Sent\n"),
       "lines that cannot be read stay", read())
    subs = s.names('LSUB "" "*"')
    ok(subs == ["&-AGE-", "Lists/a", "Sent"], "the others count", subs)
    tabs = b"V\t2\n\nLists\tgo.lang\nbad\xfc\tx\n"
    write(tabs)
    s.must('SUBSCRIBE "a.b/c"')
    ok(read() == tabs + b"a.b\tc\n", "Dovecot's second form stays", read())
    os.remove(box + "/subscriptions")
    with open(box + "/courierimapsubscribed", "wb") as f:
        f.write(b"INBOX.Sent\nINBOX." + b"z" * 300 + b"\nINBOX.Old\n")
    own(box + "/courierimapsubscribed")
    s.must("UNSUBSCRIBE Old")
    ok(read() == b"Sent\nINBOX." + b"z" * 300 + b"\n", "Courier's become ours",
       read())
    s.close()


def check_read_only():
    """A folder where no journal can be kept: nothing is added, and it says
    why."""
    box = maildir("readonly")
    os.chmod(box, 0o555)
    s = Session(box)
    said = s.send("APPEND INBOX", b"Subject: x\r\n\r\n")[0]
    ok(said.startswith("NO [READ-ONLY]"), "no journal, no APPEND", said)
    said = s.send("SELECT INBOX")[0]
    ok(said.startswith("OK [READ-ONLY]"), "SELECT says so", said)
    s.close()
    os.chmod(box, 0o755)


check_refused()
check_taken()
check_foreign()
check_random()
check_deleted()
check_subscriptions()
check_read_only()
tap.finish()
