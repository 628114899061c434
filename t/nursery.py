"""The nursery of a listening front: replaced, killed, crashed, current."""
import ctypes
import os
import re
import signal
import socket
import ssl
import subprocess
import time

from frontlib import (OWNER, ROOT, SANITIZED, STAGE, Client, Front, Site,
                      arguments, children, context, finish, login, ok, skip,
                      wait_for)


def nursery(front, of=b"-login"):
    """The process that has -n; None where there is none."""
    found = [p for p, words in
             ((p, arguments(p)) for p in children(front.process.pid))
             if b"-n" in words and words[0].endswith(of)]
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
    der = client.sock.getpeercert(True)
    return re.sub(r"\s", "", ssl.DER_cert_to_PEM_cert(der))


def test_ends(site):
    front = Front(site, "imaps")
    kept = front.client(tls=True)
    first = nursery(front)
    ok(first is not None, "a nursery")
    # 444: landlock_create_ruleset, 1: which version is there.
    known = ctypes.CDLL(None).syscall(444, None, 0, 1) > 0
    ok(SANITIZED or bool(front.logged("no-landlock")) != known,
       "the log tells where there is no Landlock")
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
    # (The sanitizers make of most signals an exit.)
    c = front.client(tls=True)
    child = children(second)[-1]
    waiting = front.client(tls=True)
    os.kill(child, signal.SIGSYS)
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


def test_checkers(site):
    """The nursery of checkpws."""
    front = Front(site, "imap")
    c = front.client()
    ok(wait_for(lambda: nursery(front, b"/checkpw")), "a nursery of checkpws")
    first = nursery(front, b"/checkpw")
    bad = "LOGIN alice@example.org wrong"
    ok(c.ask("a %s\r\n" % bad, "a").startswith("a NO"),
       "it refuses a wrong password")
    ok(login(c).startswith("a OK stub"), "and takes the right one")
    ok(wait_for(lambda: not children(first)), "each attempt had its process")
    c.close()
    c = front.client()
    os.kill(first, signal.SIGKILL)
    ok(c.ask("a %s\r\n" % bad, "a").startswith("a NO") and
       login(c).startswith("a OK stub"), "killed: attempts go on without it")
    c.close()
    time.sleep(1.1)
    front.client().close()
    ok(wait_for(lambda: nursery(front, b"/checkpw") not in (None, first)),
       "and there is another")
    second = nursery(front, b"/checkpw")
    c = front.client()
    os.kill(second, signal.SIGSTOP)
    ok(login(c).startswith("a OK stub"), "stopped: checked without it")
    os.kill(second, signal.SIGCONT)
    c.close()
    ok(wait_for(lambda: not children(second)),
       "when it goes on it leaves that attempt alone")
    # What front reads for an attempt is what is on the disk by then.
    c = front.client()
    name = site.root + "/etc/postern/secrets.cdb"
    os.rename(name, name + ".away")
    ok(c.ask("a LOGIN alice@example.org secret\r\n", "a").startswith(
        "a NO [UNAVAILABLE]"), "no database: a temporary fault")
    os.rename(name + ".away", name)
    ok(login(c).startswith("a OK stub"), "it is back: the next attempt is good")
    c.close()
    ok(front.stop() == 0, "stopped")
    front = Front(site, "smtp")
    front.client().close()
    ok(nursery(front, b"smtpd") is not None and
       nursery(front, b"/checkpw") is None, "port 25 has none")
    front.stop()


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


def write(path, text):
    """A file is looked at every 10 milliseconds, no more (porter(8))."""
    with open(path, "w") as f:
        f.write(text)
    time.sleep(0.02)


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
    write(pem, "nonsense")
    c = front.client(greeting=False)
    ok(c.rest() == "" and front.logged("tls-unusable"),
       "a broken key: no TLS, and a line in the log")
    write(pem, text)
    c = front.client(tls=True)
    ok(shown(c) == new, "mended: TLS again, with no reload")
    front.stop()


