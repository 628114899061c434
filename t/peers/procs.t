#!/bin/sh
# Who runs as whom during a session, how it is confined, and that nothing
# stays when it is over.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
need ps
[ -x /usr/bin/python3 ] || plan_skip "no /usr/bin/python3"
set -a
start_try --no-mount
me=$(id -u)
uid() { # NAME: as postern.conf has it
	sed -n "s/^$1 //p" "$root/etc/postern/postern.conf"
}
net=$(uid net_user)
queue=$(uid queue_user)
alice=$(stat -c %u "$MAILDIR")
sanitized=$(grep -c '^#define POSTERN_SANITIZE 1' "$POSTERN_BUILD/config.h")

# One line for each process below tools/try: pid, uid, name.
family() {
	ps -eo pid=,ppid=,uid=,comm=,args= | awk -v top="$try_pid" '
		{
			parent[$1] = $2
			name[$1] = $4
			line[$1] = $1 " " $3 " " $4
			if (/ -n /)
				option[$1] = 1
		}
		END {
			for (p in line) {
				for (q = p; q > 1 && q != top; q = parent[q]) ;
				if (q != top || p == top)
					continue
				if (option[p] && name[parent[p]] == "front")
					line[p] = line[p] "=nursery"
				print line[p]
			}
		}' | sort -n
}
ours() { family | grep -E ' (front|porter|imap-login|imapd|pop3-login|pop3d|smtpd|enqueue|deliver|remote|checkpw|bounce)$' ||
	:; }
confined() { # PID NAME
	[ "$sanitized" = 0 ] || { skip "$2 is confined" "sanitizers"; return; }
	like "$(cat "/proc/$1/status")" '^NoNewPrivs:[[:space:]]*1' \
	    "$2 can gain no rights"
	like "$(cat "/proc/$1/status")" '^Seccomp:[[:space:]]*2' \
	    "$2 has a list of system calls"
	case $2=$me in
	*d=nursery=0) # CAP_SETUID and CAP_SETGID, and nothing read
		like "$(cat "/proc/$1/status")" '^CapPrm:[[:space:]]*0+c0$' \
		    "$2 can change uids, and nothing else";;
	*=0)
		like "$(cat "/proc/$1/status")" '^CapPrm:[[:space:]]*0+$' \
		    "$2 is permitted no capabilities";;
	esac
	like "$(cat "/proc/$1/status")" '^CapEff:[[:space:]]*0+$' \
	    "$2 has no capabilities in effect"
	[ "$me" != 0 ] || [ "${2%=nursery}" != "$2" ] || [ "$2" = imapd ] || [ "$2" = pop3d ] ||
	    is "$(readlink "/proc/$1/root")" "$root/run/postern/empty" \
	    "$2 is in the empty folder"
}

is "$(stat -c %a "$root/var/spool" "$root/run/postern" | tr '\n' ' ')" \
    "755 755 " "the folders above what is whose are open"
is "$(stat -c '%a %u' "$root/var/spool/postern")" "700 $queue" \
    "the queue is the queue's user's"
ours >"$tmp/before"
echo "# before:"
sed 's/^/# /' "$tmp/before"
[ "$(grep -c ' porter$' "$tmp/before")" -ge 7 ]; ok $? "the listeners are there"
is "$(grep -vcE ' (front|porter)$' "$tmp/before")" 0 "and nothing else of a connection"

cat >"$tmp/hold.py" <<'END'
import imaplib, poplib, smtplib, ssl, sys, os
c = ssl.create_default_context(cafile=os.environ["CA_FILE"])
e = os.environ
a = imaplib.IMAP4_SSL("localhost", int(e["IMAPS_PORT"]), ssl_context=c)
a.login(e["MAIL_USER"], e["MAIL_PASS"])
a.select()
b = poplib.POP3_SSL("localhost", int(e["POP3S_PORT"]), context=c)
b.user(e["MAIL_USER"])
b.pass_(e["MAIL_PASS"])
d = smtplib.SMTP("localhost", int(e["SMTP_PORT"]))
d.ehlo()
f = imaplib.IMAP4("127.0.0.1", int(e["IMAP_PORT"]))
print("up", flush=True)
sys.stdin.read(1)
a.logout()
b.quit()
d.quit()
f.logout()
END
mkfifo "$tmp/go"
/usr/bin/python3 "$tmp/hold.py" <"$tmp/go" >"$tmp/held" 2>&1 &
holder=$!
exec 5>"$tmp/go"
wait_for grep -q up "$tmp/held"; ok $? "four sessions are open"
ours >"$tmp/during"
echo "# during (pid, uid, program):"
sed 's/^/# /' "$tmp/during"

