#!/usr/bin/python3
"""imapd with Python's imaplib, and with raw sessions, two at once too."""
import glob
import imaplib
import os
import re
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ.get("POSTERN_SRC", "."), "t"))
from imapd import (Raw, maildir, ok, program, put, run, same, tmp,  # noqa
                   wire)

plain = (b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\n"
         b"To: alice@example.org, Bob <bob@example.net>\n"
         b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\n"
         b"Message-ID: <1@example.org>\n"
         b"Date: Mon, 2 Mar 2020 23:30:00 -0500\n"
         b"\nHello W\xc3\xb6rld\n.\n..\nlast line without end")
mixed = (b"From: a@example.org\nSubject: parts\nMIME-Version: 1.0\n"
         b"Content-Type: multipart/mixed; boundary=\"x\"\n\npreamble\n"
         b"--x\nContent-Type: text/plain; charset=iso-8859-1\n"
         b"Content-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe\n"
         b"--x\nContent-Type: message/rfc822\n\n"
         b"From: inner@example.org\nSubject: inside\n\ninner body\n"
         b"--x\nContent-Type: application/octet-stream; name=a.bin\n"
         b"Content-Disposition: attachment; filename=a.bin\n"
         b"Content-Transfer-Encoding: base64\n\nAAECAw==\n--x--\nepilogue\n")
odd = b"Subject: odd\r\n\r\nCRLF line\r\nLF line\nbare\rCR\nNUL\0\n"
headless = b"Subject: only a header\n"