def test_two():
    """An RSA certificate beside the ECDSA one."""
    site = Site("two", tls_cert2="tls/rsa.pem", tls_key2="tls/rsa-key.pem")
    with open(site.root + "/etc/postern/tls/cert.pem") as f:
        ecdsa = re.sub(r"\s", "", f.read())
    rsa = certificate(site, "rsa", "rsa-key", "rsa")

    def get(front, ciphers=None):
        ctx = context()
        if ciphers:
            ctx.maximum_version = ssl.TLSVersion.TLSv1_2
            ctx.set_ciphers(ciphers)
        return shown(Client(ctx.wrap_socket(
            socket.create_connection(front.address),
            server_hostname="mail.example.org")))

    for service in ("imaps", "pop3s", "submissions"):
        front = Front(site, service)
        ok(get(front) == ecdsa, service + ": ECDSA is preferred")
        ok(get(front, "ECDHE+aRSA") == rsa, "RSA for who knows no other")
        if service == "imaps":
            rsa = certificate(site, "rsa", "rsa-key", "rsa")
            ok(get(front, "ECDHE+aRSA") == rsa, "renewed as the first is")
            write(site.root + "/etc/postern/tls/rsa.pem", "nonsense")
            ok(get(front) == ecdsa and
               front.logged("tls-unusable .*rsa.pem"),
               "the second is broken: the first still serves")
            rsa = certificate(site, "rsa", "rsa-key", "rsa")
            with open(site.root + "/etc/postern/tls/cert.pem") as f:
                text = f.read()
            write(site.root + "/etc/postern/tls/cert.pem", "nonsense")
            ok(get(front) == rsa, "the first is broken: the second serves")
            write(site.root + "/etc/postern/tls/cert.pem", text)
        front.stop()
    # Without a nursery it is the same.
    server = socket.create_server(("127.0.0.1", 0))
    s = socket.create_connection(server.getsockname())
    conn, _ = server.accept()
    p = site.start("imaps", conn)
    conn.close()
    ctx = context()
    ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    ctx.set_ciphers("ECDHE+aRSA")
    c = Client(ctx.wrap_socket(s, server_hostname="mail.example.org"))
    ok(shown(c) == rsa, "for a connected socket, too")
    c.close()
    p.wait(10)


def resumed(ctx, front, session):
    """Whether the session was taken up again, and the one after it."""
    s = ctx.wrap_socket(socket.create_connection(front.address),
                        server_hostname="mail.example.org", session=session)
    s.settimeout(10)
    s.recv(1000)  # the tickets come before the greeting
    got = s.session_reused, s.session
    s.close()
    return got


def test_tickets():
    """T-TLS-14."""
    site = Site("tickets")
    ctx = context()
    front = Front(site, "imaps")
    again, session = resumed(ctx, front, None)
    ok(not again and session.has_ticket, "a ticket")
    again, newer = resumed(ctx, front, session)
    ok(again, "is taken by the next connection")
    first = nursery(front)
    # Those of the connections before would be hit in its place.
    wait_for(lambda: not children(first))
    # Before it has said that it is there another would take its place.
    c = front.client(tls=True)
    os.kill(children(first)[-1], signal.SIGSYS)
    ok(c.rest() == "" and wait_for(lambda: nursery(front) is None),
       "the nursery is gone")
    time.sleep(1.1)
    ok(resumed(ctx, front, newer)[0], "and by another nursery")
    for service in ("pop3s", "submissions"):
        other = Front(site, service)
        ok(resumed(ctx, other, newer)[0] is False,
           "not by " + service)
        mine = resumed(ctx, other, None)[1]
        ok(resumed(ctx, other, mine)[0], service + " takes its own")
        ok(resumed(ctx, front, mine)[0] is False, "which imaps does not")
        other.stop()
    second = Front(site, "imaps")
    ok(resumed(ctx, second, newer)[0] is False,
       "not by another server of the same service")
    second.stop()
    front.stop()
    front = Front(site, "imaps")
    ok(resumed(ctx, front, newer)[0] is False, "not after a restart")
    # Who resumes is nobody yet.
    mine = resumed(ctx, front, None)[1]
    s = ctx.wrap_socket(socket.create_connection(front.address),
                        server_hostname="mail.example.org", session=mine)
    c = Client(s)
    ok(s.session_reused and c.ask("a SELECT INBOX\r\n").startswith("a BAD"),
       "who comes back by a ticket has yet to log in")
    # TLS 1.2: a ticket's key would open what was recorded.
    old = context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    again, session = resumed(old, front, None)
    ok(not session.has_ticket, "no ticket in TLS 1.2")
    front.stop()
    # A ticket lives as long as a key, but not past it.
    front = Front(Site("rotated", tls_ticket_s=6), "imaps")
    resumed(ctx, front, None)
    time.sleep(4)
    session = resumed(ctx, front, None)[1]
    again, session = resumed(ctx, front, session)
    ok(again, "a ticket of an old key")
    for turn, wait in (("once", 2.2), ("twice", 6.2)):
        time.sleep(wait)
        ok(resumed(ctx, front, session)[0] is False,
           "not after the key was changed " + turn)
    front.stop()
    front = Front(Site("ticketless", tls_ticket_s=0), "imaps")
    again, session = resumed(ctx, front, None)
    ok(not session.has_ticket, "tls_ticket_s 0: no tickets")
    front.stop()


