"""smtpd, driven as front would: what it takes, what it refuses, and that
what it takes arrives unchanged."""
import base64
import itertools
import re
import socket
import ssl
import sys
import time

from harness import REJECT, TEMPFAIL, Session, Tap, make_root, wait

tap = Tap()
tmp = sys.argv[1]
USERS = """example.test domain
alice@example.test uid=1000 gid=1000 maildir=/a
bob@example.test uid=1001 gid=1001 maildir=/b
info@example.test alias=alice@example.test,x@out.test
team@example.test alias=bob@example.test
postmaster@example.test alias=bob@example.test
"""
root = make_root(tmp + "/root", users=USERS)
small = make_root(tmp + "/small", users=USERS,
                  conf="message_size 4096\nrecipients 5\nauth_tries 3\n")
quick = make_root(tmp + "/quick", users=USERS,
                  conf="smtp_idle_s 1\nlogin_s 1\n")
WORDS = {b"alice": b"wonder", b"bob": b"builder"}
END = b"\r\n.\r\n"


def plain(user, password):
    return base64.b64encode(b"\0" + user + b"\0" + password)


def submission(**kw):
    kw.setdefault("passwords", WORDS)
    return Session(root, "submission", **kw)


def logged_in(user=b"alice", **kw):
    s = submission(clear=True, **kw)
    s.greet()
    s.cmd(b"AUTH PLAIN " + plain(user, WORDS[user]))
    return s


def finish(s):
    s.send(b"QUIT\r\n")
    s.rest()
    return s.close()


def good_cases():
    s = Session(root)
    hello = s.greet()
    tap.eq(s.banner, b"220 mx.example.test ESMTP", "the banner")
    tap.eq(hello.split(b"\n")[1:],
           [b"250-PIPELINING", b"250-SIZE 52428800", b"250-8BITMIME",
            b"250-STARTTLS", b"250 ENHANCEDSTATUSCODES"],
           "what EHLO offers on port 25")
    got = s.message(b"Subject: x\r\n\r\nhello\r\n..\r\n..dot\r\n.\r\n")
    tap.eq(got, b"250 2.0.0 ok, queued as q1", "a message is queued")
    m = s.front.messages[0]
    tap.ok(m.body.endswith(b"\nSubject: x\n\nhello\n.\n.dot\n"),
           "LF line ends and unstuffed dots", m.body)
    tap.ok(re.match(
        rb"Received: from client\.example\.test \(\[192\.0\.2\.7\]\)\n"
        rb"\tby mx\.example\.test with ESMTP id \S+\n"
        rb"\tfor <alice@example\.test>;\n\t\w+, +\d+ \w+ \d+ [0-9:]+ "
        rb"[-+]\d{4}\nSubject", m.body), "the Received field", m.body)
    tap.eq((m.field(b"sender"), m.field(b"rcpt"), m.field(b"helo")),
           ([b"a@out.test"], [b"alice@example.test"],
            [b"client.example.test"]), "the envelope")
    s.cmd(b"MAIL FROM:<> BODY=8BITMIME SIZE=10")
    for r in (b"alice@EXAMPLE.test", b"Bob@example.test",
              b"alice@example.test", b"info@example.test",
              b"bOB@example.test"):
        s.cmd(b"RCPT TO:<" + r + b">")
    s.cmd(b"DATA")
    got = s.cmd(b"\xff\r\n.")
    tap.ok(got.startswith(b"250"), "a second message", got)
    m = s.front.messages[1]
    tap.eq((m.field(b"sender"), m.field(b"rcpt"), m.field(b"body")),
           ([b""], [b"alice@example.test", b"Bob@example.test",
                    b"info@example.test"], [b"8BITMIME"]),
           "empty sender, five recipients, two of them twice")
    tap.ok(b"for <" not in m.body, "no recipient in Received where others are")
    s.cmd(b"MAIL FROM:<a@out.test>")
    s.cmd(b"RCPT TO:<Postmaster>")
    s.cmd(b"DATA")
    tap.eq(s.cmd(b".")[:3], b"250", "postmaster, and an empty message")
    tap.eq(s.front.messages[2].field(b"rcpt"), [b"postmaster@example.test"],
           "postmaster gets the domain")
    tap.ok(s.front.messages[2].body.endswith(b"+0000\n") or
           re.search(rb"[-+]\d{4}\n$", s.front.messages[2].body),
           "nothing is added to it", s.front.messages[2].body)
    tap.eq(s.cmd(b"QUIT"), b"221 2.0.0 mx.example.test closing", "QUIT")
    log = s.close()
    tap.eq(log.count("\n"), 3, "one line in the log per message")
    tap.eq(s.status, 0, "exit status 0")

    s = Session(root)
    s.read()
    tap.eq(s.cmd(b"HELO x"), b"250 mx.example.test", "HELO")
    s.message(b"a: b" + END)
    tap.ok(b" with SMTP id" in s.front.messages[0].body, "HELO is SMTP")
    finish(s)

    s = Session(root)
    s.read()
    s.send(b"EHLO x\r\n")
    s.read()
    s.send(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<alice@example.test>\r\n"
           b"RCPT TO:<nobody@example.test>\r\nDATA\r\n")
    got = [s.read()[:3] for _ in range(4)]
    s.send(b"a: b\r\n\r\n" + b"x" + END + b"MAIL FROM:<c@b.c>\r\nRSET\r\n")
    got += [s.read()[:3] for _ in range(3)]
    tap.eq(got, [b"250", b"250", b"550", b"354", b"250", b"250", b"250"],
           "pipelining, and on behind the message")
    finish(s)

    s = Session(root)
    tap.ok(s.greet(b"B\xf6b's PC (;\"x)").startswith(b"250-mx"),
           "an odd name in EHLO is no reason to refuse")
    s.message(b"a: b" + END)
    tap.ok(s.front.messages[0].body.startswith(
        b"Received: from B-b-s-PC----x- ([192"),
        "but it is cleaned", s.front.messages[0].body)
    finish(s)

    body = b"".join(b"%06d %s\r\n" % (i, b"y" * (i % 90))
                    for i in range(60000))
    s = Session(root)
    s.greet()
    got = s.message(b"Subject: big\r\n\r\n" + body + b".\r\n")
    tap.ok(got.startswith(b"250") and s.front.messages[0].body.endswith(
        body.replace(b"\r\n", b"\n")), "3 MB arrive whole", got)
    finish(s)


