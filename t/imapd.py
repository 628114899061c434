"""What the tests of imapd share: TAP, Maildirs, and a raw session."""
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile

stage = os.environ.get("POSTERN_STAGE", "")
program = os.path.join(stage, "imapd")
if not os.access(program, os.X_OK):
    print("1..0 # SKIP imapd is not built")
    sys.exit(0)
os.environ.pop("AUTH_TAG", None)
os.environ.pop("POSTERN_ROOT", None)
os.environ["TZ"] = "UTC"
# What dies with a program is not freed.
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")
tmp = tempfile.mkdtemp(prefix="postern-t.")
tests = failed = 0


def ok(good, name, *why):
    global tests, failed
    tests += 1
    print(("ok" if good else "not ok"), tests, "-", name)
    if not good:
        failed += 1
        for w in why:
            print("#", repr(w)[:600])


def same(got, wanted, name):
    ok(got == wanted, name, got, wanted)


def maildir(name):
    path = os.path.join(tmp, name)
    for sub in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(path, sub))
    return path


def put(box, name, text, sub="new"):
    temporary = os.path.join(box, "tmp", name)
    with open(temporary, "wb") as f:
        f.write(text)
    os.rename(temporary, os.path.join(box, sub, name))


def wire(text):
    return re.sub(rb"(?<!\r)\n", b"\r\n", text).replace(b"\0", b"\x80")


class Raw:
    """A session that sees every byte; of another program with argv."""

    def __init__(self, box, argv=None, **how):
        self.p = subprocess.Popen(argv or [program, "-r", tmp, box],
                                  stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, bufsize=0, **how)
        self.rest = b""
        self.seen = []
        self.n = 0
        self.line()

    def fill(self, timeout):
        r, _, _ = select.select([self.p.stdout], [], [], timeout)
        if not r:
            raise TimeoutError
        data = os.read(self.p.stdout.fileno(), 65536)
        if not data:
            raise EOFError
        self.rest += data

    def line(self, timeout=20):
        """One response, with its literals."""
        out = b""
        while True:
            while b"\r\n" not in self.rest:
                self.fill(timeout)
            line, self.rest = self.rest.split(b"\r\n", 1)
            out += line
            m = re.search(rb"\{(\d+)\}$", line)
            if not m:
                return out
            n = int(m.group(1))
            while len(self.rest) < n:
                self.fill(timeout)
            out += b"\r\n" + self.rest[:n]
            self.rest = self.rest[n:]

    def send(self, data):
        self.p.stdin.write(data)

    def cmd(self, text):
        """The untagged responses, then the tagged one without its tag."""
        self.n += 1
        tag = b"t%d " % self.n
        if isinstance(text, str):
            text = text.encode()
        self.send(tag + text + b"\r\n")
        self.seen = out = []
        while True:
            line = self.line()
            if line.startswith(tag):
                return out + [line[len(tag):]]
            out.append(line)

    def close(self):
        self.p.stdin.close()
        self.p.stdout.read()
        return self.p.wait(20)


def finish():
    shutil.rmtree(tmp, ignore_errors=True)
    print("1..%d" % tests)
    sys.exit(1 if failed else 0)


def run(*todo):
    """Runs each test; an exception is a failure of it."""
    try:
        for test in todo:
            try:
                test()
            except Exception as e:
                where = sys.exc_info()[2].tb_next
                ok(False, test.__name__ + " ran to its end", e,
                   where and where.tb_lineno)
    finally:
        finish()