def memory(pid):
    """All that a process can read or write of its own."""
    data = b""
    with open("/proc/%d/maps" % pid) as maps, \
            open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            place, mode = line.split()[:2]
            start, end = (int(n, 16) for n in place.split("-"))
            if "r" in mode and "[v" not in line:
                mem.seek(start)
                data += mem.read(end - start)
    return data


def test_key():
    """The private key is with the key holder and nowhere else."""
    site = Site("key")
    front = Front(site, "imap")
    c = front.client()
    c.ask("a STARTTLS\r\n")
    c.tls()
    tree = [p for p in children(front.process.pid)]
    mine = nursery(front)
    signer = [p for p in tree if arguments(p)[0].endswith(b"/signer")]
    ok(len(signer) == 1, "a key holder beside the nursery", tree)
    if ROOT and not SANITIZED:
        key = subprocess.run(
            ["openssl", "ec", "-in", site.root + "/etc/postern/tls/key.pem",
             "-noout", "-text"], capture_output=True, text=True).stdout
        secret = bytes.fromhex(re.sub(r"[\s:]", "", re.search(
            r"priv:([\s0-9a-f:]+)", key).group(1)))[-32:]
        # GnuTLS keeps numbers in words, the smallest first.
        forms = secret, secret[::-1]
        for name, pid, there in (("the key holder", signer[0], True),
                                 ("front", front.process.pid, False),
                                 ("the porter", front.porter(), False),
                                 ("the nursery", mine, False),
                                 ("its child", children(mine)[0], False)):
            data = memory(pid)
            ok(any(f in data for f in forms) == there,
               name + (" has" if there else " does not have") + " the key",
               len(data))
        with open("/proc/%d/status" % signer[0]) as f:
            s = dict(re.findall(r"(\w+):\t(.*)", f.read()))
        ok(s["Uid"].split() == ["64004"] * 4 and s["Seccomp"] == "2" and
           int(s["CapPrm"], 16) == 0 and os.readlink(
               "/proc/%d/root" % signer[0]) ==
           site.root + "/run/postern/empty", "and is jailed", s)
        fds = {os.readlink("/proc/%d/fd/%s" % (children(mine)[0], n))
               for n in os.listdir("/proc/%d/fd" % children(mine)[0])}
        ok(len([n for n in fds if n.startswith("socket:")]) == 2,
           "after the handshake the child has no way to it", fds)
    ok(login(c).startswith("a OK stub"), "STARTTLS with it")
    # It dies: so do the handshakes that it was to sign, no others.
    c = front.client()
    os.kill(signer[0], signal.SIGKILL)
    try:
        c.ask("a STARTTLS\r\n")
        c.tls()
        good = False
    except OSError:
        good = True
    ok(good, "no handshake goes on without its key holder")
    c = front.client()
    c.ask("a STARTTLS\r\n")
    c.tls()
    ok(login(c).startswith("a OK stub"), "the next has one of its own")
    ok(wait_for(lambda: nursery(front) is None), "the nursery ends with it")
    time.sleep(1.1)
    c = front.client()
    ok(nursery(front) is not None, "and there is another")
    c.ask("a STARTTLS\r\n")
    c.tls()
    ok(login(c).startswith("a OK stub"), "with another key holder")
    front.stop()


def greedy(text):
    """A login program that was taken over, with a key holder on fd 5."""
    return ("#!/usr/bin/python3\nimport os, socket, struct, sys, array\n"
            "if '-n' in sys.argv:\n    sys.exit(111)\n"
            "key = socket.socket(fileno=5)\n"
            "def ask(packet, fds=()):\n"
            "    key.sendmsg([packet], [(socket.SOL_SOCKET, "
            "socket.SCM_RIGHTS, array.array('i', fds))] if fds else [])\n"
            "    a = key.recv(2000)\n"
            "    return struct.unpack('=I', a[:4])[0] if a else -1\n"
            "def sign(key=0, n=100, hashed=0, algorithm=%d):\n"
            "    return struct.pack('=IIII512s', key, algorithm, hashed, n, "
            "b'x' * 512)\n"
            "try:\n    out = %s\nexcept OSError as e:\n"
            "    out = 'gone'\nos.write(1, str(out).encode() + b'\\n')\n" %
            (14, text))


