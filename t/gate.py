"""TLS under attack, and how it ends, on all services (T-TLS)."""
import ctypes
import os
import re
import resource
import socket
import time

from frontlib import (OWNER, PLAIN, SANITIZED, Client, Front, Site, finish,
                      login, ok, skip, wait_for)
from gatelib import (ALPN, NOOP, START, all_gone, begin, encrypted, ends, hello,
                     lives, peer, push, record, s_client)


def alpn(front):
    """T-TLS-12: strict where the client sends it."""
    mine = ALPN[front.service]
    got = s_client(front, "-alpn", mine)
    ok("ALPN protocol: " + mine in got, front.service + ": ALPN " + mine,
       got[-800:])
    # RFC 7301 3.2: the alert has the number 120.
    got = [s_client(front, "-alpn", other) for other in
           ("http/1.1", "h2,http/1.1", "pop3" if mine == "imap" else "imap")]
    ok(all("alert number 120" in g for g in got),
       front.service + ": no_application_protocol for all others",
       [g[-400:] for g in got])
    got = s_client(front, "-alpn", "h2," + mine)
    ok("ALPN protocol: " + mine in got, front.service + ": ours among others")


def versions(front):
    """T-TLS-11: nothing old is spoken."""
    weak = ("-no_tls1_3", "-cipher")
    for name, args in (
            ("TLS 1.0", ["-tls1", "-cipher", "ALL:@SECLEVEL=0"]),
            ("TLS 1.1", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]),
            ("CBC and RSA key exchange", [*weak, "AES128-SHA:@SECLEVEL=0"]),
            ("no encryption", [*weak, "NULL:@SECLEVEL=0"]),
            ("no certificate", [*weak, "aNULL:@SECLEVEL=0"]),
            ("CBC with forward secrecy",
             [*weak, "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"]),
            ("SHA-1 alone", ["-sigalgs", "ECDSA+SHA1:RSA+SHA1", "-cipher",
                             "DEFAULT:@SECLEVEL=0"])):
        got = s_client(front, *args)
        # 40: handshake_failure, 47: illegal_parameter, 70: protocol_version,
        # 71: insufficient_security.
        ok(re.search(r"alert number (40|47|70|71)\b", got) and
           "Cipher is (NONE)" in got,
           front.service + ": refused: " + name, got[-500:])
    got = s_client(front, "-tls1_2", "-comp")
    ok("Compression: NONE" in got and "TLSv1.2" in got,
       front.service + ": no compression", got[-800:])
    got = s_client(front)
    ok("Server Temp Key: X25519" in got and "TLSv1.3" in got,
       front.service + ": X25519 for who has it", got[-800:])
    got = s_client(front, "-groups", "P-256")
    ok("Server Temp Key: ECDH, prime256v1" in got,
       front.service + ": P-256 for who has not", got[-800:])


def early(front, site):
    """T-TLS-11: 0-RTT data are passed over."""
    path = site.root + "/session"
    data = site.root + "/early"
    with open(data, "w") as f:
        f.write(NOOP[ALPN[front.service]] * 3)
    leave = b"a LOGOUT\r\n" if front.service == "imaps" else b"QUIT\r\n"
    s_client(front, "-sess_out", path, "-ign_eof", text=leave)
    got = s_client(front, "-sess_in", path, "-early_data", data, "-ign_eof",
                   text=leave)
    ok("Reused, TLSv1.3" in got and "Max Early Data: 0" in got and
       "Early data was accepted" not in got,
       front.service + ": no 0-RTT", got[-1500:])


def hostile(front):
    """T-TLS-8: handshakes that are none."""
    whole = hello()
    for name, data in (
            ("a handshake message of 16 MiB",
             record(22, b"\x01\xff\xff\xff" + b"x" * 16000) +
             record(22, b"x" * 16384) * 20),
            ("100,000 empty records", record(22, b"") * 100000),
            ("alerts alone", record(21, b"\x01\x5a") * 10000),
            ("a record longer than any", record(22, b"x" * 18500)),
            ("data before a handshake", record(23, b"x" * 1000)),
            ("a version of SSL 3", whole[:1] + b"\x03\0" + whole[3:9] +
             b"\x03\0" + whole[11:]),
            ("SSL 2", b"\x80\x2e\x01\0\x02" + b"\0" * 43)):
        s = begin(front)
        push(s, data)
        ok(ends(s), "%s: ended: %s" % (front.service, name))
        s.close()
    s = begin(front)
    for i in range(len(whole) - 5):
        push(s, whole[:3] + b"\0\1" + whole[5 + i:6 + i])
    s.settimeout(10)
    got = s.recv(3)
    ok(got[:1] in (b"\x16", b"\x15"),
       front.service + ": one byte a record is a handshake, or none", got)
    s.close()


