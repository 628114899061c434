#!/bin/sh
# pop3d on a Maildir: transcripts on stdin and stdout.
. "${POSTERN_SRC:-$(cd "$(dirname "$0")/.." && pwd)}/t/lib.sh"

box=$tmp/Maildir
server=

cleanup() {
	[ -z "$server" ] || kill "$server" 2>/dev/null
	! grep -q " $box tmpfs" /proc/mounts || umount -l "$box"
}

# fresh: an empty Maildir; put NAME: a message from stdin, as it is.
fresh() {
	rm -rf "$box" && mkdir -m 700 "$box" "$box/cur" "$box/new" "$box/tmp"
}
put() { cat >"$box/new/$1"; }
# say LINE...: one session; answers without CR in $out, its end in $status.
say() {
	printf '%s\r\n' "$@" | pop3d "$box" >"$tmp/raw" 2>"$tmp/err"
	status=$?
	out=$(tr -d '\r' <"$tmp/raw")
}
count() { find "$box/cur" "$box/new" -type f | wc -l | tr -d ' '; }
three() {
	fresh
	printf 'Subject: one\n\nfirst\n' | put 1000000001.M1P1Q1.h
	printf 'Subject: two\n\nsecond\nmore\nlast\n' | put 1000000002.M1P1Q1.h
	printf 'Subject: three\n\nthird\n' | put 1000000003.M1P1Q1.h
}

three
say STAT LIST 'LIST 2' 'RETR 1' 'TOP 2 1' 'TOP 2 0' NOOP QUIT
is "$status" 0 'QUIT ends with 0'
is "$out" '+OK 3 messages, 84 octets
+OK 3 84
+OK
1 23
2 36
3 25
.
+OK 2 36
+OK 23 octets
Subject: one

first
.
+OK 36 octets
Subject: two

second
.
+OK 36 octets
Subject: two

.
+OK
+OK bye' 'STAT, LIST, RETR, TOP'
is "$(grep -c . "$tmp/raw")" "$(grep -c "$(printf '\r')\$" "$tmp/raw")" \
	'all lines end in CRLF'
is "$(cat "$tmp/err")" '' 'nothing on stderr'

# Unique ids: printable, different, the same in the next session.
say UIDL QUIT
first=$(printf '%s\n' "$out" | grep -E '^[0-9]+ ')
say UIDL 'UIDL 2' QUIT
is "$(printf '%s\n' "$out" | grep -E '^[0-9]+ ')" "$first" \
	'UIDL is the same in the next session'
is "$(printf '%s\n' "$first" | cut -d' ' -f2 | sort -u | wc -l | tr -d ' ')" \
	3 'UIDL is unique'
unlike "$first" '^[0-9]+ [!-~]{71}' 'UIDL is at most 70 characters'
like "$out" '^\+OK 2 [!-~]{1,70}$' 'UIDL of one message'

say CAPA QUIT
is "$(printf '%s\n' "$out" | sed 1d)" '+OK
TOP
UIDL
PIPELINING
RESP-CODES
AUTH-RESP-CODE
EXPIRE NEVER
IMPLEMENTATION Postern
.
+OK bye' 'CAPA'

# T-POP-1: numbers.
for c in 'TOP 1 4294967296' 'RETR 0' 'RETR -1' 'RETR 99999999999' 'RETR 4' \
	'LIST 1 2' 'LIST x' 'DELE' 'DELE 1 1' 'TOP 1' 'TOP 1 -1' 'RETR 1x' \
	'RETR  1' 'STAT 1' 'UIDL 0' 'APOP a b' 'USER a' 'PASS b' 'STLS' \
	'AUTH PLAIN' 'XYZZY' '' ' STAT' 'RETR 00000000000000000000000000' \
	"RETR 18446744073709551617"
do
	say "$c" NOOP QUIT
	like "$(printf '%s\n' "$out" | sed -n 2p)" '^-ERR ' "-ERR: '$c'"
	is "$(printf '%s\n' "$out" | sed 1,2d)" "+OK
+OK bye" "and the session goes on after '$c'"
done

say 'retr 3' qUiT
like "$out" 'Subject: three' 'commands in any case'
say 'TOP 1 4294967295' 'LIST ' QUIT
like "$out" '^first$' 'the largest number of lines'
like "$out" '^3 25$' 'a blank behind a command is forgiven'