def test_greedy():
    if not os.path.exists("/usr/bin/python3"):
        skip("a greedy login program", "no /usr/bin/python3")
        return
    site = Site("greedy")
    for name, text, want in (
            ("four signatures, and no more",
             "[ask(sign()) > 0 for i in range(6)]",
             "[True, True, True, True, False, False]"),
            ("no key of that number", "ask(sign(key=999))", "0"),
            ("no key of a site's", "ask(sign(key=7))", "0"),
            ("no such key", "ask(sign(key=1))", "0"),
            ("a length past the end", "ask(sign(n=600))", "-1"),
            ("an unknown algorithm", "ask(sign(algorithm=9999))", "0"),
            ("a hash of another length", "ask(sign(hashed=1, n=5))", "0"),
            ("a short packet", "ask(b'x')", "-1"),
            ("a socket to serve", "ask(struct.pack('=I', 0x434c4e54), [0])",
             "-1"),
            ("a descriptor with a request", "ask(sign(), [0])", "-1")):
        site.program("imap-login", greedy(text))
        front = Front(site, "imap")
        got = front.client(greeting=False).line()
        ok(got == want, "key holder: " + name, got)
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
    time.sleep(0.02)  # as old may be what the porter knows of files
    ok(rcpt("newcomer") == "250", "a user, once added")
    ok(nursery(front) == first, "by the same nursery")
    front.stop()


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(re.findall(r"(\w+):\t(.*)", f.read()))


def real_site(name, **settings):
    """With mailboxes that belong to two owners, and session programs."""
    site = Site(name, stubs=False, **settings)
    for user, owner in (("alice", OWNER), ("bob", OWNER + ROOT)):
        if user == "bob":
            subprocess.run(
                [STAGE + "/postern-user", "-r", site.root, "add", "--uid",
                 str(owner), "--gid", str(owner), "bob@example.org"],
                input="secret word\n", text=True, check=True,
                stdout=subprocess.DEVNULL)
        folder = site.root + "/var/mail/example.org/" + user
        os.makedirs(folder, exist_ok=True)
        os.chown(folder, owner, owner)
    return site


def sessions_of(pid, count):
    """The session processes below, once there are so many."""
    wait_for(lambda: len(children(pid)) == count)
    return children(pid)


def log_in(c, user="alice"):
    return c.ask('a LOGIN %s "secret word"\r\n' % user)


