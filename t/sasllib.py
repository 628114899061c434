"""AUTH as SMTP, POP3 and IMAP say it, and SCRAM, for the tests."""
import base64
import hashlib
import hmac
import os
import re

from frontlib import Front

PASSWORD = "secret word"


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else
                            data.encode()).decode()


def unb64(text):
    return base64.b64decode(text)


class Wire:
    """AUTH as one of the protocols says it."""

    def __init__(self, protocol, client):
        self.protocol, self.c = protocol, client
        if protocol == "smtp":
            client.send("EHLO x\r\n")
            self.hello = []
            while True:
                self.hello.append(client.line())
                if self.hello[-1][3:4] != "-":
                    break

    def mechanisms(self):
        if self.protocol == "smtp":
            for line in self.hello:
                if line[4:].startswith("AUTH "):
                    return line[9:].split()
            return []
        if self.protocol == "imap":
            text = self.c.ask("c CAPABILITY\r\n")
            return re.findall(r"AUTH=(\S+)", text)
        self.c.send("CAPA\r\n")
        got = []
        while (line := self.c.line()) != ".":
            if line.startswith("SASL "):
                got = line[5:].split()
        return got

    def begin(self, mechanism, initial=None):
        rest = "" if initial is None else " " + (b64(initial) or "=")
        verb = {"smtp": "AUTH", "pop3": "AUTH",
                "imap": "a AUTHENTICATE"}[self.protocol]
        return self.say("%s %s%s" % (verb, mechanism, rest))

    def say(self, line):
        self.c.send(line + "\r\n")
        return self.c.line()

    def answer(self, data):
        return self.say(b64(data))

    def challenge(self, line):
        """What a challenge says, or None."""
        start = "334 " if self.protocol == "smtp" else "+ "
        return unb64(line[len(start):]) if line.startswith(start) else None

    def verdict(self, line):
        for word, start in (("yes", ("235 ", "+OK", "a OK")),
                            ("no", ("535 5.7.8", "-ERR [AUTH]",
                                    "a NO [AUTHENTICATIONFAILED]")),
                            ("later", ("454 ", "-ERR [SYS/TEMP]",
                                       "a NO [UNAVAILABLE]")),
                            ("bad", ("501 ", "504 ", "-ERR", "a BAD",
                                     "a NO No such"))):
            if line.startswith(start):
                return word
        return line


class Scram:
    """RFC 5802, the client's side, with a thumb on the scales."""

    def __init__(self, name="SCRAM-SHA-256", user="alice", password=PASSWORD,
                 flag="n", binding=b"", authzid=""):
        self.hash = "sha1" if "SHA-1" in name else "sha256"
        self.password = password.encode()
        self.header = "%s,%s," % (flag, "a=" + authzid if authzid else "")
        self.binding = binding
        self.nonce = b64(os.urandom(18))
        self.bare = "n=%s,r=%s" % (user.replace("=", "=3D").replace(
            ",", "=2C"), self.nonce)

    def first(self):
        return self.header + self.bare

    def final(self, challenge, nonce=None):
        self.challenge = challenge.decode()
        f = dict(x.split("=", 1) for x in self.challenge.split(","))
        assert f["r"].startswith(self.nonce) and len(f["r"]) >= len(
            self.nonce) + 18
        self.salt, self.count = unb64(f["s"]), int(f["i"])
        salted = hashlib.pbkdf2_hmac(self.hash, self.password, self.salt,
                                     self.count)
        h = lambda k, t: hmac.new(k, t, self.hash).digest()
        client = h(salted, b"Client Key")
        stored = hashlib.new(self.hash, client).digest()
        bare = "c=%s,r=%s" % (b64(self.header.encode() + self.binding),
                              nonce or f["r"])
        text = ",".join((self.bare, self.challenge, bare)).encode()
        signature = h(stored, text)
        proof = bytes(a ^ b for a, b in zip(client, signature))
        self.expect = b"v=" + base64.b64encode(h(h(salted, b"Server Key"),
                                                 text))
        return bare + ",p=" + b64(proof)


def scram(w, name="SCRAM-SHA-256", initial=True, **kw):
    """One exchange: its verdict, and whether the server proved itself."""
    s = Scram(name, **kw)
    if initial:
        line = w.begin(name, s.first())
    else:
        line = w.begin(name)
        if w.challenge(line) is None:
            return w.verdict(line)
        line = w.answer(s.first())
    challenge = w.challenge(line)
    if challenge is None:
        return w.verdict(line)
    line = w.answer(s.final(challenge))
    proof = w.challenge(line)
    if proof is None:
        return w.verdict(line)
    if proof != s.expect:
        return "the server's proof is wrong"
    return w.verdict(w.answer(b""))


SERVICES = {"imap": "imaps", "pop3": "pop3s", "smtp": "submissions"}


class Server:
    def __init__(self, site):
        self.site = site
        self.fronts = {}

    def wire(self, protocol, tls=True, **kw):
        service = SERVICES[protocol] if tls else {
            "smtp": "submission"}.get(protocol, protocol)
        if service not in self.fronts:
            self.fronts[service] = Front(self.site, service)
        return Wire(protocol, self.fronts[service].client(tls=tls, **kw))

    def logged(self, pattern):
        got = []
        for f in self.fronts.values():
            got += f.logged(pattern)
        return got

    def stop(self):
        for f in self.fronts.values():
            f.stop()