def test_imaplib():
    box = maildir("lib")
    put(box, "1000000001.M1P1.h", plain)
    put(box, "1000000002.M1P1.h", mixed)
    put(box, "1000000003.M1P1.h:2,S", odd, "cur")
    c = imaplib.IMAP4_stream("exec %s -r %s %s" % (program, tmp, box))
    same(c.state, "AUTH", "imaplib: PREAUTH")
    ok("UIDPLUS" in c.capabilities, "capabilities")
    same(c.select(), ("OK", [b"3"]), "select")
    same(c.noop()[0], "OK", "noop")
    same(c.check()[0], "OK", "check")
    same(c.namespace(), ("OK", [b'(("" "/")) NIL NIL']), "namespace")
    typ, data = c.fetch("1:3", "(RFC822.SIZE BODY.PEEK[])")
    bodies = [d for d in data if isinstance(d, tuple)]
    for text, d in zip((plain, mixed, odd), bodies):
        ok(d[1] == wire(text), "BODY[] is what was stored", d[1])
        size = int(re.search(rb"RFC822.SIZE (\d+)", d[0]).group(1))
        same(size, len(d[1]), "RFC822.SIZE is its length")
    typ, data = c.fetch("1", "(ENVELOPE FLAGS)")
    ok(b'"Mon, 2 Mar 2020 23:30:00 -0500"' in data[0] and
       b'"<1@example.org>"' in data[0], "ENVELOPE", data)
    ok(b"\\Seen" not in data[0], "PEEK leaves \\Seen alone", data)
    typ, data = c.fetch("1", "(BODY[TEXT])")
    same(data[0][1], wire(plain).split(b"\r\n\r\n", 1)[1], "BODY[TEXT]")
    ok(b"FLAGS (\\Seen" in data[1], "BODY[] sets \\Seen and says so", data)
    typ, data = c.fetch("2", "(BODYSTRUCTURE)")
    ok(re.search(rb'"message" "rfc822".*"octet-stream"', data[0],
                 re.I | re.S), "BODYSTRUCTURE", data)
    typ, data = c.fetch("2", "FULL")
    ok(all(w in data[0] for w in (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE",
                                  b"ENVELOPE", b"BODY (")), "FULL", data)
    want = {
        "BODY[1]": b"Gr=FC=DFe",
        "BODY[1.MIME]": b"Content-Type: text/plain; charset=iso-8859-1\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
        "BODY[2.HEADER]": b"From: inner@example.org\r\n"
        b"Subject: inside\r\n\r\n",
        "BODY[2.TEXT]": b"inner body",
        "BODY[2.1]": b"inner body",
        "BODY[2.HEADER.FIELDS (SUBJECT)]": b"Subject: inside\r\n\r\n",
        "BODY[3]": b"AAECAw==",
        "BODY[HEADER.FIELDS.NOT (Subject From)]":
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=\"x\"\r\n\r\n",
        "RFC822.HEADER": wire(mixed).split(b"\r\n\r\n")[0] + b"\r\n\r\n",
        "RFC822.TEXT": wire(mixed).split(b"\r\n\r\n", 1)[1],
        "RFC822": wire(mixed),
        "BODY[]<5.10>": wire(mixed)[5:15],
    }
    for item, text in want.items():
        typ, data = c.fetch("2", "(%s)" % item)
        same(data[0][1] if isinstance(data[0], tuple) else data, text, item)
    same(c.store("1", "-FLAGS", "(\\Seen)")[1], [b"1 (FLAGS (\\Recent))"],
         "store -FLAGS")
    same(c.store("1", "+FLAGS", "(\\Flagged mine $Forwarded)")[1],
         [b"1 (FLAGS (\\Flagged $Forwarded mine \\Recent))"], "store +FLAGS")
    same(c.store("1", "FLAGS.SILENT", "\\Answered")[1], [None],
         "store .SILENT")
    same(c.search(None, "ANSWERED"), ("OK", [b"1"]), "search")
    same(c.search(None, "FROM", '"inner"')[1], [b""], "search From")
    same(c.search(None, "BODY", '"inner body"')[1], [b"2"], "search BODY")
    same(c.search(None, "TEXT", '"inside"')[1], [b"2"],
         "search TEXT: attached header")
    c.literal = "grÜße".encode()
    same(c.search("UTF-8", "TEXT")[1], [b"1 2"],
         "search: decoded, in any case")
    c.literal = "JÜRGEN".encode()
    same(c.search("UTF-8", "FROM")[1], [b"1"], "search: encoded word")
    same(c.search(None, "SENTON", "2-Mar-2020")[1], [b"1"],
         "search SENTON disregards the zone")
    same(c.search(None, "HEADER", "Message-ID", '"<1@"')[1], [b"1"],
         "search HEADER")
    same(c.create("Saved")[0], "OK", "create")
    same(c.subscribe("Saved")[0], "OK", "subscribe")
    same(c.lsub()[1], [b'() "/" "Saved"'], "lsub")
    typ, data = c.copy("1:2", "Saved")
    ok(re.match(rb"\[COPYUID \d+ 1:2 1:2\]", data[0]), "COPYUID", data)
    same(c.status("Saved", "(MESSAGES UIDNEXT)")[1],
         [b'"Saved" (MESSAGES 2 UIDNEXT 3)'], "status")
    same(c.copy("1", "Nowhere")[0], "NO", "copy to nothing")
    typ, data = c.append("Saved", "(\\Draft)",
                         '"01-Jan-2021 12:00:00 +0100"', wire(plain))
    ok(re.match(rb"\[APPENDUID \d+ 3\]", data[0]), "APPENDUID", data)
    same(c.rename("Saved", "Kept")[0], "OK", "rename")
    c.store("3", "+FLAGS", "(\\Deleted)")
    same(c.expunge(), ("OK", [b"3"]), "expunge")
    same(c.uid("FETCH", "1:*", "(FLAGS)")[1][1],
         b"2 (UID 2 FLAGS (\\Seen \\Recent))", "uid fetch")
    c.store("1:2", "+FLAGS", "(\\Deleted)")
    same(c.uid("EXPUNGE", "2")[0], "OK", "uid expunge")
    same(c.fetch("1:*", "UID")[1], [b"1 (UID 1)"], "of those UIDs only")
    same(c.select("Kept"), ("OK", [b"3"]), "select again")
    typ, data = c.fetch("3", "(INTERNALDATE FLAGS BODY.PEEK[])")
    ok(b'"01-Jan-2021 11:00:00 +0000"' in data[0][0] and
       data[0][1] == wire(plain), "what was appended", data)
    typ, data = c.uid("MOVE", "1", "INBOX")
    same(typ, "OK", "move")
    same(c.fetch("1:*", "UID")[1], [b"1 (UID 2)", b"2 (UID 3)"],
         "what was moved is gone here")
    same(c.close()[0], "OK", "close")
    same(c.select(), ("OK", [b"2"]), "and is there")
    same(c.unsubscribe("Saved")[0], "OK", "unsubscribe")
    c.close()
    same(c.select(), ("OK", [b"1"]), "close expunged")
    same(c.delete("Kept")[0], "OK", "delete")
    same(c.logout()[0], "BYE", "logout")


