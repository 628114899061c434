"""remote against servers that behave, lie and break."""
import os
import socket
import subprocess
import sys
import tempfile
import time

from harness import STAGE, Tap, make_root
from servers import Dns, Sink, Smtp, a, aaaa, mx, name, packet

tap = Tap()
crashes = []
tmp = sys.argv[1]
root = make_root(tmp + "/root")
CERT = (root + "/etc/postern/tls/cert.pem", root + "/etc/postern/tls/key.pem")


def conf(text):
    with open(root + "/etc/postern/postern.conf", "w") as f:
        f.write("hostname mx.example.test\ndomain example.test\n" + text)


def queue_file(body, rcpts, sender=b"alice@example.test"):
    def field(key, value):
        return b"%s %d:%s,\n" % (key, len(value), value)
    fields = field(b"id", b"1700000000.M1P1.abc") + \
        field(b"time", b"1700000000") + \
        field(b"size", b"%020d" % len(body)) + field(b"body", b"7BIT") + \
        field(b"sender", sender) + b"".join(field(b"rcpt", r) for r in rcpts)
    f = tempfile.TemporaryFile()
    f.write(b"P1 %010d\n" % len(fields) + fields + body)
    f.seek(0)
    return f


def run(domain="far.test", rcpts=(b"bob@far.test",), args=None,
        body=b"Subject: x\n\nhello\n", sender=b"alice@example.test"):
    with queue_file(body, rcpts, sender) as f:
        p = subprocess.run(
            [STAGE + "/remote", "-r", root, "--", domain] +
            (args or [str(i) for i in range(len(rcpts))]),
            stdin=f, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=60)
    run.log = p.stderr.decode("latin-1")
    run.status = p.returncode
    if p.returncode not in (0, 100) or b"Sanitizer" in p.stderr or \
            b"runtime error" in p.stderr:
        crashes.append((p.returncode, p.stderr))
    return p.stdout.decode("latin-1")


def with_sink(sink, tls=None, **kw):
    server = Smtp(sink, tls=tls)
    conf("route far.test 127.0.0.1:%d\n" % server.port)
    got = run(**kw)
    server.close()
    with_sink.connections = server.connections
    return got


def scripted(*handlers, tls=None, **kw):
    server = Smtp(*handlers, tls=tls)
    conf("route far.test 127.0.0.1:%d\n" % server.port)
    got = run(**kw)
    server.close()
    scripted.connections = server.connections
    return got


def begins(got, want, what):
    tap.ok(got.startswith(want), what, got, run.log)


# The good case.
sink = Sink()
got = with_sink(sink, body=b"Subject: x\n\n.dot\n..\nend")
begins(got, "0 ok 2.6.0 127.0.0.1[127.0.0.1]: 250 2.6.0 taken", "delivered")
tap.eq(sink.messages, [b"Subject: x\r\n\r\n..dot\r\n...\r\nend\r\n"],
       "dots are stuffed, line ends are CRLF, the last one is added")
tap.eq(sink.commands, [
    b"EHLO mx.example.test",
    b"MAIL FROM:<alice@example.test> SIZE=27",
    b"RCPT TO:<bob@far.test>", b"DATA", b"QUIT"], "commands in order")
tap.eq(run.status, 0, "exit status 0")

sink = Sink()
with_sink(sink, sender=b"")
tap.ok(sink.commands[1].startswith(b"MAIL FROM:<> "), "a bounce's empty sender")

sink = Sink()
with_sink(sink, body="Subject: x\n\nsmørrebrød\n".encode())
tap.ok(sink.commands[1].endswith(b" BODY=8BITMIME"), "8-bit text says so",
       sink.commands)
sink = Sink(extensions=())
got = with_sink(sink, body="Subject: x\n\nsmørrebrød\n".encode())
begins(got, "0 ok", "8-bit text goes to a host without 8BITMIME")
tap.eq(sink.commands[1], b"MAIL FROM:<alice@example.test>",
       "no parameter that was not offered")

