"""What the tests of the store share: imapd and store-tool as children.

Both are driven over pipes.  USER, where it is set, is the user to run them
as: session programs refuse to be root.
"""
import os
import re
import subprocess

STAGE = os.environ["POSTERN_STAGE"]
BUILD = os.environ["POSTERN_BUILD"]
TOOL = BUILD + "/t/unit/store-tool"
NOBODY = 65534
AS = ({"user": NOBODY, "group": NOBODY, "extra_groups": []}
      if os.getuid() == 0 else {})


def letters(flags):
    """IMAP flags to Maildir letters, in order; keywords apart."""
    known = {"\\Answered": "R", "\\Flagged": "F", "\\Deleted": "T",
             "\\Seen": "S", "\\Draft": "D"}
    return frozenset(known[f] for f in flags if f in known)


def crc_table():
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0x82f63b78 if i & 1 else 0)
        table.append(i)
    return table


TABLE = crc_table()


def crc(data):
    """CRC-32C"""
    c = 0xffffffff
    for byte in data:
        c = TABLE[(c ^ byte) & 255] ^ c >> 8
    return c ^ 0xffffffff


class Died(Exception):
    """A session ended in the middle of a command."""


class Imap:
    """One session of imapd, on pipes."""

    def __init__(self, maildir, env=None, **kw):
        self.child = subprocess.Popen(
            [STAGE + "/imapd", maildir], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=env, **AS, **kw)
        self.serial = 0
        self.line()

    def line(self):
        got = self.child.stdout.readline()
        if not got.endswith(b"\r\n"):
            raise Died(repr(got))
        return got[:-2].decode("utf-8", "surrogateescape")

    def reply(self):
        """The lines up to the answer; literals are joined to their line."""
        lines, tag = [], "t%d " % self.serial
        while True:
            text = self.line()
            while re.search(r"\{\d+\}$", text):
                size = int(text[text.rindex("{") + 1:-1])
                text += "\r\n" + self.child.stdout.read(size).decode()
                text += self.line()
            if text.startswith(tag):
                return text[len(tag):], lines
            lines.append(text)

    def send(self, command, literal=None):
        """(the tagged answer, the untagged lines)"""
        self.serial += 1
        text = ("t%d " % self.serial + command).encode()
        if literal is not None:
            text += b" {%d+}\r\n" % len(literal) + literal
        try:
            self.child.stdin.write(text + b"\r\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise Died(command)
        return self.reply()

    def must(self, command, literal=None):
        said, lines = self.send(command, literal)
        if not said.startswith("OK"):
            raise AssertionError("%s: %s" % (command, said))
        return said, lines

    def append(self, box, text, flags=""):
        """The new UID and the UIDVALIDITY."""
        said, _ = self.must('APPEND "%s" (%s)' % (box, flags),
                            text.replace("\n", "\r\n").encode())
        m = re.search(r"APPENDUID (\d+) (\d+)", said)
        return int(m.group(2)), int(m.group(1))

    def close(self):
        """End without another word; whatever is left unread is dropped."""
        for f in self.child.stdin, self.child.stdout:
            try:
                f.close()
            except BrokenPipeError:
                pass
        return self.child.wait()


class Seen:
    """A message as store-tool shows it."""

    def __init__(self, line):
        words = line.split()
        self.uid = int(words[0])
        self.flags = frozenset(words[1].replace("-", ""))
        m = re.search(r" size=(\d+) wire=(\d+) modseq=(\d+) id=(\w+) "
                      r"date=(-?\d+) saved=(\d+) (.*)$", line)
        self.size, self.wire = int(m.group(1)), int(m.group(2))
        self.modseq = int(m.group(3))
        self.saved = int(m.group(6))
        self.name = m.group(7)
        marks = line[:m.start()].split()[2:]
        self.gone = "gone" in marks
        self.keywords = frozenset(marks) - {"recent", "changed", "gone", "new"}
        self.text = None


class Tool:
    """store-tool, command by command."""

    def __init__(self, maildir, env=None, as_user=True, **kw):
        if as_user:
            kw.update(AS)
        self.child = subprocess.Popen(
            [TOOL, maildir], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=env, **kw)

    def line(self):
        got = self.child.stdout.readline()
        if not got.endswith(b"\n"):
            raise Died(repr(got))
        return got[:-1].decode("utf-8", "surrogateescape")

    def write(self, command):
        try:
            self.child.stdin.write(command.encode() + b"\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise Died(command)

    def say(self, command):
        self.write(command)
        return self.line()

    def folders(self):
        return self.say("list").split(" ")

    def look(self, folder, texts=True, how="open"):
        """(uidvalidity, uidnext, [Seen]) or the error."""
        said = self.say("%s %s" % (how, folder))
        if said != "ok":
            return said
        validity, _, uidnext = self.say("validity").split()
        seen = self.names()
        for s in seen if texts else ():
            s.text = self.read(s.uid)
        return int(validity), int(uidnext), seen

    def names(self):
        """The messages of the mailbox that is open."""
        self.write("names")
        return [Seen(line) for line in iter(self.line, "end")]

    def read(self, uid):
        """A message's bytes; None where it cannot be read."""
        self.write("read %d" % uid)
        head = b""
        while not head.endswith((b" ", b"\n")):
            byte = self.child.stdout.read(1)
            if not byte:
                raise Died("read")
            head += byte
        if head.strip() == b"error":
            self.child.stdout.readline()
            return None
        return self.child.stdout.read(int(head)).decode()

    def close(self):
        self.child.stdin.close()
        self.child.stdout.close()
        return self.child.wait()


def unfinished(maildir, box, seen):
    """Messages whose file lies in tmp/ still, after a session saw the mailbox:
    the next sweep takes them."""
    folder = maildir + ("" if box == "INBOX" else "/." + box.replace("/", "."))
    return [s.name for s in seen
            if os.path.lexists("%s/tmp/%s" % (folder, s.name))]


def quota_wrong(maildir, limits):
    """What no recount would mend about maildirsize, and by how many bytes
    and messages it says too much before one."""
    used = [0, 0]
    for name in [""] + [n for n in os.listdir(maildir) if n[0] == "."]:
        for sub in "/cur/", "/new/":
            folder = "%s/%s%s" % (maildir, name, sub)
            for n in os.listdir(folder) if os.path.isdir(folder) else ():
                used[0] += os.stat(folder + n).st_size
                used[1] += 1
    tool = Tool(maildir, as_user=False)
    said = tool.say("quota").split()
    then = tool.say("recount").split()
    tool.close()
    if said[2:] != [str(v) for v in limits]:
        return ["the quota's limits are lost: %s" % said], None
    return (["the quota says %s after a recount, of %s" % (then, used)]
            if then[:2] != [str(v) for v in used] else [],
            (int(said[0]) - used[0], int(said[1]) - used[1]))
