"""An IMAP session over TLS while nothing happens.

Its two processes are forked from nurseries, and share with them what they do
not change; after two seconds they give back what they do not need.
"""
import os
import re
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from frontlib import (OWNER, ROOT, SANITIZED, Client, Front, Site,  # noqa: E402
                      finish, ok, skip, wait_for)

# KiB: some pages more than they have, a mailbox that is new and another libc
# included; a program that is executed for one session has twice as many.
MOST = {"imap-login": 80, "imapd": 120}


def parents():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                name, rest = f.read().split("(")[1].rsplit(")", 1)
            found[int(pid)] = name, int(rest.split()[1])
        except OSError:
            pass
    return found


def below(pid):
    """Those that are of a session, not a nursery: {name: pid}."""
    all_ = parents()
    found, more = set(), {pid}
    while more:
        more = {p for p in all_ if all_[p][1] in more}
        found |= more
    have_children = {all_[p][1] for p in found}
    return {all_[p][0]: p for p in found - have_children
            if all_[p][0] in MOST}


def own(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return sum(int(n) for n in re.findall(
            r"(?m)^Private_Dirty: +(\d+) kB", f.read()))


def deliver(box, n):
    name = "%d.M1P1.quiet" % (1700000000 + n)
    with open(box + "/tmp/" + name, "w") as f:
        f.write("Subject: %d\n\nx\n" % n)
    os.chown(box + "/tmp/" + name, OWNER, OWNER)
    os.rename(box + "/tmp/" + name, box + "/new/" + name)


def small(front, when):
    if not ROOT or SANITIZED or os.sysconf("SC_PAGESIZE") != 4096:
        skip(when, "memory that cannot be looked at, or is another")
        return
    pids = below(front.process.pid)
    ok(sorted(pids) == sorted(MOST) and
       wait_for(lambda: all(own(pids[n]) <= MOST[n] for n in MOST)),
       when, {n: own(pids[n]) for n in pids})


def main():
    site = Site("quiet", stubs=False)
    box = site.root + "/var/mail/example.org/alice"
    for folder in box, box + "/cur", box + "/new", box + "/tmp":
        os.makedirs(folder, exist_ok=True)
        os.chown(folder, OWNER, OWNER)
    front = Front(site, "imaps")
    c = Client(socket.create_connection(front.address), tls=True)
    ok(c.ask('a LOGIN alice "secret word"\r\n', "^a ").startswith("a OK"),
       "a login")
    for n in range(50):
        deliver(box, n)
    c.ask("b SELECT INBOX\r\n", "^b ")
    c.ask("c FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE)\r\n", "^c ")
    ok(c.ask("d IDLE\r\n").startswith("+"), "IDLE")
    small(front, "few pages are their own")
    deliver(box, 50)
    ok("51 EXISTS" in c.line(), "it is told all the same")
    c.line()
    small(front, "and fewer again")
    ok(re.search(r"(?m)^d OK", c.ask("DONE\r\n", "^d ")), "DONE")
    ok('"50"' in c.ask("e FETCH 51 (ENVELOPE)\r\n", "^e "), "it goes on")
    c.close()
    front.stop()


try:
    main()
finally:
    finish()
