"""STARTTLS and TLS under attack, row by row (T-TLS-1 to T-TLS-14); what takes
longer is in gate.py."""
import os
import re
import socket
import ssl
import struct
import time

from frontlib import (PLAIN, Client, Front, Site, context, finish, ok,
                      wait_for)
from gatelib import (ALPN, ANSWER, NOOP, START, add_user, begin, data,
                     encrypted, lives, logged_in, mailbox, peer, push, queued,
                     record, spool)

SMTP = ("smtp", "submission")


def clear(front):
    """A client at the point where it may ask for TLS."""
    c = front.client()
    if ALPN[front.service] == "smtp":
        c.ask("EHLO x\r\n", end="250 ")
    return c


# --- T-TLS-1 to T-TLS-7 ------------------------------------------------------

INJECT = {
    "imap": [("T-TLS-4", "XQZ NOOP\r\n"), ("T-TLS-4", "B LOGIN a b\r\n")],
    "pop3": [("T-TLS-3", "CAPA\r\n"), ("T-TLS-3", "USER a\r\nPASS b\r\n")],
    "smtp": [("T-TLS-1", "EHLO inj\r\n"),
             ("T-TLS-2", "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n")],
}
REFUSED = {"imap": r"a BAD [^\n]*\n(\* BYE[^\n]*\n)?$", "pop3": r"-ERR[^\n]*\n$",
           "smtp": r"554 5.5.1[^\n]*\n$"}


def injected(front):
    kind = ALPN[front.service]
    for row, text in INJECT[kind]:
        c = clear(front)
        c.send(START[front.service][0] + text)
        got = c.rest()
        ok(got is not None and re.match(REFUSED[kind], got.replace("\r", "")),
           "%s %s: refused: %s behind STARTTLS" % (
               row, front.service, text.split("\r")[0]), got)
    row = INJECT[kind][0][0]
    c = Client(begin(front), greeting=False)
    c.tls()
    c.sock.settimeout(0.4)
    try:
        got = c.sock.recv(1000)
    except (socket.timeout, ssl.SSLWantReadError):
        got = None
    ok(got is None, "%s %s: nothing is said before the client speaks" %
       (row, front.service), got)
    before = len(front.logged("tls-failed"))
    c = Client(begin(front), greeting=False)
    push(c.sock, NOOP[kind].encode() * 20)
    got = c.rest()
    ok(got is not None and not re.search(ANSWER[kind], got) and wait_for(
        lambda: len(front.logged("tls-failed")) == before + 1),
       "T-TLS-5 %s: clear text after the go-ahead is no handshake" %
       front.service, got)


def smtp_states(front):
    """T-TLS-6."""
    ask = lambda c, x: c.ask(x + "\r\n", end=r"\d\d\d ")[:3]
    c = clear(front)
    got = [ask(c, x) for x in ("NOOSTARTTLS", "STARTTLS foo")]
    ok(got == ["500", "501"], "T-TLS-6 %s: spelt wrong, with an argument" %
       front.service, got)
    if front.service == "smtp":
        ask(c, "MAIL FROM:<a@b.example>")
        got = [ask(c, "STARTTLS")]
        if got == ["503"]:
            ask(c, "RSET")
            got = [ask(c, "STARTTLS")]
    else:
        # It is base64, too: a name, and a password.
        got = [ask(c, x) for x in ("AUTH LOGIN", "STARTTLS", "STARTTLS",
                                   "AUTH LOGIN", "STARTTLS!")]
        ok(got == ["334", "334", "535", "334", "501"], "T-TLS-6 submission: STARTTLS in AUTH",
           got)
        got = [ask(c, "STARTTLS")]
    if got == ["220"]:
        c.tls()
    got += [ask(c, x) for x in ("RCPT TO:<alice@example.org>", "DATA",
                                "MAIL FROM:<a@b.example>")]
    hello = c.ask("EHLO y\r\n", end="250 ")
    got.append(ask(c, "STARTTLS"))
    ok(got == ["220", "503", "503", "503", "503"] and "STARTTLS" not in hello,
       "T-TLS-6 %s: all is forgotten; MAIL before a new EHLO is 503" %
       front.service, got, hello)
    if front.service == "smtp":
        c = clear(front)
        got = [ask(c, "MAIL FROM:<a@b.example>"), ask(c, "STARTTLS")]
        if got[1] == "220":
            c.tls()
            got.append(ask(c, "RCPT TO:<alice@example.org>"))
        ok(got[1:] in (["503"], ["220", "503"]),
           "T-TLS-6 smtp: STARTTLS after MAIL", got)
    else:
        c = logged_in(front)
        got = [ask(c, "STARTTLS"), ask(c, "NOOP")]
        ok(got == ["503", "250"], "T-TLS-6 submission: STARTTLS after AUTH",
           got)


