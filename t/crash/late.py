"""Flags that only the journal has, as a rename found no room.

  late.py FOLDER [SEED...]

A session that some renames fail for changes flags, expunges, and opens and
folds the mailbox again; another one, which all succeeds for, looks at it and
never touches a name.  After each step both must see what was answered for;
and in the end the names must say it, too.
"""
import os
import random
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/..")
from storelib import Tool  # noqa: E402
from tap import finish, ok  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TMP = sys.argv[1]
SHIM = TMP + "/shim.so"
MANY, STEPS = 40, 250


def flags(session):
    return {s.uid: s.flags for s in session.names() if not s.gone}


def names(box):
    found = {}
    for name in os.listdir(box + "/cur"):
        m = re.search(r",U=(\d+):2,(\w*)$", name)
        found[int(m.group(1))] = frozenset(m.group(2))
    return found


class Life:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.box = "%s/%d" % (TMP, seed)
        self.env = dict(os.environ, LD_PRELOAD=SHIM, FAULT="renameat2:/%d:28" %
                        self.rng.randrange(2, 4))
        os.mkdir(self.box)
        tool = Tool(self.box, as_user=False)
        for n in range(MANY):
            tool.say("append INBOX - m%d" % n)
        tool.close()
        self.want = {uid: frozenset() for uid in range(1, MANY + 1)}
        self.open()
        self.watch()

    def open(self):
        self.one = Tool(self.box, as_user=False, env=self.env)
        self.must("open INBOX")

    def watch(self):
        self.two = Tool(self.box, as_user=False)
        assert self.two.say("examine INBOX") == "ok"

    def must(self, command):
        said = self.one.say(command)
        assert said == "ok", (command, said)

    def change(self):
        uid, verb = self.rng.choice(list(self.want)), self.rng.choice(
            ("add", "remove", "set"))
        some = "".join(self.rng.sample("RFTSDP", self.rng.randrange(1, 4)))
        self.must("%s %d %s%s" % (verb, uid, some,
                                  self.rng.choice(("", " word"))))
        had, f = self.want[uid], frozenset(some)
        self.want[uid] = had | f if verb == "add" else \
            had - f if verb == "remove" else f

    def step(self):
        """What was done."""
        r = self.rng.random()
        if r < 0.75:
            self.change()
        elif r < 0.80 and len(self.want) > 10:
            uid = self.rng.choice(list(self.want))
            self.must("expunge %d" % uid)
            del self.want[uid]
        elif r < 0.85:
            self.must("sync")
        elif r < 0.90:
            for _ in range(self.rng.randrange(1, 3)):
                self.must("fold INBOX")
            self.must("open INBOX")
        elif r < 0.94:
            self.one.close()
            self.open()
        elif r < 0.97:
            self.two.close()
            self.watch()
        else:
            return  # the other one falls behind
        if self.rng.random() < 0.5:
            assert self.two.say("sync") == "ok"
            assert flags(self.two) == self.want, "the other session"
        assert flags(self.one) == self.want, "the session itself"


def live(seed):
    life, late = Life(seed), 0
    for n in range(STEPS):
        try:
            life.step()
        except AssertionError as e:
            return ["seed %d, step %d: %s" % (seed, n, e)], late
        told = names(life.box)
        late += sum(told.get(u) != f for u, f in life.want.items())
    life.one.close()
    life.two.close()
    tool = Tool(life.box, as_user=False)
    tool.say("open INBOX")
    wrong = [] if flags(tool) == life.want == names(life.box) else [
        "seed %d: %s, %s, %s" % (seed, flags(tool), life.want,
                                 names(life.box))]
    tool.close()
    return wrong, late


def behind():
    """A session that two snapshots went by reads the folder."""
    life = Life(0)
    life.one.close()
    life.env["FAULT"] = "renameat2:/1:28"
    life.open()
    life.must("add 1 S")
    life.must("fold INBOX")
    life.must("fold INBOX")
    with open(life.box + "/new/1795423005.M1P1.host", "w") as f:
        f.write("x\n")
    said = life.two.say("sync")
    other = Tool(life.box, as_user=False)
    other.say("examine INBOX")
    got = [flags(life.two).get(1), flags(other).get(1)]
    for session in life.one, life.two, other:
        session.close()
    return said == "ok" and got == 2 * [frozenset("S")], got


def main():
    subprocess.run(os.environ.get("CC", "cc").split() +
                   ["-shared", "-fPIC", "-w", "-o", SHIM, HERE + "/shim.c"],
                   check=True)
    bad, late = [], 0
    for seed in map(int, sys.argv[2:] or ("4", "5")):
        wrong, n = live(seed)
        bad += wrong
        late += n
    ok(not bad, "flags are what was answered, for all, and in the end the "
       "names have them", bad)
    good, got = behind()
    ok(good, "who missed two snapshots knows which names are late",
       [repr(got)])
    ok(late > 100, "names were late %d times" % late)
    finish()


main()
