#!/usr/bin/python3
"""postern-mailfs lists the same with and without postern.cache, and reads each
message once for all that is in its folder."""
import contextlib
import glob
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
src = os.environ.get("POSTERN_SRC", ".")
sys.path.insert(0, os.path.join(src, "t"))
from imapd import Raw, maildir, ok, run, same, stage, tmp, wire  # noqa

program = os.path.join(stage, "postern-mailfs")
if not os.access(program, os.X_OK) or not os.path.exists("/dev/fuse"):
    print("1..0 # SKIP no postern-mailfs, or no /dev/fuse")
    sys.exit(0)
mount = os.path.join(tmp, "mnt")
log = os.path.join(tmp, "strace")


@contextlib.contextmanager
def mounted(box, before=()):
    p = subprocess.Popen([*before, program, "-f", box, mount])
    end = time.monotonic() + 20
    while not os.path.ismount(mount) and time.monotonic() < end:
        assert p.poll() is None, "it does not mount"
        time.sleep(0.01)
    try:
        yield
    finally:
        subprocess.run(["umount" if os.getuid() == 0 else "fusermount3",
                        *["-u"] * (os.getuid() != 0), mount])
        p.wait(20)


def listing(box, before=()):
    """{path: size} of all messages, their texts read to the end."""
    found, wrong, seen = {}, [], 0
    with mounted(box, before):
        inbox = os.path.join(mount, "INBOX")
        names = sorted(os.listdir(inbox))
        found = {n: os.stat(os.path.join(inbox, n)).st_size for n in names
                 if os.path.isfile(os.path.join(inbox, n))}
        if os.path.exists(log):
            with open(log) as f:
                seen = sum(",S=" in x for x in f)
        for n in found:
            with open(os.path.join(inbox, n), "rb") as f:
                if len(f.read()) != found[n]:
                    wrong.append(n)
    same(wrong, [], "each is as long as it says")
    return found, seen


def test_listing():
    os.mkdir(mount)
    box = maildir("box")
    cache = os.path.join(box, "postern.cache")
    s = Raw(box)
    files = sorted(glob.glob(src + "/t/vectors/mail/*.eml") +
                   glob.glob(src + "/t/vectors/mail/hostile/*"))
    for name in files:
        with open(name, "rb") as f:
            text = wire(f.read())
        s.cmd(b"append inbox {%d+}\r\n%s" % (len(text), text))
    s.cmd("select inbox")
    s.close()
    ok(os.path.getsize(cache) > 10000, "APPEND leaves a cache")
    with_it, _ = listing(box)
    if shutil.which("strace"):
        again, seen = listing(box, ("strace", "-f", "-o", log, "-e",
                                    "trace=openat,openat2"))
        same(again, with_it, "looked at closely")
        ok(seen <= 10, "few files are opened to list them", seen, len(files))
        os.unlink(log)
    os.rename(cache, cache + ".kept")
    os.mkdir(cache)
    same(with_it, listing(box)[0], "the same names and sizes without it")
    ok(len(with_it) >= len(files) - 1 > 20, "of all", len(with_it), len(files))
    os.rmdir(cache)
    with open(cache + ".kept", "rb") as f:
        data = bytearray(f.read())
    for i in range(100, len(data), 97):
        data[i] ^= 1
    with open(cache, "wb") as f:
        f.write(data)
    same(listing(box)[0], with_it, "and with a damaged one")


def test_folder():
    """All of a message's folder, two by turns, and what takes its place."""
    box = maildir("parts")
    text = wire(b"Subject: %s\n\nx%s\n")
    names = []
    for i, subject in enumerate((b"one", b"two")):
        name = os.path.join(box, "cur", "170000000%d.M1P1.h:2," % i)
        with open(name, "wb") as f:
            f.write(text % (subject, b"y" * (1000 + i)))
        names.append(name)
    size = os.path.getsize(names[0])
    with mounted(box, ("strace", "-f", "-o", log, "-e", "trace=read")
                 if shutil.which("strace") else ()):
        inbox = os.path.join(mount, ".msg", "INBOX")
        one, two = (os.path.join(inbox, n) for n in sorted(os.listdir(inbox)))
        files = [f for f in os.listdir(one)
                 if os.path.isfile(os.path.join(one, f))]
        for f in files:
            os.stat(os.path.join(one, f))
        if os.path.exists(log):
            with open(log) as f:
                seen = sum(x.endswith("= %d\n" % size) for x in f)
            ok(seen <= 2 < 20 < len(files),
               "a message is not read again for each name", seen, len(files))
            os.unlink(log)
        got = []
        for f in "subject", "rawbody", "size":
            for d in one, two:
                with open(os.path.join(d, f)) as g:
                    got.append(g.read().strip()[:3])
        same(got, ["one", "two", "xyy", "xyy", str(size)[:3],
                   str(size + 1)[:3]], "each says its own")
        os.unlink(names[0])
        # The kernel may know it for a second more.
        end = time.monotonic() + 10
        while os.path.exists(os.path.join(one, "date")):
            assert time.monotonic() < end, "it does not go"
            time.sleep(0.05)
        ok(os.path.exists(os.path.join(two, "date")), "and goes with it")


run(test_listing, test_folder)