def test_two_sessions():
    box = maildir("two")
    for i in range(4):
        put(box, "100000000%d.M1P1.h" % i, b"Subject: %d\n\nx\n" % i)
    a, b = Raw(box), Raw(box)
    a.cmd("select inbox")
    b.cmd("select inbox")
    a.cmd("store 2 +flags (\\Flagged new)")
    out = b.cmd("noop")
    ok(any(re.match(rb"\* FLAGS .*new", x) for x in out),
       "a new keyword is announced", out)
    ok(any(re.match(rb"\* 2 FETCH \(FLAGS \(\\Flagged new", x) for x in out),
       "flags of another session", out)
    a.cmd("store 1 +flags.silent (\\Deleted)")
    b.cmd("noop")
    same(a.cmd("expunge")[0], b"* 1 EXPUNGE", "expunge")
    for text in ("fetch 1:4 flags", "store 2 +flags (\\Seen)",
                 "search all"):
        out = b.cmd(text)
        ok(not any(b"EXPUNGE" in x for x in out), "no EXPUNGE in " + text,
           out)
    ok(b.cmd("fetch 1 body.peek[]")[-1].startswith(b"NO [EXPUNGEISSUED]"),
       "FETCH of what is gone")
    out = b.cmd("uid fetch 1:2 body.peek[]")
    ok(out[0].startswith(b"* 2 FETCH (UID 2 ") and
       out[-2:] == [b"* 1 EXPUNGE", b"OK Done"],
       "a UID command passes over it and tells EXPUNGE", out)
    same(b.cmd("fetch 1:* uid")[:3], [b"* 1 FETCH (UID 2)",
                                      b"* 2 FETCH (UID 3)",
                                      b"* 3 FETCH (UID 4)"], "renumbered")
    # IDLE: delivery, another session's flags, mv by hand, expunge.
    b.send(b"i1 IDLE\r\n")
    while not b.line().startswith(b"+"):
        pass
    put(box, "1000000009.M1P1.h", b"Subject: 9\n\nx\n")
    same(b.line(), b"* 4 EXISTS", "IDLE: a delivery")
    b.line()
    a.cmd("store 1 +flags (\\Answered)")
    ok(re.match(rb"\* 1 FETCH \(FLAGS \(\\Answered", b.line()),
       "IDLE: another session's flag")
    old = glob.glob(os.path.join(box, "cur", "1000000002.*"))[0]
    os.rename(old, re.sub(r":2,.*", ":2,FS", old))
    out = b.line()
    ok(re.match(rb"\* 2 FETCH \(FLAGS \(\\Flagged \\Seen", out),
       "IDLE: another program's flag", out)
    a.cmd("store 1 +flags (\\Deleted)")
    b.line()
    a.cmd("expunge")
    same(b.line(), b"* 1 EXPUNGE", "IDLE: another session's EXPUNGE")
    os.unlink(glob.glob(os.path.join(box, "cur", "1000000002.*"))[0])
    same(b.line(), b"* 1 EXPUNGE", "IDLE: another program's rm")
    b.send(b"done\r\n")
    same(b.line(), b"i1 OK Done", "DONE")
    b.send(b"i2 IDLE\r\nDONE\r\ni3 NOOP\r\n")
    out = [b.line(), b.line(), b.line()]
    same(out[1:], [b"i2 OK Done", b"i3 OK Done"], "IDLE, all at once")
    # DONE was forgotten: what follows is a text.
    c = Raw(box)
    c.cmd("create victim")
    c.send(b"x1 IDLE\r\nx2 APPEND INBOX {17+}\r\nx3 DELETE victim\r\n\r\n")
    out = []
    while not out or not out[-1].startswith(b"* BYE"):
        out.append(c.line())
    ok(b"x1 BAD DONE is expected" in out, "IDLE without DONE", out)
    c.close()
    ok(b.cmd("list \"\" victim")[0].endswith(b'"victim"'),
       "and a text after it", b.seen[-5:])
    b.cmd("delete victim")
    # a mailbox that another session deletes
    a.cmd("create gone")
    a.cmd("select gone")
    b.cmd("delete gone")
    ok(b.cmd("list \"\" gone")[0].startswith(b"OK"), "delete")
    a.cmd("noop")
    ok(any(x.startswith(b"* BYE") for x in a.seen),
       "a mailbox deleted by another session ends this one", a.seen)
    same((a.close(), b.close()), (0, 0), "both end well")


