"""Certificates for names that clients ask for (SNI, T-TLS-12), as certbot lays
them."""
import base64
import hashlib
import hmac
import os
import re
import socket
import ssl
import subprocess

from frontlib import (TMP, Client, Front, Site, context, finish, login, ok,
                      wait_for)

LIVE = "/etc/letsencrypt/live/"


class Lineage:
    """A folder of links into an archive, replaced at each renewal."""

    def __init__(self, site, folder, names, kind="ec"):
        self.names, self.kind, self.number = names, kind, 0
        self.live = site.root + LIVE + folder
        self.archive = site.root + "/etc/letsencrypt/archive/" + folder
        os.makedirs(self.live)
        os.makedirs(self.archive)
        self.renew()

    def renew(self):
        self.number += 1
        new = [self.archive + "/%s%d.pem" % (name, self.number)
               for name in ("fullchain", "privkey")]
        algorithm = (["rsa:2048"] if self.kind == "rsa" else
                     ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj",
             "/CN=" + self.names[0], "-addext", "subjectAltName=" + ",".join(
                 "DNS:" + n for n in self.names), "-newkey", *algorithm,
             "-out", new[0], "-keyout", new[1]],
            check=True, stderr=subprocess.DEVNULL)
        for path in new:
            link = self.live + "/" + os.path.basename(path).replace(
                str(self.number), "")
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink("../../archive/%s/%s" % (
                os.path.basename(self.live), os.path.basename(path)), link)
        with open(new[0]) as f:
            self.der = ssl.PEM_cert_to_DER_cert(f.read())

    def write(self, text):
        with open(self.live + "/fullchain.pem", "w") as f:
            f.write(text)

    def read(self):
        with open(self.live + "/fullchain.pem") as f:
            return f.read()


def settings(site, *lines):
    with open(site.root + "/etc/postern/postern.conf", "a") as f:
        f.write("".join(line + "\n" for line in lines))


def own(site):
    with open(site.root + "/etc/postern/tls/cert.pem") as f:
        return ssl.PEM_cert_to_DER_cert(f.read())


def begin(front):
    """A connection where TLS comes next."""
    s = socket.create_connection(front.address)
    s.settimeout(15)
    start = {"imap": "a STARTTLS\r\n", "pop3": "STLS\r\n",
             "smtp": "STARTTLS\r\n", "submission": "STARTTLS\r\n"}
    if front.service in start:
        c = Client(s)
        if start[front.service][0] == "S" and front.service != "pop3":
            c.ask("EHLO x\r\n", end="250 ")
        c.ask(start[front.service], end=r"220|a OK|\+OK")
    return s


def shown(front, name, ciphers=None):
    ctx = context()
    if ciphers:
        ctx.maximum_version = ssl.TLSVersion.TLSv1_2
        ctx.set_ciphers(ciphers)
    s = begin(front)
    try:
        s = ctx.wrap_socket(s, server_hostname=name)
        return s.getpeercert(True)
    except OSError:
        return None
    finally:
        s.close()


def test_more_names():
    """A second certificate for a name, and for another one."""
    site = Site("more")
    rsa = Lineage(site, "a", ["a.example.net"], "rsa")
    both = Lineage(site, "both", ["a.example.net", "b.example.net"])
    settings(site, "tls_site " + LIVE + "a", "tls_site " + LIVE + "both")
    front = Front(site, "imaps")
    got = [shown(front, "a.example.net"), shown(front, "b.example.net"),
           shown(front, "a.example.net", "ECDHE+aRSA")]
    ok(got == [rsa.der, both.der, rsa.der],
       "more names than the one of another kind", [g and g[:60] for g in got])
    front.stop()


