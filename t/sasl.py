"""Mechanisms: PLAIN, LOGIN and SCRAM on SMTP, POP3 and IMAP."""
import hashlib
import os
import re
import shutil
import ssl
import subprocess

from frontlib import (STAGE, TMP, Front, Site, finish, fronts, ok, skip,
                      wait_for)
from sasllib import PASSWORD, SERVICES, Scram, Server, b64, scram

ALL = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256",
       "SCRAM-SHA-1", "PLAIN", "LOGIN"]


def exporter(w):
    """tls-exporter is nothing that Python's ssl gives: OpenSSL by ctypes."""
    import ctypes
    import ctypes.util
    lib = ctypes.CDLL(ctypes.util.find_library("ssl") or "libssl.so.3")
    # The SSL * of an SSLSocket: the second word of its _sslobj.
    word = ctypes.c_void_p
    at = id(w.c.sock._sslobj) + object.__basicsize__ + ctypes.sizeof(word)
    ssl = word.from_address(at).value
    out = ctypes.create_string_buffer(32)
    f = lib.SSL_export_keying_material
    f.argtypes = [word, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p,
                  ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t,
                  ctypes.c_int]
    label = b"EXPORTER-Channel-Binding"
    assert f(ssl, out, 32, label, len(label), b"", 0, 1) == 1
    return out.raw


def end_point(w):
    return hashlib.sha256(w.c.sock.getpeercert(True)).digest()


def test_mechanisms(server):
    for p in SERVICES:
        w = server.wire(p)
        got = w.mechanisms()
        ok(got == ALL, p + ": all mechanisms over TLS", got)
        w = server.wire(p, tls=False)
        got = w.mechanisms()
        ok(got == ALL[2:], p + ": no channel binding in clear", got)
        for name in ALL[2:4]:
            ok(scram(server.wire(p), name) == "yes", p + ": " + name)
        ok(scram(server.wire(p), initial=False) == "yes",
           p + ": SCRAM without an initial response")
        ok(scram(server.wire(p, tls=False)) == "yes", p + ": SCRAM in clear")
        w = server.wire(p)
        got = [scram(w, password="wrong"), scram(w, user="nobody"),
               scram(w, user="alice@example.org")]
        ok(got == ["no", "no", "yes"],
           p + ": SCRAM, a wrong password, nobody, then right", got)
        w = server.wire(p)
        got = w.verdict(w.begin("PLAIN", b"\0alice\0" + PASSWORD.encode()))
        ok(got == "yes", p + ": PLAIN", got)
        for initial in (None, b"alice"):
            w = server.wire(p)
            line = w.begin("LOGIN", initial)
            if initial is None:
                ok(w.challenge(line) == b"Username:", p + ": LOGIN asks",
                   line)
                line = w.answer(b"alice")
            ok(w.challenge(line) == b"Password:", p + ": and asks", line)
            got = w.verdict(w.answer(PASSWORD))
            ok(got == "yes", p + ": LOGIN", got)


def test_unasked(server):
    """A client that does not wait for the challenge."""
    answer = b64(b"\0alice\0" + PASSWORD.encode())
    for p, text, end in (("imap", "a AUTHENTICATE PLAIN", "LOGOUT"),
                         ("pop3", "AUTH PLAIN", "QUIT")):
        for tls in (True, False):
            c = server.wire(p, tls=tls).c
            c.send(text + "\r\n" + answer + "\r\n")
            got = [c.line(), c.line()]
            c.send(end + "\r\n")
            got.append(c.rest())
            ok(got[0] == "+ " and "OK stub" in got[1] and got[2] == "bye\n",
               "%s: the answer before the question%s" %
               (p, ", over TLS" if tls else ""), got)