def line_states(front):
    """T-TLS-6 for IMAP and POP3."""
    imap = front.service == "imap"
    bad = "a BAD" if imap else "-ERR"
    start = START[front.service][0]
    c = clear(front)
    wrong = (["a NOOSTARTTLS\r\n", "a STARTTLS x\r\n", "a STARTTLS {3}\r\n"]
             if imap else ["NOOSTLS\r\n", "STLS x\r\n", "USER alice\r\n"])
    got = [c.ask(x) for x in wrong]
    good = (all(" BAD" in g for g in got) if imap else
            [g[:4] for g in got] == ["-ERR", "-ERR", "+OK "])
    ok(good, "T-TLS-6 %s: spelt wrong, with an argument" % front.service, got)
    c = clear(front)
    if not imap:
        c.ask("USER alice\r\n")
    got = [c.ask(start)]
    c.tls()
    got += [c.ask("a CAPABILITY\r\n" if imap else "PASS secret word\r\n"),
            c.ask(start)]
    ok(got[2].startswith(bad) and (
        "STARTTLS" not in got[1] if imap else got[1].startswith("-ERR")),
       "T-TLS-6 %s: what was said is forgotten, and not twice" %
       front.service, got)
    c = logged_in(front)
    got = [c.ask(start), c.ask(NOOP[front.service], end=r"z OK|\+OK")]
    ok(got[0].startswith(bad) and re.match(ANSWER[front.service], got[1]),
       "T-TLS-6 %s: not after a login" % front.service, got)


def fixation(site):
    """T-TLS-7: a login that somebody else puts before TLS."""
    for service in ("imap", "pop3", "submission"):
        front = Front(site, service)
        c = front.client()
        if service == "imap":
            got = [c.greeting, c.ask('A LOGIN alice "secret word"\r\n'),
                   c.ask("B AUTHENTICATE PLAIN %s\r\n" % PLAIN)]
            good = "LOGINDISABLED" in got[0] and "AUTH=" not in got[0] and \
                all("NO [PRIVACYREQUIRED]" in g for g in got[1:])
        elif service == "pop3":
            got = [c.ask("CAPA\r\n", end=r"\."), c.ask("USER alice\r\n"),
                   c.ask("AUTH PLAIN %s\r\n" % PLAIN)]
            good = "SASL" not in got[0] and "USER" not in got[0] and \
                all(g.startswith("-ERR [AUTH]") for g in got[1:])
        else:
            got = [c.ask("EHLO x\r\n", end="250 "),
                   c.ask("AUTH PLAIN %s\r\n" % PLAIN, end=r"\d+ ")]
            good = "AUTH" not in got[0] and got[1].startswith("538 5.7.1")
        ok(good, "T-TLS-7 %s: no login in clear, and none is announced" %
           service, got)
        c.ask(START[service][0], end=START[service][1])
        c.tls()
        if service == "submission":
            c.ask("EHLO x\r\n", end="250 ")
            got = c.ask("MAIL FROM:<alice@example.org>\r\n", end=r"\d+ ")
            good = got.startswith("530")
        else:
            got = c.ask("a SELECT INBOX\r\n" if service == "imap" else
                        "STAT\r\n")
            good = got.startswith(("a BAD", "-ERR"))
        ok(good, "T-TLS-7 %s: nobody is logged in then" % service, got)
        front.stop()