def test_names():
    site = Site("names")
    one = Lineage(site, "imap.example.net",
                  ["imap.example.net", "pop.example.net"])
    rsa = Lineage(site, "imap.example.net-0001",
                  ["imap.example.net", "pop.example.net"], "rsa")
    star = Lineage(site, "example.com", ["*.example.com", "example.com"])
    plain = Lineage(site, "plain", ["plain.example.net"])
    own_rsa = Lineage(site, "own", ["mail.example.org"], "rsa")
    settings(site, "tls_site " + LIVE + "imap.example.net",
             "tls_site " + LIVE + "imap.example.net-0001",
             "tls_site " + LIVE + "example.com",
             "tls_site %splain/fullchain.pem %splain/privkey.pem" %
             (LIVE, LIVE), "tls_site " + LIVE + "own")
    other = own(site)
    for service in ("imap", "imaps", "pop3", "pop3s", "smtp", "submission",
                    "submissions"):
        front = Front(site, service)
        got = [shown(front, n) for n in (
            "imap.example.net", "pop.example.net", "a.example.com",
            "plain.example.net", "mail.example.org", "other.example.org",
            None)]
        ok(got == [one.der, one.der, star.der, plain.der, other, other,
                   other], service + ": each name has its certificate",
           [g and g[:60] for g in got])
        got = [shown(front, n, "ECDHE+aRSA") for n in (
            "pop.example.net", "mail.example.org", "a.example.com")]
        ok(got == [rsa.der, own_rsa.der, None],
           "and RSA beside it, where there is one", [
               g and g[:60] for g in got])
        front.stop()
    front = Front(site, "imaps")
    for name, want in (
            ("IMAP.Example.NET", one.der), ("example.com", star.der),
            ("A.EXAMPLE.COM", star.der), ("a.b.example.com", other),
            (".example.com", other), ("xexample.com", other),
            ("imap.example.net.", other), ("a" * 63 + ".example.com",
                                           star.der)):
        try:
            got = shown(front, name)
        except ValueError:
            continue  # what Python does not send
        ok(got == want, "SNI " + name[:20], got and got[:60])
    for name in ("a" * 255, "../x", "x\\", "*.example.com", "%s%n",
                 "imap.example.net/"):
        r = subprocess.run(
            ["openssl", "s_client", "-connect", "%s:%d" % front.address,
             "-servername", name], input=b"", capture_output=True)
        got = (b"-----BEGIN" in r.stdout and ssl.PEM_cert_to_DER_cert(
            "-----BEGIN" + r.stdout.decode().split("-----BEGIN")[1].split(
                "-----END")[0] + "-----END CERTIFICATE-----\n"))
        ok(got in (other, star.der if "*" in name else other) or
           b"alert" in r.stderr, "SNI %.10s: the default, or refused" % name,
           r.stderr[-300:])
    r = subprocess.run(
        ["openssl", "s_client", "-connect", "%s:%d" % front.address,
         "-tls1_3", "-sigalgs", "RSA-PSS+SHA256", "-servername",
         "pop.example.net"], input=b"", capture_output=True)
    ok(b"Peer signature type: RSA-PSS" in r.stdout and
       b"CN = imap.example.net" in r.stdout,
       "TLS 1.3: the client's algorithms decide", r.stdout[-600:])
    r = subprocess.run(
        ["openssl", "s_client", "-connect", "%s:%d" % front.address,
         "-servername", "imap.example.net"], input=b"", capture_output=True)
    ok(b"Peer signature type: ECDSA" in r.stdout, "with both it is ECDSA",
       r.stdout[-600:])
    # A ticket is the service's, whatever the name.
    ctx = context()

    def again(name, session):
        s = ctx.wrap_socket(socket.create_connection(front.address),
                            server_hostname=name, session=session)
        s.recv(1000)
        got = s.session_reused, s.session
        s.close()
        return got

    _, session = again("imap.example.net", None)
    ok(again("imap.example.net", session)[0], "and tickets for it")
    s = context().wrap_socket(begin(front), server_hostname="a.example.com")
    ok(login(Client(s)).startswith("a OK stub"), "a login")
    s.close()
    got = [bound(front, name, der) for name, der in (
        ("imap.example.net", one.der), ("mail.example.org", other),
        ("imap.example.net", other), ("mail.example.org", one.der))]
    ok(got == ["OK", "OK", "NO", "NO"],
       "a login is bound to the certificate that was shown", got)
    renew(site, front, one, plain, other)
    front.stop()


