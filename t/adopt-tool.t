#!/bin/sh
# postern adopt: what it says and what it does, on Maildirs made by hand.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
# Mail never belongs to root.
if [ "$(id -u)" -eq 0 ]; then
	need setpriv
	chmod 711 "$tmp"
fi
tool=$POSTERN_BUILD/t/unit/store-tool
own() { [ "$(id -u)" -ne 0 ] || chown -R 65534:65534 "$@"; }
make_box() { # make_box DIR: INBOX with a list, two folders
	rm -rf "$1"
	for f in "$1" "$1/.Sent" "$1/.Bad&Name"; do
		mkdir -p "$f/cur" "$f/new" "$f/tmp"
	done
	for i in 1 2 3; do echo $i >"$1/cur/170000000$i.M1P1.h:2,a"; done
	echo new >"$1/new/1700000009.M1P1.h"
	printf '3 V1600000000 N60\n7 :1700000001.M1P1.h\nx\n9 Pid :1700000003.M1P1.h\n' \
	    >"$1/dovecot-uidlist"
	printf '0 work\n1 a]b\n' >"$1/dovecot-keywords"
	printf 'Sent\nINBOX\n' >"$1/subscriptions"
	own "$1"
}
adopt() { out=$(postern adopt "$@" 2>&1); status=$?; }

a=$tmp/a
make_box "$a"
report="INBOX: 4 messages, 2 UIDs from dovecot-uidlist, UIDVALIDITY 1600000000
    keywords: work
    2 messages are not in the list: their UIDs are new
    1 lines of the list make no sense
    1 messages have POP3 ids of their own: not kept
    1 keywords cannot be kept
Sent: 0 messages
.Bad&Name: not a name of a mailbox: it will not be seen
$a: 2 mailboxes, 4 messages, 2 UIDs kept, 2 subscriptions"
find "$a" | sort >"$tmp/before"
adopt --dry-run "$a"
is "$out" "$report (nothing was done)" 'a dry run says what would happen'
is "$status" 1 'and that not all can be kept'
is "$(find "$a" | sort)" "$(cat "$tmp/before")" 'nothing is done'
adopt "$a"
is "$out" "$report" 'the report'
is "$status" 1 'not all is kept'
is "$(printf '%s\n' 'open INBOX' ls | "$tool" "$a" | sed '1d;s/ recent.*//')" '7 - work
9 - work
60 - work
61 -
end' 'the mailbox'
adopt "$a"
like "$out" 'has an index of ours already' 'a second time there is nothing to do'
rm -r "$a/.Bad&Name"
adopt "$a"
is "$status" 0 'and nothing to tell'
make_box "$a"; make_box "$tmp/b"; printf 'x\n' >"$tmp/b/dovecot-uidlist"
postern adopt --json "$a" "$tmp/none" "$tmp/b" >"$tmp/json" 2>"$tmp/err"
is "$?" 100 'one that is missing'
is "$(python3 -c '
import json, sys
for a in json.load(open(sys.argv[1])):
    print(a["account"].split("/")[-1], a["exit"])
    for m in a["mailboxes"]:
        print(m.get("mailbox"), m.get("kept"), m.get("list"), m.get("keywords"), m["notes"][:1])
' "$tmp/json")" "a 1
INBOX 2 dovecot-uidlist ['work'] ['2 messages are not in the list: their UIDs are new']
Sent 0 None [] []
None None None None ['not a name of a mailbox: it will not be seen']
none 100
b 1
INBOX 0 None ['work'] ['the list of UIDs is damaged: all UIDs are new']
Sent 0 None [] []
None None None None ['not a name of a mailbox: it will not be seen']" 'as JSON'
if [ "$(id -u)" -eq 0 ]; then
	is "$(find "$a" -uid 0)" '' "all belongs to the mail's owner"
	make_box "$a"; chown 0 "$a"
	adopt "$a"
	is "$status" 100 "a Maildir of root's is refused"
	like "$out" 'belongs to root' 'and why'
	is "$(ls "$a" | grep postern)" '' 'nothing is done'
else
	skip "a Maildir of root's is refused" 'not root'
fi
adopt
is "$status" 100 'misuse'
adopt --help
is "$status" 0 'help'
done_testing