# Lines: too long, without CR, with a NUL, far too long, too many.
long=$(printf '%0600d' 0)
say "NOOP $long" NOOP QUIT
like "$out" '^-ERR line too long$' 'a line of 600 bytes'
like "$out" '^\+OK bye$' 'the session goes on behind it'
long=$(printf '%010240d' 0)
say "$long" NOOP QUIT
is "$(printf '%s\n' "$out" | sed 1d)" '-ERR line too long
+OK
+OK bye' 'a command of 10 KiB'
head -c 3000000 /dev/zero | tr '\0' a |
	{ cat; printf '\r\nDELE 1\r\nQUIT\r\n'; } |
	pop3d "$box" >"$tmp/raw" 2>"$tmp/err"
is "$(tail -n 1 "$tmp/raw" | tr -d '\r')" '-ERR line too long, bye' \
	'a line without end ends the session'
printf 'NOOP\nNOOP\r\nNO\rOP\r\nNO\0OP\r\nQUIT\r\n' | pop3d "$box" \
	>"$tmp/raw" 2>/dev/null
is "$(sed 1d "$tmp/raw" | tr -d '\r')" '-ERR lines end in CRLF
+OK
-ERR lines end in CRLF
-ERR lines end in CRLF
+OK bye' 'bare LF, bare CR and NUL are refused'
say 'DELE 1' 1 2 3 4 5 6 7 8 9 10 QUIT
is "$(printf '%s\n' "$out" | tail -n 1)" '-ERR too many bad commands, bye' \
	'ten bad commands in a row end the session'
is "$(count)" 3 'and nothing is deleted then'
say 1 2 3 4 5 6 7 8 9 NOOP 1 2 3 4 5 6 7 8 9 QUIT
is "$(printf '%s\n' "$out" | tail -n 1)" '+OK bye' 'a good one between is enough'

# Deleting.
say 'DELE 2' 'DELE 2' 'RETR 2' 'TOP 2 0' 'LIST 2' 'UIDL 2' STAT LIST UIDL \
	RSET STAT 'DELE 1'
is "$(printf '%s\n' "$out" | grep -vE ' [0-9a-f]{16}$')" \
	'+OK 3 messages, 84 octets
+OK deleted at QUIT
-ERR that message is deleted
-ERR that message is deleted
-ERR that message is deleted
-ERR that message is deleted
-ERR that message is deleted
+OK 2 48
+OK
1 23
3 25
.
+OK
.
+OK nothing is deleted
+OK 3 84
+OK deleted at QUIT' 'DELE hides a message until RSET'
is "$status" 0 'a dropped connection is no fault'
is "$(count)" 3 'without QUIT nothing is deleted'
say 'DELE 1' 'DELE 3' QUIT
is "$(count)" 1 'QUIT deletes'
say UIDL QUIT
is "$(printf '%s\n' "$out" | grep -E '^1 ' | cut -d' ' -f2)" \
	"$(printf '%s\n' "$first" | sed -n 's/^2 //p')" \
	'the right one is left, under its id'

# \Seen by RETR, at QUIT only.
three
say 'RETR 1' 'TOP 2 99' 'RETR 3' 'DELE 3'
is "$(find "$box/cur" "$box/new" -name '*:2,*S*' | wc -l | tr -d ' ')" 0 \
	'a dropped connection marks nothing as read'
say 'RETR 1' 'TOP 2 99' QUIT
is "$(find "$box/cur" -name '*:2,*S*' -exec cat {} +)" 'Subject: one

first' 'QUIT marks as read what RETR sent'

