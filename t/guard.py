"""Brute force: delays, places, the log and fail2ban (T-AUTH-3, T-AUTH-5)."""
import os
import shutil
import subprocess
import threading
import time

from frontlib import TMP, Front, Site, finish, login, ok, skip, wait_for

SRC = os.environ["POSTERN_SRC"]


def attempt(front, source, user="alice", password="wrong"):
    """One login: the answer, and how long it took."""
    c = front.client(source=source)
    start = time.monotonic()
    got = c.ask('a LOGIN %s "%s"\r\n' % (user, password))
    took = time.monotonic() - start
    c.close()
    return got, took


def test_delays(site):
    front = Front(site, "imap")
    got, took = attempt(front, "127.0.0.9", password="secret word")
    ok(got.startswith("a OK stub"), "a login from an address", got)
    took = [attempt(front, "127.0.0.2")[1] for _ in range(5)]
    ok(max(took[:3]) < 0.25 <= took[3] and took[4] >= 0.5,
       "failures wait, each longer", took)
    got, took = attempt(front, "127.0.0.2", password="secret word")
    ok(got.startswith("a OK stub") and took >= 1,
       "the right password waits as well, and is heard", got, took)
    got, took = attempt(front, "127.0.0.2", password="secret word")
    ok(got.startswith("a OK") and took < 1,
       "then that address is known for this user", got, took)
    got, took = attempt(front, "127.0.0.9", password="secret word")
    ok(got.startswith("a OK stub") and took < 1,
       "and so was the one from before", got, took)
    a = [attempt(front, "127.0.0.3", user="nobody")[1] for _ in range(5)]
    ok(max(a[:3]) < 0.25 <= a[3] and a[4] >= 0.5,
       "a name that is not there waits as long", a)
    path = site.root + "/run/postern/guard"
    st = os.stat(path)
    ok(st.st_mode & 0o777 == 0o600 and st.st_size < 700000,
       "the record is for its owner, and small", st)
    with open(path, "r+b") as f:
        f.write(b"x" * 300)
    got, took = attempt(front, "127.0.0.3", user="nobody")
    ok(took < 0.25, "damaged, it is begun anew", got, took)
    os.unlink(path)
    os.mkdir(path)
    got = attempt(front, "127.0.0.4", password="secret word")[0]
    ok(got.startswith("a OK stub"), "without one logins go on", got)
    ok(wait_for(lambda: front.logged("unreadable .*guard")), "and the log says it")
    os.rmdir(path)
    front.stop()


def test_attack(site):
    """Many guesses at once; a user who is known here is served meanwhile."""
    front = Front(site, "imap")
    attempt(front, "127.0.0.9", password="secret word")
    idle = min(attempt(front, "127.0.0.9", password="secret word")[1]
               for _ in range(3))
    results, lock = [], threading.Lock()

    def guess(i):
        got = attempt(front, "127.0.0.%d" % (20 + i % 2))
        with lock:
            results.append(got)

    threads = [threading.Thread(target=guess, args=(i,)) for i in range(50)]
    for t in threads:
        t.start()
    good = [attempt(front, "127.0.0.9", password="secret word")
            for _ in range(5)]
    running = sum(t.is_alive() for t in threads)
    for t in threads:
        t.join()
    ok(all(g[0].startswith("a OK stub") and g[1] < 1 for g in good) and
       running > 0, "50 guesses at once, and the user's own logins",
       good, running)
    print("# a login: %.1f ms idle, at most %.1f ms under attack" %
          (idle * 1000, max(g[1] for g in good) * 1000))
    refused = [g for g in results if g[0].startswith("a NO [UNAVAILABLE]")]
    wrong = [g for g in results if g[0].startswith("a NO [AUTH")]
    ok(len(refused) + len(wrong) == 50 and len(refused) > 5,
       "past a limit guesses are not heard", len(refused), len(wrong))
    ok(len(front.logged("login-unavailable .* why=limit\n")) == len(refused),
       "which the log tells")
    c = front.client(source="127.0.0.20")
    got = c.ask(b"a LOGIN {250+}\r\n" + b"\xff" * 250 + b" wrong\r\n")
    ok(got.startswith("a NO [UNAVAILABLE]") and wait_for(lambda: front.logged(
        r"login-unavailable .* user=(?:\\xff)+ tls=0 .* why=limit\n")),
       "whatever the name, the log says why", got)
    got, took = attempt(front, "127.0.1.1", password="secret word")
    ok(got.startswith("a OK stub") and took < 6,
       "from a new address the right password is heard after a wait", got,
       took)
    front.stop()


