"""IMAP commands that fill an account with messages: adopt-mail.py N [courier]"""
import sys

FLAGS = ["", "\\Seen", "\\Seen \\Flagged", "\\Answered work", "\\Seen $Junk",
         "work home", "\\Draft", "\\Seen $Forwarded"]
COURIER = "courier" in sys.argv
OTHERS = ["Lists/golang", "Entw&APw-rfe", "Lists/go1.2"]
if COURIER:
    # It has no dots in names, and a namespace.
    OTHERS = ["INBOX.Lists.golang", "INBOX.Entw&APw-rfe", "INBOX.Lists"]


def folder(i):
    """Most in INBOX, every fifth in one of three others."""
    return "INBOX" if i % 5 else OTHERS[i % 3]


def message(i):
    return ("From: a%d@example.org\r\nTo: b@example.org\r\n"
            "Subject: number %d\r\nMessage-ID: <%d@example.org>\r\n"
            "Date: Mon, 2 Jan 2023 03:04:%02d +0000\r\n\r\n%s\r\n"
            % (i % 50, i, i, i % 60, ("line %d\r\n" % i) * (i % 30)))


def main():
    out = sys.stdout
    for name in OTHERS + ["INBOX.Empty" if COURIER else "Empty"]:
        out.write("c CREATE %s\r\ns SUBSCRIBE %s\r\n" % (name, name))
    for i in range(int(sys.argv[1])):
        text = message(i)
        out.write("a APPEND %s (%s) {%d%s}\r\n%s\r\n"
                  % (folder(i), FLAGS[i % len(FLAGS)], len(text),
                     "" if COURIER else "+", text))
    # UIDs with holes, and UIDNEXT above the last of them.
    out.write("e SELECT INBOX\r\nf STORE 2:4,*,9 +FLAGS (\\Deleted)\r\n"
              "g EXPUNGE\r\nh LOGOUT\r\n")


main()