# started PROGRAM UID COUNT
started() {
	is "$(awk -v n="$1" -v u="$2" '$3 == n && $2 == u' "$tmp/during" |
	    wc -l)" "$3" "$3 of $1 as uid $2"
	is "$(awk -v n="$1" -v u="$2" '$3 == n && $2 != u' "$tmp/during" |
	    wc -l)" 0 "none of $1 as anybody else"
	for pid in $(awk -v n="$1" '$3 == n { print $1 }' "$tmp/during"); do
		confined "$pid" "$1"
	done
	for pid in $(family |
	    awk -v n="$1=nursery" '$3 == n { print $1 }'); do
		case $1 in
		imapd | pop3d) confined "$pid" "$1=nursery";;
		*) confined "$pid" "$1";;
		esac
	done
}
for pid in $(awk '$3 == "porter" { print $1 }' "$tmp/during"); do
	confined "$pid" porter
done
started imap-login "$net" 2
started pop3-login "$net" 1
started smtpd "$net" 1
started imapd "$alice" 1
started pop3d "$alice" 1
is "$(grep -c checkpw "$tmp/during")" 0 "checkpw is gone after the login"
# One porter for the SMTP session and one for the login not yet done, each
# answering its own child; none for those that have logged in.
is "$(grep -c ' porter$' "$tmp/during")" \
    "$(($(grep -c ' porter$' "$tmp/before") + 2))" \
    "nobody stays with a session after its login"
is "$(grep ' front$' "$tmp/during")" "$(grep ' front$' "$tmp/before")" \
    "and there is one process with rights for each service"
if [ "$me" = 0 ]; then
	is "$(ps -eo uid=,ppid=,comm= | awk -v top="$try_pid" \
	    '$2 == top && $3 == "qsend" { print $1 }')" "" \
	    "qsend is not a child of the script"
	is "$(family | awk '$3 == "qsend" { print $2 }' | sort -u)" "$queue" \
	    "qsend is the queue's user"
fi

echo >&5
exec 5>&-
wait "$holder"; ok $? "the sessions ended well"
same() { ours >"$tmp/after"; cmp -s "$tmp/before" "$tmp/after"; }
wait_for same; ok $? "nothing of them is left"

# A queue whose making was killed at any step is made whole by the next time.
if [ "$me" = 0 ] && [ "$sanitized" = 0 ] && command -v strace >/dev/null; then
	failures=
	kills=0
	for at in mkdir:1 mkdir:2 mkdir:3 mkdirat:1 mkdirat:2 mkdirat:3 \
	    mkdirat:4 fchown:1 fchown:2 fchown:3 fchown:4 mknodat:1 fchown:5 \
	    fchown:6; do
		rm -rf "$root/q"
		mkdir -p "$root/q/etc"
		cp -r "$root/etc/postern" "$root/q/etc/"
		(umask 077; exec strace -qq -o /dev/null \
		    -e "trace=${at%:*}" \
		    -e "inject=${at%:*}:signal=KILL:when=${at#*:}" \
		    "$root/usr/libexec/postern/qsend" -r "$root/q" -c) \
		    >/dev/null 2>&1 || kills=$((kills + 1))
		{ "$root/usr/libexec/postern/qsend" -r "$root/q" -c &&
		    "$root/usr/libexec/postern/front" -r "$root/q" -1 queue; } \
		    >"$tmp/q" 2>&1 || failures="$failures $at: $(cat "$tmp/q")"
	done
	is "$failures" "" "a queue half made is made whole"
	[ "$kills" -gt 10 ]; ok $? "it was killed at $kills steps"
else
	skip "a queue half made is made whole" "not root, or no strace"
fi
done_testing