# --- T-TLS-9, T-TLS-10: ends in the middle -----------------------------------

def speak(front, lines):
    """What tlspeer does up to the end of these; each is answered by one line
    (those that begin with = by as many as follow)."""
    actions = [] if front.service in START else ["line"]
    for line in lines:
        more, text = re.match(r"(=\d+ )?(.*)", line).groups()
        actions += ["send", text + "\r\n"] + ["line"] * int(
            more[1:] if more else 1)
    return actions


def cut_off(site):
    box = mailbox(site)
    for service in ("smtp", "submission", "submissions", "imap", "imaps"):
        front = Front(site, service)
        if ALPN[service] == "imap":
            text = "Subject: x\r\n\r\nhalf"
            start = speak(front, ['a LOGIN alice "secret word"',
                                  "b APPEND INBOX {%d}" % (len(text) + 8)])
            ends = [("in a literal", text), ("after a literal",
                                             text + "12345678")]
            there = lambda: os.listdir(box + "/cur") + os.listdir(
                box + "/new") + os.listdir(box + "/tmp")
            log = "end=truncated"
        else:
            login = ["AUTH PLAIN " + PLAIN] if service != "smtp" else []
            start = speak(front, ["HELO x", *login,
                                  "MAIL FROM:<alice@example.org>",
                                  "RCPT TO:<alice@example.org>", "DATA"])
            ends = [("in DATA", "Subject: x\r\n\r\nhalf"),
                    ("in the end of DATA", "Subject: x\r\n\r\nwhole\r\n.")]
            there = lambda: queued(site)
            log = r"truncated service=%s peer=\S+ where=DATA" % service
        n = 0
        for where, text in ends:
            for row, how, actions in (
                    ("T-TLS-9", "close_notify, then clear text",
                     ["bye", "raw", "x", "raw", "\r\n.\r\n\r\n"]),
                    ("T-TLS-10", "the end of TCP", ["fin"])):
                got = peer(front, *start, "send", text, *actions, "rest")
                n += 1
                ok(re.search(r"(\n354 |\n\+ |^\+ )[^\n]*\n"
                             r"((421|\* BYE)[^\n]*\n)?\[", got) and
                   wait_for(lambda: there() == []),
                   "%s %s: nothing is kept: %s %s" % (row, service, how,
                                                      where), got, there())
        ok(wait_for(lambda: len(front.logged(log)) == n),
           "T-TLS-10 %s: each is in the log" % service,
           front.logged("(?:truncated|lost|logout).*"))
        front.stop()


# --- T-TLS-11, T-TLS-12: hellos of our own -----------------------------------

def block(text, size=2):
    return len(text).to_bytes(size, "big") + text


def hello12(suites, sni=None, compression=b"\0"):
    """A ClientHello of TLS 1.2."""
    ext = struct.pack(">HH", 10, 6) + block(struct.pack(">HH", 29, 23))
    ext += struct.pack(">HHBB", 11, 2, 1, 0)
    ext += struct.pack(">HH", 13, 8) + block(struct.pack(
        ">HHH", 0x0403, 0x0804, 0x0401))
    ext += struct.pack(">HHB", 0xff01, 1, 0) + struct.pack(">HH", 23, 0)
    if sni is not None:
        ext += struct.pack(">H", 0) + block(block(b"\0" + block(sni)))
    body = b"\x03\x03" + os.urandom(32) + block(b"", 1) + block(
        b"".join(s.to_bytes(2, "big") for s in suites)) + block(
            compression, 1) + block(ext)
    return record(22, b"\x01" + block(body, 3), 0x0301)


