#!/bin/sh
# The installed units under a real systemd, booted in a container that is an
# overlay of this machine.
. "${POSTERN_SRC:-.}/t/lib.sh"
need systemd-nspawn
need nsenter
need openssl
[ "$(id -u)" -eq 0 ] || plan_skip "not root"
[ "$(systemd-detect-virt -c 2>/dev/null)" != systemd-nspawn ] ||
	plan_skip "inside systemd-nspawn already"
[ -x /usr/bin/python3 ] || plan_skip "no /usr/bin/python3"
grep -q '^#define POSTERN_SANITIZE 1' "$POSTERN_BUILD/config.h" &&
	plan_skip "built with sanitizers"
fs=$tmp/fs
tree=$fs/m
units=$tree/etc/systemd/system
outer=
cleanup() {
	# The leader's end is the end of all that runs inside.
	[ -z "${leader:-}" ] || kill -KILL "$leader" 2>/dev/null
	[ -z "$outer" ] || { kill "$outer"; wait "$outer"; } 2>/dev/null
	umount "$tree" 2>/dev/null
	umount -l "$fs" 2>/dev/null
}
mkdir "$fs" && mount -t tmpfs none "$fs" 2>/dev/null ||
	plan_skip "no tmpfs can be mounted"
mkdir "$fs/u" "$fs/w" "$tree"
mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$fs/u,workdir=$fs/w" "$tree" 2>/dev/null ||
	plan_skip "no overlay can be mounted"

# An installation, and no service but ours.
rm -rf "$tree/etc/postern" "$tree/var/spool/postern" "$units"
mkdir -p "$units"
env -u MAKEFLAGS -u MFLAGS \
    make -s -C "$POSTERN_BUILD" install DESTDIR="$tree" \
    systemdsystemunitdir=/etc/systemd/system >"$tmp/install" 2>&1
ok $? "make install"
libexec=$(sed -n 's/^ExecStart=\(.*\)\/front .*/\1/p' "$units/postern@.service")
mkdir -p "$tree/etc/postern/tls" "$units/sockets.target.wants"
grep -v '^postern-queue:' /etc/passwd >"$tree/etc/passwd"
echo 'postern-queue:x:64003:64003::/:/usr/sbin/nologin' >>"$tree/etc/passwd"
cat >"$tree/etc/postern/postern.conf" <<END
hostname mail.example.org
domain example.org
net_user 64001
auth_user 64002
key_user 64004
porter_user 64005
queue_user 64003
auth_delay_ms 50
retry_min_s 1
listen_idle_s 2
route far.test 127.0.0.1:2526
END
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -days 2 -subj /CN=mail.example.org -keyout "$tree/etc/postern/tls/key.pem" \
    -out "$tree/etc/postern/tls/cert.pem" 2>/dev/null
chmod 600 "$tree/etc/postern/tls/key.pem"
postern-domain -r "$tree" add example.org >/dev/null &&
    echo secret | postern-user -r "$tree" add --uid 64100 --gid 64100 \
	alice@example.org >/dev/null
ok $? "a user"
mail=$tree/var/mail/example.org/alice
mkdir -p "$mail" && chown 64100:64100 "$mail"
cat >"$units/t.target" <<END
[Unit]
Requires=sysinit.target sockets.target
After=sysinit.target sockets.target
AllowIsolate=yes
END
ln -s t.target "$units/default.target"
for s in imap imaps pop3 pop3s smtp submission submissions queue; do
	ln -s "../postern-$s.socket" "$units/sockets.target.wants/"
done
for s in console-getty systemd-logind systemd-networkd systemd-resolved \
    systemd-timesyncd systemd-udevd systemd-udev-trigger; do
	ln -s /dev/null "$units/$s.service"
done
rm -f "$tree/etc/machine-id"
: >"$tree/etc/machine-id"

systemd-nspawn -q -D "$tree" --boot --register=no --keep-unit \
    --console=pipe --private-network </dev/null >"$tmp/console" 2>&1 &