def test_wrong(server):
    """T-AUTH-1, T-AUTH-2 and T-AUTH-6."""
    for p in SERVICES:
        w = server.wire(p)
        got = []
        s = Scram()
        w.begin("SCRAM-SHA-256", s.first())
        got.append(w.verdict(w.say("*")))
        w.begin("LOGIN")
        got.append(w.verdict(w.say("*")))
        w.begin("PLAIN")
        got.append(w.verdict(w.say("???")))
        ok(got == ["bad"] * 3 and scram(w) == "yes",
           p + ": given up twice, not base64 once, then a login", got)
        w = server.wire(p)
        got = [w.verdict(w.begin("CRAM-MD5")),
               w.verdict(w.begin("SCRAM-SHA-512", b"n,,n=alice,r=x"))]
        ok(got == ["bad"] * 2, p + ": mechanisms that are none", got)
        # An answer that was right once.
        w = server.wire(p)
        s = Scram()
        line = w.begin("SCRAM-SHA-256", s.first())
        final = s.final(w.challenge(line))
        w.c.close()
        w = server.wire(p)
        w.begin("SCRAM-SHA-256", s.first())
        got = w.verdict(w.answer(final))
        ok(got == "no", p + ": a replay", got)
        s = Scram()
        line = w.begin("SCRAM-SHA-256", s.first())
        got = w.verdict(w.answer(s.final(w.challenge(line),
                                         nonce=s.nonce)))
        ok(got == "no", p + ": the nonce without the server's half", got)
        w = server.wire(p)
        got = [w.verdict(w.begin("SCRAM-SHA-256", t)) for t in
               (b"n,,m=x,n=alice,r=abc", b"n,,n=alice,r=abc,m=x")]
        ok(got == ["no"] * 2, p + ": a mandatory extension", got)
        w = server.wire(p)
        got = [w.verdict(w.begin("SCRAM-SHA-256", t)) for t in
               (b"", b"\0alice\0" + PASSWORD.encode())]
        ok(got == ["no"] * 2, p + ": not a SCRAM message", got)
        w = server.wire(p)
        got = scram(w, authzid="bob")
        ok(got == "no", p + ": for somebody else", got)
        w = server.wire(p)
        got = [scram(server.wire(p), authzid=name) for name in
               ("alice", "Alice@example.org")] + \
            [w.verdict(w.begin("PLAIN", "alice@example.org\0alice\0" +
                               PASSWORD))]
        ok(got == ["yes"] * 3, p + ": for oneself, by either name", got)
        # The final message first, the first one twice.
        w = server.wire(p)
        s = Scram()
        w.begin("SCRAM-SHA-256", s.first())
        got = w.verdict(w.answer(s.first()))
        ok(got == "no", p + ": the first message twice", got)
        w = server.wire(p)
        got = []
        for _ in range(3):
            line = w.begin("SCRAM-SHA-256", Scram().first())
            got.append(w.challenge(line) and w.verdict(w.say("*")))
        ok(got == ["bad"] * 3 and w.c.rest() is not None,
           p + ": three exchanges given up are the end", got)
        w = server.wire(p)
        line = w.begin("SCRAM-SHA-256", Scram().first())
        got = w.verdict(w.say(b64(b"c=biws," + b"x" * 5000)))
        ok(got in ("no", "bad"), p + ": a response too long for a frame", got)
        w.c.close()
        w = server.wire(p)
        w.c.send("%s SCRAM-SHA-256 %s\r\n" % (
            {"imap": "a AUTHENTICATE"}.get(p, "AUTH"), b64(b"x" * 40000)))
        got = w.c.rest()
        ok(got is not None and "OK" not in got and "235" not in got,
           p + ": a line too long ends it", got)
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            w = server.wire(p)
            w.begin(mechanism, b"\0" if mechanism == "PLAIN" else
                    Scram().first())
            w.c.close()


