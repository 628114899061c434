#!/bin/sh
# The queue as root runs it: every program under its own uid, with the few
# capabilities that the unit leaves.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || plan_skip "only root can start programs under other uids"
need cdb
need setpriv
[ -x /usr/bin/python3 ] || plan_skip "python3 is not installed"
door=
cleanup() { [ -z "$door" ] || kill "$door" 2>/dev/null; }
setpriv --bounding-set -all,+setuid,+setgid,+sys_chroot true \
	2>/dev/null || plan_skip "capabilities cannot be given up here"

root=$tmp/root
spool=$root/var/spool/postern
mail=$root/var/mail
queue_user=64111
net_user=64112
auth_user=64113
key_user=64114
porter_user=64115
chmod 755 "$tmp"
mkdir -p "$root/etc/postern" "$root/var" "$tmp/libexec" "$tmp/said"
chmod 777 "$tmp/said"
ln -s "$POSTERN_STAGE"/* "$tmp/libexec/"
setpriv --reuid=$queue_user --regid=$queue_user --clear-groups \
	test -x "$tmp/libexec/enqueue" || plan_skip "others cannot run $POSTERN_STAGE"
rm -f "$tmp/libexec/remote"
cat >"$tmp/libexec/remote" <<END
#!/bin/sh
grep -E '^(Uid|Gid|Groups|CapEff|CapAmb)' /proc/self/status >"$tmp/said/remote"
echo "0 ok 2.0.0 fine"
END
chmod 755 "$tmp/libexec/remote"
cat >"$root/etc/postern/postern.conf" <<END
domain example.test
hostname mx.example.test
libexec $tmp/libexec
queue_user $queue_user
net_user $net_user
auth_user $auth_user
key_user $key_user
porter_user $porter_user
uid_min 20000
retry_min_s 1
END
mailbox() { # NAME UID OWNER
	install -d -m 700 -o "$3" -g "$3" "$mail/$1" "$mail/$1/cur" \
	    "$mail/$1/new" "$mail/$1/tmp"
	echo "$1@example.test uid=$2 gid=$2 maildir=/var/mail/$1"
}
{
	echo "example.test domain"
	mailbox alice 20001 20001
	mailbox bob 20002 20002
	mailbox low 1001 1001
	mailbox other 20003 20002
	mailbox root 0 0
	mailbox queue $queue_user $queue_user
	mailbox auth $auth_user $auth_user
	mailbox key $key_user $key_user
	mailbox porter $porter_user $porter_user
} >"$root/etc/postern/users"
cdb -c -m "$root/etc/postern/users.cdb" "$root/etc/postern/users"
POSTERN_ROOT=$root
export POSTERN_ROOT
limited() {
	setpriv --bounding-set -all,+setuid,+setgid,+sys_chroot "$@"
}
send() { printf 'Subject: x\n\nx\n' | sendmail "$@" 2>>"$tmp/log"; }
new() { ls "$mail/$1/new" | wc -l; }

send alice; is $? 75 "without a queue: later"
limited front -1 queue 2>"$tmp/err"; is $? 111 "nor does it run"
like "$(cat "$tmp/err")" 'qsend: queue .*qsend -c' "and it says what is missing"
qsend -c; ok $? "the queue is made"
is "$(stat -c '%u %g %a' "$spool" "$spool/mess" "$spool/trigger" | sort -u)" \
	"$queue_user $queue_user 600
$queue_user $queue_user 700" "it belongs to queue_user"
send -f bob alice bob; ok $? "root may send"
is "$(stat -c %u "$spool"/mess/*)" $queue_user "the message too"
limited front -1 queue 2>>"$tmp/log"; ok $? "it runs with three capabilities"
is "$(new alice) $(new bob)" "1 1" "both have it"
is "$(stat -c '%u %g %a' "$mail"/alice/new/* "$mail"/bob/new/*)" \
	"20001 20001 600
20002 20002 600" "each as its own"
send -f bob x@far.test
limited front -1 queue 2>>"$tmp/log"
is "$(cat "$tmp/said/remote" | tr '\t' ' ' | sed 's/ *$//')" \
	"Uid: $net_user $net_user $net_user $net_user
Gid: $net_user $net_user $net_user $net_user
Groups:
CapEff: 0000000000000000
CapAmb: 0000000000000000" "remote is net_user and has no capability"
# Whoever starts it with all rights need not trust it with them.
cat >"$tmp/libexec/remote" <<END
#!/bin/sh
grep -E '^(Uid|Cap(Prm|Eff|Inh|Amb)|NoNew)' /proc/\$PPID/status \
	>"$tmp/said/front"
echo "0 ok 2.0.0 fine"
END
send -f bob x@far.test
front -1 queue 2>>"$tmp/log"
is "$(tr '\t' ' ' <"$tmp/said/front")" "Uid: 0 0 0 0
CapInh: 0000000000000000
CapPrm: 00000000000400c0
CapEff: 0000000000000000
CapAmb: 0000000000000000
NoNewPrivs: 1" "front gives up what it does not need"
for name in queue_user net_user; do
	mkdir -p "$tmp/as-root/etc/postern"
	sed "s/^$name .*/$name 0/" "$root/etc/postern/postern.conf" \
		>"$tmp/as-root/etc/postern/postern.conf"
	front -r "$tmp/as-root" -1 queue 2>"$tmp/err"
	is $? 100 "$name must not be root"
	like "$(cat "$tmp/err")" 'must not be root' "and that is said"