def refusals():
    s = Session(root)
    s.read()
    for line, want, what in (
            (b"MAIL FROM:<a@b.c>", "503 5.5.1", "MAIL before EHLO"),
            (b"EHLO", "501 5.5.4", "EHLO without a name"),
            (b"EHLO " + b"x" * 256, "501 5.5.4", "EHLO with a long one"),
            (b"HELO " + b"x" * 256, "501 5.5.4", "HELO with a long one")):
        tap.eq(s.code(line), want, what)
    s.cmd(b"EHLO [192.0.2.1]")
    for line, want, what in (
            (b"RCPT TO:<alice@example.test>", "503 5.5.1", "RCPT first"),
            (b"DATA", "503 5.5.1", "DATA first"),
            (b"AUTH PLAIN AAAA", "502 5.5.1", "AUTH on port 25"),
            (b"EXPN x", "502 5.5.1", "EXPN"),
            (b"VRFY", "501 5.5.4", "VRFY of nobody"),
            (b"WIZ", "500 5.5.1", "an unknown command")):
        tap.eq(s.code(line), want, what)
    tap.eq(s.code(b"NOOP"), "250 2.0.0", "ten mistakes are borne")
    tap.eq(s.code(b"WIZ"), "421 4.7.0", "the eleventh is the last")
    tap.eq(s.rest(), b"", "and the connection ends")
    s.close()

    # What follows is a text: T-SMTP-2.
    for text, want, what in (
            (b"DATA\r\nNOOP\r\n.\r\n", b"554 5.5.0", "DATA at no point"),
            (b"BDAT 6 LAST\r\nNOOP\r\n", b"502 5.5.1", "BDAT")):
        s = Session(root)
        s.greet()
        s.send(text)
        got = s.rest()
        tap.ok(got.startswith(want) and b"250" not in got,
               what + ": its text is no command", got)
        s.close()

    s = Session(root)
    s.greet()
    for line, want in ((b"NOOP", b"250"), (b"NOOP x", b"250"),
                       (b"RSET", b"250"), (b"VRFY alice", b"252"),
                       (b"HELP", b"214"), (b"rset", b"250")):
        tap.eq(s.cmd(line)[:3], want, line.decode())
    for line in (b"RSET x", b"QUIT x", b"VRFY", b"STARTTLS foo"):
        tap.eq(s.code(line), "501 5.5.4", line.decode() + " is 501")
    s.cmd(b"MAIL FROM:<a@b.c>")
    tap.eq(s.code(b"MAIL FROM:<a@b.c>"), "503 5.5.1", "MAIL twice")
    tap.eq(s.code(b"STARTTLS"), "503 5.5.1", "STARTTLS after MAIL")
    s.cmd(b"EHLO again")
    tap.eq(s.code(b"RCPT TO:<alice@example.test>"), "503 5.5.1",
           "EHLO ends the transaction")
    finish(s)

    s = Session(root)
    s.greet()
    s.cmd(b"MAIL FROM:<a@b.c>")
    for rcpt, want in (
            (b"nobody@example.test", "550 5.1.1"),
            (b"x@out.test", "550 5.7.1"),
            (b"u%other@example.test", "550 5.1.1"),
            (b'"u@other"@example.test', "550 5.1.1"),
            (b"@example.test:u@other.test", "550 5.7.1"),
            (b"ours!other!u@example.test", "550 5.1.1"),
            (b"alice@[127.0.0.1]", "550 5.7.1")):
        tap.eq(s.code(b"RCPT TO:<" + rcpt + b">"), want,
               "RCPT " + rcpt.decode())
    tap.eq(s.code(b"RCPT TO:<u@other@example.test>"), "501 5.1.3",
           "RCPT with two @")
    tap.eq(s.code(b"RCPT TO:<alice@example.test> NOTIFY=NEVER"), "555 5.5.4",
           "a parameter that was not offered")
    tap.eq(s.code(b'RCPT TO:<"ali\\ce"@example.test>'), "250 2.1.5",
           "quotes that are not needed")
    for _ in range(3):
        s.cmd(b"RCPT TO:<nobody@example.test>")
    tap.eq(s.code(b"RCPT TO:<nobody@example.test>"), "421 4.7.0",
           "the eleventh wrong recipient is the last")
    tap.eq(s.rest(), b"", "and the connection ends")
    s.close()
    tap.eq(len(s.front.messages), 0, "without a message")


