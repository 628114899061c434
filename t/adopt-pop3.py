"""Logs anybody in and starts a POP3 session: adopt-pop3.py PORT-FILE SERVER

Listens on a port of its own choice; port and process id go to PORT-FILE.  After USER
and PASS the script SERVER gets the connection; its greeting answers PASS.
"""
import os
import signal
import socket
import sys


def line(s):
    got = b""
    while not got.endswith(b"\n"):
        more = s.recv(1)
        if not more:
            os._exit(0)
        got += more
    return got.strip().upper()


def session(s):
    s.sendall(b"+OK\r\n")
    while True:
        got = line(s)
        if got.startswith(b"CAPA"):
            s.sendall(b"+OK\r\nUSER\r\nUIDL\r\nTOP\r\n.\r\n")
        elif got.startswith(b"USER"):
            s.sendall(b"+OK\r\n")
        elif got.startswith(b"PASS"):
            os.dup2(s.fileno(), 0)
            os.dup2(s.fileno(), 1)
            os.execl("/bin/sh", "sh", sys.argv[2])
        elif got.startswith(b"QUIT"):
            os._exit(0)
        else:
            s.sendall(b"-ERR\r\n")


signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1] + ".new", "w") as f:
    f.write("%d %d\n" % (listener.getsockname()[1], os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
while True:
    peer, _ = listener.accept()
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        listener.close()
        peer.set_inheritable(True)
        session(peer)
    peer.close()