def bound(front, name, der):
    """SCRAM-SHA-256-PLUS with tls-server-end-point (RFC 5929 4): OK or NO."""
    c = Client(context().wrap_socket(begin(front), server_hostname=name))
    header = b"p=tls-server-end-point,,"
    first = b"n=alice,r=" + base64.b64encode(os.urandom(18))
    got = c.ask("a AUTHENTICATE SCRAM-SHA-256-PLUS %s\r\n" %
                base64.b64encode(header + first).decode())
    server = base64.b64decode(got[2:])
    nonce, salt, count = re.match(rb"(r=.*),s=(.*),i=(.*)", server).groups()
    salted = hashlib.pbkdf2_hmac("sha256", b"secret word",
                                 base64.b64decode(salt), int(count))
    binding = base64.b64encode(header + hashlib.sha256(der).digest())
    last = b"c=" + binding + b"," + nonce
    key = hmac.digest(salted, b"Client Key", "sha256")
    sign = hmac.digest(hashlib.sha256(key).digest(),
                       b",".join((first, server, last)), "sha256")
    proof = bytes(a ^ b for a, b in zip(key, sign))
    got = c.ask("%s\r\n" % base64.b64encode(
        last + b",p=" + base64.b64encode(proof)).decode())
    if got.startswith("+"):
        got = c.ask("\r\n")
    c.close()
    return got.split()[1]


def renew(site, front, one, plain, other):
    """What is on the disk is what the next connection gets."""
    before = one.der
    one.renew()
    ok(one.der != before and shown(front, "imap.example.net") == one.der,
       "renewed: the next connection has it")
    text = plain.read()
    plain.write("nonsense")
    ok(shown(front, "plain.example.net") == other and
       shown(front, "imap.example.net") == one.der and wait_for(
           lambda: front.logged("tls-unusable .*plain/fullchain.pem")),
       "one that is broken is told, and the others serve")
    plain.write(text)
    ok(shown(front, "plain.example.net") == plain.der, "mended")
    # A certificate whose key is another one's.
    os.unlink(plain.live + "/privkey.pem")
    os.symlink(one.live + "/privkey.pem", plain.live + "/privkey.pem")
    ok(shown(front, "plain.example.net") == other,
       "with another's key it is not used")


def test_alone():
    """No certificate but those of names; many; without a nursery."""
    site = Site("alone", tls=False)
    one = Lineage(site, "one", ["one.example.net"])
    two = Lineage(site, "two", ["two.example.net"], "rsa")
    settings(site, *["tls_site %s%s" % (LIVE, n) for n in
                     ["one", "two"] + 15 * ["one", "two"]])
    front = Front(site, "imaps")
    got = [shown(front, n) for n in ("one.example.net", "two.example.net",
                                     "x.example.net")]
    ok(got == [one.der, two.der, one.der],
       "32 certificates; the first is for who asks for none", [
           g and g[:60] for g in got])
    front.stop()
    for name, want in (("one.example.net", one.der),
                       ("two.example.net", two.der)):
        server = socket.create_server(("127.0.0.1", 0))
        s = socket.create_connection(server.getsockname())
        conn, _ = server.accept()
        p = site.start("imaps", conn)
        conn.close()
        s = context().wrap_socket(s, server_hostname=name)
        ok(s.getpeercert(True) == want and
           login(Client(s)).startswith("a OK stub"),
           "a connected socket: " + name)
        s.close()
        p.wait(10)


def test_settings():
    for line, why in (
            ("tls_site a b c", "FOLDER, or CERTIFICATE KEY is expected"),
            ("tls_site", "a value is missing"),
            ("\n".join(["tls_site a"] * 33), "too many certificates"),
            ("proxy_from 192.0.2.1/24", "ADDRESS or ADDRESS/BITS"),
            ("proxy_from 192.0.2.0/24,,", "ADDRESS or ADDRESS/BITS"),
            ("proxy_from " + ",".join(["::1"] * 65), "too many networks")):
        site = Site("wrong" + str(abs(hash(line))), tls=False)
        settings(site, line)
        p = site.start("imap", subprocess.DEVNULL)
        ok(p.wait(10) == 100 and site.logged(why, "imap"),
           "refused: " + why)


def main():
    test_names()
    test_more_names()
    test_alone()
    test_settings()


try:
    main()
finally:
    finish()
