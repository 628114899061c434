"""Save dates (RFC 8514), over the wire and through everything that a mailbox
goes through.

  savedate.py FOLDER

A save date is that of the clock when the message came into this mailbox, and
never changes: so each step is taken in another second than the one before.
"""
import email.utils
import os
import re
import shutil
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storelib import AS, NOBODY, STAGE, Imap, Tool, crc  # noqa: E402
from tap import finish, ok  # noqa: E402

TMP = sys.argv[1]
os.chmod(TMP, 0o711)
OLD = 978310861  # 2001, an INTERNALDATE
DAY = 86400


def tick():
    """The clock shows another second: which one.  That of a file system goes
    some milliseconds behind."""
    now = int(time.time() - 0.02)
    while int(time.time() - 0.02) == now:
        time.sleep(0.02)
    return int(time.time() - 0.02)


def own(path):
    if os.getuid() == 0:
        os.chown(path, NOBODY, NOBODY)


def new_account(name):
    path = TMP + "/" + name
    os.mkdir(path)
    own(path)
    Tool(path).close()
    return path


def dates(session, item="SAVEDATE"):
    """{uid: seconds}"""
    _, lines = session.must("UID FETCH 1:* (%s)" % item)
    found = {}
    for line in lines:
        uid = re.search(r"UID (\d+)", line)
        text = re.search(item + r' "([ \d]\d-\w\w\w-\d{4} [\d:]{8} '
                         r'[+-]\d{4})"', line)
        if uid and text:
            found[int(uid.group(1))] = int(
                email.utils.parsedate_to_datetime(
                    text.group(1).replace("-", " ", 2)).timestamp())
    return found


def fetched(path, box="INBOX", how="EXAMINE"):
    """As a new session sees it."""
    session = Imap(path)
    session.must("%s %s" % (how, box))
    got = dates(session)
    session.close()
    return got


def matches(session, keys):
    _, lines = session.must("UID SEARCH " + keys)
    return [int(w) for line in lines for w in line.split()[2:]]


def day(seconds):
    return time.strftime("%d-%b-%Y", time.localtime(seconds))


def append(session, box="INBOX"):
    before = tick()
    said, _ = session.must(
        'APPEND "%s" " 1-Jan-2001 01:01:01 +0000"' % box,
        b"Subject: x\r\n\r\ntext\r\n")
    return int(re.search(r"APPENDUID \d+ (\d+)", said).group(1)), before


def drop(path, name, folder="cur"):
    """A file from outside, old, that is moved in: the second."""
    aside = path + ".aside"
    with open(aside, "w") as f:
        f.write("Subject: x\n\ntext\n")
    os.utime(aside, (OLD, OLD))
    own(aside)
    now = tick()
    os.rename(aside, "%s/%s/%s" % (path, folder, name))
    return now


def near(got, want):
    return got is not None and want <= got <= want + 2


def wire():
    path = new_account("wire")
    session = Imap(path)
    said = session.must("CAPABILITY")[1][0].split()
    session.must("SELECT INBOX")
    uid, then = append(session)
    session.must("NOOP")
    got = dates(session)
    ok("SAVEDATE" in said and near(got.get(uid), then) and
       dates(session, "INTERNALDATE") == {uid: OLD},
       "APPEND: the clock's date, whatever INTERNALDATE is",
       [repr(got), str(then)])
    then = got[uid]
    found = [matches(session, keys) for keys in (
        "SAVEDON " + day(then), "SAVEDON " + day(then - DAY),
        "SAVEDBEFORE " + day(then), "SAVEDBEFORE " + day(then + DAY),
        "SAVEDSINCE " + day(then), "SAVEDSINCE " + day(then + DAY),
        "ON 1-Jan-2001", "SAVEDATESUPPORTED", "NOT SAVEDATESUPPORTED",
        'savedon "%s" subject x' % day(then))]
    ok([len(f) for f in found] == [1, 0, 0, 1, 1, 0, 1, 1, 0, 1],
       "SEARCH: on, before, since, supported", [repr(found)])
    bad = [session.send("UID SEARCH " + keys)[0] for keys in (
        "SAVEDON", "SAVEDON 32-Jan-2001", "SAVEDBEFORE 1", "SAVEDATE")]
    bad.append(session.send("FETCH 1 (SAVEDATES)")[0])
    ok(all(b.startswith("BAD") for b in bad), "what makes no sense is BAD",
       bad)
    saved = dates(session)
    tick()
    session.must("STORE 1 +FLAGS (\\Seen $x)")
    ok(dates(session) == saved == fetched(path),
       "a change of flags leaves it")
    return path, session, saved


