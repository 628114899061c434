"""Connections that a proxy passes on: headers by hand, and HAProxy's."""
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time

from frontlib import (FAKE, PLAIN, TMP, Client, Front, Site, context, finish,
                      login, ok, skip, wait_for)

PROXY = "127.0.0.2"
NETWORK = "127.0.3.0/24"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 993\r\n"
SERVICES = ("imap", "imaps", "pop3", "pop3s", "smtp", "submission",
            "submissions")


def v2(address=None, command=1, behind=b""):
    if address is None:
        family, block = 0, b""
    elif ":" in address:
        family = 0x21
        block = socket.inet_pton(socket.AF_INET6, address) * 2
    else:
        family, block = 0x11, socket.inet_aton(address) * 2
    if block:
        block += struct.pack(">HH", 50000, 993)
    block += behind
    return SIGNATURE + struct.pack(">BBH", 0x20 | command, family,
                                   len(block)) + block


def connect(front, header, source=PROXY, **kw):
    s = socket.create_connection(front.address, source_address=(source, 0))
    s.sendall(header)
    return Client(s, **kw)


def dropped(front, data, source=PROXY):
    """Whether the connection ends without a byte from the server."""
    s = socket.create_connection(front.address, source_address=(source, 0))
    s.settimeout(8)
    try:
        s.sendall(data)
        got = s.recv(1000)
    except ConnectionError:
        got = b""
    except socket.timeout:
        got = None
    s.close()
    return got == b""


def test_imap(site):
    front = Front(site, "imap")
    for name, header, peer in (
            ("version 1", V1, "192.0.2.7"),
            ("version 1, IPv6",
             b"PROXY TCP6 2001:db8::5 2001:db8::1 50000 993\r\n",
             "2001:db8::5"),
            ("version 2", v2("192.0.2.8"), "192.0.2.8"),
            ("version 2, IPv6", v2("2001:db8::9"), "2001:db8::9"),
            ("IPv4 as IPv6", v2("::ffff:192.0.2.10"), "192.0.2.10"),
            ("values behind the address",
             v2("192.0.2.11", behind=b"\x04\0\x80" + b"x" * 128),
             "192.0.2.11"),
            ("of a client on the proxy's machine", v2("127.0.0.1"),
             "127.0.0.1"),
            ("LOCAL", v2(command=0), PROXY),
            ("LOCAL with addresses", v2("192.0.2.12", command=0), PROXY),
            ("UNSPEC", v2(), PROXY),
            ("UNKNOWN", b"PROXY UNKNOWN\r\n", PROXY)):
        c = connect(front, header)
        got = [login(c), c.ask("b STARTTLS\r\n")]
        ok("LOGINDISABLED" in c.greeting and
           got[0].startswith("a NO [PRIVACYREQUIRED]"),
           name + ": no password in clear", c.greeting, got)
        c.tls()
        c.ask("c LOGIN nobody wrong\r\n")
        ok(login(c, "d").startswith("d OK stub"), name + ": a login in TLS")
        c.close()
        ok(wait_for(lambda: front.logged(
            r"login-failed service=imap peer=%s user=nobody tls=1 "
            r"mechanism=PLAIN " % re.escape(peer)) and front.logged(
            r" login service=imap peer=%s user=alice" % re.escape(peer))),
           name + ": who it was is in the log", peer)
    c = connect(front, V1, source="127.0.3.9")
    ok("LOGINDISABLED" in c.greeting, "a proxy of a network")
    # Nobody else can say so.
    c = connect(front, V1, source="127.0.4.9")
    got = [c.line(), login(c)]
    ok("STARTTLS" in c.greeting and "LOGINDISABLED" not in c.greeting and
       got[0].startswith("* BAD") or got[0].startswith("PROXY BAD"),
       "from elsewhere a header is a bad command", c.greeting, got)
    ok(got[1].startswith("a OK stub") and wait_for(lambda: front.logged(
        r" login service=imap peer=127\.0\.4\.9 user=alice")),
       "and changes nothing", got)
    c.close()
    front.stop()