def test_places():
    """No more than auth_workers hash at a time, however many ask."""
    site = Site("places", auth_workers=1, auth_free_tries=0,
                scram_iterations=200000, connections_per_source=200)
    front = Front(site, "imap")
    one = min(attempt(front, "127.0.0.2")[1] for _ in range(2))
    most, stop = [0], threading.Event()

    def busy():
        """Processes of this server that are not asleep."""
        n = 0
        for p in os.listdir("/proc"):
            try:
                with open("/proc/%s/stat" % p) as f:
                    stat = f.read()
                with open("/proc/%s/cmdline" % p) as f:
                    args = f.read()
            except OSError:
                continue
            name, _, rest = stat.rpartition(")")
            if name.endswith("(checkpw") and site.root in args:
                n += rest.split()[0] == "R" and int(rest.split()[11]) > 2
        return n

    def watch():
        while not stop.is_set():
            most[0] = max(most[0], busy())

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=attempt, args=(front, "127.0.0.2"))
               for _ in range(8)]
    start = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = time.monotonic() - start
    stop.set()
    watcher.join()
    ok(took > 5 * (one - 0.05) and most[0] <= 2,
       "eight guesses take their turns at one place", one, took, most)
    front.stop()


def test_fail2ban(site):
    if not shutil.which("fail2ban-regex"):
        skip("fail2ban", "fail2ban-regex is not installed")
        return
    folder = TMP + "/fail2ban/filter.d"
    os.makedirs(folder)
    if not os.path.exists("/etc/fail2ban/filter.d/common.conf"):
        skip("fail2ban", "its common.conf is not there")
        return
    shutil.copy("/etc/fail2ban/filter.d/common.conf", folder)
    shutil.copy(SRC + "/handlers/front/fail2ban.conf",
                folder + "/postern.conf")
    front = Front(site, "imap")
    # A name that would pass for another address, and a right login.
    evil = 'x" tls=0 peer=192.0.2.99 user="y'
    c = front.client(source="127.0.0.40")
    c.ask("a LOGIN {%d+}\r\n%s wrong\r\n" % (len(evil), evil))
    attempt(front, "127.0.0.41", user="login-failed")
    attempt(front, "127.0.0.42", password="secret word")
    wait_for(lambda: len(front.logged("login(-failed)? service")) >= 3)
    front.stop()
    with open(site.log) as f:
        lines = [x for x in f if "peer=127.0.0.4" in x]
    log = TMP + "/log"
    with open(log, "w") as f:
        for line in lines:
            f.write(time.strftime("%b %d %H:%M:%S mail ") + line)
        f.write(time.strftime("%b %d %H:%M:%S mail porter[1]: ") +
                "login-unavailable service=imaps peer=2001:db8::7 "
                "user=a@example.org tls=1 mechanism=SCRAM-SHA-256 why=limit\n")
        f.write(time.strftime("%b %d %H:%M:%S mail porter[1]: ") +
                "login-unavailable service=imaps peer=192.0.2.5 user=a "
                "tls=1 mechanism=PLAIN\n")
    r = subprocess.run(["fail2ban-regex", "--out", "ip", log,
                        folder + "/postern.conf"], capture_output=True,
                       text=True)
    got = sorted(r.stdout.split())
    ok(got == ["127.0.0.40", "127.0.0.41", "2001:db8::7"],
       "fail2ban finds who guesses, and nobody else", got, lines, r.stderr)


def main():
    site = Site("guard", auth_free_tries=3, auth_delay_ms=0)
    test_delays(site)
    test_fail2ban(site)
    test_attack(Site("attack", auth_free_tries=3, auth_delay_ms=0))
    test_places()


try:
    main()
finally:
    finish()
