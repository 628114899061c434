"""The nursery of a listening front: replaced, killed, crashed, current."""
import os
import re
import signal
import socket
import subprocess
import time

from frontlib import (STAGE, Front, Site, finish, login, ok, wait_for)


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(n) for n in f.read().split()]
    except OSError:
        return []


def arguments(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().split(b"\0")
    except OSError:
        return []


def nursery(front):
    """The process that has -n; None where there is none."""
    found = [p for p in children(front.process.pid) if b"-n" in arguments(p)]
    return found[-1] if found else None


def certificate(site, name="cert", key="key", kind="ec"):
    """Another certificate, renamed into its place; its serial number."""
    where = site.root + "/etc/postern/tls/"
    make = (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            if kind == "ec" else ["-newkey", "rsa:2048"])
    subprocess.run(["openssl", "req", "-x509", *make, "-nodes", "-days", "2",
                    "-subj", "/CN=mail.example.org", "-keyout",
                    where + "new.key", "-out", where + "new.cert"],
                   check=True, stderr=subprocess.DEVNULL)
    if site.uid is not None:
        for n in ("new.key", "new.cert"):
            os.chown(where + n, site.uid, site.uid)
    os.rename(where + "new.key", where + key + ".pem")
    os.rename(where + "new.cert", where + name + ".pem")
    with open(where + name + ".pem") as f:
        return re.sub(r"\s", "", f.read())


def shown(client):
    """The server's certificate as PEM without white space."""
    import ssl
    der = client.sock.getpeercert(True)
    return re.sub(r"\s", "", ssl.DER_cert_to_PEM_cert(der))


def test_ends(site):
    front = Front(site, "imaps")
    kept = front.client(tls=True)
    first = nursery(front)
    ok(first is not None, "a nursery")
    ok(login(kept).startswith("a OK stub"), "a login by its child")
    os.kill(first, signal.SIGKILL)
    c = front.client(tls=True)
    ok(c.greeting.startswith("* OK"), "killed: the next client is served")
    ok(login(c).startswith("a OK stub"), "and logs in")
    ok(kept.ask("NOOP\r\n", "echo") == "echo NOOP",
       "a session of the old nursery lives on")
    time.sleep(1.1)
    front.client(tls=True).close()
    second = nursery(front)
    ok(second not in (None, first), "a new nursery", first, second)
    # One that hangs: nobody waits for it for ever.
    os.kill(second, signal.SIGSTOP)
    c = front.client(tls=True)
    ok(login(c).startswith("a OK stub"), "stopped: served without it")
    os.kill(second, signal.SIGCONT)
    ok(c.ask("NOOP\r\n", "echo") == "echo NOOP" and
       wait_for(lambda: not children(second)),
       "when it goes on it leaves that connection alone")
    # A child that ends by a signal might be somebody looking for addresses.
    c = front.client(tls=True)
    child = children(second)[-1]
    waiting = front.client(tls=True)
    os.kill(child, signal.SIGSEGV)
    ok(wait_for(lambda: nursery(front) != second),
       "a child crashed: its nursery ends")
    ok(login(waiting).startswith("a OK stub"), "its other children go on")
    time.sleep(1.1)
    c = front.client(tls=True)
    ok(c.greeting.startswith("* OK") and nursery(front) not in
       (None, second), "and there is another")
    ok(front.stop() == 0, "stopped")
    ok(wait_for(lambda: not any(b"-n" in arguments(p) for p in
                                (first, second))), "no nursery is left")
    c.close()


def test_turns(site):
    """At most 200 connections from one layout of memory."""
    front = Front(site, "pop3")
    seen = []
    for _ in range(201):
        c = front.client()
        c.ask("QUIT\r\n", r"\+OK")
        c.close()
        p = nursery(front)
        if p not in seen:
            seen.append(p)
    ok(len(seen) == 2, "the 201st connection has another nursery", seen)
    front.stop()


def test_idle():
    site = Site("idle", listen_idle_s=1)
    front = Front(site, "imap")
    c = front.client()
    login(c)
    ok(nursery(front) is not None, "a nursery while there is work")
    ok(wait_for(lambda: nursery(front) is None), "none when idle")
    ok(c.ask("NOOP\r\n", "echo") == "echo NOOP", "the session stays")
    ok(front.client().greeting.startswith("* OK"), "and it comes again")
    front.stop()


def test_certificate():
    site = Site("renewed")
    front = Front(site, "imaps")
    old = front.client(tls=True)
    before = shown(old)
    new = certificate(site)
    c = front.client(tls=True)
    ok(shown(c) == new != before,
       "a renewed certificate is the next connection's")
    ok(old.ask("a NOOP\r\n").startswith("a OK"), "the one before goes on")
    pem = site.root + "/etc/postern/tls/key.pem"
    with open(pem) as f:
        text = f.read()
    with open(pem, "w") as f:
        f.write("nonsense")
    c = front.client(greeting=False)
    ok(c.rest() == "" and front.logged("tls-unusable"),
       "a broken key: no TLS, and a line in the log")
    with open(pem, "w") as f:
        f.write(text)
    c = front.client(tls=True)
    ok(shown(c) == new, "mended: TLS again, with no reload")
    front.stop()


def test_users():
    """The database of a nursery's child is the one of now."""
    site = Site("users")
    front = Front(site, "smtp")

    def rcpt(name):
        c = front.client()
        c.ask("EHLO client.example.net\r\n", r"250 ")
        c.ask("MAIL FROM:<a@example.net>\r\n", r"\d\d\d ")
        answer = c.ask("RCPT TO:<%s@example.org>\r\n" % name, r"\d\d\d ")
        c.close()
        return answer[:3]

    ok(rcpt("alice") == "250", "a user")
    first = nursery(front)
    ok(rcpt("newcomer") == "550", "no user")
    subprocess.run([STAGE + "/postern-user", "-r", site.root, "add", "--uid",
                    str(site.owner), "--gid", str(site.owner),
                    "newcomer@example.org"], input="secret word\n", text=True,
                   check=True, stdout=subprocess.DEVNULL)
    ok(rcpt("newcomer") == "250", "a user, once added")
    ok(nursery(front) == first, "by the same nursery")
    front.stop()


def main():
    site = Site("site")
    test_ends(site)
    test_turns(site)
    test_idle()
    test_certificate()
    test_users()


try:
    main()
finally:
    finish()