def test_binding(server):
    """T-AUTH-6, T-TLS-15."""
    for p in SERVICES:
        for plus in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"):
            w = server.wire(p)
            got = scram(w, plus, flag="p=tls-exporter", binding=exporter(w))
            ok(got == "yes", "%s: %s by tls-exporter" % (p, plus), got)
        w = server.wire(p)
        got = scram(w, plus, flag="p=tls-server-end-point",
                    binding=end_point(w))
        ok(got == "yes", p + ": by tls-server-end-point", got)
        other = server.wire(p)
        w = server.wire(p)
        plus = "SCRAM-SHA-256-PLUS"
        got = scram(w, plus, flag="p=tls-exporter", binding=exporter(other))
        ok(got == "no", p + ": another connection's exporter", got)
        got = scram(w, plus, flag="p=tls-unique",
                    binding=w.c.sock.get_channel_binding("tls-unique"))
        ok(got == "no", p + ": tls-unique with TLS 1.3", got)
        w = server.wire(p)
        ok(scram(w, flag="y") == "no", p + ": y, where -PLUS was offered")
        ok(scram(w, flag="p=tls-exporter", binding=exporter(w)) == "no",
           p + ": p with the plain mechanism")
        w = server.wire(p)
        ok(scram(w, plus, flag="n") == "no", p + ": n with -PLUS")
        for flag in ("tls-unique", "tls-exporter", "tls-server-end-point"):
            w = server.wire(p, version=ssl.TLSVersion.TLSv1_2)
            data = {"tls-exporter": exporter, "tls-server-end-point":
                    end_point}.get(flag, lambda w: w.c.sock.
                                   get_channel_binding("tls-unique"))(w)
            got = scram(w, plus, flag="p=" + flag, binding=data)
            ok(got == "yes", p + ": TLS 1.2, " + flag, got)
        ok(scram(server.wire(p), flag="n") == "yes", p + ": n without")
        w = server.wire(p, tls=False)
        ok(scram(w, flag="y") == "yes", p + ": y in clear")
        w = server.wire(p, tls=False)
        got = scram(w, plus, flag="p=tls-exporter", binding=b"x" * 32)
        ok(got == "bad", p + ": no -PLUS in clear", got)


def test_unknown(server):
    """Salts of users that are not there stay the same, and look the same."""
    def salt(user, name="SCRAM-SHA-256"):
        w = server.wire("imap")
        s = Scram(name, user=user)
        s.final(w.challenge(w.begin(name, s.first())))
        w.c.close()
        return s.salt, s.count
    a, b, again = salt("nobody"), salt("nothing"), salt("nobody@example.org")
    real = salt("alice")
    ok(a == again and a != b, "an unknown user's salt stays", a, again, b)
    ok(len(a[0]) == len(real[0]) and a[1] == real[1],
       "and has the form of a real one", a, real)
    ok(salt("nobody", "SCRAM-SHA-1")[0] != a[0], "one for each hash")
    run("passwd", "alice", stdin=PASSWORD + "\n", root=server.site.root)
    ok(salt("nobody") == a, "after the database was made again, too")
    ok(salt("alice") != real, "a new password has a new salt")


def run(*args, stdin="", root):
    return subprocess.run([STAGE + "/postern-user", "-r", root, *args],
                          input=stdin, capture_output=True, text=True)


