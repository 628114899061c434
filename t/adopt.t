#!/bin/sh
# Folders that Dovecot or Courier kept, made by hand: what is taken over at
# the first opening, what is not, and that it happens once.
. "${POSTERN_SRC:-.}/t/lib.sh"
tool=$POSTERN_BUILD/t/unit/store-tool
[ -x "$tool" ] || plan_skip "store-tool is not built"

md=$tmp/md
say() { printf '%s\n' "$@" | "$tool" "$md"; }
# message NAME TEXT: a file in cur/
message() { printf '%s\n' "$2" >"$md/cur/$1"; }
fresh() {
	rm -rf "$md"
	mkdir -p "$md/cur" "$md/new" "$md/tmp"
	message '1700000001.M1P1.h,S=4,W=5:2,S' one
	message '1700000002.M1P1.h,S=4,W=5:2,Fab' two
	message '1700000003.M1P1.h:2,bz' tri
	printf 'new\n' >"$md/new/1700000004.M1P1.h"
}
# UID, flags and text of every message, then UIDVALIDITY and UIDNEXT.
state() {
	say 'open INBOX' ls | sed '1d;$d;s/ recent//' >"$tmp/ls"
	{ echo 'open INBOX'; sed 's/^\([0-9]*\).*/read \1/' "$tmp/ls"; } |
	    "$tool" "$md" | sed '1d;s/^[0-9]* //' | paste -d' ' "$tmp/ls" -
	say 'open INBOX' validity | sed -n '2s/ [0-9a-f]* / /p'
}
uids='3 V1600000000 N60 G0123456789abcdef0123456789abcdef
7 G12 S4 W5 :1700000001.M1P1.h,S=4,W=5
20 :1700000002.M1P1.h,S=4,W=5
31 Pold-uidl :1700000003.M1P1.h
33 :1700000009.gone.h'

# --- Dovecot
fresh
printf '%s\n' "$uids" >"$md/dovecot-uidlist"
printf '0 work\n1 $Label1\n' >"$md/dovecot-keywords"
is "$(state)" '7 S one
20 F work $Label1 two
31 - $Label1 tri
60 - new
1600000000 61' 'Dovecot, version 3: UIDs, UIDVALIDITY and keywords'
is "$(cat "$md/postern.adopted")" dovecot-uidlist 'a mark says so'
is "$(cat "$md/dovecot-uidlist")" "$uids" "Dovecot's list is as it was"
is "$(say 'open INBOX' 'remove 20 - work' 'append INBOX - x' sync 'expunge 61')" 'ok
ok
uid 61
ok
ok' 'and so it goes on'
like "$(state)" '^1600000000 62$' 'UIDs are not given twice'
rm "$md/postern.journal" "$md/postern.index"
unlike "$(state)" '^1600000000 ' 'no second time: UIDs may have been given since'
is "$(say 'create next' 'open next' validity | sed -n '3s/^\(..........\).*/\1/p' |
    awk '{ print ($1 > 1600000000) }')" 1 'the counter of UIDVALIDITY goes on above'

fresh
printf '1 1600000001 40\n5 1700000001.M1P1.h,S=4,W=5\n6 1700000002.M1P1.h:2,S\n' \
    >"$md/dovecot-uidlist"
is "$(state)" '5 S one
6 F two
40 - tri
41 - new
1600000001 42' 'version 1: what is not in the list is new'

fresh
printf '1 1600000001 40\n5 1700000001.M1P1.h\n' >"$md/dovecot-uidlist"
printf '0 $Forwarded\n1 work\n' >"$md/dovecot-keywords"
like "$(state)" '^40 FP work two$' '$Forwarded becomes the flag'
like "$(ls "$md/cur")" '^1700000002.M1P1.h,S=4,W=5:2,FPab$' 'and stands in the name'

# --- Courier
fresh
printf '1 500000000 40\n9 1700000003.M1P1.h\n5 1700000001.M1P1.h,S=4,W=5\n' \
    >"$md/courierimapuiddb"
mkdir "$md/courierimapkeywords"
printf 'work\nhome\n\n1700000001.M1P1.h,S=4,W=5:0 1\n1700000002.M1P1.h,S=4,W=5:1\n' \
    >"$md/courierimapkeywords/:list"
printf 'play\n' >"$md/courierimapkeywords/1700000002.M1P1.h,S=4,W=5"
printf 'home\n' >"$md/courierimapkeywords/.1.1700000002.M1P1.h,S=4,W=5"
printf 'home\n' >"$md/courierimapkeywords/.1.1700000003.M1P1.h"
is "$(state)" '5 S work home one
9 - home tri
40 F play two
41 - new
500000000 42' 'Courier: UIDs, UIDVALIDITY, keywords and those that changed since'
printf 'INBOX\nINBOX.Sent\nINBOX.Lists.go&AOk-\nINBOX.Entwürfe\n..\n' \
    >"$md/courierimapsubscribed"