def test_keywords():
    box = maildir("keywords")
    put(box, "1000000001.M1P1.h", b"Subject: 1\n\nx\n")
    c = Raw(box)
    c.cmd("select inbox")
    out = c.cmd("store 1 +flags (%s)" % " ".join("w%d" % i for i in range(70)))
    ok(out[-1].startswith(b"NO [LIMIT]"), "too many keywords at once", out)
    out = c.cmd("store 1 +flags (%s)" % ("k" * 200))
    ok(out[-1].startswith(b"NO [CANNOT]") and b"keyword" in out[-1],
       "one that is too long", out)
    out = c.cmd("store 1 +flags (%s)" % " ".join("k%d" % i for i in range(64)))
    ok(out[-1].startswith(b"OK") and not any(b"w1" in x for x in out),
       "64, as what was refused took no room", out)
    same(c.close(), 0, "ends well")


def test_renamed():
    """The selected mailbox under another name."""
    box = maildir("renamed")
    c = Raw(box)
    for text in ("create up/down", "select up/down", "rename up over",
                 "create up/down", "delete up/down"):
        out = c.cmd(text)
        ok(out[-1].startswith(b"OK"), "a parent is renamed: " + text, out)
    same(c.cmd("check")[-1], b"OK Done",
         "its child stays selected, whatever gets its old name")
    ok(c.cmd("delete over/down")[-1].startswith(b"OK"), "and can be deleted")
    ok(c.cmd("check")[-1].startswith(b"BAD"), "then nothing is selected")
    # A DELETE that fails changes nothing.
    c.cmd("create stays")
    c.cmd("select stays")
    os.rename(box + "/.stays", box + "/.moved")
    out = c.cmd("delete stays")
    ok(out[-1].startswith(b"NO"), "DELETE of what is not there", out)
    os.rename(box + "/.moved", box + "/.stays")
    same(c.cmd("check")[-1], b"OK Done", "is no reason to unselect")
    # A line without an end, within a command.
    c.send(b"x1 SEARCH SUBJECT {3+}\r\nabc " + b"x" * 90000 + b"\r\n")
    out = [c.line()]
    ok(out[0].startswith(b"x1 BAD"), "the command has its answer", out)
    same(c.cmd("noop")[-1], b"OK Done", "and the next one")
    same(c.close(), 0, "the session ends well")


def test_large():
    box = maildir("large")
    line = b"0123456789" * 7 + b"\n"
    text = b"Subject: large\n\n" + line * 150000
    put(box, "1000000001.M1P1.h,S=5,W=7", text)
    want = wire(text)
    s = Raw(box)
    s.cmd("select inbox")
    out = s.cmd("fetch 1 body.peek[]")[0]
    head, body = out.split(b"\r\n", 1)
    ok(b"{%d}" % len(want) in head and body[:-1] == want,
       "10 MB: literal length is bytes sent, whatever the name says", head)
    same(s.cmd("fetch 1 rfc822.size")[0],
         b"* 1 FETCH (RFC822.SIZE %d)" % len(want), "RFC822.SIZE is true")
    got = b""
    start = time.monotonic()
    while len(got) < len(want):
        out = s.cmd("fetch 1 body.peek[]<%d.262145>" % len(got))[0]
        got += out.split(b"\r\n", 1)[1][:-1]
    ok(got == want, "by parts")
    ok(time.monotonic() - start < 10, "parts cost what they send")
    for at in (0, 15, 16, 17, 70, 87, 88, 89, 65535, 65536, 65537, 5000000):
        out = s.cmd("fetch 1 body.peek[]<%d.3>" % at)[0]
        same(out.split(b"\r\n", 1)[1][:-1], want[at:at + 3], "at %d" % at)
    peak = peak_memory(s)
    if b"__asan" not in open(program, "rb").read():
        ok(peak < 8192, "memory stays bounded", peak)
    s.close()