def test_exact(site):
    """What stands behind the header in the same segment is the client's."""
    front = Front(site, "imaps")
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(inward, outward)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outward.read()
    for name, header in (("1", V1), ("2", v2("192.0.2.7"))):
        s = socket.create_connection(front.address,
                                     source_address=(PROXY, 0))
        s.settimeout(8)
        s.sendall(header + hello)
        got = s.recv(3)
        ok(got == b"\x16\x03\x03",
           "version %s and the handshake in one segment" % name, got)
        s.close()
    s = socket.create_connection(front.address, source_address=(PROXY, 0))
    for byte in v2("192.0.2.7"):
        s.sendall(bytes([byte]))
        time.sleep(0.001)
    c = Client(s, tls=True)
    ok(login(c).startswith("a OK stub"), "byte by byte")
    c.close()
    front.stop()
    front = Front(site, "imap")
    c = connect(front, V1 + b"a STARTTLS\r\n")
    got = c.line()
    c.tls()
    ok(got.startswith("a OK") and login(c).startswith("a OK stub"),
       "a command behind the header", got)
    front.stop()
    front = Front(site, "pop3")
    c = connect(front, v2("192.0.2.7") + b"CAPA\r\nQUIT\r\n")
    got = c.rest()
    ok("STLS" in got and "Goodbye" in got and "USER" not in got,
       "commands behind it", got)
    front.stop()
    front = Front(site, "smtp")
    c = connect(front, V1 + b"EHLO x\r\n")
    ok(c.greeting.startswith("554"), "who talks before the banner",
       c.greeting)
    front.stop()


def start_late(site):
    """Half a header, which is given up in ten seconds."""
    slow = Front(site, "pop3s")
    late = socket.create_connection(slow.address, source_address=(PROXY, 0))
    late.sendall(V1[:20])
    return slow, late, time.monotonic()


def test_late(slow, late, began):
    late.settimeout(15)
    try:
        got = late.recv(100)
    except ConnectionError:
        got = b""
    took = time.monotonic() - began
    ok(got == b"" and 9 < took < 20 and slow.logged(
        "proxy-failed service=pop3s .*timed"),
       "half a header has its deadline", got, took)
    slow.stop()


