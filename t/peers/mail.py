"""Messages of every kind through the queue; prints TAP."""
import email
import email.policy
import os
import random
import smtplib
import time
from email.message import EmailMessage

from aiosmtpd.controller import Controller

from tap import done, env, equal, ok, port, trust, wait

ALICE = env["MAIL_ADDR"]
BOB = env["MAIL_ADDR2"]
LOCAL, DOMAIN = ALICE.split("@")
SINK = env["SINK_DOMAIN"]


class Sink:
    """Another mail server: takes all but no@, and later@ the second time."""

    def __init__(self):
        self.got = []
        self.asked = {}

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.asked[address] = self.asked.get(address, 0) + 1
        if address.startswith("no"):
            return "550 5.1.1 nobody of that name"
        if address.startswith("later") and self.asked[address] < 2:
            return "451 4.2.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        self.got.append((envelope.mail_from, envelope.rcpt_tos,
                         envelope.content))
        return "250 2.0.0 taken"


def submit(to, raw, sender=ALICE):
    with smtplib.SMTP("localhost", port("SUBMISSION"), "client.test",
                      timeout=120) as s:
        s.starttls(context=trust())
        s.login(env["MAIL_USER"], env["MAIL_PASS"])
        return s.sendmail(sender, to, raw,
                          ["BODY=8BITMIME"] if max(raw) > 127 else [])


def message(subject, to=BOB):
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = ALICE, to, subject
    m["Message-ID"] = "<%s@client.test>" % subject
    m["Date"] = "Mon, 23 Nov 2026 10:00:00 +0100"
    m.set_content("The text of %s.\n" % subject)
    return m


def wire(m):
    return m.as_bytes(policy=m.policy.clone(linesep="\r\n"))


def stored(maildir):
    for sub in "new", "cur":
        folder = os.path.join(maildir, sub)
        for name in os.listdir(folder):
            try:
                with open(os.path.join(folder, name), "rb") as f:
                    yield f.read()
            except FileNotFoundError:
                pass  # moved to cur between the two


def find(maildir, what):
    return [raw for raw in stored(maildir) if what in raw]


def one(maildir, what, name, seconds=40):
    wait(lambda: find(maildir, what), seconds)
    got = find(maildir, what)
    ok(len(got) == 1, "%s: %s" % (name, "arrived once"))
    return got[0] if got else b""


