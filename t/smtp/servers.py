"""Servers that say what they are told to: SMTP by a script, and DNS."""
import socket
import ssl
import struct
import threading


class Smtp(threading.Thread):
    """Takes connections one after the other; each is handled by the next
    function of the list (the last one stays)."""

    def __init__(self, *handlers, tls=None, host="127.0.0.1", port=0):
        super().__init__(daemon=True)
        self.handlers = list(handlers)
        self.listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host
            else socket.AF_INET)
        self.port = self.listener.getsockname()[1]
        self.tls = tls
        self.connections = 0
        self.start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            at = min(self.connections, len(self.handlers) - 1)
            self.connections += 1
            s.settimeout(10)
            try:
                self.handlers[at](Talk(s, self.tls))
            except (OSError, ssl.SSLError):
                pass
            s.close()

    def close(self):
        """Only when the thread is gone may the descriptor's number be another
        server's: it could accept that one's connection."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self.listener.close()


class Talk:
    def __init__(self, s, cert):
        self.s, self.cert, self.buf = s, cert, b""

    def say(self, *lines):
        self.s.sendall(b"".join(l + b"\r\n" for l in lines))

    def line(self):
        while b"\r\n" not in self.buf:
            more = self.s.recv(65536)
            if not more:
                raise OSError("gone")
            self.buf += more
        line, _, self.buf = self.buf.partition(b"\r\n")
        return line

    def text(self):
        while b"\r\n.\r\n" not in self.buf and \
                not self.buf.startswith(b".\r\n"):
            more = self.s.recv(65536)
            if not more:
                raise OSError("gone")
            self.buf += more
        if self.buf.startswith(b".\r\n"):
            self.buf = self.buf[3:]
            return b""
        text, _, self.buf = self.buf.partition(b"\r\n.\r\n")
        return text + b"\r\n"

    def start_tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.cert)
        self.s = context.wrap_socket(self.s, server_side=True)
        self.buf = b""


class Sink:
    """A server that does what it should, unless it is told otherwise:
    replies = {b"RCPT": [b"550 no", b"250 ok"], ...}."""

    def __init__(self, extensions=(b"8BITMIME", b"SIZE 1000000"), **replies):
        self.extensions = extensions
        self.replies = {k.encode(): list(v) for k, v in replies.items()}
        self.commands, self.messages, self.tls = [], [], 0

    def reply(self, verb, usual):
        left = self.replies.get(verb)
        if not left:
            return usual
        return left.pop(0) if len(left) > 1 else left[0]

    def __call__(self, talk):
        self.done = False
        self.say(talk, self.reply(b"GREETING", b"220 sink ready"))
        while not self.done:
            line = talk.line()
            self.commands.append(line)
            verb = line.split(b" ")[0].split(b":")[0].upper()
            getattr(self, verb.decode("latin-1"), self.other)(talk, verb)

    def say(self, talk, text):
        if text is None:
            self.done = True
            return
        talk.s.sendall(text + b"\r\n")

    def EHLO(self, talk, verb):
        usual = b"\r\n".join(
            [b"250-sink"] + [b"250-" + e for e in self.extensions] +
            [b"250 HELP"])
        self.say(talk, self.reply(verb, usual))

    def STARTTLS(self, talk, verb):
        got = self.reply(verb, b"220 go")
        self.say(talk, got)
        if got and got.startswith(b"220") and talk.cert:
            talk.start_tls()
            self.tls += 1

    def DATA(self, talk, verb):
        got = self.reply(verb, b"354 go")
        self.say(talk, got)
        if got and got.startswith(b"354"):
            self.messages.append(talk.text())
            self.say(talk, self.reply(b"DOT", b"250 2.6.0 taken"))

    def QUIT(self, talk, verb):
        self.say(talk, b"221 bye")
        self.done = True

    def other(self, talk, verb):
        self.say(talk, self.reply(verb, b"250 ok"))


def name(text):
    out = b""
    for label in text.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


class Dns(threading.Thread):
    """records = {("example.org", 15): [rdata, ...] or "NXDOMAIN" or
    "SERVFAIL" or a function from the query to the packet}."""
    A, CNAME, MX, AAAA = 1, 5, 15, 28

    def __init__(self, records):
        super().__init__(daemon=True)
        self.records = records
        self.asked, self.by_tcp, self.closed = [], 0, False
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", self.port))
        self.by_tcp_thread = threading.Thread(target=self.run_tcp, daemon=True)
        self.by_tcp_thread.start()
        self.start()

    def run_tcp(self):
        while True:
            try:
                c, _ = self.tcp.accept()
                c.settimeout(5)
                n = struct.unpack(">H", c.recv(2, socket.MSG_WAITALL))[0]
                answer = self.answer(c.recv(n, socket.MSG_WAITALL))
                self.by_tcp += 1
                c.sendall(struct.pack(">H", len(answer)) + answer)
                c.recv(1)
                c.close()
            except (OSError, struct.error):
                if self.closed:
                    return

    def run(self):
        while True:
            try:
                query, peer = self.s.recvfrom(4096)
            except OSError:
                return
            if self.closed:
                return
            answer = self.answer(query)
            if answer and len(answer) > 512:
                answer = answer[:2] + b"\x83\x80" + query[4:6] + \
                    b"\0\0\0\0\0\0" + answer[12:12 + self.question]
            if answer:
                self.s.sendto(answer, peer)

    def answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        question = query[12:at + 5]
        self.question = len(question)
        key = (".".join(labels).lower(), kind)
        self.asked.append(key)
        got = self.records.get(key)
        if got is None:
            known = any(k[0] == key[0] for k in self.records)
            got = [] if known else "NXDOMAIN"
        if callable(got):
            return got(query, question)
        rcode = {"NXDOMAIN": 3, "SERVFAIL": 2}.get(got, 0) \
            if isinstance(got, str) else 0
        rdata = [] if isinstance(got, str) else got
        return packet(query, question, [(kind, r) for r in rdata], rcode)

    def close(self):
        """As Smtp's: the threads end first."""
        self.closed = True
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.s.sendto(b"", self.s.getsockname())
        self.by_tcp_thread.join()
        self.join()
        self.s.close()
        self.tcp.close()


def packet(query, question, answers, rcode=0):
    out = query[:2] + struct.pack(">HHHHH", 0x8180 | rcode, 1,
                                  len(answers), 0, 0) + question
    for kind, rdata in answers:
        out += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60,
                                         len(rdata)) + rdata
    return out


def mx(preference, host):
    return struct.pack(">H", preference) + name(host)


def a(text):
    return socket.inet_aton(text)


def aaaa(text):
    return socket.inet_pton(socket.AF_INET6, text)
