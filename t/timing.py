"""How long a refusal takes tells nothing about why (T-AUTH-4).

  timing.py STAGE TMP [EACH [DELAY_MS]]

Five reasons, mixed, over one kind of connection after the other.  With EACH
it prints a table; without, a few of each are a test.
"""
import random
import re
import statistics
import subprocess
import sys
import time

EACH = int(sys.argv[3]) if len(sys.argv) > 3 else 0
DELAY = int(sys.argv[4]) if len(sys.argv) > 4 else 0
sys.argv[3:] = []

from frontlib import STAGE, Front, Site, finish, ok  # noqa: E402

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
    other = user(site, "app", "add", "--services", "smtp", "alice", "smtp")
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
    return site, {
        "unknown user": ("nobody", "secret word"),
        "wrong password": ("alice", "wrong words"),
        "disabled": ("user7", "secret word"),
        "expired app password": ("alice", expired),
        "service not allowed": ("alice", other),
    }


def measure(front, classes, each, tls):
    """Milliseconds of each refusal, by class."""
    order = [name for name in classes for _ in range(each)]
    random.Random(1).shuffle(order)
    took = {name: [] for name in classes}
    words = set()
    client, left = None, 0
    for name in order:
        if left == 0:
            if client:
                client.close()
            client, left = front.client(tls=tls), 999
            client.ask("w LOGIN alice warm-up\r\n")
            left -= 1
        left -= 1
        line = 'a LOGIN %s "%s"\r\n' % classes[name]
        start = time.perf_counter_ns()
        got = client.ask(line)
        took[name].append((time.perf_counter_ns() - start) / 1e6)
        words.add(got)
    client.close()
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


def main():
    if EACH:
        site, classes = make_site()
        front = Front(site, "imaps")
        took, words = measure(front, classes, EACH, True)
        table(took)
        print("answers: %s" % words)
        front.stop()
        return
    # Hashing so long that a class without it would stand out: it is most of
    # the time.
    site, classes = make_site(scram_iterations=80000)
    front = Front(site, "imap")
    best, words = {n: 1e9 for n in classes}, set()
    # The least of each: what else the machine does is not in it, if it was
    # ever let alone for so long.
    for _ in range(6):
        took, said = measure(front, classes, 10, False)
        words |= said
        best = {n: min([best[n], *a]) for n, a in took.items()}
        least, most = min(best.values()), max(best.values())
        if most < 1.5 * least:
            break
    ok(words == {"a NO [AUTHENTICATIONFAILED] Wrong name or password"},
       "five reasons, one answer", words)
    ok(most < 2 * least, "and much the same time", best)
    reasons = {n: len(front.logged("login-failed .* why=%s\n" % n)) for n in
               ("unknown", "password", "disabled", "expired", "service")}
    ok(all(n >= 10 for n in reasons.values()), "which the log tells apart",
       reasons)
    front.stop()


try:
    main()
finally:
    if not EACH or sys.exc_info()[0]:
        finish()