ADDRESSES = (
    b"<\"\">", b"<\"\"@x>", b"<@a,@b:>", b"<a@[127.0.0.256]>",
    b"<a@[IPv6:::g]>", b"<a@" + b"l" * 64 + b".x>",
    b"<a@" + b"x." * 130 + b"x>", b"<a b@x>", b"<a@x>junk", b"<a@-x>",
    b"<a@x->", b"<;id;@>", b"<a;sleep 5;>", b"<a\xc3\xa9@x>",
    b"<\xc0\xae@x>", b"<|/bin/x>", b"</etc/passwd>", b"<:include:/etc/x>",
    b"<.a@x>", b"<a.@x>", b"<a..b@x>", b"<a@>", b"<@x>", b"<a@x..y>",
    b"a@x", b"<a@x", b"<<a@x>>", b"<a@x,b@x>", b'<"a@x>', b'<a"b"@x>',
    b"<a@x.>", b"<>x", b"")


def addresses():
    for group in range(0, len(ADDRESSES), 9):
        s = Session(root)
        s.greet()
        for a in ADDRESSES[group:group + 9]:
            got = s.code(b"MAIL FROM:" + a)
            tap.ok(got[:3] in ("501", "553"), "MAIL %r" % a[:40], got)
        finish(s)
    s = Session(root)
    s.greet()
    for a, want in ((b"<>", b""), (b"<a@x>", b"a@x"),
                    (b"<@a,@b:c@d.e>", b"c@d.e"),
                    (b"<\"a b\"@X.y>", b'"a b"@x.y'),
                    (b"<\"a\\\"b\"@x>", b'"a\\"b"@x'),
                    (b"<\"a\\b\"@x>", b"ab@x"),
                    (b"<a@[127.0.0.1]>", b"a@[127.0.0.1]"),
                    (b"<a@[IPv6:::1]>", b"a@[ipv6:::1]"),
                    (b"<$id@x>", b"$id@x"),
                    (b" <a@x>", b"a@x"),
                    (b"<" + b"l" * 65 + b"@x>", b"l" * 65 + b"@x")):
        if s.code(b"MAIL FROM:" + a) != "250 2.1.0":
            tap.ok(False, "MAIL FROM:%r" % a)
            continue
        s.cmd(b"RCPT TO:<alice@example.test>")
        s.cmd(b"DATA")
        s.cmd(b"a: b\r\n.")
        tap.eq(s.front.messages[-1].field(b"sender"), [want],
               "sender %r" % a[:30])
    for p, want in (
            (b"SIZE=18446744073709551616", "552 5.3.4"), (b"SIZE=-1", "501"),
            (b"SIZE=", "501"), (b"SIZE=1 SIZE=2", "501"),
            (b"SIZE=52428801", "552"), (b"SIZE=52428800", "250"),
            (b"BODY=8BITMIME BODY=7BIT", "501"), (b"BODY=X", "501")):
        s.cmd(b"RSET")
        got = s.code(b"MAIL FROM:<a@x> " + p)
        tap.ok(got.startswith(want), "MAIL with " + p.decode(), got)
    finish(s)
    s = Session(root)
    s.greet()
    for p in (b"RET=FULL", b"ENVID=a+0Ab", b"AUTH=<>", b"SMTPUTF8", b"X"):
        tap.eq(s.code(b"MAIL FROM:<a@x> " + p), "555 5.5.4",
               "MAIL with " + p.decode())
    tap.eq(s.code(b"MAIL FROM:<a@x>" + b" X=1" * 100), "555 5.5.4",
           "MAIL with 100 parameters")
    finish(s)
    s = Session(root)
    s.read()
    s.cmd(b"HELO x")
    tap.eq(s.code(b"MAIL FROM:<a@x> SIZE=1"), "555 5.5.4",
           "parameters need EHLO")
    finish(s)


def database():
    s = Session(root, users=False)
    s.greet()
    s.cmd(b"MAIL FROM:<a@b.c>")
    tap.eq(s.code(b"RCPT TO:<alice@example.test>"), "451 4.3.0",
           "no users.cdb: later")
    finish(s)
    s = Session(root, users=False)
    s.greet()
    s.cmd(b"MAIL FROM:<a@b.c>")
    got = {s.code(b"RCPT TO:<x%d@example.test>" % i) for i in range(300)}
    tap.eq((got, finish(s).count("\n")), ({"451 4.3.0"}, 100),
           "300 times later are 100 lines in the log")
    bad = make_root(tmp + "/bad", users=USERS)
    path = bad + "/etc/postern/users.cdb"
    with open(path, "rb") as f:
        whole = f.read()
    answers = set()
    for cut in (0, 1, 100, 2047, 2048, 2100, len(whole) - 1):
        with open(path, "wb") as f:
            f.write(whole[:cut])
        s = Session(bad)
        s.greet()
        s.cmd(b"MAIL FROM:<a@b.c>")
        answers.add(s.cmd(b"RCPT TO:<alice@example.test>")[:3])
        finish(s)
    tap.ok(answers <= {b"451", b"250"}, "a cut users.cdb: later", answers)


