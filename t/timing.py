"""How long a refusal takes tells nothing about why (T-AUTH-4).

  timing.py STAGE TMP [EACH [DELAY_MS [PROTOCOL ...]]]

Seven reasons, mixed, by IMAP, POP3 and SMTP (AUTH PLAIN).  With EACH it
prints tables, over TLS; without, a few of each are a test.
"""
import random
import re
import statistics
import subprocess
import sys
import time

EACH = int(sys.argv[3]) if len(sys.argv) > 3 else 0
DELAY = int(sys.argv[4]) if len(sys.argv) > 4 else 0
PROTOCOLS = sys.argv[5:] or ["imap", "pop3", "smtp"]
sys.argv[3:] = []

from frontlib import STAGE, Site, finish, ok  # noqa: E402
from sasllib import SERVICES, Server  # noqa: E402

USERS = 200


def user(site, *args, stdin=""):
    r = subprocess.run([STAGE + "/postern-user", "-r", site.root, *args],
                       input=stdin, capture_output=True, text=True)
    assert r.returncode == 0, (args, r)
    return r.stdout.strip()


def make_site(**settings):
    """Others beside alice, as text: one of them is disabled."""
    site = Site("timing", auth_delay_ms=DELAY, auth_free_tries=0,
                auth_tries=1000, login_s=3600, **settings)
    expired = user(site, "app", "add", "--expires", "2020-01-01", "alice",
                   "old")
    smtp = user(site, "app", "add", "--services", "smtp", "alice", "smtp")
    imap = user(site, "app", "add", "--services", "imap", "alice", "imap")
    etc = site.root + "/etc/postern/"
    for name in ("users", "secrets"):
        with open(etc + name) as f:
            text = f.read()
        record = re.search(r"(?m)^alice@example.org (.*)$", text).group(1)
        with open(etc + name, "a") as f:
            for i in range(USERS):
                f.write("user%d@example.org %s\n" % (i, re.sub(
                    " apps=.*", "", record).replace("/alice", "/u%d" % i)))
    user(site, "disable", "user7")
    return site, lambda protocol: {
        "unknown user": ("nobody", "secret word"),
        "wrong password": ("alice", "wrong words"),
        "disabled": ("user7", "secret word"),
        "no password": ("alice", ""),
        "another domain": ("alice@example.net", "secret word"),
        "expired app password": ("alice", expired),
        "service not allowed": ("alice", imap if protocol == "smtp" else
                                smtp),
    }


def measure(server, protocol, classes, each, tls):
    """Milliseconds of each refusal, by class."""
    classes = classes(protocol)
    order = [name for name in classes for _ in range(each)]
    random.Random(1).shuffle(order)
    took = {name: [] for name in classes}
    words = set()
    wire, left = None, 0
    for name in order:
        if left == 0:
            if wire:
                wire.c.close()
            wire, left = server.wire(protocol, tls=tls), 900
            wire.begin("PLAIN", "\0alice\0warm-up")
        left -= 1
        text = "\0%s\0%s" % classes[name]
        start = time.perf_counter_ns()
        got = wire.begin("PLAIN", text)
        took[name].append((time.perf_counter_ns() - start) / 1e6)
        words.add(got)
    wire.c.close()
    return took, words


def welch(a, b):
    return (statistics.mean(a) - statistics.mean(b)) / (
        statistics.variance(a) / len(a) +
        statistics.variance(b) / len(b)) ** 0.5


def trim(a):
    """Without the slowest twentieth, which is other work of the machine."""
    return sorted(a)[:len(a) - len(a) // 20]


def table(took):
    base = took["wrong password"]
    print("%-22s %6s %10s %12s %8s %9s" % (
        "", "n", "median ms", "difference", "t", "t trimmed"))
    for name, a in took.items():
        print("%-22s %6d %10.3f %9.0f us %8.2f %9.2f" % (
            name, len(a), statistics.median(a),
            1000 * (statistics.median(a) - statistics.median(base)),
            welch(a, base) if a is not base else 0,
            welch(trim(a), trim(base)) if a is not base else 0), flush=True)


def look(server, protocol, classes):
    """Hashing takes so long here that a class without it would stand out: it
    is most of the time."""
    best, words = {n: 1e9 for n in classes(protocol)}, set()
    # The least of each: what else the machine does is not in it, if it was
    # ever let alone for so long.
    for _ in range(6):
        took, said = measure(server, protocol, classes, 10, False)
        words |= said
        best = {n: min([best[n], *a]) for n, a in took.items()}
        least, most = min(best.values()), max(best.values())
        if most < 1.5 * least:
            break
    ok(len(words) == 1 and re.match(
        r"a NO \[AUTHENTICATIONFAILED\]|-ERR \[AUTH\]|535 5.7.8",
        min(words)), "T-AUTH-4 %s: seven reasons, one answer" % protocol,
        words)
    ok(most < 2 * least, "T-AUTH-4 %s: and much the same time" % protocol,
       best)


def look_at_user(server):
    """USER of POP3 looks nobody up."""
    took, words = {"alice": [], "nobody": []}, set()
    wire = server.wire("pop3", tls=False)
    for i in range(400):
        name = ("alice", "nobody")[i % 2]
        start = time.perf_counter_ns()
        words.add(wire.say("USER " + name))
        took[name].append(time.perf_counter_ns() - start)
    a, b = (statistics.median(took[n]) for n in ("alice", "nobody"))
    ok(len(words) == 1 and a < 1.5 * b and b < 1.5 * a,
       "T-AUTH-4 pop3: USER tells nothing", words, a, b)
    wire.c.close()


def main():
    if EACH:
        site, classes = make_site()
        server = Server(site)
        for protocol in PROTOCOLS:
            took, words = measure(server, protocol, classes, EACH, True)
            print("%s, answers: %s" % (SERVICES[protocol], words))
            table(took)
        server.stop()
        return
    site, classes = make_site(scram_iterations=80000)
    server = Server(site)
    for protocol in PROTOCOLS:
        look(server, protocol, classes)
    look_at_user(server)
    reasons = {n: len(server.logged("login-failed .* why=%s\n" % n)) for n in
               ("unknown", "password", "disabled", "expired", "service")}
    ok(all(n >= 30 for n in reasons.values()),
       "T-AUTH-4 which the log tells apart", reasons)
    server.stop()


try:
    main()
finally:
    if not EACH or sys.exc_info()[0]:
        finish()
