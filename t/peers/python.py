"""imaplib, poplib and smtplib against tools/try; prints TAP."""
import imaplib
import poplib
import re
import smtplib
import ssl
import time

import mails
from tap import done, env, equal, ok, port, refused, trust, wait

HOST = env["IMAP_HOST"]
ALICE = env["MAIL_USER"], env["MAIL_PASS"]
BOB = env["MAIL_USER2"], env["MAIL_PASS2"]
BOB_ADDR = env["MAIL_ADDR2"]
IMAP_ERROR = imaplib.IMAP4.error


def imap(user=BOB):
    m = imaplib.IMAP4_SSL(HOST, port("IMAPS"), ssl_context=trust(), timeout=20)
    m.login(*user)
    return m


def send():
    s = smtplib.SMTP(HOST, port("SUBMISSION"), "client.test", timeout=20)
    s.ehlo()
    ok(s.has_extn("starttls"), "smtplib: STARTTLS is offered")
    refused(smtplib.SMTPException, "smtplib: no mail before the login",
            s.sendmail, env["MAIL_ADDR"], [BOB_ADDR], b"x")
    s.rset()
    s.starttls(context=trust())
    s.ehlo()
    for extension in ("size", "8bitmime", "pipelining",
                      "enhancedstatuscodes", "auth"):
        ok(s.has_extn(extension), "smtplib: %s is offered" % extension)
    ok(not s.has_extn("starttls"), "smtplib: STARTTLS is not, inside TLS")
    refused(smtplib.SMTPAuthenticationError, "smtplib: wrong password",
            s.login, ALICE[0], "wrong")
    s.login(*ALICE)
    for n in range(5):
        s.sendmail(env["MAIL_ADDR"], [BOB_ADDR], mails.make(n))
    ok(True, "smtplib: five messages in one session")
    equal(s.sendmail(env["MAIL_ADDR"],
                     [BOB_ADDR, "nobody@" + env["MAIL_DOMAIN"]],
                     mails.make(5)).keys(),
          {"nobody@" + env["MAIL_DOMAIN"]: 0}.keys(),
          "smtplib: one recipient refused, the other served")
    s.quit()
    with smtplib.SMTP_SSL(HOST, port("SMTPS"), "client.test", timeout=20,
                          context=trust()) as s:
        s.login(*ALICE)
        s.sendmail(env["MAIL_ADDR"], [BOB_ADDR], mails.make(6))
    ok(True, "smtplib: SMTP_SSL")


def numbers(answer):
    return answer[1][0].split()


def read(m):
    ok(wait(lambda: m.noop() and len(
        numbers((m.select("INBOX"), m.search(None, "ALL"))[1])) == 7),
       "imaplib: seven arrived")
    for n in range(7):
        got = numbers(m.search(None, "HEADER", "Message-ID",
                               "<%d.peers@outside.test>" % n))
        if len(got) != 1:
            ok(False, "imaplib: message %d is found once" % n)
            continue
        data = m.fetch(got[0], "(RFC822 RFC822.SIZE)")[1]
        body = data[0][1]
        size = re.search(rb"RFC822.SIZE (\d+)", data[0][0] + data[1])
        equal(body[body.index(b"\r\nFrom: ") + 2:], mails.make(n),
              "imaplib: message %d is what was sent" % n)
        equal(int(size[1]), len(body), "imaplib: RFC822.SIZE of %d" % n)