def test_bad(site):
    for service, data in (("imap", b"a NOOP\r\n"), ("pop3", b"CAPA\r\n"),
                          ("smtp", b"EHLO x\r\n"),
                          ("submission", b"EHLO x\r\n"),
                          ("imaps", b"\x16\x03\x01\x02\0\x01\0\x01\xfc")):
        front = Front(site, service)
        ok(dropped(front, data) and wait_for(lambda: front.logged(
            r"proxy-failed service=%s peer=%s " % (
                service, re.escape(PROXY)))),
           service + ": without a header the proxy is dropped")
        front.stop()
    front = Front(site, "imap")
    before = len(front.logged("proxy-failed"))
    for name, data in (
            ("leading zeros", V1.replace(b".7 ", b".07 ")),
            ("a line without CR", V1.replace(b"\r", b"")),
            ("a line too long", b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n"),
            ("no end of the line", b"PROXY TCP4 " + b"1" * 4000),
            ("version 3", SIGNATURE + b"\x31\x11\0\x0c" + b"x" * 12),
            ("a block too short", SIGNATURE + b"\x21\x11\0\x04" + b"x" * 4),
            ("a block too long", SIGNATURE + b"\x21\x11\xff\xff" +
             b"x" * 65535)):
        ok(dropped(front, data), "dropped: " + name)
    n = len(front.logged("proxy-failed")) - before
    ok(n == 7, "one line each", n)
    socket.create_connection(front.address,
                             source_address=(PROXY, 0)).close()
    c = connect(front, V1)
    ok(c.greeting.startswith("* OK") and
       len(front.logged("proxy-failed")) - before == n,
       "who only looks whether we are here is no line in the log")
    c.send(V1)
    ok(c.line().startswith("PROXY BAD"), "a second header is a bad command")
    front.stop()


def test_counts():
    site = Site("counts", proxy_from=PROXY, connections_per_source=3)
    front = Front(site, "imap")
    held = [connect(front, v2("192.0.2.%d" % n)) for n in range(1, 9)]
    ok(all(c.greeting.startswith("* OK") for c in held),
       "the proxy itself may have more connections than a source")
    held += [connect(front, v2("192.0.2.50")) for n in range(3)]
    ok(held[-1].greeting.startswith("* OK"), "three of a client")
    ok(dropped(front, v2("192.0.2.50")) and wait_for(lambda: front.logged(
        r"refused service=imap why=connections_per_source "
        r"source=192\.0\.2\.50")), "not the fourth, and the log says why")
    held[-1].close()
    ok(wait_for(lambda: not dropped(front, v2("192.0.2.50"))),
       "when one is gone there is room")
    held += [connect(front, v2("2001:db8:1:2::%d" % n)) for n in range(3)]
    ok(dropped(front, v2("2001:db8:1:2:3::9")) and
       not dropped(front, v2("2001:db8:1:3::9")),
       "a /64 of IPv6 is one client")
    # Through the proxy or not: it is the same client.
    near = [connect(front, v2("127.0.0.1")) for n in range(2)]
    near.append(front.client())
    ok(near[-1].greeting.startswith("* OK") and
       dropped(front, v2("127.0.0.1")) and dropped(front, b"", "127.0.0.1"),
       "a client counts together, whichever way it came")
    front.stop()
    # All places are taken: who has the most of them behind the proxy loses.
    site = Site("full", proxy_from=PROXY, connections=12)
    front = Front(site, "imap")
    held = [connect(front, v2("198.51.100.9")) for _ in range(10)]
    calm = [connect(front, v2("192.0.2.%d" % n)) for n in (1, 2)]
    more = [connect(front, v2("192.0.2.%d" % n)) for n in (3, 4, 5)]
    ok(all(c.greeting.startswith("* OK") for c in more),
       "where all is full another client of the proxy's gets in",
       [c.greeting for c in more])
    ok(all(c.ask("a NOOP\r\n").startswith("a OK") for c in calm + more) and
       sum(c.ask("a NOOP\r\n").startswith("a OK") for c in held) == 7,
       "at the cost of who has the most")
    front.stop()
    site = Site("guess", proxy_from=PROXY, auth_free_tries=2,
                auth_delay_ms=0)
    front = Front(site, "imaps")

    def guess(header, password):
        c = connect(front, header, tls=True)
        start = time.monotonic()
        got = c.ask("a LOGIN alice %s\r\n" % password)
        c.close()
        return got, time.monotonic() - start

    ok(guess(v2("192.0.2.60"), '"secret word"')[0].startswith("a OK"),
       "a login from an address")
    took = [guess(v2("198.51.100.7"), "wrong")[1] for _ in range(6)]
    ok(took[0] < 2 <= took[5], "guesses from another wait", took)
    got, took = guess(v2("192.0.2.60"), '"secret word"')
    ok(got.startswith("a OK") and took < 2,
       "the first is not delayed for them", got, took)
    front.stop()


def test_received():
    """Received says whose mail it is, and the queue is told, too."""
    folder = TMP + "/mail"
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    site = Site("received", proxy_from=PROXY, programs=[(
        "enqueue", "#!/bin/sh\nPATH=/usr/bin:/bin\n"
        "while [ \"$1\" != -- ]; do shift; done\n"
        "echo \"$2\" >%s/peer\n"
        "sed -n '/Received/{p;q}' >%s/trace\n" % (folder, folder))])
    front = Front(site, "smtp")

    def read(name):
        try:
            with open(folder + "/" + name) as f:
                return f.read()
        except OSError:
            return ""

    for header, peer, trace in (
            (V1, "192.0.2.7", "[192.0.2.7]"),
            (v2("2001:db8::5"), "2001:db8::5", "[IPv6:2001:db8::5]"),
            (v2(command=0), PROXY, "[%s]" % PROXY)):
        c = connect(front, header)
        for command in ("EHLO client.example.net", "MAIL FROM:<a@b.example>",
                        "RCPT TO:<alice@example.org>", "DATA"):
            got = c.ask(command + "\r\n", end=r"\d\d\d ")
        c.ask("Subject: x\r\n\r\nx\r\n.\r\n", end=r"\d\d\d ")
        c.close()
        ok(wait_for(lambda: read("peer") == peer + "\n" and
                    "(" + trace + ")" in read("trace")),
           "mail of " + peer, got, read("peer"), read("trace"))
    front.stop()


def test_connected(site):
    """Without a listener it is the same."""
    for service, tls in (("imap", False), ("imaps", True)):
        server = socket.create_server(("127.0.0.1", 0))
        s = socket.create_connection(server.getsockname(),
                                     source_address=(PROXY, 0))
        conn, _ = server.accept()
        p = site.start(service, conn)
        conn.close()
        server.close()
        s.sendall(v2("192.0.2.77"))
        c = Client(s, tls=tls)
        if not tls:
            ok("LOGINDISABLED" in c.greeting, "a connected socket",
               c.greeting)
            c.ask("a STARTTLS\r\n")
            c.tls()
        ok(login(c).startswith("a OK stub"), service + ": a login")
        c.close()
        p.wait(10)
        ok(site.logged(r" login service=%s peer=192\.0\.2\.77 user=alice" %
                       service, service), service + ": whose it was")


ROGUE = """#!%s
import os, socket, struct, sys, time
if "-n" in sys.argv:
    sys.exit(111)
channel = socket.socket(fileno=3)
def ask(kind, data=b"", n=None, tag=b""):
    channel.send(struct.pack("=IIII64s1024s272s", kind, 0, 4,
        len(data) if n is None else n, tag, data, b""))
    got = channel.recv(4096)
    if not got:
        os.write(1, b"gone\\n")
        sys.exit(0)
    return struct.unpack("=I", got[:4])[0]
%s
os.write(1, b"alive\\n")
time.sleep(30)
"""


def test_rogue():
    """A login program that was taken over has no say in who it serves."""
    if not os.path.exists(FAKE):
        skip("a login program that was taken over", "no " + FAKE)
        return
    site = Site("rogue", proxy_from=PROXY)
    good = r"b'\0alice\0secret word'"
    for name, source, text in (
            ("a frame of a proxy's where there is none", "127.0.0.1",
             r"ask(6, b'\xc0\0\2\7')"),
            ("a login before it", PROXY, "ask(1, %s, tag=b't')" % good),
            ("a second one", PROXY,
             r"ask(6, b'\xc0\0\2\7'); ask(6, b'\xc0\0\2\7')"),
            ("an address of 5 bytes", PROXY, "ask(6, b'12345')"),
            ("a length past the end", PROXY, "ask(6, b'1', n=4096)"),
            ("a login in clear behind it", PROXY,
             r"ask(6, b'\x7f\0\0\1'); ask(1, %s, tag=b't')" % good)):
        site.program("imap-login", ROGUE % (FAKE, text))
        front = Front(site, "imap")
        got = front.client(source=source, greeting=False).rest()
        ok(got in ("", "gone\n") and wait_for(
            lambda: front.logged("login-program-ended")),
           "ended: " + name, got)
        front.stop()
        os.unlink(site.log)


def converse(c, service):
    """One login on each kind of service: what was answered to it."""
    if service in ("imap", "imaps"):
        if service == "imap":
            c.ask("a STARTTLS\r\n")
            c.tls()
        return login(c, "b")[2:4]
    if service in ("pop3", "pop3s"):
        if service == "pop3":
            c.ask("STLS\r\n")
            c.tls()
        return c.ask("AUTH PLAIN %s\r\n" % PLAIN)[1:3]
    c.ask("EHLO x\r\n", end=r"250 ")
    if service != "submissions":
        c.ask("STARTTLS\r\n", end=r"\d\d\d ")
        c.tls()
        c.ask("EHLO x\r\n", end=r"250 ")
    if service == "smtp":
        c.ask("MAIL FROM:<a@b.example>\r\n", end=r"\d\d\d ")
        got = c.ask("RCPT TO:<nobody@example.org>\r\n", end=r"\d\d\d ")
        return "OK" if got.startswith("550") else got
    got = c.ask("AUTH PLAIN %s\r\n" % PLAIN, end=r"\d\d\d ")
    return "OK" if got.startswith("235") else got


def test_haproxy(site):
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    if not os.path.exists(program):
        skip("HAProxy", "haproxy is not installed")
        return
    fronts = {s: Front(site, s) for s in SERVICES}
    socks, ports = [], {}
    lines = ["defaults", "    mode tcp", "    timeout connect 5s",
             "    timeout client 30s", "    timeout server 30s"]

    def bind():
        # HAProxy gets the sockets: their ports cannot become another's.
        socks.append(socket.create_server(("127.0.0.1", 0)))
        return "    bind fd@%d" % socks[-1].fileno()

    for option in ("send-proxy", "send-proxy-v2"):
        for service, front in fronts.items():
            lines += ["listen %s-%s" % (service, option), bind(),
                      "    server one 127.0.0.1:%d source %s %s" %
                      (front.address[1], PROXY, option)]
            ports[service, option] = socks[-1].getsockname()[1]
    # Its health checks, with a header and without one.
    checked = Front(Site("checked", proxy_from="127.0.0.0/29"), "imap")
    for n, how in ((3, "check-send-proxy send-proxy"),
                   (4, "check-send-proxy send-proxy-v2"), (5, "")):
        lines += ["listen check-%d" % n, bind(),
                  "    server one 127.0.0.1:%d source 127.0.0.%d check "
                  "inter 50 %s" % (checked.address[1], n, how)]
    with open(TMP + "/haproxy.cfg", "w") as f:
        f.write("\n".join(lines) + "\n")
    with open(TMP + "/haproxy.log", "w") as log:
        p = subprocess.Popen([program, "-db", "-f", TMP + "/haproxy.cfg"],
                             stdout=log, stderr=log,
                             pass_fds=[s.fileno() for s in socks])
    for s in socks:
        s.close()

    def up():
        try:
            socket.create_connection(
                ("127.0.0.1", list(ports.values())[-1])).close()
            return True
        except OSError:
            return False

    try:
        with open(TMP + "/haproxy.log") as log:
            ok(wait_for(up), "HAProxy runs", log.read())
        for n, ((service, option), port) in enumerate(ports.items()):
            source = "127.0.5.%d" % (n + 1)
            s = socket.create_connection(("127.0.0.1", port),
                                         source_address=(source, 0))
            c = Client(s, tls=service in ("imaps", "pop3s", "submissions"))
            got = converse(c, service)
            c.close()
            line = (r" login service=%s peer=%s user=alice" if
                    service != "smtp" else r"service=%s peer=%s ")
            line %= service, re.escape(source)
            ok(got == "OK" and wait_for(
                lambda: fronts[service].logged(line)),
               "HAProxy, %s: %s" % (option, service), c.greeting, got)
    finally:
        p.terminate()
        p.wait(10)
    with open(checked.site.log) as log, open(TMP + "/haproxy.log") as theirs:
        text = log.read()
        told = theirs.read()
    ok("proxy-failed" not in text and "is DOWN" not in told,
       "its health checks find us, and are no lines in the log",
       text[-500:], told[-500:])
    for front in [checked, *fronts.values()]:
        front.stop()


def main():
    site = Site("site", proxy_from=PROXY + "," + NETWORK)
    late = start_late(site)
    test_imap(site)
    test_exact(site)
    test_counts()
    test_received()
    test_connected(site)
    test_rogue()
    test_haproxy(site)
    test_late(*late)
    test_bad(site)


try:
    main()
finally:
    finish()