# Gone meanwhile, arrived meanwhile.
three
mkfifo "$tmp/in"
pop3d "$box" <"$tmp/in" >"$tmp/held" 2>"$tmp/err" &
server=$!
exec 4>"$tmp/in"
wait_for grep -q OK "$tmp/held"
rm "$box"/*/1000000002.*
printf 'Subject: four\n\n' | put 1000000004.M1P1Q1.h
say STAT
is "$out" '-ERR [IN-USE] another POP3 session is going on' \
	'one session at a time'
is "$status" 111 'the other one exits with 111'
printf 'STAT\r\nRETR 2\r\nRETR 1\r\nDELE 2\r\nDELE 3\r\nQUIT\r\n' >&4
exec 4>&-
wait "$server"; is $? 0 'messages gone meanwhile do not spoil QUIT'
server=
is "$(tr -d '\r' <"$tmp/held" | sed '/^Subj/,/^\./d')" \
	'+OK 3 messages, 84 octets
+OK 3 84
-ERR that message is gone
+OK 23 octets
+OK deleted at QUIT
+OK deleted at QUIT
+OK bye' 'the session sees the mailbox as it was'
say STAT QUIT
like "$out" '^\+OK 2 4[0-9]$' 'the new message shows in the next session'

# T-SMUG-6: dots and line ends, exact.
fresh
printf 'A: b\r\n\r\n.\r\n..\r\n.\r\r\n\r.\n.x\n..\n.\nx\ry\n.' |
	put 1000000001.M1P1Q1.h
say LIST 'RETR 1' QUIT
printf '%s\r\n' 'A: b' '' '..' '...' "..$(printf '\r')" "$(printf '\r.')" \
	'..x' '...' '..' "$(printf 'x\ry')" '..' . '+OK bye' >"$tmp/wanted"
awk 'f; /^\+OK [0-9]+ octets\r$/ { f = 1 }' "$tmp/raw" >"$tmp/got"
cmp -s "$tmp/got" "$tmp/wanted"
ok $? 'dots are stuffed, and only at line starts'
# The size is what came, without stuffing and the final line end.
is "$(tr -d '\r' <"$tmp/raw" | sed -n 's/^1 //p')" 40 'size of odd line ends'

# Long lines and edges: sizes around one read, dots at each place.
fresh
i=0
for n in 65532 65533 65534 65535 65536 65537 131071 131072; do
	i=$((i + 1))
	{ head -c "$n" /dev/zero | tr '\0' a; printf '\n.\n\n.b\n'; } |
		put "100000000$i.M1P1Q1.h"
done
good=0
for k in 1 2 3 4 5 6 7 8; do
	say "RETR $k" QUIT
	size=$(tr -d '\r' <"$tmp/raw" | sed -n 's/^+OK \([0-9]*\) octets$/\1/p')
	sed -e 1,2d "$tmp/raw" | sed -e '/^\.\r*$/,$d' -e 's/^\.//' >"$tmp/got"
	[ "$(wc -c <"$tmp/got")" -eq "$size" ] &&
		sed 's/$/\r/' "$box/cur/100000000$k."* | cmp -s - "$tmp/got" &&
		good=$((good + 1))
done
is $good 8 'RETR is exact at the edges of a read'

# Starts.
fresh
: | AUTH_TAG=+OK USER=alice@example.org pop3d "$box" >"$tmp/raw" 2>"$tmp/err"
case $? in
0) like "$(cat "$tmp/err")" 'session user=alice@example.org end=dropped' \
	'the end of a network session is logged' ;;
*) like "$(cat "$tmp/err")" 'never runs as root' \
	'a network session is refused as root' ;;
esac
like "$(printf 'CAPA\r\n' | AUTH_TAG=+OK pop3d "$box" 2>/dev/null |
	tr '\r\n' '  ')" 'USER  SASL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN  EXPIRE' \
	'CAPA says how the login could be made, after one'
pop3d "$tmp/none" </dev/null >"$tmp/raw" 2>/dev/null
is "$?" 111 'no Maildir: 111'
like "$(cat "$tmp/raw")" '^-ERR \[SYS/TEMP\]' 'and a temporary error'
[ ! -e "$tmp/none" ]; ok $? 'no Maildir is made'
pop3d >/dev/null 2>&1; is $? 100 'usage: 100'
mkdir -p "$tmp/root/etc/postern"
echo 'pop3_idle_s 0' >"$tmp/root/etc/postern/postern.conf"
echo 'no_such_name 1' >>"$tmp/root/etc/postern/postern.conf"
pop3d -r "$tmp/root" "$box" </dev/null >/dev/null 2>&1
is $? 111 'a bad postern.conf: 111'

# Silence ends a session, without a word and without deleting.
three
echo 'pop3_idle_s 1' >"$tmp/root/etc/postern/postern.conf"
pop3d -r "$tmp/root" "$box" <"$tmp/in" >"$tmp/raw" 2>"$tmp/err" &
server=$!
exec 4>"$tmp/in"
printf 'DELE 1\r\nDEL' >&4
wait "$server"; is $? 0 'an idle session ends'
server=
exec 4>&-
is "$(sed 1d "$tmp/raw" | tr -d '\r')" '+OK deleted at QUIT' 'without a word'
is "$(count)" 3 'and deletes nothing'


# --- the form of unique ids
three
mkdir -p "$tmp/root/etc/postern"
conf=$tmp/root/etc/postern/postern.conf
ids() { # ids FORMAT: the ids in that form
	printf 'pop3_uidl %s\n' "$1" >"$conf"
	printf 'UIDL\r\nQUIT\r\n' | pop3d -r "$tmp/root" "$box" 2>&1 |
	    tr -d '\r' | sed -n 's/^[123] //p' | tr '\n' ' '
}
say QUIT
validity=$(printf 'a SELECT INBOX\r\nb LOGOUT\r\n' | imapd "$box" 2>/dev/null |
    sed -n 's/.*UIDVALIDITY \([0-9]*\).*/\1/p')