def commands(m):
    ok("IMAP4REV1" in m.capabilities, "imaplib: CAPABILITY")
    equal(m.create("Lists/go")[0], "OK", "imaplib: CREATE")
    equal(m.create("Entw&APw-rfe")[0], "OK", "imaplib: CREATE in UTF-7")
    equal(m.create("INBOX")[0], "NO", "imaplib: INBOX is there already")
    names = b" ".join(x for x in m.list()[1])
    ok(all(n in names for n in (b"INBOX", b"Lists/go", b"Entw&APw-rfe")),
       "imaplib: LIST")
    equal(m.subscribe("Lists/go")[0], "OK", "imaplib: SUBSCRIBE")
    ok(b"Lists/go" in b" ".join(m.lsub()[1]), "imaplib: LSUB")
    equal(m.rename("Lists/go", "Lists/golang")[0], "OK", "imaplib: RENAME")
    equal(m.select("INBOX")[1], [b"7"], "imaplib: SELECT")
    equal(m.copy("2:4", "Lists/golang")[0], "OK", "imaplib: COPY")
    ok(b"MESSAGES 3" in m.status("Lists/golang", "(MESSAGES UIDNEXT)")[1][0],
       "imaplib: STATUS")
    equal(m.copy("1", "Nowhere")[0], "NO", "imaplib: COPY to nowhere")
    m.store("3:7", "-FLAGS.SILENT", r"\Seen")
    flags = m.store("1:2", "+FLAGS", r"(\Seen \Flagged)")[1]
    ok(len(flags) == 2 and b"\\Flagged" in flags[0], "imaplib: STORE")
    equal(numbers(m.search(None, "FLAGGED")), [b"1", b"2"],
          "imaplib: SEARCH FLAGGED")
    equal(numbers(m.search(None, "UNSEEN", "SMALLER", "100000000"))[-1:],
          [b"7"], "imaplib: SEARCH with two keys")
    ok(m.search("UTF-8", "SUBJECT", '"Lunch"')[0] == "OK",
       "imaplib: SEARCH CHARSET")
    line = m.fetch("1", "(ENVELOPE BODYSTRUCTURE INTERNALDATE UID)")[1][0]
    line = line if isinstance(line, bytes) else b" ".join(line)
    ok(all(w in line for w in (b"ENVELOPE (", b"BODYSTRUCTURE (",
                               b'INTERNALDATE "', b"UID ")),
       "imaplib: FETCH of the structure")
    whole = m.fetch("3", "(BODY.PEEK[])")[1][0][1]
    part = m.fetch("3", "(BODY.PEEK[]<10.20>)")[1][0]
    equal(part[1], whole[10:30], "imaplib: a partial FETCH")
    ok(b"BODY[]<10>" in part[0], "imaplib: and says so")
    equal(numbers(m.search(None, "3", "SEEN")), [], "imaplib: PEEK")
    uid = m.uid("FETCH", "1:*", "(FLAGS)")[1]
    equal(len(uid), 7, "imaplib: UID FETCH")
    when = imaplib.Time2Internaldate(1780000000)
    got = m.append("Lists/golang", r"(\Draft \Answered)", when, mails.make(50))
    ok(got[0] == "OK" and b"APPENDUID" in got[1][0], "imaplib: APPEND")
    equal(m.append("Nowhere", None, None, b"x\r\n\r\ny\r\n")[0], "NO",
          "imaplib: APPEND to nowhere")
    m.select("Lists/golang")
    got = m.fetch("4", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
    equal(got[0][1], mails.make(50), "imaplib: what was appended comes back")
    line = got[0][0] + got[1]
    ok(b"\\Draft" in line and b"\\Answered" in line, "imaplib: with its flags")
    equal(imaplib.Internaldate2tuple(line), time.localtime(1780000000),
          "imaplib: and its date")
    m.store("1,3", "+FLAGS.SILENT", r"\Deleted")
    equal(m.expunge()[1], [b"1", b"2"], "imaplib: EXPUNGE")
    equal(m.close()[0], "OK", "imaplib: CLOSE")
    equal(m.select("Lists/golang", readonly=True)[1], [b"2"],
          "imaplib: EXAMINE")
    equal(m.unselect()[0] if "UNSELECT" in m.capabilities else "OK", "OK",
          "imaplib: UNSELECT")
    equal(m.delete("Lists/golang")[0], "OK", "imaplib: DELETE")
    equal(m.namespace()[0], "OK", "imaplib: NAMESPACE")
    refused(IMAP_ERROR, "imaplib: nonsense is BAD", m.xatom, "NONSENSE")
    equal(m.noop()[0], "OK", "imaplib: and the session goes on")


def idle():
    a, b = imap(), imap()
    a.select("INBOX")
    b.select("INBOX")
    a.send(b"i1 IDLE\r\n")
    ok(a.readline().startswith(b"+"), "IDLE is taken")
    b.append("INBOX", None, None, mails.make(51))
    line = b""
    while b"EXISTS" not in line:
        line = a.readline()
    ok(line.startswith(b"* 8 EXISTS"), "IDLE tells of a new message")
    b.store("8", "+FLAGS", r"\Deleted")
    b.expunge()
    while b"EXPUNGE" not in line:
        line = a.readline()
    ok(line.startswith(b"* 8 EXPUNGE"), "IDLE tells of an expunge")
    a.send(b"DONE\r\n")
    while not line.startswith(b"i1 "):
        line = a.readline()
    ok(line.startswith(b"i1 OK"), "IDLE ends with DONE")
    a.logout()
    b.logout()


def pop3():
    p = poplib.POP3(HOST, port("POP3"), timeout=20)
    ok("STLS" in p.capa(), "poplib: STLS is offered")
    p.stls(context=trust())
    ok("USER" in p.capa(), "poplib: USER is offered inside TLS")
    p.user(BOB[0])
    refused(poplib.error_proto, "poplib: wrong password", p.pass_, "wrong")
    p.user(BOB[0])
    p.pass_(BOB[1])
    count, total = p.stat()
    equal(count, 7, "poplib: STAT")
    sizes = [int(x.split()[1]) for x in p.list()[1]]
    equal((len(sizes), sum(sizes)), (7, total), "poplib: LIST adds up to STAT")
    ids = [x.split()[1] for x in p.uidl()[1]]
    equal(len(set(ids)), 7, "poplib: UIDL, seven different ones")
    lines = p.retr(3)[1]
    equal(sum(len(x) + 2 for x in lines), sizes[2], "poplib: RETR's size")
    top = p.top(3, 2)[1]
    equal(top, lines[:lines.index(b"") + 3], "poplib: TOP")
    refused(poplib.error_proto, "poplib: RETR 8", p.retr, 8)
    p.dele(3)
    refused(poplib.error_proto, "poplib: RETR of a deleted one", p.retr, 3)
    p.rset()
    p.dele(1)
    p.quit()
    p = poplib.POP3_SSL(HOST, port("POP3S"), timeout=20, context=trust())
    p.user(BOB[0])
    p.pass_(BOB[1])
    equal([x.split()[1] for x in p.uidl()[1]], ids[1:],
          "poplib: one is deleted, the others kept their ids")
    p.quit()


refused(ssl.SSLError, "an unknown authority is not trusted",
        lambda: imaplib.IMAP4_SSL(HOST, port("IMAPS"), timeout=20,
                                  ssl_context=ssl.create_default_context()))
send()
session = imap()
read(session)
commands(session)
session.logout()
plain = imaplib.IMAP4(HOST, port("IMAP"), timeout=20)
equal(plain.starttls(trust())[0], "OK", "imaplib: STARTTLS")
refused(IMAP_ERROR, "imaplib: wrong password", plain.login, BOB[0], "wrong")
equal(plain.login(*BOB)[0], "OK", "imaplib: LOGIN after STARTTLS")
plain.logout()
plain = imaplib.IMAP4_SSL(HOST, port("IMAPS"), timeout=20, ssl_context=trust())
equal(plain.authenticate("PLAIN", lambda _: b"\0%s\0%s" % (
    BOB[0].encode(), BOB[1].encode()))[0], "OK", "imaplib: AUTHENTICATE PLAIN")
plain.logout()
idle()
pop3()
done()