def records(front):
    """T-TLS-8, in TLS: what costs the client little."""
    greet = [] if front.service in START else ["line"]
    # What it was told before the connection was reset does not always come.
    over = r"BYE Line too long|-ERR Line too long|500 |\[(tiny|rest|truncated)"
    got = peer(front, *greet, "tiny", "100000", "rest")
    ok(re.search(over, got), front.service + ": 100,000 records of a byte",
       got[-300:])
    got = peer(front, *greet, "empty", "1000000", "rest")
    ok(re.search(r"\[(empty: |truncated)", got), front.service + ": 1,000,000 records of none", got[-300:])
    got = peer(front, *greet, "update", "10000", "rest")
    ok(re.search(r"\[(update: |truncated|close_notify)", got),
       front.service + ": 10,000 changes of keys", got[-300:])
    got = peer(front, *greet, "again", "rest", old=True)
    ok("[again: " in got, front.service + ": no renegotiation", got[-300:])
    ok(lives(front), front.service + ": serves on")


def cpu():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def costs(site, service, attack):
    """CPU seconds of a server for this alone, its start included."""
    front = Front(site, service)
    attack(front)
    # What the client took was waited for, and is not in it.
    before = cpu()
    front.stop()
    wait_for(all_gone)
    return cpu() - before


def bounded(site, service):
    """T-TLS-8: what an attack costs us, against a server that is started
    for one client."""
    def raw(data):
        def attack(front):
            s = begin(front)
            push(s, data)
            ends(s)
            s.close()
        return attack

    # PR_SET_CHILD_SUBREAPER
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    clean = sorted(costs(site, service, lives) for _ in range(3))[1]
    greet = [] if service in START else ["line"]
    for name, attack in (
            ("records without a byte",
             lambda f: peer(f, *greet, "empty", "1000000", "rest")),
            ("records of a byte",
             lambda f: peer(f, *greet, "tiny", "100000", "rest")),
            ("changes of keys",
             lambda f: peer(f, *greet, "update", "10000", "rest")),
            ("a handshake message of 16 MiB",
             raw(record(22, b"\x01\xff\xff\xff" + b"x" * 16000) +
                 record(22, b"x" * 16384) * 20)),
            ("a handshake of empty records",
             raw(record(22, b"") * 100000))):
        took = sorted(costs(site, service, attack) for _ in range(3))[1]
        print("# %s: %s: %.2f of a server with one client (%.1f ms)" %
              (service, name, took / clean, 1000 * clean))
        ok(took <= 6 * clean, "%s: %s cost little" % (service, name), took,
           clean)


def injection(front):
    """T-TLS-3, T-TLS-5: no command behind STLS is run, wherever it is cut."""
    text = {"pop3": b"STLS\r\nXQZW\r\nCAPA\r\n",
            "smtp": b"EHLO x\r\nSTARTTLS\r\nNOOP\r\n",
            "imap": b"A STARTTLS\r\nXQZ NOOP\r\n"}[ALPN[front.service]]
    ran = []
    for gap in (0, 0.02):
        for cut in range(1, len(text), 1 if gap == 0 else 5):
            c = front.client()
            push(c.sock, text[:cut])
            time.sleep(gap)
            push(c.sock, text[cut:])
            got = c.rest()
            if got is None or re.search("XQZ|SASL|^250 [^S]*OK|-ERR Not a",
                                        got):
                ran.append((cut, got))
            c.close()
    ok(ran == [], front.service + ": what follows STARTTLS, cut anywhere",
       ran)


def states(site):
    """T-TLS-6: what was said before TLS is forgotten."""
    front = Front(site, "pop3")
    c = front.client()
    got = [c.ask(x) for x in ("NOOSTLS\r\n", "STLS x\r\n",
                              "USER alice\r\n", "STLS\r\n")]
    c.tls()
    got += [c.ask("PASS secret word\r\n"), c.ask("STLS\r\n")]
    ok([g[:3] for g in got] == ["-ER", "-ER", "+OK", "+OK", "-ER", "-ER"],
       "pop3: STLS spelt wrong, with an argument, twice; USER is forgotten",
       got)
    c.ask("USER alice\r\n")
    ok(c.ask("PASS secret word\r\n").startswith("+OK"), "pop3: a login then")
    front.stop()
    front = Front(site, "smtp")
    c = front.client()
    c.ask("EHLO x\r\n", end="250 ")
    got = [c.ask(x, end=r"\d\d\d ")[:3] for x in (
        "NOOSTARTTLS\r\n", "STARTTLS foo\r\n", "MAIL FROM:<a@b.example>\r\n",
        "STARTTLS\r\n")]
    if got[3] == "220":
        c.tls()
        got += [c.ask(x, end=r"\d\d\d ")[:3] for x in (
            "RCPT TO:<alice@example.org>\r\n", "MAIL FROM:<a@b.example>\r\n",
            "STARTTLS\r\n")]
    ok(got[:3] == ["500", "501", "250"] and
       (got[3] == "503" or got[4:] == ["503", "503", "503"]),
       "smtp: STARTTLS spelt wrong, with an argument; MAIL is forgotten",
       got)
    front.stop()


def ended(front, *actions):
    return peer(front, *([] if front.service in START else ["line"]),
                *actions)