def peak_memory(s):
    with open("/proc/%d/status" % s.p.pid) as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))


def sparse(box, n, front, back):
    """A message of n bytes, nearly all of them NUL."""
    path = "%s/tmp/sparse" % box
    with open(path, "wb") as f:
        f.write(front)
        f.seek(n - len(back))
        f.write(back)
    wide = n + (front + back).count(b"\n")
    os.rename(path, "%s/cur/1000000%03d.M1P1.h,S=%d,W=%d:2," % (
        box, n >> 24, n, wide))
    return wide


def test_structure_of_large():
    """What has no end costs no memory, and hides nothing."""
    box = maildir("sparse")
    front = (b"Subject: huge\nContent-Type: multipart/mixed; boundary=b\n\n"
             b"--b\nContent-Type: image/png\n\n")
    back = b"\n--b\nContent-Type: message/rfc822\n\nSubject: in\n\nx\n--b--\n"
    sparse(box, 100 << 20, front, back)
    wide = sparse(box, (2 << 30) + 100, b"Subject: most\n\n", b"\n")
    sparse(box, 5 << 30, b"Subject: too much\n\n", b"\n")
    s = Raw(box)
    ok(b"* 2 EXISTS" in s.cmd("select inbox"),
       "messages up to 4 GiB are there", s.seen)
    same(s.cmd("fetch 2 (rfc822.size body.peek[header.fields (subject)])")[0],
         b"* 2 FETCH (RFC822.SIZE %d BODY[HEADER.FIELDS (subject)] {17}"
         b"\r\nSubject: most\r\n\r\n)" % wide, "one of more than 2 GiB")
    out = s.cmd("fetch 1 bodystructure")[0]
    ok(b'"image" "png" NIL NIL NIL "7bit" %d ' % (
        (100 << 20) - len(front) - len(back)) in out and
       b'"rfc822" NIL NIL NIL "7bit" 16 (NIL "in" ' in out,
       "structure of 100 MiB", out)
    same(s.cmd("fetch 1 body.peek[2.header.fields (subject)]")[0],
         b'* 1 FETCH (BODY[2.HEADER.FIELDS (subject)] {15}\r\n'
         b'Subject: in\r\n\r\n)', "a header in it")
    same(s.cmd("fetch 1 body.peek[2.text]")[0],
         b"* 1 FETCH (BODY[2.TEXT] {1}\r\nx)", "a part of it")
    same(s.cmd("search 1 body nothing")[0], b"* SEARCH", "search in it")
    peak = peak_memory(s)
    if b"__asan" not in open(program, "rb").read():
        ok(peak < 12288, "memory of that is some MiB", peak)
    same(s.close(), 0, "and it ends well")


def test_append():
    box = maildir("append")
    s = Raw(box)
    text = wire(plain)
    s.send(b"a APPEND inbox {%d}\r\n" % len(text))
    ok(s.line().startswith(b"+"), "APPEND: go on")
    for i in range(0, len(text), 7):
        s.send(text[i:i + 7])
    s.send(b"\r\n")
    ok(re.match(rb"a OK \[APPENDUID \d+ 1\]", s.line()), "APPEND in pieces")
    s.cmd("select inbox")
    out = s.cmd("fetch 1 body.peek[]")[0]
    ok(text in out, "as it was sent", out)
    large = (b"Subject: large\r\nContent-Type: image/x-large\r\n\r\n" +
             b"0123456789abcd\r\n" * (17 << 16))
    s.send(b"l APPEND inbox {%d+}\r\n%s\r\n" % (len(large), large))
    out = [s.line(), s.line(), s.line()]
    ok(out[-1].startswith(b"l OK"), "APPEND of 17 MiB", out)
    with open(box + "/postern.cache", "rb") as f:
        ok(b'"image" "x-large" NIL NIL NIL "7bit" %d ' % (17 << 20) in
           f.read(), "its structure is known from the start")
    s.cmd("store 2 +flags \\deleted")
    s.cmd("expunge")
    s.send(b"b APPEND {5}\r\n")
    ok(s.line().startswith(b"+"), "a mailbox name as a literal")
    s.send(b"inbox {%d+}\r\n%s\r\n" % (len(text), text))
    out = [s.line(), s.line(), s.line()]
    ok(b"* 2 EXISTS" in out and out[-1].startswith(b"b OK"),
       "APPEND to the selected mailbox", out)
    # cut by SIGKILL: nothing shows
    s.send(b"c APPEND inbox {1000+}\r\nSubject: x\r\n")
    time.sleep(0.05)
    s.p.kill()
    s.p.wait()
    s = Raw(box)
    same(s.cmd("status inbox (messages)")[0],
         b'* STATUS "INBOX" (MESSAGES 2)', "killed in APPEND: nothing shows")
    s.close()