outer=$!
children() { cat "/proc/$1/task/$1/children"; }
leader() {
	leader=$(children "$outer")
	leader=${leader%% *}
	[ -n "$leader" ] && in_it true
}
in_it() { nsenter -t "$leader" -a -- "$@"; }
up() { in_it systemctl is-active -q sockets.target; }
wait_for leader && wait_for up ||
	plan_skip "systemd does not boot here: $(tail -n 1 "$tmp/console")"
in_it ip link set lo up 2>/dev/null

# What systemd says of the units.
ours() { (cd "$units" && ls -d postern-*.s[eo]* postern-*.timer | grep -v '@'); }
in_it systemd-analyze verify --man=no $(ours) postern@imap.service \
    postern-imap-each@1.service postern-submit@1.service >"$tmp/verify" 2>&1
is "$? $(grep -h postern "$tmp/verify")" "0 " \
    "systemd-analyze verify has nothing to say"
exposed() { # exposed UNIT TENTHS
	seen=$(in_it systemd-analyze security --offline=yes --threshold="$2" \
	    "$1" 2>/dev/null)
	ok $? "$1: $(echo "$seen" | sed -n 's/.*for .*: \([0-9.]*\) .*/\1/p')"
}
exposed postern@imap.service 20
exposed postern-submit@1.service 10
exposed postern-imap-each@1.service 20
# Programs run as any user from here, and reach other servers.
exposed postern-queue.service 24

running() {
	in_it ps -eo comm= | grep -cxE \
	    'front|imap-login|imapd|pop3d|smtpd|enqueue|qsend|deliver'
}
is "$(running)" 0 "nothing of ours runs before a client comes"

cat >"$tmp/client" <<'END'
import imaplib, poplib, smtplib, socket, ssl, subprocess, sys
x = ssl.create_default_context()
x.check_hostname = False
x.verify_mode = ssl.CERT_NONE
def imap(m):
    m.login("alice", "secret")
    print(m.select()[0])
    return m
def pop3(m):
    m.user("alice")
    print(m.pass_("secret")[:3].decode())
    m.quit()
imap(imaplib.IMAP4("127.0.0.1")).logout()
imap(imaplib.IMAP4("::1")).logout()
imap(imaplib.IMAP4_SSL("127.0.0.1", ssl_context=x)).logout()
pop3(poplib.POP3("127.0.0.1"))
pop3(poplib.POP3_SSL("127.0.0.1", context=x))
for port in (25, 2525, 587, 465):
    s = (smtplib.SMTP_SSL("127.0.0.1", port, context=x) if port == 465
         else smtplib.SMTP("127.0.0.1", port))
    if port > 400 and port < 1000:
        if port == 587:
            s.starttls(context=x)
        s.login("alice", "secret")
    s.sendmail("alice@example.org", "alice@example.org", "Subject: x\n\nx\n")
    print("sent")
    s.quit()
END
served() { # served NAME
	is "$(in_it /usr/bin/python3 - <"$tmp/client" 2>&1 | tr '\n' ' ')" \
	    "OK OK OK +OK +OK sent sent sent sent " "$1"
}
served "IMAP, POP3 and SMTP, in clear, TLS and IPv6"
arrived() { [ "$(ls "$mail/new" | wc -l)" = "$1" ]; }
wait_for arrived 4; ok $? "what was sent has arrived"
idle() { [ "$(running)" = 0 ]; }
wait_for idle
ok $? "nothing of ours runs after the idle time"
is "$(in_it systemctl show -p Result --value postern@imap.service)" success \
    "the service has left by itself"

# What is tried again needs no new mail, and a fault of the queue neither
# spins nor switches its socket off.
mkdir "$units/postern-queue.timer.d" "$units/postern-queue.service.d"
printf '[Timer]\nOnBootSec=1s\nOnUnitInactiveSec=1s\nAccuracySec=100ms\n' \
    >"$units/postern-queue.timer.d/test.conf"