def test_apps(server):
    root = server.site.root
    site = server.site
    made = run("app", "add", "alice", "phone", root=root)
    phone = made.stdout.strip()
    ok(re.fullmatch(r"([a-z2-9]{4}-){4}[a-z2-9]{4}", phone),
       "an app password is made", made)
    mail = run("app", "add", "--services", "imap", "--expires", "2099-01-31",
               "alice", "mail-only", root=root).stdout.strip()
    old = run("app", "add", "alice", "old", "--expires", "2020-02-29",
              root=root).stdout.strip()
    got = run("app", "list", "alice", root=root).stdout
    ok(got == "phone imap,pop3,smtp never\nmail-only imap 2099-01-31\n"
       "old imap,pop3,smtp 2020-02-29\n", "they are listed", got)
    got = run("app", "list", "--json", "alice", root=root).stdout
    ok('{"name":"mail-only","services":"imap","expires":"2099-01-31"}' in got,
       "and as JSON", got)
    text = open(root + "/etc/postern/secrets").read()
    ok(phone not in text and mail not in text, "none is stored", text)
    for args, code in ((("add", "alice", "phone"), 1),
                       (("add", "alice", "../x"), 100),
                       (("add", "nobody", "x"), 1),
                       (("add", "--services", "ftp", "alice", "x"), 100),
                       (("add", "--expires", "2027-02-30", "alice", "x"), 100),
                       (("del", "alice", "none"), 1),
                       (("add", "alice"), 100), (("what",), 100)):
        got = run("app", *args, root=root)
        ok(got.returncode == code and got.stderr.count("\n") == 1 and
           not got.stdout, "app %s: %d" % (" ".join(args), code), got)

    for p in SERVICES:
        for name, password, want in (
                ("the main one", PASSWORD, "yes"), ("phone", phone, "yes"),
                ("mail-only", mail, "yes" if p == "imap" else "no"),
                ("old", old, "no"), ("none", "none-of-them", "no")):
            got = [scram(server.wire(p), password=password),
                   scram(server.wire(p), "SCRAM-SHA-1", password=password)]
            w = server.wire(p)
            got.append(w.verdict(w.begin("PLAIN", "\0alice\0" + password)))
            ok(got == [want] * 3, "%s: %s: %s" % (p, name, want), got)
    for pattern in (r" login service=imaps .* credential=phone\n",
                    r" login-failed service=pop3s .* mechanism=PLAIN "
                    r"credential=mail-only why=service\n",
                    r" login-failed service=imaps .* credential=old "
                    r"why=expired\n",
                    r" login-failed service=imaps .* why=password\n",
                    r" login-failed service=imaps .* user=nobody .* "
                    r"why=unknown\n"):
        ok(wait_for(lambda: server.logged(pattern)), "logged: " + pattern)
    log = "".join(open(root + "/" + f).read() for f in os.listdir(root)
                  if f.startswith("log."))
    ok(not any(x in log for x in (phone, mail, old, PASSWORD)),
       "and no password is")
    # A new main password leaves the others alone.
    run("passwd", "alice", stdin="another\n", root=root)
    got = [scram(server.wire("imap"), password=x) for x in
           ("another", phone, PASSWORD)]
    ok(got == ["yes", "yes", "no"], "the main password is changed alone", got)
    ok(run("app", "del", "alice", "phone", root=root).returncode == 0 and
       scram(server.wire("imap"), password=phone) == "no" and
       scram(server.wire("imap"), password=mail) == "yes",
       "one is taken away")
    ok(run("disable", "alice", root=root).returncode == 0, "disable")
    got = [scram(server.wire("imap"), password=x) for x in ("another", mail)]
    w = server.wire("imap")
    got.append(w.verdict(w.begin("PLAIN", b"\0alice\0another")))
    ok(got == ["no"] * 3, "a disabled user opens nothing", got)
    ok(wait_for(lambda: server.logged("why=disabled\n")), "the log says it")
    run("enable", "alice", root=root)
    got = [scram(server.wire("imap"), password=x) for x in ("another", mail)]
    ok(got == ["yes"] * 2, "and opens all again once enabled", got)
    for i in range(20):
        last = run("app", "add", "alice", "n%d" % i, root=root)
    ok(last.returncode == 1 and "no more" in last.stderr,
       "there is a limit", last)
    ok(scram(server.wire("imap"), password=mail) == "yes", "all work")
    for n in ["mail-only", "old"] + ["n%d" % i for i in range(20)]:
        run("app", "del", "alice", n, root=root)
    run("passwd", "alice", stdin=PASSWORD + "\n", root=root)
    text = open(root + "/etc/postern/secrets").read()
    ok("/phone" not in text and "apps=" not in text, "nothing stays", text)