def queue_trouble():
    for kw, want, what in (
            ({"verdict": b"Z disk full\n"}, "451 4.3.0", "enqueue: Z"),
            ({"verdict": b"D never\n"}, "554 5.3.0", "enqueue: D"),
            ({"verdict": b"D 5.4.6 mail loop\n"}, "554 5.4.6", "enqueue: a loop"),
            ({"verdict": b""}, "451 4.3.0", "enqueue dies"),
            ({"verdict": b"Kq1\n"}, "451 4.3.0", "enqueue babbles")):
        s = Session(root, **kw)
        s.greet()
        got = s.message(b"a: b" + END)
        tap.eq(got[:9].decode(), want, what)
        tap.eq(s.code(b"RCPT TO:<alice@example.test>"), "503 5.5.1",
               what + ": the transaction has ended")
        finish(s)
    for status in (TEMPFAIL, REJECT):
        s = Session(root, enqueue=status)
        s.greet()
        s.cmd(b"MAIL FROM:<a@b.c>")
        s.cmd(b"RCPT TO:<alice@example.test>")
        tap.eq(s.code(b"DATA"), "451 4.3.0", "no queue: status %d" % status)
        tap.eq(s.code(b"DATA"), "503 5.5.1", "and no transaction")
        finish(s)


def no_front():
    s = submission(clear=True)
    s.greet()
    s.front.channel.shutdown(socket.SHUT_RDWR)
    tap.eq(s.code(b"AUTH PLAIN " + plain(b"alice", b"wonder")), "454 4.7.0",
           "front is gone: no login, later")
    finish(s)
    s = Session(root)
    s.greet()
    s.cmd(b"MAIL FROM:<a@b.c>")
    s.cmd(b"RCPT TO:<alice@example.test>")
    s.front.channel.shutdown(socket.SHUT_RDWR)
    tap.eq(s.code(b"DATA"), "451 4.3.0", "front is gone: no queue, later")
    finish(s)