printf '[Service]\nRestartSec=1s\n' >"$units/postern-queue.service.d/test.conf"
in_it systemctl daemon-reload
mail_root() {
	printf 'Subject: later\n\nx\n' | in_it sendmail alice@example.org 2>/dev/null
}
chmod 500 "$mail/tmp"
mail_root; ok $? "sendmail takes mail"
deferred() { ls "$tree/var/spool/postern/state" | grep -q .; }
wait_for deferred; ok $? "it cannot be delivered now"
chmod 700 "$mail/tmp"
in_it systemctl start postern-queue.timer
wait_for arrived 5; ok $? "the timer has it tried again"
in_it systemctl stop postern-queue.timer
wait_for idle
sed -i 's/^net_user.*/net_user nobody-at-all/' "$tree/etc/postern/postern.conf"
mail_root
restarts() {
	n=$(in_it systemctl show -p NRestarts --value postern-queue.service)
	[ "$n" -ge 2 ]
}
wait_for restarts && [ "$n" -lt 20 ]
ok $? "a queue that cannot run is started again, but does not spin ($n)"
is "$(in_it systemctl is-active postern-queue.socket)" active \
    "its socket stays"
sed -i 's/^net_user.*/net_user 64001/' "$tree/etc/postern/postern.conf"
wait_for arrived 6; ok $? "and it runs when it can"
wait_for idle

# From anybody on this machine.
in_it systemctl start postern-submit.socket
printf 'Subject: mine\n\nx\n' | in_it setpriv --reuid 64200 --regid 64200 \
    --clear-groups sendmail alice@example.org 2>&1
ok $? "sendmail of somebody without rights"
wait_for arrived 7; ok $? "and its mail arrives"
wait_for idle

# To another server, which refuses one of two.
cat >"$tmp/sink" <<'END'
import socketserver
class Sink(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 far.test\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                with open("/root/taken", "wb") as f:
                    for line in iter(self.rfile.readline, b".\r\n"):
                        f.write(line)
            self.wfile.write(b"550 5.1.1 nobody\r\n" if b"<no@" in line
                             else b"250 far.test\r\n")
            if verb == b"QUIT":
                break
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("127.0.0.1", 2526), Sink).serve_forever()
END
in_it /usr/bin/python3 - <"$tmp/sink" 2>"$tmp/sink.log" &
sink() { in_it /usr/bin/python3 -c \
    'import socket; socket.create_connection(("127.0.0.1", 2526))'; }
wait_for sink
printf 'Subject: far\n\nx\n' | in_it sendmail -f alice@example.org \
    a@far.test no@far.test 2>/dev/null
wait_for grep -q '^Subject: far' "$tree/root/taken"
ok $? "mail for another server is there"
wait_for arrived 8; ok $? "and a report of whom it refuses is here"
wait_for idle

# One instance for each connection; passwords are PAM's.
all_sockets() { # all_sockets VERB SUFFIX
	for s in imap imaps pop3 pop3s smtp submission submissions; do
		echo "postern-$s$2.socket"
	done | in_it xargs systemctl "$1"
}
all_sockets stop ""
all_sockets start -each
served "the same, one instance for each connection"
# Who looks at new mail has taken what was there.
wait_for arrived 4; ok $? "what was sent has arrived"
install -m 755 "$POSTERN_BUILD/t/pam" "$tree$libexec/pam"
printf 'auth required pam_unix.so\n' >"$tree/etc/pam.d/postern"
echo "alice:$(openssl passwd -6 secret):64100:64100::/:/usr/sbin/nologin" \
    >>"$tree/etc/passwd"
echo "checkpassword pam" >>"$tree/etc/postern/postern.conf"
mv "$tree/etc/postern/secrets.cdb" "$tree/root/"
served "PAM as the judge of passwords, for each connection"
all_sockets stop -each
in_it systemctl stop 'postern@*' 2>/dev/null
all_sockets start ""
served "and for a service that listens"
like "$(in_it /usr/bin/python3 -c 'import imaplib
imaplib.IMAP4("127.0.0.1").login("alice", "Secret")' 2>&1)" \
    AUTHENTICATIONFAILED "PAM says no"
sed -i '/^checkpassword/d' "$tree/etc/postern/postern.conf"
mv "$tree/root/secrets.cdb" "$tree/etc/postern/"
in_it systemctl stop 'postern@*' 2>/dev/null
wait_for arrived 4