def test_crypt(server):
    """A user that came with a hash of crypt(3)."""
    root = server.site.root
    run("add", "--uid", str(server.site.owner), "--gid",
        str(server.site.owner), "carol", stdin="x\n", root=root)
    hashed = subprocess.run(["openssl", "passwd", "-6", "carol's"],
                            capture_output=True, text=True).stdout.strip()
    path = root + "/etc/postern/secrets"
    text = re.sub(r"(?m)^(carol@example.org) .*", lambda m: m.group(1) +
                  " crypt=" + hashed, open(path).read())
    with open(path, "w") as f:
        f.write(text)
    made = run("app", "add", "carol", "phone", root=root).stdout.strip()
    def plain(word, user="carol"):
        w = server.wire("imap")
        return w.verdict(w.begin("PLAIN", "\0%s\0%s" % (user, word)))
    got = [plain("carol's"), plain(made), plain("x")]
    ok(got == ["yes", "yes", "no"], "crypt(3) and an app password", got)
    got = [scram(server.wire("imap"), user="carol", password=made),
           scram(server.wire("imap"), user="carol", password="carol's")]
    ok(got == ["yes", "no"], "SCRAM needs keys of its own", got)
    # crypt(3) takes fewer bytes than SCRAM; what does not fit is just wrong.
    for text in ("", " crypt=" + hashed):
        with open(path) as f:
            now = re.sub(r"(?m)^(/nobody \S+).*",
                         lambda m: m.group(1) + text, f.read())
        with open(path, "w") as f:
            f.write(now)
        run("app", "del", "carol", "phone", root=root)
        run("app", "add", "carol", "phone", root=root)
        got = [plain("p" * n, user) for user in ("carol", "alice", "nobody")
               for n in (0, 511, 512, 513, 800)]
        ok(got == ["no"] * 15, "passwords that are too long" +
           (", with a hash of nobody's" if text else ""), got)
    # As shadow(5) has them where nobody may log in.
    for locked in ("!" + hashed, "*", "!!", "$nothing$x"):
        with open(path) as f:
            text = re.sub(r"crypt=\S+", lambda m: "crypt=" + locked, f.read())
        with open(path, "w") as f:
            f.write(text)
        run("app", "del", "carol", "phone", root=root)
        made = run("app", "add", "carol", "phone", root=root).stdout.strip()
        got = [plain("carol's"), plain(made)]
        ok(got == ["no", "yes"], "a locked hash: " + locked[:4], got)
    # An accent, typed as one character and as two.
    run("passwd", "carol", stdin="caf\u00e9\n", root=root)
    got = [plain("caf\u00e9"), plain("cafe\u0301"),
           scram(server.wire("imap"), user="carol", password="caf\u00e9")]
    ok(got == ["yes"] * 3, "passwords beyond ASCII are normalised", got)


def test_settings():
    site = Site("few", mechanisms="SCRAM-SHA-256", clear_login="never")
    server = Server(site)
    for p in SERVICES:
        w = server.wire(p)
        got = w.mechanisms()
        want = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"][p != "imap":]
        ok(got == want, p + ": the setting names what is offered", got)
        if p != "imap":
            ok(scram(w, flag="y") == "yes" and w.verdict(server.wire(p).begin(
                "SCRAM-SHA-256-PLUS", b"p=tls-exporter,,n=a,r=x")) == "bad",
               p + ": channel binding is a setting of its own")
            w = server.wire(p)
        got = w.verdict(w.begin("PLAIN", "\0alice\0" + PASSWORD))
        ok(got == "bad", p + ": and nothing else is taken", got)
        ok(scram(w) == "yes", p + ": what is named works")
        w = server.wire(p, tls=False)
        got = w.mechanisms()
        ok(got == [], p + ": clear_login never: nothing is offered", got)
        if p == "imap":
            got = w.c.ask("l CAPABILITY\r\n") + w.c.ask(
                "x LOGIN alice x\r\n")
            ok("LOGINDISABLED" in got and "x NO [PRIVACYREQUIRED]" in got,
               "imap: LOGINDISABLED", got)
        for mechanism in ALL:
            line = w.begin(mechanism, b"\0alice\0" + PASSWORD.encode())
            if not line.startswith(("538 5.7.11", "-ERR [AUTH] STLS",
                                    "a NO [PRIVACYREQUIRED]")):
                ok(False, p + ": taken in clear: " + mechanism, line)
        ok(True, p + ": and nothing is taken in clear")
    w = server.wire("imap")
    got = w.c.ask("l CAPABILITY\r\n") + w.c.ask("x LOGIN alice \"%s\"\r\n" %
                                                PASSWORD)
    ok("LOGINDISABLED" in got and "x NO AUTHENTICATE" in got,
       "without PLAIN there is no LOGIN command", got)
    w = server.wire("pop3")
    got = w.c.ask("USER alice\r\n")
    ok(got.startswith("-ERR"), "and no USER", got)
    server.stop()
    text = open(site.root + "/etc/postern/secrets").read()
    ok("sha256" in text and "sha1" not in text,
       "keys are made for what is offered", text)


def make_client(name):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=" + name, "-keyout", TMP + "/%s.key" % name, "-out",
         TMP + "/%s.crt" % name], check=True, stderr=subprocess.DEVNULL)