def test_start():
    box = maildir("start")
    put(box, "1000000001.M1P1.h", plain)
    # Answers leave together, when the next command must be waited for.
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    p = subprocess.Popen([program, "-r", tmp, box], stdin=there,
                         stdout=there)
    there.close()
    here.recv(65536)
    here.send(b"a SELECT inbox\r\nb FETCH 1 FLAGS\r\nc LOGOUT\r\n")
    out = here.recv(65536)
    ok(b"\r\nb OK" in out and out.endswith(b"c OK Done\r\n"),
       "pipelined commands are answered in one write", out)
    same(p.wait(20), 0, "and LOGOUT ends it")
    here.close()
    if os.geteuid() != 0:
        return
    server = socket.create_server(("127.0.0.1", 0))
    here = socket.create_connection(server.getsockname())
    there, _ = server.accept()
    pair = socket.socketpair()
    for fd, tag, name in ((there, None, "a TCP connection"),
                          (pair[1], "a1", "front's socket")):
        env = dict(os.environ)
        if tag:
            env["AUTH_TAG"] = tag
        r = subprocess.run([program, "-r", tmp, box], stdin=fd, stdout=fd,
                           stderr=subprocess.DEVNULL, env=env)
        same(r.returncode, 100, "root does not serve " + name)


def test_memory():
    """What an idle session on 2,000 messages costs."""
    box = maildir("memory")
    for i in range(2000):
        put(box, "1%09d.M1P1.h" % i, plain)
    s = Raw(box)
    s.cmd("select inbox")
    try:
        with open("/proc/%d/smaps_rollup" % s.p.pid) as f:
            private = sum(int(x) for x in re.findall(
                r"Private_(?:Clean|Dirty):\s+(\d+)", f.read()))
    except PermissionError:  # jailed, it is only root's to look at
        private = None
    if private is not None and b"__asan" not in open(program, "rb").read():
        ok(private < 2048, "an idle session is small", private)
    s.close()


def test_odd():
    box = maildir("odd")
    put(box, "1000000001.M1P1.h", odd)
    put(box, "1000000002.M1P1.h", headless)
    put(box, "1000000003.M1P1.h", b"\n\nbody\n")
    put(box, "1000000004.M1P1.h", b"\n")
    s = Raw(box)
    s.cmd("select inbox")
    for i, text in ((1, odd), (2, headless), (3, b"\n\nbody\n"), (4, b"\n")):
        w = wire(text)
        parts = {}
        for item in ("", "HEADER", "TEXT"):
            out = s.cmd("fetch %d body.peek[%s]" % (i, item))
            parts[item] = out[0].split(b"\r\n", 1)[1][:-1]
        same(parts[""], w, "odd %d whole" % i)
        same(parts["HEADER"] + parts["TEXT"], w, "odd %d in two" % i)
        out = s.cmd("fetch %d (bodystructure envelope body[1])" % i)
        ok(out[-1].startswith(b"OK"), "odd %d structure" % i, out)
    s.close()