# A burst must not switch the socket off (T-DOS-3), and a stop leaves sessions
# alone.
cat >"$tmp/burst" <<'END'
import imaplib, socket, subprocess, sys, time
def login():
    # Right after the burst its source has no place left for a moment.
    for i in range(100):
        try:
            m = imaplib.IMAP4("127.0.0.1")
            m.login("alice", "secret")
            return m
        except (imaplib.IMAP4.error, OSError):
            time.sleep(0.1)
def state(unit):
    return subprocess.run(["systemctl", "is-active", unit],
                          capture_output=True, text=True).stdout.strip()
def burst(port, n=10000):  # T-DOS-3
    for i in range(n):
        s = socket.create_connection(("127.0.0.1", port))
        s.close()
begin = time.monotonic()
for service, port in (("imap", 143), ("pop3", 110), ("smtp", 25)):
    burst(port)
    print(state("postern-%s.socket" % service))
    sys.stderr.write("# 10,000 connections to %s in %.1f s\n" % (
        service, time.monotonic() - begin))
    begin = time.monotonic()
m = login()
sys.stderr.write("# a login %.1f s later\n" % (time.monotonic() - begin))
subprocess.run(["systemctl", "stop", "postern@imap.service"])
print(m.noop()[0])
n = login()
print(n.noop()[0], m.noop()[0])
m.logout()
n.logout()
subprocess.run(["systemctl", "stop", "postern-imap.socket"])
subprocess.run(["systemctl", "start", "postern-imap-each.socket"])
m = login()
print(m.noop()[0], state("postern@imap.service"))
print(subprocess.run("systemctl list-units --plain --no-legend "
    "'postern-imap-each@*' | wc -l", shell=True, capture_output=True,
    text=True).stdout.strip())
END
is "$(in_it /usr/bin/python3 - <"$tmp/burst" 2>"$tmp/told" | tr '\n' ' ')" \
    "active active active OK OK OK OK inactive 1 " \
    "10,000 connections each; a stop; one instance for each connection"
grep '^#' "$tmp/told"

# Restarts under load: who was told OK is served until it logs out.
cat >"$tmp/load" <<'END'
import imaplib, poplib, ssl, subprocess, threading, time
x = ssl.create_default_context()
x.check_hostname = False
x.verify_mode = ssl.CERT_NONE
over = threading.Event()
served, lost = [], []
def imap(tls):
    m = (imaplib.IMAP4_SSL("127.0.0.1", ssl_context=x) if tls
         else imaplib.IMAP4("127.0.0.1"))
    m.login("alice", "secret")
    yield
    for i in range(3):
        m.select()
        m.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
        time.sleep(0.02)
        m.noop()
    assert m.logout()[0] == "BYE"
def pop3():
    m = poplib.POP3("127.0.0.1")
    m.user("alice")
    m.pass_("secret")
    yield
    for i in range(3):
        m.stat()
        time.sleep(0.02)
    m.quit()
def client(session):
    while not over.is_set():
        told = False
        try:
            for _ in session():
                told = True
            served.append(1)
        except Exception as e:
            # One that was not let in may come again.
            if told:
                lost.append(repr(e))
            time.sleep(0.02)
threads = [threading.Thread(target=client, args=(s,)) for s in (
    lambda: imap(False), lambda: imap(True), lambda: imap(True), pop3)]
for t in threads:
    t.start()
for i in range(8):
    time.sleep(0.4)
    for s in ("imap", "imaps", "pop3"):
        verb = "stop" if i % 2 else "restart"
        subprocess.run(["systemctl", verb, "postern@%s.service" % s])
over.set()
for t in threads:
    t.join()
print("lost", len(lost), "served", len(served) > 20)
print("# %d sessions" % len(served), lost[:3], file=__import__("sys").stderr)
END
in_it systemctl stop postern-imap-each.socket
in_it systemctl start postern-imap.socket
is "$(in_it /usr/bin/python3 - <"$tmp/load" 2>"$tmp/told")" \
    "lost 0 served True" \
    "stopped and restarted under load: no session is lost that was told OK"
grep '^#' "$tmp/told"
like "$(in_it journalctl -q --no-pager -u postern@imap.service)" \
    'login service=imap peer=127.0.0.1 user=alice@example.org' \
    "events are in the journal"
done_testing
