#!/bin/sh
# Quotas by maildirsize: who counts, what is refused, crashes, and Dovecot.
. "${POSTERN_SRC:-.}/t/lib.sh"
tool=$POSTERN_BUILD/t/unit/store-tool
md=$tmp/md
size=$md/maildirsize
imap() { # imap COMMAND...: the answers
	printf '%s\r\n' "$@" 'z LOGOUT' | imapd "$md" | tr -d '\r'
}
append() { # append MAILBOX BYTES: one command, without its line end
	printf 'a APPEND %s {%d+}\r\nSubject: %08d\r\n\r\n' "$1" "$2" 1
	head -c $(($2 - 21)) /dev/zero | tr '\0' x
}
used() { # bytes and messages that the lines make
	awk 'NR > 1 { b += $1; n += $2 } END { print b + 0, n + 0 }' "$size"
}
true_use() { # what lies there
	find "$md" ! -path '*/postern.gone.*' \( -path '*/cur/*' -type f -printf '%s\n' -o -path '*/new/*' \
	    -type f -printf '%s\n' \) |
	    awk '{ b += $1; n++ } END { print b + 0, n + 0 }'
}
fresh() { # fresh [LIMITS]
	rm -rf "$md"; mkdir -p "$md/cur" "$md/new" "$md/tmp"
	[ $# -eq 0 ] || echo "$1" >"$size"
}

# No limits: nothing is asked, nothing is written.
fresh
like "$(imap 'a CAPABILITY')" ' QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE' 'announced'
out=$(imap 'a GETQUOTAROOT INBOX' 'b GETQUOTA "User quota"' 'c GETQUOTA ""')
like "$out" '^\* QUOTAROOT "?INBOX"?$' 'an account without limits has no root'
unlike "$out" '^\* QUOTA ' 'and no usage'
like "$out" '^b NO \[NONEXISTENT\]' 'its root is not there'
imap "$(append INBOX 100)" >/dev/null
[ ! -e "$size" ]; ok $? 'and no maildirsize'

# The Maildir's own definition.
fresh 2000S,5C
out=$(imap "$(append INBOX 500)" 'b GETQUOTAROOT "Not/there"' 'c GETQUOTA "User quota"' \
    'd SETQUOTA "User quota" (STORAGE 5000)' 'e GETQUOTA x' 'f SETQUOTA x STORAGE' 'g GETQUOTAROOT "a//b"')
like "$out" '^a OK \[APPENDUID' 'there is room'
like "$out" '^\* QUOTAROOT "Not/there" "User quota"$' 'a mailbox that is not there has the root'
is "$(echo "$out" | grep -c '^\* QUOTA "User quota" (STORAGE 1 1 MESSAGE 1 5)$')" 2 'usage and limits'
like "$out" '^d NO \[NOPERM\]' 'the administrator sets quotas'
like "$out" '^e NO \[NONEXISTENT\]' 'another root is not there'
like "$out" '^f BAD' 'SETQUOTA has a grammar'
like "$out" '^g NO \[CANNOT\]' 'what cannot be a name has no root'
is "$(head -1 "$size")" 2000S,5C 'the definition stays'
is "$(used)" "$(true_use)" 'a message is counted with its size'
out=$(imap "$(append INBOX 1400)" "$(append INBOX 300)" 'b CREATE Trash' 'c SELECT INBOX' \
    'd COPY 1:2 Trash' 'e UID MOVE 2 Trash' 'f STORE 1 +FLAGS (\Deleted)' \
    'g STATUS INBOX (DELETED DELETED-STORAGE)' 'h COPY 1 Trash' 'i EXPUNGE' 'j STATUS Trash (MESSAGES)')
like "$out" '^a OK \[APPENDUID' 'up to the limit'
like "$out" '^a NO \[OVERQUOTA\]' 'APPEND over it'
like "$out" '^d NO \[OVERQUOTA\]' 'COPY over it'
like "$out" '^e OK' 'MOVE counts nothing twice'
like "$out" '^\* STATUS "?INBOX"? \(DELETED 1 DELETED-STORAGE [45][0-9]+\)' 'DELETED and DELETED-STORAGE'
like "$out" '^h NO \[OVERQUOTA\]' 'deleted messages count'
like "$out" '^i OK' 'EXPUNGE'
like "$out" '^\* STATUS "?Trash"? \(MESSAGES 1\)' 'nothing was half copied'
is "$(used)" "$(true_use)" 'counted to the byte'
out=$(imap 'a DELETE Trash' 'b GETQUOTA "User quota"')
like "$out" 'STORAGE 0 1 MESSAGE 0 5' 'a deleted mailbox is given back'
is "$(used)" '0 0' 'to the byte'
i=0; set --
while [ $i -lt 6 ]; do set -- "$@" "$(append INBOX 60)"; i=$((i + 1)); done
is "$(imap "$@" | grep -c '^a OK')" 5 'the number of messages is limited, too'
out=$(imap 'a SELECT INBOX' 'b STORE 1:5 +FLAGS (\Deleted)' 'c EXPUNGE')
like "$out" '^c OK' 'EXPUNGE at the limit'
is "$(used)" '0 0' 'all is given back'
sync='a APPEND INBOX {3000}'
like "$(imap "$sync")" '^a NO \[OVERQUOTA\]' 'a literal is refused before it is sent'

# Limits that the session is given replace the definition.
fresh 2000S,5C
imap "$(append INBOX 500)" >/dev/null
out=$(POSTERN_QUOTA=300S,0C imap 'a GETQUOTA "User quota"' "$(append INBOX 60)" 'b SELECT INBOX' \
    'c STORE 1 +FLAGS (\Deleted)' 'd EXPUNGE' "$(append INBOX 60)")
is "$(head -1 "$size")" 300S,0C 'the definition is made anew'
is "$(echo "$out" | grep -c '^a NO \[OVERQUOTA\]')" 1 'over quota'
like "$out" '^d OK' 'EXPUNGE works over quota'
is "$(echo "$out" | grep -c '^a OK \[APPENDUID')" 1 'then there is room again'
is "$(used)" "$(true_use)" 'and the count is right'
POSTERN_QUOTA=0S,0C imap "$(append INBOX 900)" | grep -q '^a OK'; ok $? 'no limit by decree'

# When all is counted anew.
recounted() { # recounted NAME: with one line that is true
	imap 'a GETQUOTA "User quota"' "$(append INBOX 60)" >/dev/null
	is "$(used)" "$(true_use)" "$1: counted anew"
}
fresh 90000S
imap "$(append INBOX 500)" >/dev/null
printf '90000S\n999999 1\n1 1\n' >"$size"; touch -d '-5 seconds' "$size"; recounted 'over quota with many lines'
printf '90000S\n999999 1\n' >"$size"; touch -d '-20 minutes' "$size"; recounted 'over quota, and old'
printf '90000S\n999999 1\n' >"$size"
like "$(imap "$(append INBOX 60)")" '^a NO \[OVERQUOTA' 'over quota, and fresh: believed'
printf '90000S\n' >"$size"; recounted 'without lines'
printf '90000S\n100 1\n-200 -1\n' >"$size"; recounted 'less than nothing'
printf '90000S\n100 1\n50' >"$size"; recounted 'a line that was cut off'
printf '90000S\nrubbish\n' >"$size"; recounted 'rubbish'
printf '90000S\n99999999999999999999 1\n' >"$size"; recounted 'too large a number'
{ printf '90000S\n'; yes '0 0' | head -1280; } >"$size"; recounted 'more than 5120 bytes'
is "$(wc -l <"$size")" 3 'and short then'
rm "$size"; ln -s /etc/passwd "$size"
POSTERN_QUOTA=90000S recounted 'a symbolic link'
[ -f "$size" ] && [ ! -L "$size" ]; ok $? 'is replaced'
printf '90000S\n%0*d 1\n' 14 100 >"$size"
imap "$(append INBOX 60)" >/dev/null
like "$(used)" '^15[0-9] 2$' 'a padded line, as Courier writes it'
# An account that nobody asks does not get a file without end.
{ printf '90000S\n'; yes '0 0' | head -1300; } >"$size"
imap 'a SELECT INBOX' 'b STORE 1 +FLAGS (\Deleted)' 'c EXPUNGE' >/dev/null
is "$(wc -l <"$size") $(used)" "2 $(true_use)" 'EXPUNGE shortens it'
ls "$md/tmp" | grep -q .; is $? 1 'nothing is left in tmp'

# Everything counts, whatever another program called it.
fresh 1000000S
i=0
for folder in . .Trash ..odd $(printf '.bad\374') .postern; do
	mkdir -p "$md/$folder/cur" "$md/$folder/new" "$md/$folder/tmp"
	echo 'Subject: x' >"$md/$folder/new/1.$i.h"
	echo 'Subject: xy' >"$md/$folder/cur/2.$i.h,S=12:2,ST"
	i=$((i + 1))
done
imap 'a GETQUOTA "User quota"' >/dev/null
is "$(used)" "$(true_use)" 'all folders count'

# Many at once: nobody passes the limit together.
fresh 10000S
{ append INBOX 900; printf '\r\nz LOGOUT\r\n'; } >"$tmp/one"
i=0
while [ $i -lt 30 ]; do
	imapd "$md" <"$tmp/one" >"$tmp/out.$i" & i=$((i + 1))
done
wait
n=$(cat "$tmp"/out.* | grep -c '^a OK')
[ "$n" -ge 9 ] && [ "$n" -le 11 ]; ok $? "30 at once: $n find room"
[ "$(true_use | cut -d' ' -f1)" -le 10000 ]; ok $? 'which is within the limit'

# Killed at each call: the count is never too small, and mended when it says full.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null && [ -x "$tool" ]; then
	LSAN_OPTIONS=detect_leaks=0; export LSAN_OPTIONS
	bad= points=0
	say() { printf '%s\n' "$@" | "$tool" "$md"; }
	prepare() {
		fresh 1000S; say 'append INBOX - one' 'append INBOX - two' 'create box' 'open INBOX' 'copy 1 box' >/dev/null
	}
	calls='openat,renameat,renameat2,linkat,unlinkat,write,fsync,fdatasync'
	for script in 'append INBOX - three' 'open INBOX:copy * box' \
	    'open INBOX:expunge 1' 'delete box' 'open INBOX:move * box'; do
		prepare
		echo "$script" | tr : '\n' >"$tmp/script"
		strace -o "$tmp/log" -e trace="$calls" "$tool" "$md" <"$tmp/script" >/dev/null
		for call in $(sed -n 's/^\([a-z0-9]*\)(.*/\1/p' "$tmp/log" | sort -u); do
			n=$(grep -c "^$call(" "$tmp/log")
			i=$((n > 7 ? n - 6 : 1))
			while [ $i -le "$n" ]; do
				points=$((points + 1))
				prepare
				strace -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$i" \
				    "$tool" "$md" <"$tmp/script" >/dev/null 2>&1
				# A MOVE that died has the message twice and counts it once.
				[ "${script%%:move*}" != "$script" ] ||
				    [ "$(used | cut -d' ' -f1)" -ge "$(true_use | cut -d' ' -f1)" ] ||
				    bad="$bad $script/$call/$i"
				sed -i 1s/.*/1S/ "$size"
				touch -d '-20 minutes' "$size"
				say 'append INBOX - four' | grep -q EDQUOT || bad="$bad full/$call/$i"
				[ "$(used)" = "$(true_use)" ] || bad="$bad mended/$call/$i"
				i=$((i + 1))
			done
		done
	done
	is "$bad" '' "killed at $points points"
	# A folder that cannot be read: an error, and no count without it; one
	# that is not ours is not in the way.
	fresh 1000S; say 'append INBOX - one' 'create box' 'append box - two' 'create last' >/dev/null
	before=$(used)
	echo recount | strace -o "$tmp/log" -e trace=openat "$tool" "$md" >/dev/null
	n=$(grep -n '"\.box"' "$tmp/log" | head -n 1 | cut -d: -f1)
	is "$(echo recount | strace -o /dev/null -e inject=openat:error=EMFILE:when="$n" "$tool" "$md") $(used)" \
	    "error EMFILE $before" 'what cannot be counted is said'
	is "$(echo recount | strace -o /dev/null -P .box -e inject=openat:error=EACCES "$tool" "$md" 2>/dev/null)" \
	    '4 1 1000 0' "another user's folder does not count"

	# Many new messages, of whose files nobody knows yet how long they are.
	fresh 1000000S
	i=0
	while [ $i -lt 1200 ]; do
		echo "Subject: $i" >"$md/new/$((1000000000 + i)).M${i}P1.h,S=$((10 + ${#i}))"
		i=$((i + 1))
	done
	say recount 'create box' >/dev/null
	printf '%s\r\n' 'a SELECT INBOX' 'b COPY 1:* box' 'c LOGOUT' | imapd "$md" >/dev/null
	is "$(used)" "$(true_use)" 'copies of many new messages count'
	printf '%s\r\n' 'a SELECT INBOX' 'b STORE 1:* +FLAGS (\Deleted)' 'c EXPUNGE' 'd LOGOUT' |
	    imapd "$md" >/dev/null
	is "$(used)" "$(true_use)" 'so does their end'
	fresh 1000000S
	i=0
	while [ $i -lt 1200 ]; do
		echo "Subject: $i" >"$md/new/$((1000000000 + i)).M${i}P1.h,S=$((10 + ${#i}))"
		i=$((i + 1))
	done
	say recount >/dev/null
	printf '%s\r\n' 'a SELECT INBOX' 'b STORE 1:* +FLAGS (\Deleted)' 'c EXPUNGE' 'd LOGOUT' |
	    imapd "$md" >/dev/null
	is "$(used)" '0 0' 'and the end of those that were never looked at'
else
	skip 'crashes' 'strace may not trace here'
fi
done_testing