is "$(say subs)" 'INBOX Entwürfe Lists/goé Sent' 'subscriptions'
is "$(say 'unsubscribe Sent' subs 'unsubscribe INBOX' subs)" 'ok
INBOX Entwürfe Lists/goé
ok
Entwürfe Lists/goé' 'are ours after a change'
printf 'Lists.go\nx/y.z\n' >"$md/subscriptions"
is "$(say subs)" 'Lists/go x/y.z' 'dots or slashes between levels'
mkdir -p "$md/.Sent/cur" "$md/.INBOX.Own/cur" "$md/.Own/cur"
printf 'INBOX.Sent\nINBOX.Own\nINBOX.Gone\nINBOX\n' >"$md/subscriptions"
is "$(say subs)" 'INBOX INBOX/Gone INBOX/Own Sent' 'with the prefix of a namespace'
printf 'V\t2\n\nEntwürfe\tR&D\na\001b\nR&-D\n' >"$md/subscriptions"
is "$(say subs)" 'Entwürfe/R&D R&D' 'in UTF-8'

# --- two of them
fresh
printf '1 1600000001 40\n5 1700000001.M1P1.h\n' >"$md/dovecot-uidlist"
printf '1 1600000002 40\n6 1700000001.M1P1.h\n' >"$md/courierimapuiddb"
touch -d '2001-01-01' "$md/dovecot-uidlist"
like "$(state)" '^6 S one$' 'of two lists the later one counts'

# --- damage
odd() { # odd NAME WANTED LIST: the first column of the state is WANTED
	fresh
	printf "$3" >"$md/dovecot-uidlist"
	is "$(state | cut -d' ' -f1 | sed 's/^[0-9]\{10\}$/v/' | tr '\n' ' ')" "$2" "$1"
}
odd 'an empty list' '1 2 3 4 v ' ''
odd 'no list at all' '1 2 3 4 v ' '\377\376\n1 :x\n'
odd 'no UIDVALIDITY' '1 2 3 4 v ' '3 N5\n1 :1700000001.M1P1.h\n'
odd 'UIDNEXT at the end' '1 2 3 4 v ' '3 V1600000000 N4294967295\n1 :1700000001.M1P1.h\n'
odd 'lines that make no sense' '4 50 51 52 v ' \
    '3 V1600000000 N50\nx\n\n 5 :1700000002.M1P1.h\n4 :1700000001.M1P1.h\n0 :1700000003.M1P1.h\n4294967290 :1700000003.M1P1.h\n'
odd 'UIDs that stand twice are kept by nobody' '50 51 52 53 v ' \
    '3 V1600000000 N50\n4 :1700000001.M1P1.h\n4 :1700000002.M1P1.h\n'
odd 'a file that stands twice' '9 50 51 52 v ' \
    '3 V1600000000 N50\n4 :1700000001.M1P1.h\n9 :1700000001.M1P1.h\n'
odd 'UIDs behind UIDNEXT' '70 71 72 73 v ' \
    '3 V1600000000 N50\n70 :1700000001.M1P1.h\n'
odd 'UIDs far behind an old UIDNEXT' '5000000 5000001 5000002 5000003 v ' \
    '3 V1600000000 N1\n5000000 :1700000001.M1P1.h\n'
odd 'a list without its end' '4 1050 1051 1052 v ' \
    '3 V1600000000 N50\n4 :1700000001.M1P1.h\n5 :1700000002.M1P1.h'
fresh; mkdir "$md/dovecot-uidlist" "$md/dovecot-keywords"
like "$(state)" '^4 - new$' 'a folder in the place of the list'
fresh; ln -s /etc/passwd "$md/dovecot-uidlist"; ln -s /etc "$md/courierimapkeywords"
like "$(state)" '^4 - new$' 'a link in the place of the list'

# --- a crash between the two renames of the first opening
fresh
printf '%s\n' "$uids" >"$md/dovecot-uidlist"
state >"$tmp/want"
cp "$md/postern.index" "$tmp/"
cp "$md/postern.journal" "$tmp/journal"
fresh
printf '%s\n' "$uids" >"$md/dovecot-uidlist"
state >/dev/null
head -c 64 "$tmp/journal" >"$md/postern.journal.new"
cp "$tmp/postern.index" "$md/"; : >"$md/postern.journal"
rm "$md/postern.adopted"
is "$(state)" "$(cat "$tmp/want")" 'a first opening that died is finished'
is "$(cat "$md/postern.adopted")" dovecot-uidlist 'with its mark'
cp "$tmp/postern.index" "$md/"; : >"$md/postern.journal"
rm -f "$md/postern.journal.new"
unlike "$(state)" '^1600000000 ' 'a journal that was lost is something else'
done_testing