# Nothing that any receiver could take for a line end: T-SMUG-5.
sink = Sink()
with_sink(sink, body=b"Subject: x\n\na\rb\r.\rc\0d\r\ne\r\r\n.\n\r\n.\n\r")
wire = sink.messages[0]
tap.eq(wire.replace(b"\r\n", b"").count(b"\r") +
       wire.replace(b"\r\n", b"").count(b"\n") + wire.count(b"\0"), 0,
       "no bare CR, LF or NUL goes out")
tap.eq(wire, b"Subject: x\r\n\r\na b . c d\r\ne \r\n..\r\n\r\n..\r\n \r\n",
       "a bare CR and a NUL become blanks")

# HELO where EHLO is unknown.
sink = Sink(EHLO=[b"502 what"])
begins(with_sink(sink), "0 ok", "HELO is tried where EHLO is refused")
tap.eq(sink.commands[1], b"HELO mx.example.test", "and said")

# Recipients one by one.
sink = Sink(RCPT=[b"250 ok", b"550 5.1.1 nobody", b"450 4.2.1 later",
                  b"552 too many"])
got = with_sink(sink, rcpts=(b"a@far.test", b"b@far.test", b"c@far.test",
                             b"d@far.test"))
lines = sorted(got.splitlines())
tap.eq([l.split()[:3] for l in lines],
       [["0", "ok", "2.6.0"], ["1", "perm", "5.1.1"], ["2", "temp", "4.2.1"],
        ["3", "temp", "4.0.0"]], "each recipient has its own outcome")
tap.ok("550 5.1.1 nobody" in lines[1], "with the host's words", lines)
sink = Sink()
got = with_sink(sink, rcpts=(b"a@far.test", b"b@far.test", b"c@far.test"),
                args=["2", "0"])
tap.eq(sink.commands[2:4], [b"RCPT TO:<c@far.test>", b"RCPT TO:<a@far.test>"],
       "only those that were asked for")
sink = Sink()
got = with_sink(sink, args=["7=carol@far.test"])
begins(got, "7 ok", "an alias's recipient by name")
tap.eq(sink.commands[2], b"RCPT TO:<carol@far.test>", "and address")
sink = Sink(RCPT=[b"550 5.1.1 nobody"])
got = with_sink(sink)
tap.ok(b"DATA" not in sink.commands, "no DATA when nobody is accepted",
       sink.commands)
sink = Sink()
got = with_sink(sink, args=["0=x@far.test> SIZE=1"])
begins(got, "0 perm 5.1.3", "what is no address is not sent as one")
with_sink(Sink(), args=["1"])
tap.eq(run.status, 100, "an index that is none is a wrong argument")

# Refusals at each stage.
for verb, reply, want in (
        ("GREETING", b"421 4.3.2 busy", "0 temp 4.3.2"),
        ("GREETING", b"554 5.3.2 go away", "0 temp 4.3.2"),
        ("MAIL", b"451 4.7.1 grey", "0 temp 4.7.1"),
        ("MAIL", b"550 5.7.1 no", "0 perm 5.7.1"),
        ("DATA", b"451 4.3.0 no", "0 temp 4.3.0"),
        ("DATA", b"554 5.5.1 no", "0 perm 5.5.1"),
        ("DATA", b"250 ok", "0 temp"),
        ("DOT", b"452 4.3.1 full", "0 temp 4.3.1"),
        ("DOT", b"554 5.7.1 spam", "0 perm 5.7.1"),
        ("DOT", b"354 more", "0 temp"),
        ("RCPT", b"421 4.3.2 bye", "0 temp 4.3.2"),
        ("RCPT", b"354 what", "0 temp"),
        ("DOT", b"250 5.0.0 what", "0 ok 2.0.0")):
    begins(with_sink(Sink(**{verb: [reply]})), want,
           "%s: %s" % (verb, reply.decode()))
begins(with_sink(Sink(extensions=(b"SIZE 10",))), "0 perm 5.3.4",
       "a message that is too big for the host")

# Connections that break: T-CLI-4, T-CLI-6.
for verb in ("GREETING", "EHLO", "MAIL", "RCPT", "DATA"):
    begins(with_sink(Sink(**{verb: [None]})), "0 temp 4.4.2",
           "the host hangs up at " + verb)