def parse_list(data):
    """A parenthesised list, strings and numbers as bytes, NIL as None."""
    stack, i = [[]], 0
    while i < len(data):
        c = data[i:i + 1]
        if c == b"(":
            stack.append([])
            i += 1
        elif c == b")":
            done = stack.pop()
            stack[-1].append(done)
            i += 1
        elif c == b" ":
            i += 1
        elif c == b'"':
            m = re.compile(rb'"((?:[^"\\\r\n]|\\["\\])*)"').match(data, i)
            stack[-1].append(m.group(1))
            i = m.end()
        elif c == b"{":
            m = re.compile(rb"\{(\d+)\}\r\n").match(data, i)
            n = int(m.group(1))
            stack[-1].append(data[m.end():m.end() + n])
            i = m.end() + n
        else:
            m = re.compile(rb"[^ ()]+").match(data, i)
            word = m.group(0)
            stack[-1].append(None if word == b"NIL" else word)
            i = m.end()
    if len(stack) != 1:
        raise ValueError("parentheses")
    return stack[0]


def leaves(body, section=""):
    """(section, octets) of every part that is not multipart."""
    def below(i):
        return ("%s.%d" % (section, i)) if section else str(i)
    if isinstance(body[0], list):
        for i, part in enumerate(p for p in body if isinstance(p, list)
                                 and p and (isinstance(p[0], list) or
                                            len(p) > 6)):
            yield from leaves(part, below(i + 1))
        return
    me = section or "1"
    yield me, int(body[6])
    if body[0].lower() == b"message" and body[1].lower() == b"rfc822":
        inner = body[8]
        section = me
        if isinstance(inner[0], list):
            yield from leaves(inner, me)
        else:
            yield from leaves(inner, me + ".1")


def test_vectors():
    src = os.environ.get("POSTERN_SRC") or \
        os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    files = sorted(glob.glob(src + "/t/vectors/mail/*.eml"))
    files += sorted(glob.glob(src + "/t/vectors/mail/hostile/*"))
    box = maildir("vectors")
    for i, f in enumerate(files):
        with open(f, "rb") as g:
            put(box, "1%09d.M1P1.h" % i, g.read())
    s = Raw(box)
    s.cmd("select inbox")
    for i, f in enumerate(files):
        name = os.path.basename(f)
        with open(f, "rb") as g:
            want = wire(g.read())
        parts = [s.cmd("fetch %d body.peek[%s]" % (i + 1, x))[0]
                 .split(b"\r\n", 1)[1][:-1] for x in ("", "header", "text")]
        ok(parts[0] == want and parts[1] + parts[2] == want,
           name + ": whole and in two")
        out = s.cmd("fetch %d (rfc822.size envelope bodystructure body)" %
                    (i + 1))
        ok(out[-1] == b"OK Done", name + ": structure", out)
        data = parse_list(out[0][out[0].index(b"("):])[0]
        same(int(data[1]), len(want), name + ": RFC822.SIZE")
        same(len(data[3]), 10, name + ": ENVELOPE")
        wrong = []
        for section, octets in list(leaves(data[5]))[:200]:
            out = s.cmd("fetch %d body.peek[%s]" % (i + 1, section))[0]
            value = parse_list(out[out.index(b"]") + 1:-1])[0]
            if value is None or len(value) != octets:
                wrong.append((section, octets, out[:100]))
        same(wrong, [], name + ": parts are as long as it says")
    # Charsets are converted in the jail, where iconv still finds its modules.
    names = [os.path.basename(f) for f in files]
    for key, word, name in (("body", "お元気", "japanese.eml"),
                            ("body", "十時", "japanese-sjis.eml"),
                            ("subject", "会議", "japanese-sjis.eml"),
                            ("body", "שלום בוב", "hebrew.eml"),
                            ("text", "RÉUNION AURA", "qp-latin1.eml"),
                            ("body", "ВСТРЕТИМСЯ", "base64-utf8.eml")):
        word = word.encode()
        out = s.cmd(b"search charset utf-8 %s {%d+}\r\n%s" %
                    (key.encode(), len(word), word))
        number = b"%d" % (names.index(name) + 1)
        ok(number in out[0].split()[2:], "search %s in %s" % (key, name), out)
    same(s.close(), 0, "and the session ends well")


run(test_imaplib, test_two_sessions, test_keywords, test_renamed, test_large,
    test_structure_of_large, test_append, test_start,
    test_memory, test_odd, test_vectors)