done
send -f alice nosuch
limited front -1 queue 2>>"$tmp/log"
is "$(new alice)" 2 "a report comes back"
send -f '<>' low other root queue auth key porter
limited front -1 queue 2>>"$tmp/log"
is "$(for i in low other root queue auth key porter; do new $i; done | tr '\n' ' ')" \
	"0 0 0 0 0 0 0 " \
	"nothing runs as a uid that is not a mailbox's, or in another's Maildir"
is "$(ls "$spool/mess" | wc -l)" 1 "that is a fault here: the message waits"
for user in 64111 20001; do
	setpriv --reuid=$user --regid=$user --clear-groups \
	    "$POSTERN_STAGE/sendmail" alice </dev/null 2>"$tmp/err"
	echo "$user $?"
done >"$tmp/codes"
is "$(cat "$tmp/codes")" "64111 0
20001 75" "the owner of the queue may send, another user may not"
like "$(cat "$tmp/err")" 'belongs to another user, and at .*run/postern/submit' \
	"and is told why"

# What a service manager does with postern-submit.socket.
mkdir -p "$root/run/postern"
chmod 755 "$root/run" "$root/run/postern"
cat >"$tmp/submit.py" <<'END'
import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
s.listen()
open(sys.argv[2], "w")
while True:
    c, _ = s.accept()
    subprocess.run(sys.argv[3:], stdin=c, stdout=subprocess.DEVNULL)
    c.close()
END
/usr/bin/python3 "$tmp/submit.py" "$root/run/postern/submit" "$tmp/listening" \
	setpriv --reuid=$queue_user --regid=$queue_user --clear-groups \
	"$tmp/libexec/enqueue" 2>>"$tmp/log" &
door=$!
wait_for test -e "$tmp/listening"
before=$(new alice)
echo body | setpriv --reuid=20002 --regid=20002 --clear-groups \
	"$POSTERN_STAGE/sendmail" -f bob alice 2>"$tmp/err"
is "$? $(cat "$tmp/err")" "0 " "any user may send through the local socket"
like "$(cat "$tmp/log")" 'enqueue.* accepted .*user=20002 peer=local' \
	"enqueue knows from the kernel who it was"
limited front -1 queue 2>>"$tmp/log"
is "$(new alice)" $((before + 2)) "it arrives, and so does the one of before"
done_testing