def test_external():
    """Certificates of clients."""
    for name in ("one", "two", "other"):
        make_client(name)
    site = Site("external", tls_clients="yes")
    root = site.root
    run("add", "--uid", str(site.owner), "--gid", str(site.owner), "dora",
        stdin="x\n", root=root)
    one = run("cert", "add", "alice", TMP + "/one.crt", root=root)
    ok(re.fullmatch("cert:[0-9a-f]{64}\n", one.stdout),
       "a certificate is recorded", one)
    print_ = subprocess.run(
        ["openssl", "x509", "-in", TMP + "/one.crt", "-noout", "-sha256",
         "-fingerprint"], capture_output=True, text=True).stdout
    ok(print_.split("=")[1].strip().replace(":", "").lower() ==
       one.stdout[5:].strip(), "by its fingerprint", print_)
    got = run("cert", "add", "dora", TMP + "/one.crt", root=root)
    ok(got.returncode == 1 and "already" in got.stderr, "for one user", got)
    got = run("cert", "add", "dora", TMP + "/cert.pem.none", root=root)
    ok(got.returncode == 100, "no file", got)
    run("cert", "add", "--services", "imap", "--expires", "2099-01-01",
        "dora", TMP + "/two.crt", root=root)
    got = run("cert", "list", "dora", root=root).stdout
    ok(got.endswith(" login=dora@example.org services=imap "
                    "expires=2099-01-01\n"), "listed", got)
    server = Server(site)

    def wire(p, name):
        return server.wire(p, cert=name and TMP + "/" + name)

    for service, asked in (("submission", True), ("smtp", False)):
        front = Front(site, service)
        got = subprocess.run(
            ["openssl", "s_client", "-starttls", "smtp", "-connect",
             "%s:%d" % front.address], input="QUIT\r\n", text=True,
            capture_output=True, timeout=20).stdout
        ok("Verify return code" in got and asked ==
           ("Requested Signature Algorithms" in got),
           service + (": asks" if asked else ": does not ask"), got)
        front.stop()

    for p in SERVICES:
        want = [m for m in ALL if p == "imap" or "PLUS" not in m]
        got = wire(p, None).mechanisms()
        ok(got == want, p + ": no certificate, no EXTERNAL", got)
        got = wire(p, "one").mechanisms()
        ok(got == want + ["EXTERNAL"], p + ": with one it is offered", got)
        w = wire(p, None)
        got = w.verdict(w.begin("EXTERNAL", b""))
        ok(got == "bad", p + ": nor taken without one", got)
        for name, initial, want in (
                ("one", b"", "yes"), ("one", b"alice", "yes"),
                ("one", b"alice@example.org", "yes"), ("one", b"dora", "no"),
                ("other", b"", "no"), ("other", b"alice", "no"),
                ("two", b"", "yes" if p == "imap" else "no")):
            w = wire(p, name)
            got = w.verdict(w.begin("EXTERNAL", initial))
            ok(got == want, "%s: certificate %s as %r: %s" % (
                p, name, initial, want), got)
        w = wire(p, "one")
        ok(w.challenge(w.begin("EXTERNAL")) == b"" and
           w.verdict(w.say("")) == "yes", p + ": without initial response")
        ok(scram(wire(p, "other")) == "yes",
           p + ": a password is as good as before")
        w = server.wire(p, tls=False)
        ok("EXTERNAL" not in w.mechanisms() and
           w.verdict(w.begin("EXTERNAL", b"alice")) == "bad",
           p + ": not in clear")
    ok(wait_for(lambda: server.logged(
        r" login service=imaps .* user=alice@example\.org tls=1 "
        r"mechanism=EXTERNAL credential=certificate\n")), "the log")
    ok(server.logged("user=cert:[0-9a-f]{64} .* why=certificate\n"),
       "and whose is unknown")
    smtps = server.fronts["submissions"].address[1]
    conf = TMP + "/msmtprc"
    with open(conf, "w") as f:
        f.write("account default\nhost 127.0.0.1\nport %d\ntls on\n"
                "tls_starttls off\ntls_certcheck off\nauth external\n"
                "user alice\nfrom alice@example.org\ntls_cert_file %s.crt\n"
                "tls_key_file %s.key\n" % (smtps, TMP + "/one", TMP + "/one"))
    os.chmod(conf, 0o600)
    before = len(server.logged(" login .* mechanism=EXTERNAL "))
    peer("msmtp: external", "msmtp", ["-C", conf, "bob@example.org"],
         lambda r: len(server.logged(" login .* mechanism=EXTERNAL ")) >
         before, input="Subject: x\n\nx\n")
    imap = Front(site, "imap")
    peer("gsasl: EXTERNAL", "gsasl",
         ["--imap", "-m", "EXTERNAL", "-z", "alice", "--x509-ca-file=",
          "--x509-cert-file=" + TMP + "/one.crt",
          "--x509-key-file=" + TMP + "/one.key", "127.0.0.1",
          str(imap.address[1])],
         lambda r: imap.logged(" login .* mechanism=EXTERNAL "),
         stdin=subprocess.DEVNULL)
    imap.stop()
    run("disable", "alice", root=root)
    w = wire("imap", "one")
    got = w.verdict(w.begin("EXTERNAL", b""))
    ok(got == "no", "disabled", got)
    run("enable", "alice", root=root)
    ok(run("cert", "del", "dora", one.stdout.strip(), root=root
           ).returncode == 1, "nobody else takes it away")
    ok(run("cert", "del", "alice", one.stdout.strip(), root=root
           ).returncode == 0, "it is taken away")
    w = wire("imap", "one")
    ok(w.verdict(w.begin("EXTERNAL", b"")) == "no", "and opens nothing")
    run("del", "dora", root=root)
    ok("cert:" not in open(root + "/etc/postern/users").read(),
       "a user's go with the user")
    server.stop()


