"""Kills pop3d at its system calls while QUIT deletes messages.

strace counts the calls of one clean session and then, run by run, kills the
session at the n-th call of each name.  After each run the next session must
open the mailbox and find every message that was not marked deleted, whole and
under its unique id; of the marked ones all, some or none.  The control deletes
a message that was not marked, and must be noticed.
"""
import os
import re
import shutil
import subprocess
import sys

TMP = sys.argv[1]
POP3D = os.environ["POSTERN_STAGE"] + "/pop3d"
BOX = TMP + "/Maildir"
START = TMP + "/start"
NULL = subprocess.DEVNULL
MARKED = {1, 3}
CALLS = ("openat write pwrite64 writev fsync fdatasync unlinkat unlink "
         "renameat renameat2 rename linkat link ftruncate fcntl mkdirat "
         "close").split()
tests = failed = 0


def ok(right, name, why=""):
    global tests, failed
    tests += 1
    failed += not right
    print("%s %d - %s" % ("ok" if right else "not ok", tests, name))
    if why:
        print("# " + why)
    sys.stdout.flush()


def talk(commands, wrap=()):
    text = "".join(c + "\r\n" for c in commands)
    return subprocess.run(list(wrap) + [POP3D, BOX], input=text.encode(),
                          stdout=subprocess.PIPE, stderr=NULL).stdout.decode()


def mailbox():
    """Subjects to unique ids, as a new session tells; None: it does not."""
    uidl = re.findall(r"^(\d+) ([0-9a-f]{16})\r$", talk(["UIDL"]), re.M)
    found = {}
    for number, key in uidl:
        text = talk(["RETR " + number])
        m = re.search(r"Subject: (\d+)\r\n\r\n((?:line \d+\r\n)*)\.\r\n", text)
        if m is None or m.group(2).count("\r\n") != 40:
            return None
        found[int(m.group(1))] = key
    return found


def fresh():
    shutil.rmtree(BOX, ignore_errors=True)
    shutil.copytree(START, BOX)


def session(wrap):
    return talk(["DELE %d" % n for n in sorted(MARKED)] + ["QUIT"], wrap)


def judge(before):
    """What is wrong with the mailbox after a death, or nothing."""
    after = mailbox()
    if after is None:
        return "a message is broken, or the mailbox does not open"
    for number, key in before.items():
        if number not in MARKED and after.get(number) != key:
            return "message %d is lost or has another id" % number
        if number in after and after[number] != key:
            return "message %d has another id" % number
    return ""


def count():
    log = TMP + "/trace"
    fresh()
    session(["strace", "-f", "-o", log])
    names = re.findall(r"^\d+ +(\w+)\(", open(log).read(), re.M)
    return {c: names.count(c) for c in CALLS if c in names}


os.makedirs(BOX + "/tmp")
for folder in ("cur", "new"):
    os.mkdir(BOX + "/" + folder)
for n in range(1, 6):
    with open("%s/new/100000000%d.M1P1Q1.h" % (BOX, n), "w") as f:
        f.write("Subject: %d\n\n" % n)
        f.writelines("line %d\n" % i for i in range(40))
before = mailbox()
ok(before is not None and len(before) == 5, "a mailbox of five")
shutil.copytree(BOX, START)
runs, wrong, partly = 0, [], set()
for name, times in count().items():
    for n in range(1, times + 1):
        fresh()
        session(["strace", "-f", "-o", "/dev/null", "-e", "trace=" + name,
                 "-e", "inject=%s:signal=KILL:when=%d" % (name, n)])
        runs += 1
        why = judge(before)
        if why:
            wrong.append("%s %d: %s" % (name, n, why))
        partly.add(len(mailbox() or ()))
ok(runs > 30, "killed at every call", "%d runs, %s messages were left" %
   (runs, sorted(partly)))
ok(not wrong, "no death loses a message that was not deleted",
   "; ".join(wrong[:5]))
ok({3, 5} <= partly, "deaths before and after the deletion were seen")
fresh()
os.unlink([e.path for e in os.scandir(BOX + "/cur") if "000002" in e.name][0])
ok(judge(before) != "", "the control is noticed")
print("1..%d" % tests)
sys.exit(failed > 0)