hex=$(printf %08x "$validity")
is "$(ids %08Xu%08Xv)" "00000001$hex 00000002$hex 00000003$hex " "UIDL of Dovecot"
is "$(ids %08Xv%08Xu)" "${hex}00000001 ${hex}00000002 ${hex}00000003 " 'of UW'
is "$(ids %v.%u)" "$validity.1 $validity.2 $validity.3 " 'of Cyrus'
is "$(ids %v-%u)" "$validity-1 $validity-2 $validity-3 " 'of Courier'
is "$(ids %f)" '1000000001.M1P1Q1.h 1000000002.M1P1Q1.h 1000000003.M1P1Q1.h ' \
    'the file name, without what we add'
mv "$box"/cur/1000000003* "$box/cur/$(printf '3\n\001.h'),S=25,U=7:2,S"
like "$(ids x%f)" ' x3%0A%01.h,S=25 $' 'no byte of a name breaks the line'
mv "$box"/cur/3* "$box/cur/1000000003.M1P1Q1.h:2,S"
printf '/3 9 1234\n1000000001.M1P1Q1.h,S=1:2,S 21 8:1234:0\n1000000002.M1P1Q1.h 21 5:0\n1000000003.M1P1Q1.h,S=2+x:2,S 21 0:0:0\n' \
    >"$box/courierpop3dsizelist"
is "$(ids x%u)" "UID8-1234 UID5 1000000003.M1P1Q1.h,S=2+2Bx " "Courier's own ids"
printf '3 V5 N6\n1 Pone W2 :1000000001.M1P1Q1.h\n2 W2 :1000000002.M1P1Q1.h\n3 P\001 :1000000003.M1P1Q1.h\n' \
    >"$box/dovecot-uidlist"
is "$(ids x%u)" "one UID5 1000000003.M1P1Q1.h,S=2+2Bx " "and Dovecot's, from elsewhere"
long=$(printf %0100d 7)
printf '3 V5 N6\n1 P%s :1000000001.M1P1Q1.h\n2 P%s%s%s%s%s :1000000002.M1P1Q1.h\n' \
    "$long" "$long" "$long" "$long" "$long" "$long" >"$box/dovecot-uidlist"
is "$(ids x%u | cut -d ' ' -f 1,2)" "$long UID5" 'long ones, too, unless they fill a line'
printf '3 V5 N6\n1 Pone W2 :1000000001.M1P1Q1.h\n' >"$box/dovecot-uidlist"
rm "$box/courierpop3dsizelist"
like "$(ids x%u)" "^one x2 x[0-9]* $" 'all others have the form of the setting'
rm "$box/dovecot-uidlist"
for bad in x %v %x %08Xf %08x %u% '%u	x' "%u$(printf %063d 0)"; do
	printf 'pop3_uidl %s\n' "$bad" >"$conf"
	printf 'QUIT\r\n' | pop3d -r "$tmp/root" "$box" >"$tmp/raw" 2>&1
	is "$? $(grep -c "postern.conf:1: pop3_uidl: " "$tmp/raw")" '111 1' \
	    "refused: $(printf %.9s "$bad")"
done
# No room for the lock's file, and a mailbox that cannot be written: the mail
# is there to be fetched, and where it can be removed, to be removed.
fresh
if mount -t tmpfs -o size=1m,nr_inodes=24,mode=700 none "$box" 2>/dev/null
then
	mkdir "$box/cur" "$box/new" "$box/tmp"
	for i in 1 2 3; do
		printf 'Subject: m%s\n\nx\n' "$i" | put "100000000$i.M1P1Q1.h"
	done
	say STAT QUIT
	rm "$box/postern.pop3"
	i=0
	while true >"$box/fill$i"; do i=$((i + 1)); done 2>/dev/null
	say 'RETR 1' 'DELE 1' 'DELE 2' QUIT
	is "$status $(echo "$out" | tail -n 1)" '0 +OK bye' \
		'a full file system can be emptied'
	is "$(count)" 1 'by what is deleted'
	rm "$box"/fill*
	mount -o remount,ro "$box"
	say 'RETR 1' QUIT
	is "$(echo "$out" | sed -n 3p)" 'Subject: m3' \
		'a read-only one can be read'
	umount "$box"
else
	skip 'a full file system can be emptied' 'no mount here'
fi

done_testing