sink = Sink(DOT=[None])
got = with_sink(sink)
begins(got, "0 temp 4.4.2 no answer after the message was sent",
       "the host hangs up after the dot")
tap.eq(with_sink.connections, 1, "and the message is not sent again at once")
tap.ok("possible-duplicate" in run.log, "but logged", run.log)

listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
listener.close()
conf("route far.test 127.0.0.1:%d\n" % port)
begins(run(), "0 temp 4.4.1", "nobody listens")

# Two hosts: what one refuses, the other may take.
def two(first, second):
    servers = [Smtp(first)]
    try:
        servers.append(Smtp(second, host="::1", port=servers[0].port))
    except OSError:
        return None
    conf("route far.test localhost:%d\n" % servers[0].port)
    got = run()
    for server in servers:
        server.close()
    return got


if two(Sink(), Sink()):
    no = {"EHLO": [b"550 5.7.1 no"], "HELO": [b"550 5.7.1 no"]}
    begins(two(Sink(EHLO=[b"421 4.3.2 busy"]), Sink()), "0 ok",
           "the second host when the first is busy")
    begins(two(Sink(**no), Sink()), "0 ok",
           "the second host when the first refuses")
    begins(two(Sink(EHLO=[b"421 4.3.2 busy"]), Sink(**no)), "0 temp 4.7.1",
           "a second that refuses is not the first's word")
    begins(two(Sink(**no), Sink(EHLO=[b"421 4.3.2 busy"])), "0 temp 4.3.2",
           "nor the other way round")
    begins(two(Sink(**no), Sink(**no)), "0 perm 5.7.1", "both refuse")
    begins(two(Sink(MAIL=[b"550 5.7.1 no"]), Sink()), "0 perm 5.7.1",
           "a refused sender is final")
    sink = Sink()
    begins(two(Sink(RCPT=[None]), sink), "0 ok",
           "the second host when the first hangs up")
    begins(two(Sink(DOT=[None]), sink), "0 temp 4.4.2",
           "but not after the dot")
    tap.eq(len(sink.messages), 1, "which would be a second copy")

# Replies that lie: T-CLI-4, T-CLI-5.
lies = [
    (b"250-x\r\n" * 200 + b"250 x", "a reply of 200 lines"),
    (b"250 " + b"x" * 100000, "a line of 100,000 bytes"),
    (b"2", "a code of one digit"),
    (b"99999", "a code of five digits"),
    (b"2 50", "a code with a hole"),
    (b"150 ok", "a code below 200"),
    (b"250 o\0k", "a NUL"),
    (b"250 a\rb", "a bare CR"),
    (b"250-a\nb\r\n250 c", "a bare LF"),
    (b"250-ok\r\n550 no", "two codes at once"),
]
for reply, what in lies:
    begins(with_sink(Sink(MAIL=[reply])), "0 temp", what)
got = with_sink(Sink(RCPT=[b"550 5.1.1 \x1b[2J\xff" + b"y" * 2000]))
begins(got, "0 perm 5.1.1", "a reply with escapes")
tap.ok(got.count("\n") == 1 and len(got) < 560 and got.strip().isprintable(),
       "is one short printable line", got)
got = with_sink(Sink(RCPT=[b"550 bad\r\nBcc: x@y"]))
tap.ok(got.count("\n") == 1, "a reply cannot bring a second line", got)


def early(talk):
    talk.say(b"220 x")
    talk.line()
    talk.say(b"250 x")
    talk.line()
    talk.say(b"250 ok", b"250 ok", b"354 go", b"250 done")
    talk.line()


begins(scripted(early), "0 temp 4.4.2", "replies before their commands")

# TLS: T-CLI-1, T-CLI-2.
sink = Sink(extensions=(b"STARTTLS",))
begins(with_sink(sink, tls=CERT), "0 ok", "STARTTLS where it is offered")
tap.eq(sink.tls, 1, "within TLS")
tap.eq([c.split()[0] for c in sink.commands[:4]],
       [b"EHLO", b"STARTTLS", b"EHLO", b"MAIL"],
       "EHLO again after the handshake")