def big():
    m = message("big")
    data = random.Random(1).randbytes(20 * 1000 * 1000 * 3 // 4)
    m.add_attachment(data, maintype="application", subtype="octet-stream",
                     filename="big.bin")
    raw = wire(m)
    ok(len(raw) > 20 * 1000 * 1000, "20 MB: its size")
    start = time.monotonic()
    submit([BOB], raw)
    got = one(env["MAILDIR2"], b"Subject: big\n", "20 MB")
    print("# %.1f s from submission to mailbox" % (time.monotonic() - start))
    parts = list(email.message_from_bytes(
        got, policy=email.policy.default).iter_attachments())
    ok(len(parts) == 1 and parts[0].get_content() == data,
       "20 MB: the attachment is the same")
    got = None
    with smtplib.SMTP("localhost", port("SMTP"), "client.test",
                      timeout=60) as s:
        s.ehlo()
        limit = int(s.esmtp_features["size"])
        code, text = s.docmd("MAIL FROM:<x@outside.test> SIZE=%d" %
                             (limit + 1))
        ok(code == 552, "more than SIZE says is refused at MAIL")


def eight_bit():
    raw = ("From: Bjørn <%s>\r\nTo: Zoë <%s>\r\nSubject: eight-bit Grüße €\r\n"
           "Message-ID: <eight@client.test>\r\n\r\nnaïve\r\n" % (ALICE, BOB))
    submit([BOB], raw.encode())
    got = one(env["MAILDIR2"], b"Message-ID: <eight@client.test>", "8-bit")
    ok("Subject: eight-bit Grüße €\n".encode() in got and
       "naïve\n".encode() in got, "8-bit: headers and body as they were")
    latin = raw.replace("eight@", "latin@").replace("€", "").encode("latin-1")
    submit([BOB], latin)
    got = one(env["MAILDIR2"], b"Message-ID: <latin@client.test>", "Latin-1")
    ok("Subject: eight-bit Grüße".encode("latin-1") in got,
       "Latin-1: header as it was")


def many(sink):
    here = ["%s+%d@%s" % (LOCAL, n, DOMAIN) for n in range(150)]
    there = ["r%d@%s" % (n, SINK) for n in range(150)]
    equal(submit(here + there, wire(message("many"))), {},
          "300 recipients: all are taken")
    key = b"Message-ID: <many@client.test>"
    ok(wait(lambda: len(find(env["MAILDIR"], key)) >= 150, 60),
       "300 recipients: 150 arrived here")
    ok(wait(lambda: len({r for g in sink.got if key in g[2]
                         for r in g[1]}) >= 150, 60),
       "300 recipients: 150 arrived there")
    equal(len(find(env["MAILDIR"], key)), 150, "300 recipients: none twice")
    equal(sorted(r for g in sink.got if key in g[2] for r in g[1]),
          sorted(there), "300 recipients: none twice there")


def outside(sink):
    raw = wire(message("outside", "you@" + SINK)).replace(
        b"The text", b".dot\r\n..dots\r\nThe text")
    submit(["you@" + SINK], raw)
    ok(wait(lambda: any(b"<outside@" in g[2] for g in sink.got)),
       "outside: it arrived")
    got = [g for g in sink.got if b"<outside@" in g[2]]
    if got:
        equal(got[0][:2], (ALICE, ["you@" + SINK]), "outside: its envelope")
        equal(got[0][2][-len(raw):], raw, "outside: byte for byte")
        ok(got[0][2].startswith(b"Received: "), "outside: with a trace")
    submit(["later@" + SINK], wire(message("later", "later@" + SINK)))
    ok(wait(lambda: any(b"<later@" in g[2] for g in sink.got)),
       "deferred: it arrived at the second try")
    equal(sink.asked.get("later@" + SINK), 2, "deferred: after one refusal")


def bounce(sink):
    raw = wire(message("bounced", "no@" + SINK))
    submit(["no@" + SINK, "yes@" + SINK], raw)
    ok(wait(lambda: any(b"<bounced@" in g[2] for g in sink.got)),
       "bounce: the other recipient has it")
    got = one(env["MAILDIR"], b"<bounced@client.test>", "bounce")
    ok(got.startswith(b"Return-Path: <>\n"), "bounce: from the null sender")
    m = email.message_from_bytes(got, policy=email.policy.default)
    equal((m.get_content_type(), m.get_param("report-type")),
          ("multipart/report", "delivery-status"), "bounce: RFC 3464's form")
    parts = list(m.iter_parts())
    equal([p.get_content_type() for p in parts][:2],
          ["text/plain", "message/delivery-status"], "bounce: its parts")
    ok(len(parts) == 3 and parts[2].get_content_type() in
       ("message/rfc822", "text/rfc822-headers"), "bounce: what was sent")
    if len(parts) < 2:
        return
    ok("no@" + SINK in parts[0].get_content(), "bounce: for a person")
    status = list(parts[1].iter_parts())
    equal(len(status), 2, "bounce: one recipient")
    ok(status[0]["Reporting-MTA"].startswith("dns;"), "bounce: Reporting-MTA")
    equal(status[-1]["Final-Recipient"].replace(" ", ""),
          "rfc822;no@" + SINK, "bounce: Final-Recipient")
    equal(status[-1]["Action"], "failed", "bounce: Action")
    equal(status[-1]["Status"], "5.1.1", "bounce: Status")
    ok("550" in (status[-1]["Diagnostic-Code"] or ""),
       "bounce: what the other server said")
    equal(sink.asked.get("no@" + SINK), 1, "bounce: asked once")


def not_there():
    """A server that is down is no reason to bounce."""
    submit(["you@" + SINK], wire(message("down", "you@" + SINK)))
    time.sleep(2)
    equal(find(env["MAILDIR"], b"<down@client.test>"), [],
          "down: nothing is bounced")


def listen(sink):
    c = Controller(sink, hostname="127.0.0.1", port=int(env["SINK_PORT"]),
                   data_size_limit=100 * 1000 * 1000)
    c.start()
    return c


sink = Sink()
not_there()
controller = listen(sink)
try:
    ok(wait(lambda: any(b"<down@" in g[2] for g in sink.got), 40),
       "down: it arrives once the server is up")
    outside(sink)
    eight_bit()
    many(sink)
    bounce(sink)
    big()
finally:
    controller.stop()
done()