def answered(front, hello):
    """(alert, None), or (None, ServerHello and Certificate)."""
    s = begin(front)
    s.sendall(hello)
    data_ = b""
    stream = b""
    try:
        while True:
            while len(data_) < 5 or len(data_) < 5 + int.from_bytes(
                    data_[3:5], "big"):
                more = s.recv(65536)
                if not more:
                    return None, None
                data_ += more
            n = int.from_bytes(data_[3:5], "big")
            if data_[0] == 21:
                return data_[6], None
            stream += data_[5:5 + n]
            data_ = data_[5 + n:]
            # ServerHello and Certificate are whole.
            n = 4 + int.from_bytes(stream[1:4], "big")
            if len(stream) > n + 4 and len(stream) >= n + 4 + int.from_bytes(
                    stream[n + 1:n + 4], "big"):
                return None, (stream[4:n], stream[n + 4:])
    except OSError:
        return None, None
    finally:
        s.close()


GOOD = [0xc02b, 0xc02c, 0xcca9]  # ECDHE with ECDSA and AEAD


def hellos(front, der):
    for name, suites in (
            ("RC4", [0x0005, 0x0004, 0xc007, 0xc011]),
            ("3DES", [0x000a, 0xc008, 0xc012, 0x0016]),
            ("export", [0x0003, 0x0006, 0x0008, 0x0014]),
            ("DES", [0x0009, 0x0015]), ("NULL", [0x0001, 0x0002, 0xc006]),
            ("anonymous", [0xc018, 0xc019, 0x0034, 0x00a6]),
            ("CBC", [0xc009, 0xc00a, 0xc023, 0xc024])):
        alert, got = answered(front, hello12(suites))
        ok(alert in (40, 71) and got is None,
           "T-TLS-11 %s: refused: %s" % (front.service, name), alert)
    alert, got = answered(front, hello12(GOOD, compression=b"\x01\0"))
    ok(got and got[0][34 + 1 + got[0][34] + 2] == 0 and int.from_bytes(
        got[0][35 + got[0][34]:37 + got[0][34]], "big") in GOOD,
       "T-TLS-11 %s: compression is offered, and not taken" % front.service,
       alert)
    alert, got = answered(front, hello12(GOOD, compression=b"\x01"))
    ok(got is None, "T-TLS-11 %s: nothing but compression is refused" %
       front.service, alert)
    plain = None
    for name, sni in (
            ("of somebody else", b"other.example.net"),
            ("of 255 bytes", b"a" * 255), ("with a NUL", b"mail.\0x"),
            ("that is a path", b"../x"), ("that ends in \\", b"x\\"),
            ("that is empty", b""), ("in UTF-8", b"m\xc3\xa4il")):
        alert, got = answered(front, hello12(GOOD, sni=sni))
        plain = plain or name
        ok(alert is not None or (got and got[1][6:6 + len(der)] == der),
           "T-TLS-12 %s: a name %s: the default, or refused" %
           (front.service, name), alert)
        if sni == b"other.example.net":
            ok(alert is None, "T-TLS-12 %s: unknown is not refused" %
               front.service, alert)


# --- T-TLS-13 ----------------------------------------------------------------

def http(front):
    """No byte of it comes back."""
    echoed = []
    for first in ("POST / HTTP/1.1", "GET / HTTP/1.1", "PUT /x HTTP/1.1",
                  "HEAD / HTTP/1.0", "CONNECT x:25 HTTP/1.1",
                  "OPTIONS * HTTP/1.1", "Host: reflect.example"):
        c = Client(begin(front), tls=True, greeting=False)
        if front.service not in START:
            c.line()
        c.send(first + "\r\nHost: reflect.example\r\n\r\nEHLO a\r\n"
               "MAIL FROM:<a@b.example>\r\n")
        got = c.rest()
        if got != "":
            echoed.append((first, got))
        c.close()
    ok(echoed == [], "T-TLS-13 %s: HTTP in TLS is the end, without a word" %
       front.service, echoed)


# --- T-TLS-14 ----------------------------------------------------------------

def resumed(ctx, front, session):
    """Whether it was taken up again, and the ticket that came."""
    s = ctx.wrap_socket(begin(front), server_hostname="mail.example.org",
                        session=session)
    c = Client(s, greeting=front.service not in START)
    kind = ALPN[front.service]
    c.ask("EHLO x\r\n" if kind == "smtp" else NOOP[kind], end=ANSWER[kind])
    got = s.session_reused, s.session
    c.close()
    return got