def closing():
    """Ends told and untold, in both directions of the relay."""
    site = Site("ends", stubs=False)
    box = site.root + "/var/mail/example.org/alice"
    for part in ("", "/new", "/cur", "/tmp"):
        os.makedirs(box + part, exist_ok=True)
        os.chown(box + part, OWNER, OWNER)
    text = "Subject: x\n\n" + "12345678\n" * 40000
    with open(box + "/new/1.1.one", "w") as f:
        f.write(text)
    os.chown(box + "/new/1.1.one", OWNER, OWNER)
    imap = 'a LOGIN alice "secret word"\r\n'
    pop = "USER alice\r\nPASS secret word\r\n"
    mail = ["send", "HELO x\r\n", "line", "send",
            "AUTH PLAIN %s\r\n" % PLAIN, "line"]
    imap, pop = ["send", imap, "line"], ["send", pop, "line", "line"]
    for service, log_in, out, last in (
            ("imaps", imap, "b LOGOUT\r\n", "b OK"),
            ("imap", imap, "b LOGOUT\r\n", "b OK"),
            ("pop3s", pop, "QUIT\r\n", r"\+OK"),
            ("pop3", pop, "QUIT\r\n", r"\+OK"),
            ("submissions", mail, "QUIT\r\n", "221 "),
            ("submission", mail, "QUIT\r\n", "221 ")):
        front = Front(site, service)
        told = last + r"[^\n]*\n\[close_notify\]\n$"
        got = ended(front, "send", out, "rest")
        ok(re.search(told, got), service + ": the end before a login is told",
           got)
        got = ended(front, *log_in, "send", out, "rest")
        ok(re.search(told, got), service + ": and after one", got)
        got = ended(front, *log_in, "send", out, "bye", "rest")
        ok(re.search(told, got),
           service + ": half closed behind it, the answers still come", got)
        got = ended(front, *log_in, "bye", "rest")
        ok(got.endswith("[close_notify]\n"),
           service + ": close_notify is answered by one", got)
        got = ended(front, *log_in, "fin", "rest")
        ok(re.search(r"\[(close_notify|truncated)\]\n$", got),
           service + ": an end untold is one", got)
        front.stop()
    front = Front(site, "imaps")
    got = ended(front, *imap, "send",
                "b SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\nd LOGOUT\r\n",
                "bye", "rest")
    ok(len(got) > 10 * 40000 and "c OK" in got and
       got.endswith("[close_notify]\n"),
       "400 kB come down after the client's close_notify", len(got),
       got[-200:])
    front.stop()
    # A client that was cut off has not said QUIT.
    front = Front(site, "pop3s")
    got = ended(front, *pop, "send", "DELE 1\r\n",
                "line", "fin", "rest")
    there = any(os.listdir(box + "/" + d) for d in ("new", "cur"))
    ok("+OK" in got and there, "POP3: cut off after DELE, nothing is deleted",
       got)
    got = ended(front, *pop, "send",
                "DELE 1\r\nQUIT\r\n", "bye", "rest")
    there = any(os.listdir(box + "/" + d) for d in ("new", "cur"))
    ok(got.endswith("[close_notify]\n") and not there,
       "POP3: with QUIT, and half closed, it is", got)
    front.stop()


def nodelay():
    """In clear and in TLS: no answer waits for an acknowledgement."""
    look = ("#!/usr/bin/python3\nimport os, socket\n"
            "s = socket.socket(fileno=os.dup(%d))\n"
            "print(os.environ['AUTH_TAG'], 'OK', s.getsockopt("
            "socket.IPPROTO_TCP, socket.TCP_NODELAY), flush=True)\n")
    if not os.path.exists("/usr/bin/python3"):
        skip("TCP_NODELAY", "no /usr/bin/python3")
        return
    site = Site("nodelay", programs=[("imapd", look % 0),
                                     ("pop3d", look % 0)])
    for service in ("imap", "pop3"):
        front = Front(site, service)
        c = front.client()
        got = (login(c) if service == "imap" else
               (c.ask("USER alice\r\n"), c.ask("PASS secret word\r\n"))[1])
        ok(got.endswith("OK 1"), service + ": TCP_NODELAY", got)
        front.stop()
    server = socket.create_server(("127.0.0.1", 0))
    s = socket.create_connection(server.getsockname())
    conn, _ = server.accept()
    p = site.start("imap", conn)
    conn.close()
    got = login(Client(s))
    ok(got.endswith("OK 1"), "a connected socket, too", got)
    p.wait(10)


def main():
    site = Site("gate")
    for service in START.keys() | ALPN.keys():
        front = Front(site, service)
        alpn(front)
        front.stop()
    for service in ("imaps", "pop3s", "submissions", "smtp"):
        front = Front(site, service)
        versions(front)
        if service not in START:
            early(front, site)
        front.stop()
    for service in ("imaps", "pop3", "smtp", "submission"):
        front = Front(site, service)
        hostile(front)
        records(front)
        front.stop()
    if SANITIZED:
        skip("what records and handshakes cost", "a build with sanitizers")
    for service in () if SANITIZED else ("imaps", "pop3s", "smtp",
                                         "submissions"):
        bounded(site, service)
    for service in START:
        front = Front(site, service)
        injection(front)
        front.stop()
    states(site)
    closing()
    nodelay()


try:
    main()
finally:
    finish()
