"""Large mailboxes over IMAP.

  large.py FOLDER [MESSAGES]

The index of the first one (100,000 messages) is written here, as STORE 4 has
it, without any files: sessions must take it as it is, and share it.  The
second one has files that nobody ever saw, of which a session learns only what
it is asked for.
"""
import os
import random
import re
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storelib import AS, STAGE, Imap, crc  # noqa: E402
from tap import finish, ok  # noqa: E402

TMP = sys.argv[1]
N = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
SHARED = 5000  # with files
LINKS = 40000
FEW = 1500  # more than the store looks at by itself
M64 = (1 << 64) - 1
PRIVATE_KB = 1024
RESTING_KB = 64
with open(os.environ["POSTERN_BUILD"] + "/config.h") as f:
    SANITIZED = "#define POSTERN_SANITIZE 1" in f.read()


def rotate(v, n):
    return (v << n | v >> 64 - n) & M64


def siphash(data):
    """SipHash-2-4 under the key zero"""
    v = [0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261,
         0x7465646279746573]

    def rounds(n):
        a, b, c, d = v
        for _ in range(n):
            a = a + b & M64
            b = rotate(b, 13) ^ a
            a = rotate(a, 32)
            c = c + d & M64
            d = rotate(d, 16) ^ c
            a = a + d & M64
            d = rotate(d, 21) ^ a
            c = c + b & M64
            b = rotate(b, 17) ^ c
            c = rotate(c, 32)
        v[:] = a, b, c, d

    last = len(data) % 256 << 56
    whole = len(data) // 8 * 8
    words = list(struct.unpack("<%dQ" % (whole // 8), data[:whole]))
    for i, byte in enumerate(data[whole:]):
        last |= byte << 8 * i
    for word in words + [last]:
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def make_folder(box):
    for sub in "", "/cur", "/new", "/tmp":
        os.mkdir(box + sub)
    for sub in "cur", "new":
        os.utime(box + "/" + sub, ns=(10 ** 18, 10 ** 18 + 5))


def write_index(box, n, files):
    """Both files, in generation 2; the first messages have files."""
    names, records = bytearray(), bytearray()
    for i in range(n):
        name = b"%d.M%dP1.large,S=100,W=104,U=%d:2,S" % (
            1700000000 + i, i, i + 1)
        base = name.split(b",")[0]
        ident = siphash(base) >> 4 if i < files else i + 1
        records += struct.pack(
            "<IHHQQQqQQQ", i + 1, 8, len(name), 0, 3, ident,
            1700000000 + i, 100, 104, len(names))
        names += name + b"\0"
        if i < files:
            with open(box + "/cur/" + name.decode(), "w") as f:
                f.write("Subject: %d\n\n" % i + "x" * 80 + "\n")
            os.truncate(box + "/cur/" + name.decode(), 100)
    make_times = os.stat(box + "/cur"), os.stat(box + "/new")
    head = b"PSTNIDX2" + struct.pack(
        "<IIIIQQQIII I", 2, 128, 1700000000, n + 1, 2, 77, 3, n, 0, 0, 1)
    cur, new = (t.st_mtime_ns for t in make_times)
    head += struct.pack("<QIIQ", cur // 10 ** 9, cur % 10 ** 9,
                        new % 10 ** 9, new // 10 ** 9)
    head += struct.pack("<QQQ", len(names), 0, 3)
    head += struct.pack("<III", crc(b""), crc(records), 0)
    head += struct.pack("<I", crc(head))
    body = head + names
    body += bytes(-len(body) % 64) + records
    with open(box + "/postern.index", "wb") as f:
        f.write(body)
    journal = b"PSTNJRN1" + struct.pack(
        "<IIQQIIQQI", 1, 64, 2, 77, 1700000000, n + 1, 3, 0, n)
    with open(box + "/postern.journal", "wb") as f:
        f.write(journal + struct.pack("<I", crc(journal)))


def give(box):
    if AS:
        subprocess.run(["chown", "-R", "%d:%d" % (AS["user"], AS["group"]),
                        box], check=True)


def memory(session):
    found = {}
    with open("/proc/%d/smaps_rollup" % session.child.pid) as rollup:
        for line in rollup:
            m = re.match(r"(\w+): +(\d+) kB", line)
            if m:
                found[m[1]] = int(m[2])
    return found


def selected(session, command="SELECT INBOX"):
    status, lines = session.send(command)
    return status.startswith("OK") and [
        int(m[1]) for m in (re.match(r"\* (\d+) EXISTS", line)
                            for line in lines) if m][0]


def sharing():
    """An index of N messages, most of them without files."""
    box = TMP + "/large"
    make_folder(box)
    write_index(box, N, 3)
    give(box)
    one = Imap(box)
    start = time.perf_counter()
    n = selected(one)
    took = (time.perf_counter() - start) * 1000
    ok(n == N, "an index that another program wrote (%.1f ms)" % took)
    own = memory(one)["Anonymous"]
    ok(SANITIZED or own < PRIVATE_KB,
       "a session on %d messages has %d KiB of its own" % (N, own))
    status, lines = one.send("UID FETCH 1:* (FLAGS)")
    ok(len(lines) == N and "(\\Seen)" in lines[-1], "flags of all")
    status, lines = one.send("FETCH 3 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    ok("Subject: 2" in "".join(lines), "a message is read")
    one.close()


def shared(name):
    box = TMP + name
    make_folder(box)
    write_index(box, SHARED, SHARED)
    give(box)
    one, two = Imap(box), Imap(box)
    ok(selected(one) == SHARED and selected(two) == SHARED, "two sessions")
    return box, one, two


def folding():
    """Another session expunges and compacts; those that are open go on."""
    box, one, two = shared("/shared")
    two.send("STORE 5,9 +FLAGS.SILENT (\\Deleted)")
    status, lines = two.send("EXPUNGE")
    ok(lines == ["* 5 EXPUNGE", "* 8 EXPUNGE"], "two are expunged")
    before = os.stat(box + "/postern.index").st_ino
    subprocess.run([os.environ["POSTERN_BUILD"] + "/t/unit/store-tool", box],
                   input=b"fold INBOX\n", check=True, **AS,
                   stdout=subprocess.DEVNULL)
    ok(os.stat(box + "/postern.index").st_ino != before, "a new snapshot")
    three = Imap(box)
    ok(selected(three) == SHARED - 2, "opened anew")
    status, lines = one.send("NOOP")
    gone = [line for line in lines if line.endswith("EXPUNGE")]
    ok(gone == ["* 5 EXPUNGE", "* 8 EXPUNGE"], "the idle session hears of it")
    two.send("NOOP")
    uids = []
    for session in one, two, three:
        status, lines = session.send("FETCH 1:%d (UID)" % (SHARED - 2))
        uids.append([int(re.search(r"UID (\d+)", line)[1])
                     for line in lines])
    wanted = [u for u in range(1, SHARED + 1) if u not in (5, 9)]
    ok(uids == [wanted] * 3, "all see the same UIDs")
    status, lines = three.send("FETCH 18 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    ok("Subject: 19" in "".join(lines), "and the right message")
    for session, who in (two, "who expunged"), (three, "who came later"):
        own = memory(session)["Anonymous"]
        ok(SANITIZED or own < SHARED * 64 / 1024 / 2 + 256,
           "%s shares the new snapshot (%d KiB)" % (who, own))
    for session in one, two, three:
        session.close()


def mapped(session):
    """KiB of the index that it has in memory."""
    with open("/proc/%d/smaps" % session.child.pid) as maps:
        return sum(int(n) for n in re.findall(
            r"postern\.index\n(?:.*\n)*?Rss: +(\d+) kB", maps.read()))


def flags(session, n):
    return session.send("FETCH 1:%d (FLAGS)" % n)[1]


def at_rest(session):
    """Within five seconds without a command, and some patience."""
    for _ in range(200):
        kept = mapped(session)
        if kept <= RESTING_KB:
            break
        time.sleep(0.1)
    return kept


def resting():
    """Who waits lets the index go, but for its own changes."""
    box, one, two = shared("/resting")
    one.send("STORE 3,70 +FLAGS (\\Flagged)")
    one.send("STORE %d +FLAGS (late)" % SHARED)
    before = flags(one, SHARED)
    kept = mapped(one)
    one.child.stdin.write(b"i IDLE\r\n")
    one.child.stdin.flush()
    one.line()
    after = at_rest(one)
    ok(after <= RESTING_KB < kept,
       "in IDLE, of the index: %d KiB, then %d" % (kept, after))
    two.send("STORE 7 +FLAGS (\\Answered)")
    said = [one.line()]
    ok("* 7 FETCH" in said[0] and "Answered" in said[0], "it is told", said)
    one.child.stdin.write(b"DONE\r\n")
    one.child.stdin.flush()
    while not one.line().startswith("i OK"):
        pass
    one.send("NOOP")
    before[6] = before[6].replace("\\Seen", "\\Answered \\Seen")
    ok(flags(one, SHARED) == before, "and keeps all that it knew")
    two.send("NOOP")
    ok(flags(two, SHARED) == before, "as the other one has it")
    kept, after = mapped(two), at_rest(two)
    ok(after <= RESTING_KB < kept,
       "between commands: %d KiB, then %d" % (kept, after))
    ok(flags(two, SHARED) == before, "and nothing is lost of it")
    one.close()
    two.close()


def many_names(box):
    """Links are files to us, and cheap."""
    make_folder(box)
    for i in range(LINKS):
        name = box + "/cur/%d.M%dP1.large,S=24,W=26:2,S" % (1700000000 + i, i)
        if i % 20000 == 0:
            first = name
            with open(name, "w") as f:
                f.write("Subject: 12345678901\n\nx\n")
        else:
            os.link(first, name)
    give(box)


def age(box):
    """The index is old enough for another one."""
    os.utime(box + "/postern.index", (1, 1))


def tight(session):
    """A session that asks now and then gives back what it has."""
    for _ in range(60):
        session.send("NOOP")
        own = memory(session)["Anonymous"]
        if own < PRIVATE_KB:
            break
        time.sleep(0.1)
    return own


def expunge(session, which):
    session.send("STORE %s +FLAGS.SILENT (\\Deleted)" % which)
    return session.send("EXPUNGE")[1]


def gaps():
    """Expunges that leave gaps, in sessions that go on."""
    box = TMP + "/gaps"
    many_names(box)
    first = Imap(box)
    selected(first)
    first.send("CLOSE")
    first.close()
    one, two = Imap(box), Imap(box)
    ok(selected(one) == selected(two) == LINKS, "a folder of links")
    expunge(two, "1:9")
    own = memory(two)["Anonymous"]
    ok(SANITIZED or own < PRIVATE_KB,
       "the first go: %d KiB of its own" % own)
    age(box)
    middle = LINKS // 2
    expunge(two, middle)
    before, after = memory(two)["Anonymous"], tight(two)
    ok(SANITIZED or after < PRIVATE_KB < before,
       "one in the middle goes: %d KiB, then %d" % (before, after))
    own = tight(one)
    ok(SANITIZED or own < PRIVATE_KB, "and in another session: %d" % own)
    known = os.stat(box + "/postern.index").st_ino
    expunge(two, middle)
    two.send("NOOP")
    ok(os.stat(box + "/postern.index").st_ino == known,
       "not a snapshot for each of them")
    uids, rng = list(range(1, LINKS + 1)), random.Random(7)
    del uids[:9]
    for _ in range(2):
        del uids[middle - 1]
    for count in 1, 30, 300:
        some = {1, len(uids)} | {rng.randrange(len(uids)) + 1
                                 for _ in range(count)}
        for at in sorted(some, reverse=True):
            del uids[at - 1]
        expunge(two, ",".join(map(str, some)))
    for session in one, two:
        session.send("NOOP")
    got = [[int(re.search(r"UID (\d+)", line)[1]) for line in lines
            if "FETCH" in line] for lines in (
        s.send("FETCH 1:* (UID)")[1] for s in (one, two))]
    ok(got[0] == got[1] == uids, "what is left is the same in both")
    one.close()
    two.close()


def late():
    """Files that say little, and whose dates are asked for late."""
    box = TMP + "/late"
    make_folder(box)
    facts = []
    for i in range(FEW):
        text = "Subject: %d\n\n" % i + "line\n" * (i % 50)
        name = "%d.M1P1.late%s%s:2,%s" % (
            1600000000 + i, ",S=%d" % len(text) if i % 3 else "",
            ",W=%d" % (len(text) + 2 + i % 50) if i % 4 == 1 else "",
            "S" * (i % 2))
        if i == 7:  # a hint that lies
            name = name.replace(",S=", ",S=9")
        with open(box + "/cur/" + name, "w") as f:
            f.write(text)
        date = 10 ** 9 + i * 1000
        os.utime(box + "/cur/" + name, (date, date))
        facts.append((name, len(text) + 2 + i % 50, date))
    give(box)
    one = Imap(box)
    ok(selected(one) == FEW, "opened")
    ok(sizes(one, "1:9") == [f[1] for f in facts[:9]], "sizes when asked")
    first = dates(one, "1:20")
    ok(first == [f[2] for f in facts[:20]], "dates when asked")
    status, lines = one.send("SEARCH LARGER %d" % facts[45][1])
    wanted = [str(i + 1) for i, f in enumerate(facts) if f[1] > facts[45][1]]
    ok(lines[0].split()[2:] == wanted, "a search by size")
    status, lines = one.send("SEARCH SINCE 20-Sep-2001")
    wanted = [str(i + 1) for i, f in enumerate(facts)
              if time.localtime(f[2])[:3] >= (2001, 9, 20)]
    ok(lines[0].split()[2:] == wanted and 0 < len(wanted) < FEW,
       "a search by date")
    one.send("CREATE other")
    ok(one.send("COPY 1000:1001 other")[0].startswith("OK"), "copies")
    one.close()
    # What a session was told once stays: the journal has it now.
    for name, _, _ in facts:
        os.utime(box + "/cur/" + name, (1, 1))
    two = Imap(box)
    selected(two)
    ok(dates(two, "1:20") == first, "a date that was told once stays")
    ok(sizes(two, "1:*") == [f[1] for f in facts], "sizes of all")
    selected(two, "SELECT other")
    ok(sizes(two, "1:2") == [f[1] for f in facts[999:1001]], "of the copies")
    ok(dates(two, "1:2") == [f[2] for f in facts[999:1001]], "and their dates")
    two.close()


def sizes(session, which):
    status, lines = session.send("FETCH %s (RFC822.SIZE)" % which)
    return [int(re.search(r"RFC822.SIZE (\d+)", line)[1]) for line in lines]


def dates(session, which):
    status, lines = session.send("FETCH %s (INTERNALDATE)" % which)
    found = []
    for line in lines:
        text = re.search(r'INTERNALDATE "(.*?)"', line)[1].strip()
        found.append(int(time.mktime(time.strptime(
            text[:-6], "%d-%b-%Y %H:%M:%S"))) - time.timezone -
            (int(text[-5:-2]) * 60 + int(text[-2:])) * 60)
    return found


os.chmod(TMP, 0o755)
sharing()
folding()
resting()
gaps()
late()
finish()