def test_classic():
    """A program with the classic interface in place of our own database."""
    with open(os.environ["POSTERN_SRC"] + "/t/checkpassword") as f:
        text = f.read()
    site = Site("classic", programs=[("other", text)], checkpassword="other")
    os.unlink(site.root + "/etc/postern/secrets.cdb")
    server = Server(site)
    for p in SERVICES:
        w = server.wire(p)
        got = w.mechanisms()
        ok(got == ["PLAIN", "LOGIN"], p + ": checkpassword: no SCRAM", got)
        got = []
        for user, word in (("alice", "wrong"), ("nobody", "open"),
                           ("alice", "open sesame")):
            got.append(w.verdict(w.begin("PLAIN", "\0%s\0%s" % (user, word))))
        ok(got == ["no", "no", "yes"], p + ": its verdict counts", got)
        w = server.wire(p)
        got = [w.verdict(w.begin("PLAIN", "\0alice\0" + word)) for word in
               ("later", "misused", "killed")]
        ok(got == ["later"] * 3, p + ": its faults are not refusals", got)
    ok(wait_for(lambda: len(server.logged(
        r"login-unavailable .* why=program\n")) == 9), "the log says whose")
    site.program("other", "#!/bin/sh\nexec \"$@\"\n")
    w = server.wire("imap")
    got = [w.verdict(w.begin("PLAIN", "\0alice\0" + word)) for word in
           ("", "x")]
    ok(got == ["no", "yes"], "it is not asked about an empty password", got)
    site.program("other", "#!/bin/sh\nexit 0\n")
    w = server.wire("imap")
    got = w.verdict(w.begin("PLAIN", b"\0nobody\0x"))
    ok(got == "no", "it makes no mailbox of a name", got)
    os.unlink(site.libexec + "/other")
    w = server.wire("imap")
    got = w.verdict(w.begin("PLAIN", b"\0alice\0open"))
    ok(got == "later", "no such program: later", got)
    server.stop()


def peer(name, program, args, want, **kw):
    if not shutil.which(program):
        skip(name, program + " is not installed")
        return
    try:
        r = subprocess.run([program, *args], capture_output=True, text=True,
                           timeout=20, **kw)
    except subprocess.TimeoutExpired as e:
        ok(False, name, e.stdout, e.stderr)
        return
    ok(want(r), name, r.returncode, r.stdout, r.stderr)


