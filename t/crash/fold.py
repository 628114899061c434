"""A session dies while it folds the journal, and others have the mailbox open.

  fold.py FOLDER

strace kills one session before each of its system calls.  Another one, which
had the mailbox open all the time, goes on: what it is told it has done must be
there for a third one, under the same UIDs, and in the end all see the same.
"""
import collections
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/..")
from storelib import TOOL, Died, Tool  # noqa: E402
from tap import finish, ok  # noqa: E402

TMP = sys.argv[1]
BOX, BASE = TMP + "/Maildir", TMP + "/base"
JOURNAL = BOX + "/postern.journal"
NULL = subprocess.DEVNULL
FOLD = 65536  # JOURNAL_LEAST
CALLS = ("openat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,write,"
         "pwrite64,fsync,fdatasync,ftruncate,fallocate,close,fcntl")
LAST = ["open INBOX"] + ["add 1 P", "remove 1 P"] * 3 + ["sync"]


def must(tool, command, wanted="ok"):
    said = tool.say(command)
    if not said.startswith(wanted):
        raise AssertionError("%s: %s" % (command, said))
    return said


def make_base():
    """The journal is a little shorter than what is folded."""
    tool = Tool(BOX, as_user=False)
    for n in range(1, 4):
        must(tool, "deliver INBOX m%d" % n)
    must(tool, "open INBOX")
    turns = 0
    while os.stat(JOURNAL).st_size < FOLD - 500:
        must(tool, "%s 2 F kept" % ("remove", "add")[turns % 2])
        turns += 1
    must(tool, "add 2 F kept")
    tool.close()
    shutil.copytree(BOX, BASE)


def fresh():
    shutil.rmtree(BOX)
    shutil.copytree(BASE, BOX)


def seen_by(tool):
    """[(uid, flags, keywords, text)] of the mailbox that it has open."""
    tool.write("names")
    seen = list(iter(tool.line, "end"))
    return [(int(line.split()[0]), line.split(" size=")[0],
             tool.read(int(line.split()[0])).strip())
            for line in seen if " gone" not in line.split(" size=")[0]]


def plain(seen):
    return [(u, sorted(set(what.split()[1:]) - {"recent", "changed"}), text)
            for u, what, text in seen]


def folder_flags():
    """The flags in the file names, by UID, as other programs see them."""
    tool = Tool(BOX, as_user=False)
    _, _, all_of_them = tool.look("INBOX", texts=False)
    tool.close()
    return [(s.uid, s.flags, s.name) for s in all_of_them
            if s.flags != frozenset(s.name.rpartition(":2,")[2])]


def death(call, n):
    """A session that has the mailbox open while another one dies."""
    fresh()
    bystander = Tool(BOX, as_user=False)
    must(bystander, "open INBOX")
    command = [TOOL, BOX]
    if call:
        command = ["strace", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                   "inject=%s:signal=KILL:when=%d" % (call, n)] + command
    subprocess.run(command, input="\n".join(LAST).encode(), stdout=NULL,
                   stderr=NULL)
    return bystander


def renamed_meanwhile(call, n):
    """Another program changes the flags that the bystander changed; then the
    bystander folds the journal in its turn."""
    bystander = death(call, n)
    must(bystander, "add 1 R")
    cur = BOX + "/cur/"
    name = [x for x in os.listdir(cur) if x.endswith("U=1:2,R")][0]
    os.rename(cur + name, cur + name + "S")
    third = Tool(BOX, as_user=False)
    third.look("INBOX", texts=False)
    must(bystander, "sync")
    first, turns = os.stat(JOURNAL).st_ino, 0
    while os.stat(JOURNAL).st_ino == first and turns < 1000:
        must(bystander, "%s 3 P" % ("add", "remove")[turns % 2])
        if turns % 50 == 0:
            must(bystander, "sync")
        turns += 1
    third.close()
    bystander.close()
    return ["the name %s, the flags %s" % (name, sorted(flags))
            for _, flags, name in folder_flags()]


def die_at(call, n):
    """What is wrong when a session dies there, or nothing."""
    bystander = death(call, n)
    third = Tool(BOX, as_user=False)
    wrong = []
    # A batch of each kind, none of which folds the journal by itself.
    for command in ("add 1 R mine", "copy 2 INBOX", "expunge 3",
                    "remove 2 F"):
        must(bystander, command, "uid" if "copy" in command else "ok")
        bystander.write("forget")
        mine = plain(seen_by(bystander))
        must(third, "open INBOX")
        theirs = plain(seen_by(third))
        if mine != [m for m in theirs if m[0] <= mine[-1][0]]:
            wrong.append("after %s, %s became %s" % (command, mine, theirs))
        must(third, "add 1 D")
        must(bystander, "sync")
        must(bystander, "remove 1 D")
    wrong += ["flags %s in %s" % (f, n) for _, f, n in folder_flags()]
    uid = int(must(third, "append INBOX S m5", "uid").split()[1])
    if uid <= max(u for u, _, _ in theirs):
        wrong.append("UID %d again" % uid)
    for tool in bystander, third:
        must(tool, "sync")
        tool.write("forget")
    if plain(seen_by(bystander)) != plain(seen_by(third)):
        wrong.append("in the end: %s and %s" % (
            plain(seen_by(bystander)), plain(seen_by(third))))
    bystander.close()
    third.close()
    if [f for f in os.listdir(BOX) if ".bad-" in f]:
        wrong.append("taken for damage")
    return wrong


def generation():
    """Of the journal's head (STORE): numbers of files come again."""
    with open(JOURNAL, "rb") as f:
        return int.from_bytes(f.read(24)[16:], "little")


def main():
    make_base()
    fresh()
    log = TMP + "/log"
    before = generation()
    subprocess.run(["strace", "-o", log, "-e", "trace=" + CALLS, TOOL, BOX],
                   input="\n".join(LAST).encode(), stdout=NULL, stderr=NULL)
    ok(generation() > before, "the journal is folded")
    with open(log) as f:
        count = collections.Counter(re.findall(r"(?m)^(\w+)\(", f.read()))
    wrong, points = die_at(None, 0), 1
    for call in sorted(count):
        for n in range(1, count[call] + 1):
            points += 1
            try:
                why = die_at(call, n)
            except (AssertionError, Died) as e:
                why = [repr(e)]
            if why:
                wrong.append("%s %d: %s" % (call, n, "; ".join(why)))
    ok(not wrong and points > 20, "others go on where a session died, at %d "
       "points" % points, wrong)
    wrong = [w for n in range(count["renameat"])
             for w in renamed_meanwhile("renameat", n + 1)]
    ok(not wrong, "flags are those of the file names in the end", wrong)
    finish()


main()