def test_sessions():
    """imapd, forked from a nursery as each owner."""
    site = real_site("sessions", connections_per_source=3)
    front = Front(site, "imaps")
    a, b = front.client(tls=True), front.client(tls=True)
    ok(log_in(a).startswith("a OK") and log_in(b, "bob").startswith("a OK"),
       "two logins")
    first = nursery(front, b"/imapd")
    one, two = sessions_of(first, 2)
    ok(wait_for(lambda: not children(front.porter())),
       "no process of the porter's stays with them")
    if ROOT and not SANITIZED:
        s = status(first)
        ok(int(s["CapPrm"], 16) == 1 << 6 | 1 << 7 and
           int(s["CapEff"], 16) == int(s["CapInh"], 16) == 0 and
           s["NoNewPrivs"] == "1" and s["Seccomp"] == "2",
           "the nursery can change uids, and nothing else", s)
        for pid, owner in ((one, OWNER), (two, OWNER + 1)):
            s = status(pid)
            ok(s["Uid"].split() == s["Gid"].split() == [str(owner)] * 4 and
               s["Groups"].strip() == "" and int(s["CapPrm"], 16) == 0 and
               int(s["CapInh"], 16) == int(s["CapAmb"], 16) == 0 and
               s["NoNewPrivs"] == "1" and s["Seccomp"] == "2",
               "a session is its owner, and can nothing", s)
        fds = os.listdir("/proc/%d/fd" % one)
        ok({os.readlink("/proc/%d/fd/%s" % (one, n)).partition(":")[0]
            for n in fds if n not in "012"} <=
           {site.root + "/var/mail/example.org/alice"},
           "and has nothing of the nursery's open", fds)
    third = front.client(tls=True)
    ok(front.client(greeting=False).rest() == "",
       "sessions count for connections_per_source")
    for c, name in ((a, "apples"), (b, "pears")):
        c.ask("b CREATE %s\r\n" % name)
    lists = [c.ask('c LIST "" *\r\n', "c ") for c in (a, b)]
    ok("apples" in lists[0] and "pears" not in lists[0] and
       "pears" in lists[1] and "apples" not in lists[1],
       "each in its mailbox", lists)
    a.ask("d LOGOUT\r\n", "d OK")
    a.close()
    ok(sessions_of(first, 1) == [two], "one is over")

    def again():
        nonlocal a
        a = Client(socket.create_connection(front.address), greeting=False)
        try:
            a.tls()
            return a.line().startswith("* OK")
        except OSError:
            return False

    ok(wait_for(again), "its place is free again")
    os.kill(first, signal.SIGKILL)
    ok(b.ask("e NOOP\r\n").startswith("e OK"),
       "its nursery is killed: a session lives on")
    ok(log_in(a).startswith("a OK"), "who comes is served without it")
    third.close()
    ok(wait_for(again) and log_in(a).startswith("a OK"),
       "as is the next, whose place was free")
    for x in (a, b):
        x.close()
    ok(front.stop() == 0, "stopped")
    ok(wait_for(lambda: not children(first)), "nothing is left")


def private(pid, of):
    """Kilobytes of a mapping that are its own."""
    with open("/proc/%d/smaps" % pid) as f:
        part = f.read().partition(of)[2]
    return int(re.search(r"Private_Dirty: +(\d+)", part).group(1))


def test_rest():
    """A relay that has nothing to do gives its memory back."""
    front = Front(Site("rest"), "imaps")
    c = front.client(tls=True)
    ok(login(c).startswith("a OK"), "a session through a relay")
    relay, = children(nursery(front))
    for _ in range(50):
        c.ask("%s\r\n" % ("x" * 9000), "echo")
    if ROOT and not SANITIZED:
        had = private(relay, "[stack]")
        ok(wait_for(lambda: private(relay, "[stack]") <= had - 16),
           "two arrays of it go back", had)
    else:
        time.sleep(2.5)
    text = "y" * 9000
    ok(c.ask(text + "\r\n", "echo") == "echo " + text, "and serve on")
    c.send("SEND\r\n")
    ok(len(c.rest()) == 3000000, "in both directions")
    front.stop()


def test_crashed_session():
    site = real_site("crash")
    front = Front(site, "pop3")

    def start():
        c = front.client()
        c.ask("USER alice\r\n", r"\+OK")
        ok(c.ask("PASS secret word\r\n", r"\+OK|-ERR").startswith("+OK"),
           "a session of pop3d")
        return c

    c = start()
    first = nursery(front, b"/pop3d")
    victim, = sessions_of(first, 1)
    os.kill(victim, signal.SIGSYS)
    ok(c.rest() == "" and SANITIZED or
       wait_for(lambda: nursery(front, b"/pop3d") is None),
       "a session crashed: its nursery ends")
    time.sleep(1.1)
    c = start()
    second = nursery(front, b"/pop3d")
    ok(second not in (None, first), "another one serves")
    c.ask("QUIT\r\n", r"\+OK")
    # One that hangs is not waited for for ever, and is late for ever.
    c = front.client()
    os.kill(second, signal.SIGSTOP)
    c.ask("USER alice\r\n", r"\+OK")
    ok(c.ask("PASS secret word\r\n", r"\+OK|-ERR").startswith("+OK"),
       "stopped: served without it")
    os.kill(second, signal.SIGCONT)
    ok(wait_for(lambda: not children(second)) and
       c.ask("STAT\r\n", r"\+OK").startswith("+OK"),
       "when it goes on it leaves that connection alone")
    c.close()
    front.stop()


def main():
    site = Site("site")
    test_ends(site)
    test_checkers(site)
    test_turns(site)
    test_idle()
    test_certificate()
    test_tickets()
    test_two()
    test_key()
    test_greedy()
    test_users()
    test_sessions()
    test_rest()
    test_crashed_session()


try:
    main()
finally:
    finish()
