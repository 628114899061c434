"""Messages as people, lists and machines write them, for the tests.

make(n, to) gives message number n as bytes with CRLF; the same n gives the
same message, with the Message-ID <n.peers@outside.test>.
"""
import random
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from datetime import datetime, timedelta, timezone

PEOPLE = [("Alice Example", "alice"), ("Bjørn Åse", "bjorn"),
          ("李雷", "lilei"), ("Ελένη", "eleni"), ("O'Neil, Pat", "pat"),
          ("Zoë \"Z\" Dee", "zoe"), ("", "cron")]
SUBJECTS = ["Lunch on Friday?", "Re: Lunch on Friday?", "Grüße aus München",
            "Отчёт за октябрь", "見積書の件", "[golang-nuts] context leak",
            "Your invoice 2026-%04d", "Fwd: Fwd: look 🐈", "(no subject)",
            "a very long subject " + "that goes on and on " * 12]
WORDS = ("the a mail house river stone green under over reads writes file "
         "morning evening café naïve größe 東京 ok done later maybe").split()


def text(rng, lines):
    out = []
    for _ in range(lines):
        line = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 14)))
        out.append(rng.choice(["", "> ", ". ", "From "]) + line
                   if rng.random() < 0.2 else line)
    return "\n".join(out) + "\n"


def address(rng):
    name, user = rng.choice(PEOPLE)
    return Address(name, user, "outside.test")


def make(n, to="bob@example.test"):
    rng = random.Random(n)
    m = EmailMessage()
    m["From"] = address(rng)
    m["To"] = to
    if n % 3 == 0:
        m["Cc"] = [address(rng), address(rng)]
    subject = SUBJECTS[n % len(SUBJECTS)]
    m["Subject"] = subject % n if "%" in subject else subject
    when = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(hours=7 * n)
    m["Date"] = format_datetime(
        when.astimezone(timezone(timedelta(hours=n % 24 - 11))))
    m["Message-ID"] = "<%d.peers@outside.test>" % n
    if n % 4 == 1:
        m["In-Reply-To"] = "<%d.peers@outside.test>" % (n - 1)
        m["References"] = "<%d.peers@outside.test>" % (n - 1)
    if n % 10 == 5:
        m["List-Id"] = "A list <list.outside.test>"
    body = text(rng, rng.randint(1, 60))
    if n % 5 == 4:
        m.set_content(body.encode("latin-1", "replace").decode("latin-1"),
                      charset="iso-8859-1", cte="quoted-printable")
    elif n % 7 == 6:
        m.set_content(body, cte="8bit")
    else:
        m.set_content(body)
    if n % 3 == 1:
        m.add_alternative("<html><body><p>%s</p></body></html>" % body,
                          subtype="html")
    if n % 6 == 2:
        m.add_attachment(rng.randbytes(rng.randint(10, 30000)),
                         maintype="application", subtype="octet-stream",
                         filename="däta %d.bin" % n)
    if n % 20 == 9:
        m.add_attachment(inner(n, to))
    random.seed(n)  # boundaries are drawn from there
    return m.as_bytes(policy=m.policy.clone(linesep="\r\n", utf8=False))


def inner(n, to):
    m = EmailMessage()
    m["From"] = "inner@outside.test"
    m["To"] = to
    m["Subject"] = "The one inside %d" % n
    m.set_content("Forwarded.\n")
    return m