def copies(path, session, saved):
    session.must("CREATE box")
    then = tick()
    session.must("COPY 1 box")
    box = fetched(path, "box")
    ok(near(box.get(1), then) and dates(session) == saved,
       "COPY: another one for the copy, the same for the other",
       [repr(box), str(then)])
    then = tick()
    session.must("COPY 1 INBOX")
    session.must("NOOP")
    saved = dates(session)
    ok(len(saved) == 2 and near(max(saved.values()), then),
       "COPY into the same mailbox", [repr(saved), str(then)])
    then = tick()
    session.must("MOVE 1 box")
    box.update({2: None})
    now = fetched(path, "box")
    ok(near(now.get(2), then) and now[1] == box[1],
       "MOVE: another one", [repr(now), str(then)])
    tick()
    session.must("RENAME box other")
    ok(fetched(path, "other") == now, "RENAME of a mailbox leaves them")
    then = tick()
    session.must("UNSELECT")
    session.must("RENAME INBOX moved")
    moved = fetched(path, "moved")
    ok([near(v, then) for v in moved.values()] == [True],
       "RENAME INBOX: the messages move", [repr(moved), str(then)])


def arrivals():
    path = new_account("arrivals")
    then = [drop(path, "978310861.M1P1Q1.host", "new"),
            drop(path, "978310861.M2P2Q2.host:2,S")]
    tick()
    got = fetched(path)
    ok(near(got.get(1), then[0]) and near(got.get(2), then[1]),
       "a delivery, and `mv' from outside: when the file came, not when it "
       "was seen", [repr(got), repr(then)])
    tick()
    ok(fetched(path, how="SELECT") == got, "cur/ and flags change nothing")
    for name in os.listdir(path + "/cur"):
        shutil.copy2(path + "/cur/" + name, path + ".aside")
        os.unlink(path + "/cur/" + name)
        own(path + ".aside")
    fetched(path)
    then = tick()
    os.rename(path + ".aside", path + "/cur/" + name)
    back = fetched(path)
    ok(list(back) == [3] and near(back[3], then),
       "a file that was gone and is restored is a new message",
       [repr(back), str(then)])


def many():
    path = new_account("many")
    for n in range(1200):
        name = "%s/cur/9783%05d.M1P1Q%d.host,S=3:2," % (path, n, n)
        with open(name, "w") as f:
            f.write("A:\n")
        own(name)
    then = int(time.time())
    session = Imap(path)
    session.must("SELECT INBOX")
    seen = tick()
    session.must("STORE 1:600 +FLAGS.SILENT (\\Seen)")
    got = dates(session)
    session.must("CLOSE")
    session.close()
    tick()
    ok(len(got) == 1200 and max(got.values()) <= seen and
       min(got.values()) >= then - 5 and fetched(path) == got,
       "many at once: learned later, not later than at the first sight",
       [repr(set(got.values())), "%d %d" % (then, seen)])


def tool(path, *words):
    subprocess.run([STAGE + "/postern-mailbox"] + list(words) +
                   ["-d", path], check=True, stdout=subprocess.DEVNULL, **AS)


def repairs():
    path = new_account("repairs")
    session = Imap(path)
    for _ in range(2):
        append(session)
    session.must("SELECT INBOX")
    tick()
    session.must("STORE 1 +FLAGS (\\Seen)")  # its ctime is another now
    saved = dates(session)
    session.close()
    tool(path, "rebuild")
    tick()
    ok(fetched(path) == saved, "rebuild: they stay", [repr(saved)])
    shutil.copytree(path, path + "2", copy_function=shutil.copy2)
    for root, folders, files in os.walk(path + "2"):
        for name in folders + files:
            own(root + "/" + name)
    own(path + "2")
    ok(fetched(path + "2") == saved, "a copy of the whole folder: they stay")
    session = Imap(path)
    uid, then = append(session)
    session.close()
    os.unlink(path + "/postern.index")
    tick()
    got = fetched(path)
    ok(near(got.get(uid), then) and got.get(2) == saved[2] and
       saved[1] < got.get(1, 0) < then,
       "index lost: what the journal has stays; else the last change of the "
       "file counts, which is later", [repr(saved), repr(got)])
    for name in "postern.index", "postern.journal":
        os.unlink(path + "/" + name)
    again = fetched(path)
    ok(len(again) == 3 and again[2] == saved[2] and all(
        again[u] >= got[u] for u in got), "index and journal lost: the same",
       [repr(got), repr(again)])


def unknown():
    """An index that was written before there were save dates."""
    path = new_account("unknown")
    then = drop(path, "978310861.M1P1Q1.host:2,")
    tool(path, "rebuild")
    with open(path + "/postern.index", "r+b") as f:
        data = bytearray(f.read())
        count, = struct.unpack_from("<I", data, 48)
        struct.pack_into("<I", data, len(data) - 64 * count + 44, 0)
        struct.pack_into("<I", data, 116, crc(data[-64 * count:]))
        struct.pack_into("<I", data, 124, crc(data[:124]))
        f.seek(0)
        f.write(data)
    got = fetched(path)
    tick()
    os.rename(path + "/cur/" + os.listdir(path + "/cur")[0],
              path + "/cur/978310861.M1P1Q1.host:2,S")
    ok(near(got.get(1), then) and fetched(path) == got and
       not [f for f in os.listdir(path) if "bad" in f],
       "not known: the file is asked, once", [repr(got), str(then)])


account, imap, first = wire()
copies(account, imap, first)
imap.close()
arrivals()
many()
repairs()
unknown()
finish()