A = (b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\0", b"\0\r\n")
M = (b"", b"\0")
B = (b"\r\n", b"\n", b"\r", b"\r\r\n", b"\0\r\n", b" \r\n")
SECOND = (b"MAIL FROM:<admin@example.test>\r\nRCPT TO:<bob@example.test>\r\n"
          b"DATA\r\nSubject: two\r\n\r\nsmuggled\r\n.\r\n")


def smuggle(seq, cuts=()):
    s = Session(root)
    s.greet()
    for line in (b"MAIL FROM:<a@out.test>", b"RCPT TO:<alice@example.test>",
                 b"DATA"):
        s.cmd(line)
    text = b"Subject: one\r\n\r\nbody" + seq + SECOND
    last = 0
    for cut in cuts:
        s.send(text[last:cut])
        time.sleep(0.003)
        last = cut
    s.send(text[last:])
    got = s.read() + b"\r\n"
    s.send(b"QUIT\r\n")
    got += s.rest()
    s.close()
    return got, len(s.front.messages)


def smuggling():
    """T-SMUG-1, T-SMUG-2; the rest of the splits is in the unit test."""
    dirty, wrong, at = 0, [], len(b"Subject: one\r\n\r\nbody")
    for i, (a, m, b) in enumerate(itertools.product(A, M, B)):
        seq = a + b"." + m + b
        if seq == END:
            continue
        if seq == b"\r\n. \r\n":
            # A line of a dot and a blank is text: the end is the last one.
            got = smuggle(seq)
            if got[1] != 1 or got[0].count(b"250") != 1:
                wrong.append((seq, got))
            continue
        dirty += 1
        cuts = () if i % 3 else range(at, at + len(seq) + 1)
        got, messages = smuggle(seq, cuts)
        if got != b"550 5.5.2 bare CR, LF or NUL\r\n" or messages:
            wrong.append((seq, got, messages))
    tap.eq((dirty, wrong), (82, []),
           "82 dirty ends: one reply, no message, the end")
    s = Session(root)
    s.greet()
    s.cmd(b"MAIL FROM:<a@b.c>")
    s.cmd(b"RCPT TO:<alice@example.test>")
    s.cmd(b"DATA")
    s.send(b"one" + END + SECOND[:SECOND.index(b"Subject")])
    got = [s.read()[:3] for _ in range(4)]
    s.send(b"two" + END)
    got.append(s.read()[:3])
    tap.eq((got, len(s.front.messages)),
           ([b"250", b"250", b"250", b"354", b"250"], 2),
           "the clean end: two messages")
    finish(s)
    wrong = []
    for size in (8192, 16384):
        for k in range(-6, 3):
            head = b"Subject: one\r\n\r\n"
            text = head + b"x" * (size + k - len(head))
            for end, want in ((END, b"250"), (b"\r\n.\n" + END, b"550"),
                              (b"\n.\r\n" + END, b"550")):
                s = Session(root)
                s.greet()
                got = s.message(text + end)
                if got[:3] != want or \
                        len(s.front.messages) != (want == b"250"):
                    wrong.append((size + k, end, got))
                s.close()
    tap.eq(wrong, [], "the end at the edge of a buffer")
    for text in (b"a\nb", b"a\rb", b"a\0b", b"\nSubject: x"):
        s = Session(root)
        s.greet()
        start = time.time()
        s.cmd(b"MAIL FROM:<a@b.c>")
        s.cmd(b"RCPT TO:<alice@example.test>")
        s.cmd(b"DATA")
        s.send(text)
        if text != b"a\nb":
            s.send(END)
        got = s.rest()
        tap.ok(got.startswith(b"550 5.5.2") and time.time() - start < 6,
               "%r in a text" % text, got)
        s.close()
    s = Session(root)
    s.greet()
    tap.eq(s.cmd(b"NOOP\nNOOP")[:9], b"500 5.5.2", "a bare LF in a command")
    s.rest()
    s.close()
    s = Session(root)
    s.greet()
    tap.eq(s.cmd(b"NOOP \0x")[:9], b"500 5.5.2", "a NUL in a command")
    s.rest()
    s.close()


def early():
    s = Session(root, early=b"EHLO x\r\n")
    tap.ok(s.rest().startswith(b"554 5.5.0"), "talk before the banner")
    s.close()
    for line, want in (
            (b"DATA\r\nSubject: x\r\n\r\n.\r\n", b"554 5.5.0"),
            (b"EHLO y\r\nNOOP\r\n", b"554 5.5.0"),
            (b"QUIT\r\nNOOP\r\n", b"554 5.5.0"),
            (b"VRFY a\r\nNOOP\r\n", b"554 5.5.0"),
            (b"STARTTLS\r\nEHLO inj\r\n", b"503")):
        s = Session(root)
        s.greet()
        s.cmd(b"MAIL FROM:<a@b.c>")
        s.cmd(b"RCPT TO:<alice@example.test>")
        s.send(line)
        got = s.read()
        tap.ok(got.startswith(want), "%r in one piece" % line, got)
        if want != b"503":
            tap.eq(s.rest(), b"", "ends the connection")
        finish(s)
        tap.eq(len(s.front.messages), 0, "without a message")


def leftovers():
    """T-SMTP-11: nothing of a transaction lives on in the next."""
    s = Session(root)
    s.greet()
    for end in (b"RSET", b"EHLO x", b"HELO x", b"big"):
        s.cmd(b"MAIL FROM:<first@out.test> BODY=8BITMIME")
        s.cmd(b"RCPT TO:<alice@example.test>")
        if end == b"big":
            s.cmd(b"DATA")
            s.send(b"a: b\r\n" * 1001 + b".\r\n")
            tap.eq(s.read()[:3], b"552", "a refused message")
        else:
            s.cmd(end)
        for line in (b"RCPT TO:<bob@example.test>", b"DATA"):
            tap.eq(s.code(line), "503 5.5.1", "after %s: %s" % (
                end.decode(), line.decode()))
        s.cmd(b"EHLO x")
        got = s.message(b"a: b" + END, b"second@out.test",
                        b"bob@example.test")
        m = s.front.messages[-1]
        tap.eq((got[:3], m.field(b"sender"), m.field(b"rcpt"),
                m.field(b"body")),
               (b"250", [b"second@out.test"], [b"bob@example.test"],
                [b"7BIT"]), "after %s: a new envelope" % end.decode())
        if end == b"HELO x":
            finish(s)
            s = Session(root)
            s.greet()
    finish(s)
    s = Session(small)
    s.greet()
    for _ in range(3):
        s.cmd(b"MAIL FROM:<a@b.c>")
        got = [s.code(b"RCPT TO:<bob@example.test>") for _ in range(30)]
        tap.eq(got, ["250 2.1.5"] * 5 + ["452 4.5.3"] * 25,
               "each transaction has its own recipients")
        s.cmd(b"RSET")
    finish(s)
    s = submission()
    s.greet()
    s.cmd(b"AUTH PLAIN")
    s.cmd(plain(b"alice", b"wonder"))
    log = finish(s)
    tap.ok(plain(b"alice", b"wonder").decode() not in log and
           "such" in log,
           "a password in place of a command is not logged", log)


def limits():
    s = Session(root)
    s.greet()
    for n in (511, 513, 2048, 8000):
        tap.eq(s.code(b"NOOP " + b"x" * (n - 7)),
               "250 2.0.0" if n <= 512 else "500 5.5.2",
               "a command of %d bytes" % n)
    tap.eq(s.code(b"NOOP"), "250 2.0.0", "and on")
    tap.eq(s.code(b"NOOP " + b"x" * 9000), "500 5.5.2", "9,000 bytes")
    tap.eq(s.rest(), b"", "end the connection")
    s.close()
    s = Session(root)
    s.greet()
    s.send(b"NOOP " + b"x" * 1000000)
    tap.ok(s.rest().startswith(b"500 5.5.2"), "a line of 1 MB without an end")
    s.close()

    def one(body, where=root, mail=b"MAIL FROM:<a@b.c>"):
        s = Session(where)
        s.greet()
        s.cmd(mail)
        s.cmd(b"RCPT TO:<alice@example.test>")
        s.cmd(b"DATA")
        s.send(body + b".\r\n")
        got = s.read()[:9].decode()
        after = s.cmd(b"NOOP")[:3]
        finish(s)
        return got, after, len(s.front.messages)

    taken = ("250 2.0.0", b"250", 1)
    for body, want, what in (
            (b"s: x\r\n\r\n" + b"x" * 1001 + b"\r\n", taken,
             "a line of 1,001 bytes"),
            (b"s: x\r\n\r\n" + b"x" * 65536 + b"\r\n", taken,
             "a line of 64 KiB"),
            (b"s: x\r\n\r\n" + b"x" * 65537 + b"\r\n",
             ("554 5.6.0", b"250", 0), "a line of 64 KiB and one"),
            (b"a: b\r\n" * 1000 + b"\r\n", taken, "1,000 fields"),
            (b"a: b\r\n" * 1001 + b"\r\n", ("552 5.3.4", b"250", 0),
             "1,001 fields"),
            (b"a:" + (b" " + b"x" * 998 + b"\r\n") * 270 + b"\r\n",
             ("552 5.3.4", b"250", 0), "a field of 264 KiB"),
            (b"Received: x\r\n" * 99 + b"\r\n", taken, "99 hops"),
            (b"rEceived : x\r\n" * 100 + b"\r\n", ("554 5.4.6", b"250", 0),
             "100 hops"),
            (b"a: b\r\n\r\n" + b"Received: x\r\n" * 200, taken,
             "200 hops in the body")):
        tap.eq(one(body), want, what)
    body = b"a: b\r\n\r\n" + b"x" * 78 + b"\r\n"
    body = body + b"y" * (4096 - len(body) - 2) + b"\r\n"
    tap.eq(one(body, small), taken, "a message of exactly the limit")
    tap.eq(one(body[:-2] + b"z\r\n", small), ("552 5.3.4", b"250", 0),
           "one byte more")
    tap.eq(one(b"." + body[:-3] + b"\r\n", small)[0], "250 2.0.0",
           "a stuffed dot does not count")
    tap.eq(one(body * 3, small, b"MAIL FROM:<a@b.c> SIZE=10")[0],
           "552 5.3.4", "SIZE that lies")
    s = Session(small)
    s.greet()
    s.cmd(b"MAIL FROM:<a@b.c>")
    got = [s.code(b"RCPT TO:<alice@example.test>") for _ in range(56)]
    tap.eq((got[:5], set(got[5:55]), got[55]),
           (["250 2.1.5"] * 5, {"452 4.5.3"}, "421 4.5.3"),
           "too many recipients: 452, in the end 421")
    s.close()
    s = Session(root)
    s.greet()
    s.send(b"NOOP\r\n" * 1100)
    got = s.rest()
    tap.eq((got.count(b"250 2"), got.count(b"421")), (999, 1),
           "too many idle commands")
    s.close()


def deadlines():
    """T-DOS-1."""
    s = Session(quick)
    tap.ok(s.rest().endswith(b"421 4.4.2 you took too long\r\n"), "silence")
    s.close()
    s = Session(quick)
    s.greet()
    for line in (b"MAIL FROM:<a@b.c>", b"RCPT TO:<alice@example.test>",
                 b"DATA"):
        s.cmd(line)
    s.send(b"Subject: x\r\n")
    tap.ok(s.rest().startswith(b"421 4.4.2"), "silence in DATA")
    s.close()
    tap.eq((len(s.front.messages), s.front.broken), (0, 1),
           "leaves nothing behind")
    s = Session(quick, "submission", passwords=WORDS)
    s.read()
    start = time.time()
    while time.time() - start < 5:
        s.send(b"NOOP\r\n")
        if s.read()[:3] != b"250":
            break
        time.sleep(0.1)
    tap.ok(time.time() - start < 3, "chatter does not put the login off")
    s.close()


def tls():
    s = Session(root)
    s.greet()
    tap.eq(s.starttls()[:3], b"220", "STARTTLS")
    tap.eq(s.code(b"MAIL FROM:<a@b.c>"), "503 5.5.1",
           "MAIL before a new EHLO")
    hello = s.cmd(b"EHLO x")
    tap.ok(b"STARTTLS" not in hello, "not offered again")
    tap.eq(s.code(b"STARTTLS"), "503 5.5.1", "nor taken")
    got = s.message(b"a: b" + END)
    tap.ok(got.startswith(b"250"), "a message within TLS", got)
    tap.ok(re.search(rb"with ESMTPS id \S+\n\t\(TLS1.3 ",
                     s.front.messages[0].body), "Received tells",
           s.front.messages[0].body)
    finish(s)
    s = Session(root, "submissions", passwords=WORDS)
    s.tls()
    tap.ok(b"250-AUTH SCRAM" in s.greet(), "implicit TLS")
    finish(s)
    s = Session(root, tls_files=False)
    tap.ok(b"STARTTLS" not in s.greet(), "no certificate: not offered")
    tap.eq(s.code(b"STARTTLS"), "502 5.5.1", "nor taken")
    finish(s)

    # T-TLS-1, T-TLS-2, T-TLS-5, T-TLS-6
    for inject in (b"EHLO inj\r\n", b"N", b"MAIL FROM:<a@x>\r\n"
                   b"RCPT TO:<b@y>\r\nDATA\r\n"):
        s = Session(root)
        s.greet()
        s.send(b"STARTTLS\r\n" + inject)
        tap.ok(s.rest().startswith(b"554 5.5.1"),
               "%r behind STARTTLS" % inject[:10])
        s.close()
    ran = []
    text = b"STARTTLS\r\nNOOP\r\n"
    for cut in range(1, len(text)):
        s = Session(root)
        s.greet()
        s.send(text[:cut])
        time.sleep(0.005)
        s.send(text[cut:])
        got = s.rest()
        if b"250" in got or got[:3] not in (b"220", b"554"):
            ran.append((cut, got))
        s.close()
    tap.eq(ran, [], "split at every byte: never executed")
    s = Session(root)
    s.greet()
    s.cmd(b"STARTTLS")
    s.send(b"NOOP\r\nNOOP\r\n")
    tap.ok(b"250" not in s.rest(), "clear text instead of a handshake")
    tap.ok("tls-failed" in s.close(), "is logged")

    # T-TLS-7
    s = submission()
    hello = s.greet()
    tap.ok(b"AUTH" not in hello, "no AUTH offered in clear")
    tap.eq(s.code(b"AUTH PLAIN " + plain(b"alice", b"wonder")), "538 5.7.1",
           "nor taken")
    tap.eq(s.front.auths, [], "nor asked about")
    s.starttls()
    tap.ok(b"250-AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN" in s.cmd(b"EHLO x"),
           "within TLS it is")
    tap.eq(s.code(b"AUTH PLAIN " + plain(b"alice", b"wonder")), "235 2.7.0",
           "and works")
    s.message(b"From: a\r\n" + END, sender=b"alice@example.test")
    tap.ok(b"with ESMTPSA id" in s.front.messages[0].body, "ESMTPSA")
    finish(s)
    s = logged_in()
    tap.eq(s.code(b"STARTTLS"), "503 5.5.1", "no STARTTLS after a login")
    finish(s)

    # T-TLS-9, T-TLS-10
    for how in ("notify", "cut"):
        s = Session(root)
        s.greet()
        s.starttls()
        s.cmd(b"EHLO x")
        for line in (b"MAIL FROM:<a@b.c>",
                     b"RCPT TO:<alice@example.test>", b"DATA"):
            s.cmd(line)
        s.send(b"Subject: x\r\n\r\nbody")
        if how == "notify":
            raw = socket.socket(fileno=socket.dup(s.sock.fileno()))
            raw.setblocking(True)
            try:
                s.sock.settimeout(0.2)
                s.sock.unwrap()
            except (OSError, ssl.SSLError):
                pass
            try:
                raw.sendall(b"x" + END)
            except OSError:
                pass
            raw.close()
        else:
            s.send(b"\r\n.")
        log = s.close()
        tap.eq(len(s.front.messages), 0, "TLS ends in DATA (%s)" % how)
        tap.ok("truncated" in log, "logged", log)

    s = Session(root, "submissions", passwords=WORDS)
    s.tls()
    s.read()
    s.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO a\r\n")
    tap.eq(s.rest(), b"", "HTTP gets no answer: T-TLS-13")
    s.close()


def login():
    s = submission(clear=True)
    s.greet()
    tap.eq(s.code(b"MAIL FROM:<alice@example.test>"), "530 5.7.0",
           "login first")
    tap.eq(s.code(b"AUTH PLAIN " + plain(b"alice", b"wrong")), "535 5.7.8",
           "a wrong password")
    tap.eq(s.code(b"AUTH CRAM-MD5"), "504 5.5.4", "an unknown mechanism")
    tap.eq(s.code(b"AUTH PLAIN !!"), "501 5.5.2", "what is not base64")
    s.send(b"AUTH PLAIN\r\n")
    tap.eq(s.read(), b"334 ", "a challenge")
    tap.eq(s.code(b"*"), "501 5.7.0", "given up")
    s.cmd(b"AUTH PLAIN")
    tap.eq(s.code(plain(b"alice", b"wonder")), "235 2.7.0", "with the answer")
    tap.eq(s.code(b"AUTH PLAIN " + plain(b"bob", b"builder")), "503 5.5.1",
           "once only")
    tap.ok(b"AUTH" not in s.cmd(b"EHLO x"), "and not offered again")
    log = finish(s)
    tap.ok("wonder" not in log and "d29uZGVy" not in log,
           "no password in the log")

    s = submission(clear=True)
    s.greet()
    tap.eq(s.cmd(b"AUTH LOGIN"), b"334 VXNlcm5hbWU6", "AUTH LOGIN: name")
    tap.eq(s.cmd(base64.b64encode(b"bob")), b"334 UGFzc3dvcmQ6", "password")
    tap.eq(s.code(base64.b64encode(b"builder")), "235 2.7.0", "welcome")
    finish(s)

    for data in (b"", b"\0", b"a\0b", b"\0u\0p\0x", b"\0u\0" + b"p" * 2000,
                 b"\0\0p", b"\0u\0", b"x" * 9000):
        s = submission(clear=True)
        s.greet()
        got = s.code(b"AUTH PLAIN " + (base64.b64encode(data) or b"="))
        tap.ok(got[:3] in ("535", "501", "500"), "PLAIN of %r" % data[:9],
               got)
        tap.eq(len(s.front.messages), 0, "no login")
        finish(s)
    s = submission(clear=True)
    s.greet()
    s.cmd(b"AUTH PLAIN")
    tap.ok(s.cmd(b"x" * 13000).startswith(b"500"), "a response too long")
    s.rest()
    s.close()
    s = submission(clear=True, passwords=None)
    s.greet()
    tap.eq(s.code(b"AUTH PLAIN " + plain(b"alice", b"wonder")), "454 4.7.0",
           "checking fails: later")
    finish(s)
    s = Session(small, "submission", passwords=WORDS, clear=True)
    s.greet()
    got = [s.code(b"AUTH PLAIN " + plain(b"alice", b"no")) for _ in range(3)]
    tap.eq(got, ["535 5.7.8"] * 2 + ["421 4.7.0"], "three wrong passwords")
    s.rest()
    s.close()


def senders():
    for user, sender, want in (
            (b"alice", b"alice@example.test", "250 2.1.0"),
            (b"alice", b"ALICE@Example.Test", "250 2.1.0"),
            (b"alice", b"alice+list@example.test", "250 2.1.0"),
            (b"alice", b"info@example.test", "250 2.1.0"),
            (b"alice", b"", "250 2.1.0"),
            (b"alice", b"bob@example.test", "553 5.7.1"),
            (b"alice", b"team@example.test", "553 5.7.1"),
            (b"alice", b"nobody@example.test", "553 5.7.1"),
            (b"alice", b"alice@out.test", "553 5.7.1"),
            (b"bob", b"team@example.test", "250 2.1.0")):
        s = logged_in(user)
        tap.eq(s.code(b"MAIL FROM:<" + sender + b">"), want,
               "%s as %s" % (user.decode(), sender.decode()))
        finish(s)
    s = logged_in()
    s.cmd(b"MAIL FROM:<alice@example.test> AUTH=<>")
    tap.eq(s.code(b"RCPT TO:<x@out.test>"), "250 2.1.5", "to anywhere")
    tap.eq(s.code(b"RCPT TO:<nobody@example.test>"), "550 5.1.1",
           "but not to nobody here")
    tap.eq(s.code(b"RCPT TO:<x@[192.0.2.1]>"), "550 5.7.1",
           "nor to an address literal")
    s.cmd(b"DATA")
    s.cmd(b"Subject: x\r\n\r\nhello\r\n.")
    body = s.front.messages[0].body
    tap.ok(re.search(rb"\nSubject: x\nFrom: <alice@example\.test>\nDate: .*\n"
                     rb"Message-ID: <\S+@mx\.example\.test>\n\nhello\n$",
                     body), "a missing From, Date and Message-ID are added",
           body)
    tap.ok(b"with ESMTPA id" in body, "ESMTPA")
    s.message(b"date: x\r\nMessage-Id: <y>\r\nfrom: z\r\n\r\nhello" + END,
              sender=b"alice@example.test")
    tap.ok(s.front.messages[1].body.endswith(
        b"\ndate: x\nMessage-Id: <y>\nfrom: z\n\nhello\n"), "but only then")
    s.message(b"hello world\r\nbye" + END, sender=b"alice@example.test")
    tap.ok(re.search(rb"\nFrom: .*\nDate: .*\nMessage-ID: .*\n"
                     rb"\nhello world\nbye\n$", s.front.messages[2].body),
           "a text without a header gets one", s.front.messages[2].body)
    s.message(b"a: b" + END, sender=b"alice@example.test")
    tap.ok(re.search(rb"\na: b\nFrom: .*\nDate: .*\nMessage-ID: .*\n$",
                     s.front.messages[3].body), "a header without a body")
    s.message(b"Subject: seen\r\n\r\n" + END, sender=b"")
    tap.ok(b"\nFrom: <alice@example.test>\n" in s.front.messages[4].body,
           "without a sender From is who logged in")
    finish(s)
    for params, want in ((b"AUTH=a+40b.c", b"250"), (b"AUTH=a+0Ab", b"501"),
                         (b"AUTH=<> AUTH=<>", b"501"), (b"AUTH=", b"501")):
        s = logged_in()
        tap.eq(s.cmd(b"MAIL FROM:<alice@example.test> " + params)[:3], want,
               "MAIL with " + params.decode())
        finish(s)
    s = Session(root)
    s.greet()
    s.message(b"hello world\r\nbye" + END)
    tap.ok(s.front.messages[0].body.endswith(b"0\n\nhello world\nbye\n"),
           "port 25 adds no more than Received", s.front.messages[0].body)
    s.message(b" not a part of ours" + END)
    tap.ok(s.front.messages[1].body.endswith(b"0\n\n not a part of ours\n"),
           "and keeps a text out of it", s.front.messages[1].body)
    s.message(b"Subject: x\r\nnot a field" + END)
    tap.ok(s.front.messages[2].body.endswith(b"\nSubject: x\n\nnot a field\n"),
           "and out of a header that has no end", s.front.messages[2].body)
    finish(s)


def broken_off():
    s = Session(root)
    s.greet()
    for line in (b"MAIL FROM:<a@b.c>", b"RCPT TO:<alice@example.test>",
                 b"DATA"):
        s.cmd(line)
    s.send(b"Subject: x\r\n\r\nhalf a mess")
    log = s.close()
    tap.eq((len(s.front.messages), s.front.broken), (0, 1),
           "a client that goes away leaves nothing behind")
    tap.ok("truncated" in log, "but a line in the log", log)


for part in (good_cases, refusals, addresses, database, queue_trouble, no_front,
             smuggling, early, leftovers, limits, deadlines, tls, login, senders,
             broken_off):
    if len(sys.argv) < 3 or part.__name__ in sys.argv[2:]:
        start = time.time()
        part()
        print("# %s: %.1f s" % (part.__name__, time.time() - start))
tap.eq(Session.crashes, [], "every session ended by itself")
tap.done()