def tickets(site):
    ctx = context()
    fronts = {s: Front(site, s) for s in ALPN}
    mine = {s: resumed(ctx, f, None)[1] for s, f in fronts.items()}
    for service, front in fronts.items():
        again = resumed(ctx, front, mine[service])
        ok(again[0] and again[1].has_ticket,
           "T-TLS-14 %s: its own ticket" % service)
        mine[service] = again[1]
        others = [s for s in ALPN if s != service and
                  resumed(ctx, front, mine[s])[0]]
        ok(others == [], "T-TLS-14 %s: no ticket of another service" %
           service, others)
    for service, front in fronts.items():
        second = Front(site, service)
        ok(not resumed(ctx, second, mine[service])[0],
           "T-TLS-14 %s: two servers have two keys" % service)
        second.stop()
        front.stop()
        fronts[service] = Front(site, service)
        ok(not resumed(ctx, fronts[service], mine[service])[0],
           "T-TLS-14 %s: not after a restart" % service)
    # Nothing of a login is in it: alice's, and then bob comes.
    for service in ("imaps", "pop3s", "submissions"):
        front = fronts[service]
        c = logged_in(front)
        session = c.sock.session
        c.close()
        s = ctx.wrap_socket(begin(front), server_hostname="mail.example.org",
                            session=resumed(ctx, front, None)[1])
        c = Client(s)
        if service == "submissions":
            c.ask("EHLO x\r\n", end="250 ")
            got = [c.ask("MAIL FROM:<alice@example.org>\r\n", end=r"\d+ "),
                   c.ask("AUTH PLAIN AGJvYgBzZWNyZXQgd29yZA==\r\n",
                         end=r"\d+ "),
                   c.ask("MAIL FROM:<alice@example.org>\r\n", end=r"\d+ "),
                   c.ask("MAIL FROM:<bob@example.org>\r\n", end=r"\d+ ")]
            good = [g[:3] for g in got] == ["530", "235", "550", "250"] or \
                [g[:3] for g in got] == ["530", "235", "553", "250"]
        elif service == "imaps":
            got = [c.ask("a SELECT INBOX\r\n"),
                   c.ask('b LOGIN bob "secret word"\r\n')]
            good = got[0].startswith("a BAD") and "as bob@" in got[1]
        else:
            got = [c.ask("STAT\r\n"), c.ask("USER bob\r\n"),
                   c.ask("PASS secret word\r\n")]
            good = got[0].startswith("-ERR") and got[2].startswith("+OK 1 ")
        ok(s.session_reused and good and session is not None,
           "T-TLS-14 %s: who comes back by a ticket is nobody yet" % service,
           s.session_reused, got)
        c.close()
    for front in fronts.values():
        front.stop()


def main():
    clock = time.monotonic()

    def tell(part):
        nonlocal clock
        print("# %s: %.1f s" % (part, time.monotonic() - clock))
        clock = time.monotonic()

    site = Site("tls", stubs=False)
    spool(site)
    add_user(site, "bob")
    mailbox(site)
    mailbox(site, "Subject: bob's\n\nx\n", user="bob")
    with open(site.root + "/etc/postern/tls/cert.pem") as f:
        der = ssl.PEM_cert_to_DER_cert(f.read())
    for service in ALPN:
        front = Front(site, service)
        if service in START:
            injected(front)
            smtp_states(front) if service in SMTP else line_states(front)
        hellos(front, der)
        http(front)
        ok(lives(front), service + ": serves on")
        front.stop()
        tell(service)
    ok(queued(site) == [], "T-TLS-2 nothing came into the queue",
       queued(site))
    fixation(Site("fixation", clear_login="never"))
    tell("fixation")
    cut_off(site)
    tell("cut_off")
    tickets(site)
    tell("tickets")


try:
    main()
finally:
    finish()