def test_gsasl(server):
    imap = Front(server.site, "imap").address[1]
    smtp = Front(server.site, "submission").address[1]
    for mechanism in ALL:
        for protocol, port in (("imap", imap), ("smtp", smtp)):
            args = ["--" + protocol, "-m", mechanism, "-a", "alice", "-p",
                    PASSWORD, "--x509-ca-file=", "127.0.0.1", str(port)]
            if "PLUS" not in mechanism:
                args.insert(0, "--no-cb")
            peer("gsasl by %s: %s" % (protocol, mechanism), "gsasl", args,
                 lambda r: re.search("OK .*stub|235 2.7.0", r.stdout) or
                 (r.returncode == 0 and "authentication" in r.stderr),
                 stdin=subprocess.DEVNULL)
        ok(wait_for(lambda: any(
            f.logged(" login service=submission .* mechanism=%s\n" %
                     mechanism) for f in fronts)), "the log: " + mechanism)
    for protocol, port in (("imap", imap), ("smtp", smtp)):
        peer("gsasl by %s: a wrong password" % protocol, "gsasl",
             ["--" + protocol, "-m", "SCRAM-SHA-256-PLUS", "-a", "alice",
              "-p", "wrong", "--x509-ca-file=", "127.0.0.1", str(port)],
             lambda r: r.returncode != 0 and "stub" not in r.stdout,
             stdin=subprocess.DEVNULL)


def test_peers(site):
    """Clients against the real imapd."""
    server = Server(site)
    for p in SERVICES:
        server.wire(p).c.close()
    server.wire("imap", tls=False).c.close()
    imap = server.fronts["imap"].address[1]
    imaps, smtps = [server.fronts[s].address[1] for s in
                    ("imaps", "submissions")]
    for mechanism in ("scram-sha-256", "scram-sha-1", "plain", "login"):
        conf = TMP + "/msmtprc"
        with open(conf, "w") as f:
            f.write("account default\nhost 127.0.0.1\nport %d\ntls on\n"
                    "tls_starttls off\ntls_certcheck off\nauth %s\n"
                    "user alice\npassword \"%s\"\nfrom alice@example.org\n" %
                    (smtps, mechanism, PASSWORD))
        os.chmod(conf, 0o600)
        peer("msmtp: " + mechanism, "msmtp", ["-C", conf, "bob@example.org"],
             lambda r: server.logged(
                 " login service=submissions .* mechanism=%s(-PLUS)?\n" %
                 mechanism.upper()), input="Subject: x\n\nx\n")
    for mechanism in ("PLAIN", "LOGIN"):
        peer("curl by IMAP: " + mechanism, "curl",
             ["-sk", "imaps://127.0.0.1:%d/" % imaps, "-u",
              "alice:" + PASSWORD, "--login-options", "AUTH=" + mechanism],
             lambda r: r.returncode == 0 and "INBOX" in r.stdout)
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"):
        conf = TMP + "/mbsyncrc"
        with open(conf, "w") as f:
            f.write("IMAPAccount a\nHost 127.0.0.1\nPort %d\nUser alice\n"
                    "Pass \"%s\"\nSSLType None\n"
                    "AuthMechs %s\n\nIMAPStore far\nAccount a\n\n"
                    "MaildirStore near\nPath %s/\nInbox %s/in\n\n"
                    "Channel c\nFar :far:\nNear :near:\nPatterns INBOX\n" %
                    (imap, PASSWORD, mechanism, TMP + "/near",
                     TMP + "/near"))
        os.makedirs(TMP + "/near", exist_ok=True)
        peer("mbsync by Cyrus SASL: " + mechanism, "mbsync",
             ["-c", conf, "--list", "c"],
             lambda r: server.logged(
                 " login service=imap .* mechanism=%s\n" %
                 mechanism.replace("LOGIN", "PLAIN")))
    server.stop()


def main():
    site = Site("sasl", auth_delay_ms=20, scram_plus="imap,pop3,smtp")
    server = Server(site)
    test_mechanisms(server)
    test_unasked(server)
    test_wrong(server)
    test_binding(server)
    test_unknown(server)
    test_apps(server)
    test_crypt(server)
    test_gsasl(server)
    server.stop()
    test_settings()
    test_external()
    test_classic()
    test_peers(Site("peers", stubs=False))


try:
    main()
finally:
    finish()