tap.ok("tls=TLS1.3" in run.log, "the log tells", run.log)

sink = Sink(extensions=(b"STARTTLS",), STARTTLS=[b"454 4.7.0 not now"])
begins(with_sink(sink), "0 ok", "454 to STARTTLS: in clear")
tap.ok("tls-refused" in run.log, "and logged", run.log)


def garbage(talk):
    talk.say(b"220 x")
    talk.line()
    talk.say(b"250-x", b"250 STARTTLS")
    talk.line()
    talk.say(b"220 go")
    talk.s.recv(65536)
    talk.s.sendall(b"this is not TLS at all\r\n" * 4)


sink = Sink()
begins(scripted(garbage, sink), "0 ok", "a broken handshake: once in clear")
tap.eq(scripted.connections, 2, "on a new connection")
tap.ok("tls-failed" in run.log, "and logged", run.log)


def inject(talk):
    talk.say(b"220 x")
    talk.line()
    talk.say(b"250-x", b"250 STARTTLS")
    talk.line()
    talk.say(b"220 go", b"250-injected", b"250 AUTH PLAIN")
    try:
        talk.start_tls()
    except Exception:
        return


begins(scripted(inject, Sink(), tls=CERT), "0 temp 4.4.2",
       "replies behind the 220 to STARTTLS")
tap.eq(scripted.connections, 1, "no second connection in clear for that")

# DNS.
dns = Dns({
    ("null.test", Dns.MX): [mx(0, "")],
    ("self.test", Dns.MX): [mx(5, "mx.example.test")],
    ("loop.test", Dns.MX): [mx(5, "h.loop.test")],
    ("h.loop.test", Dns.A): [a("127.0.0.1")],
    ("mapped.test", Dns.MX): [mx(5, "h.mapped.test")],
    ("h.mapped.test", Dns.AAAA): [aaaa("::ffff:127.0.0.1")],
    ("zero.test", Dns.A): [a("0.0.0.0")],
    ("bare.test", Dns.AAAA): [aaaa("::1")],
    ("fail.test", Dns.MX): "SERVFAIL",
    ("halffail.test", Dns.MX): [mx(1, "h.halffail.test")],
    ("h.halffail.test", Dns.A): "SERVFAIL",
    ("nohost.test", Dns.MX): [mx(1, "gone.test")],
    ("long.test", Dns.MX): [mx(i, "mx.example.test") for i in range(60)],
    ("better.test", Dns.MX): [mx(10, "mx.example.test"),
                              mx(20, "h.loop.test")],
})
conf("resolver 127.0.0.1@%d\n" % dns.port)
for domain, want, what in (
        ("null.test", "0 perm 5.1.10", "a null MX"),
        ("none.test", "0 perm 5.1.2", "a domain that does not exist"),
        ("self.test", "0 perm 5.4.6", "an MX that is our name"),
        ("loop.test", "0 perm 5.4.6", "an MX on loopback"),
        ("mapped.test", "0 perm 5.4.6", "an MX on mapped loopback"),
        ("zero.test", "0 perm 5.4.6", "an address that is none"),
        ("bare.test", "0 perm 5.4.6", "::1 without an MX"),
        ("fail.test", "0 temp 4.4.3", "DNS fails for the MX"),
        ("halffail.test", "0 temp 4.4.3", "DNS fails for the address"),
        ("nohost.test", "0 perm 5.4.4", "an MX without an address"),
        ("long.test", "0 perm 5.4.6", "an answer that needs TCP"),
        ("better.test", "0 perm 5.4.6", "hosts behind us are not tried")):
    begins(run(domain), want, "DNS: " + what)
tap.ok(dns.by_tcp > 0, "which was used")
tap.ok(("h.loop.test", Dns.A) in dns.asked, "the addresses were looked up")
dns.close()

sink = Sink()
server = Smtp(sink)
conf("route * localhost:%d\n" % server.port)
begins(run("any.test", rcpts=(b"x@any.test",)), "0 ok", "a smarthost")
server.close()

tap.eq(crashes, [], "every run ended by itself")
tap.done()
