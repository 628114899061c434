"""lib/net/dns against a DNS server that follows a script."""
import os
import struct
import subprocess

from harness import Tap
from servers import Dns, a, aaaa, mx, name, packet

tap = Tap()
PROGRAM = os.environ["POSTERN_BUILD"] + "/t/unit/dns"


def loop(query, question):
    """A name that points to itself."""
    out = packet(query, question, [(15, b"\0\x05\xc0\x00")])
    at = len(out) - 2
    return out[:at] + struct.pack(">H", 0xc000 | at)


def wrong_id(query, question):
    out = packet(query, question, [(15, mx(1, "evil.test"))])
    return bytes([query[0] ^ 1]) + out[1:]


def no_edns(query, question):
    """An old server that does not know EDNS0 (RFC 6891 7)."""
    return packet(query, question, [(15, mx(4, "old.test"))]
                  if query[11] == 0 else [], 0 if query[11] == 0 else 1)


records = {
    ("edns.test", 15): no_edns,
    ("a.test", 15): [mx(20, "b.a.test"), mx(10, "a.a.test"),
                     mx(30, "c.a.test")],
    ("many.test", 15): [mx(i % 7, "host-%d.many.test" % i) for i in range(20)],
    ("equal.test", 15): [mx(5, "a.equal.test"), mx(5, "b.equal.test")],
    ("bad.test", 15): [mx(5, "under_score.test")],
    ("mixed.test", 15): [mx(5, "under_score.test"), mx(6, "good.test")],
    ("short.test", 15): [b"\0\x05"],
    ("loop.test", 15): loop,
    ("wrong.test", 15): wrong_id,
    ("silent.test", 15): lambda query, question: None,
    ("alias.test", 15): lambda query, question: packet(
        query, question, [(5, name("real.test")), (15, mx(3, "h.real.test"))]),
    ("null.test", 15): [mx(0, "")],
    ("bare.test", 1): [a("192.0.2.1")],
    ("fail.test", 15): "SERVFAIL",
    ("two.test", 1): [a("192.0.2.1"), a("192.0.2.2"), b"abc"],
    ("two.test", 28): [aaaa("2001:db8::1")],
    ("six.test", 28): [aaaa("2001:db8::2")],
    ("halffail.test", 1): "SERVFAIL",
    ("halffail.test", 28): [],
    ("empty.test", 15): [mx(1, "x.test")],
}
dns = Dns(records)


def ask(what, host):
    p = subprocess.run([PROGRAM, "127.0.0.1@%d" % dns.port, what, host],
                       stdout=subprocess.PIPE, timeout=20)
    return p.stdout.decode().split("\n")[:-1]


for what, host, want, title in (
        ("mx", "a.test", ["10 a.a.test", "20 b.a.test", "30 c.a.test"],
         "sorted by preference"),
        ("mx", "A.TEST", ["10 a.a.test", "20 b.a.test", "30 c.a.test"],
         "in any case"),
        ("mx", "alias.test", ["3 h.real.test"], "behind an alias"),
        ("mx", "null.test", ["null"], "a null MX"),
        ("mx", "bare.test", ["0 bare.test"], "the domain itself"),
        ("mx", "none.test", ["none"], "no such domain"),
        ("mx", "fail.test", ["tempfail"], "SERVFAIL"),
        ("mx", "edns.test", ["4 old.test"], "a server without EDNS0"),
        ("mx", "silent.test", ["tempfail"], "no answer"),
        ("mx", "wrong.test", ["tempfail"], "an answer with another id"),
        ("mx", "loop.test", ["tempfail"], "a name that points to itself"),
        ("mx", "short.test", ["tempfail"], "an MX of two bytes"),
        ("mx", "bad.test", ["tempfail"], "an MX that is no host name"),
        ("mx", "mixed.test", ["6 good.test"], "beside one that is"),
        ("mx", "not a name", ["none"], "what is no domain"),
        ("mx", "", ["none"], "nothing"),
        ("addresses", "two.test", ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
         "IPv4 before IPv6; three bytes are none"),
        ("addresses", "six.test", ["2001:db8::2"], "IPv6 only"),
        ("addresses", "empty.test", ["none"], "no address"),
        ("addresses", "none.test", ["none"], "no such host"),
        ("addresses", "halffail.test", ["tempfail"], "one half fails"),
        ("addresses", "192.0.2.9", ["192.0.2.9"], "a number"),
        ("addresses", "::1", ["::1"], "a longer one"),
        ("addresses", "localhost", ["127.0.0.1", "::1"], "localhost")):
    tap.eq(ask(what, host), want, title)

got = ask("mx", "many.test")
tap.ok(dns.by_tcp > 0, "a long answer comes by TCP")
tap.ok(len(got) == 10 and [int(l.split()[0]) for l in got] ==
       [0, 0, 0, 1, 1, 1, 2, 2, 2, 3], "the ten best of twenty", got)
orders = {tuple(ask("mx", "equal.test")) for _ in range(40)}
tap.eq(len(orders), 2, "equal ones come in either order")
tap.ok(("localhost", 1) not in dns.asked and ("192.0.2.9", 1) not in
       dns.asked, "nobody is asked about those")
for server in ("127.0.0.1@", "127.0.0.1@x", "127.0.0.1@65536", "x", "::1"):
    p = subprocess.run([PROGRAM, server, "mx", "x"])
    tap.eq(p.returncode, 100, "%s is no server" % server)
tap.done()
