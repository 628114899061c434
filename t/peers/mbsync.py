"""What t/peers/mbsync.t wants to do and know on the server, by imaplib."""
import imaplib
import os
import re
import smtplib
import sys

import mails
from tap import env, port, trust

USER = env["MAIL_USER2"], env["MAIL_PASS2"]


def imap(folder=None):
    m = imaplib.IMAP4_SSL(env["IMAP_HOST"], port("IMAPS"), timeout=60,
                          ssl_context=trust())
    m.login(*USER)
    if folder:
        check(m.select(folder))
    return m


def check(answer):
    if answer[0] != "OK":
        sys.exit("%r" % (answer,))
    return answer[1]


def send(first, last):
    with smtplib.SMTP(env["IMAP_HOST"], port("SMTP"), "client.test",
                      timeout=60) as s:
        for n in range(int(first), int(last)):
            s.sendmail("x@outside.test", [env["MAIL_ADDR2"]], mails.make(n))


def append(folder, first, last):
    m = imap()
    for n in range(int(first), int(last)):
        check(m.append(folder, None, None, mails.make(n)))
    m.logout()


def message_id(raw):
    return int(re.search(rb"(?m)^Message-ID: <(\d+)\.peers@", raw)[1])


def ids(m, key):
    out = []
    for n in check(m.search(None, key))[0].split():
        field = "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
        out.append(message_id(check(m.fetch(n, field))[0][1]))
    return sorted(out)


def find(m, n):
    return check(m.search(None, "HEADER", "Message-ID",
                          "<%d.peers@outside.test>" % n))[0].split()


def flag(*which):
    m = imap("INBOX")
    for n in which:
        check(m.store(find(m, int(n))[0], "+FLAGS", r"(\Flagged \Seen)"))
    m.logout()


def delete(first, last):
    m = imap("INBOX")
    for n in range(int(first), int(last)):
        check(m.store(find(m, n)[0], "+FLAGS.SILENT", r"\Deleted"))
    check(m.expunge())
    m.logout()


def gone(first, last):
    m = imap("INBOX")
    left = [n for n in range(int(first), int(last)) if find(m, n)]
    sys.exit("still there: %s" % left if left else 0)


def same(folder, first, last):
    got = {}
    for sub in "cur", "new":
        for name in os.listdir(os.path.join(folder, sub)):
            with open(os.path.join(folder, sub, name), "rb") as f:
                raw = f.read()
            start = 0 if raw.startswith(b"From: ") else (
                raw.index(b"\nFrom: ") + 1)
            # mbsync adds a header of its own to what it has copied.
            raw = re.sub(rb"(?m)^X-TUID: .*\n", b"", raw[start:])
            got[message_id(raw)] = raw
    bad = [n for n in range(int(first), int(last))
           if got.get(n) != mails.make(n).replace(b"\r\n", b"\n")]
    sys.exit("different: %s" % bad if bad else 0)


def count(folder):
    print(int(check(imap().select('"%s"' % folder, readonly=True))[0]))


def create(folder):
    check(imap().create(folder))


def flagged():
    print(*ids(imap("INBOX"), "FLAGGED"))


def answered():
    print(*ids(imap("INBOX"), "ANSWERED"))


def raw(n):
    sys.stdout.buffer.write(mails.make(int(n)).replace(b"\r\n", b"\n"))


if __name__ == "__main__":
    {"send": send, "append": append, "flag": flag, "delete": delete,
     "gone": gone, "same": same, "count": count, "create": create,
     "flagged": flagged, "answered": answered,
     "print": raw}[sys.argv[1]](*sys.argv[2:])
