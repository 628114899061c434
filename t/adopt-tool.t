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
make_folder() { mkdir -p "$1/cur" "$1/new" "$1/tmp"; }
make_box() { # make_box DIR: INBOX with a list, two folders
	rm -rf "$1"
	for f in "$1" "$1/.Sent" "$1/.Bad&Name"; do make_folder "$f"; done
	for i in 1 2 3; do echo $i >"$1/cur/170000000$i.M1P1.h:2,a"; done
	echo new >"$1/new/1700000009.M1P1.h"
	printf '3 V1600000000 N60\n7 S2 W3 :1700000001.M1P1.h\nx\n9 Pid :1700000003.M1P1.h\n11 :1700000008.M1P1.h\n' \
	    >"$1/dovecot-uidlist"
	printf '0 work\n1 a]b\n' >"$1/dovecot-keywords"
	printf 'Sent\nINBOX\nGone\n..\n' >"$1/subscriptions"
	own "$1"
}
adopt() { out=$(postern adopt "$@" 2>&1); status=$?; }
tree() { (cd "$1" && find . | sort); }

a=$tmp/a
make_box "$a"
report='folder .Bad&Name: "Bad&Name" shows as "=?Bad&Name": its name on disk is not in modified UTF-7; --rename makes it .Bad&-Name
INBOX: 4 messages, 2 keep their UIDs (dovecot-uidlist), UIDVALIDITY 1600000000 kept
    keywords: work
    1 messages are not in the list: their UIDs are new
    1 messages came after the list was written: their UIDs are new
    1 messages of the list are gone: so are their UIDs
    1 lines of the list make no sense
    1 messages keep a POP3 id of their own
    1 keywords cannot be kept
=?Bad&Name: 0 messages, UIDVALIDITY new
Sent: 0 messages, UIDVALIDITY new
subscriptions: 3, 1 of them of mailboxes that are not there; 1 that name no mailbox are passed over'
total="$a: 3 mailboxes, 4 messages, 2 UIDs kept"
tree "$a" >"$tmp/before"
adopt -n "$a"
is "$out" "$report
$total (nothing was done)" 'a dry run says what would happen'
is "$status" 1 'and that not all can be kept'
is "$(tree "$a")" "$(cat "$tmp/before")" 'nothing is done'
adopt "$a"
is "$(printf "%s\n" "$out" | sed 's/ [0-9]* new$/ new/')" "$report
$total" 'the report'
is "$status" 1 'not all is kept'
is "$(printf '%s\n' 'open INBOX' ls | "$tool" "$a" | sed '1d;s/ recent.*//')" '7 - work
9 - work
60 - work
61 -
end' 'the mailbox'
adopt "$a"
like "$out" 'was taken over before: nothing to do' 'a second time there is nothing to do'
rm -r "$a/.Bad&Name"; printf 'Sent\n' >"$a/subscriptions"
adopt "$a"
is "$status" 0 'and nothing to tell'
make_box "$a"; make_box "$tmp/b"; printf 'x\n' >"$tmp/b/dovecot-uidlist"
mkdir "$tmp/fs"; make_folder "$tmp/fs/x"; own "$tmp/fs"
postern adopt --json "$a" "$tmp/none" "$tmp/b" "$tmp/fs" >"$tmp/json" 2>"$tmp/err"
is "$?" 100 'one that is missing'
is "$(python3 -c '
import json, sys
for a in json.load(open(sys.argv[1])):
    print(a["account"].split("/")[-1], a["exit"])
    for m in a["report"]:
        print(m.get("mailbox"), m.get("kept"), m.get("uidvalidity_kept"), m.get("list"),
              m.get("keywords"), m.get("subscriptions"), m.get("notes", ["-"])[:1])
' "$tmp/json")" 'a 1
None None None None None None ['"'"'"Bad&Name" shows as "=?Bad&Name": its name on disk is not in modified UTF-7; --rename makes it .Bad&-Name'"'"']
INBOX 2 True dovecot-uidlist ['"'work'"'] None ['"'1 messages are not in the list: their UIDs are new'"']
=?Bad&Name 0 False None [] None []
Sent 0 False None [] None []
None None None None None 3 ['"'-'"']
none 100
b 1
None None None None None None ['"'"'"Bad&Name" shows as "=?Bad&Name": its name on disk is not in modified UTF-7; --rename makes it .Bad&-Name'"'"']
INBOX 0 False None ['"'work'"'] None ['"'the list of UIDs is damaged: UIDs and UIDVALIDITY are new'"']
=?Bad&Name 0 False None [] None []
Sent 0 False None [] None []
None None None None None 3 ['"'-'"']
fs 100
None None None None None None ['"'-'"']' 'as JSON'
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

# --- names that others write in another way
names() { # a Maildir with odd folders
	rm -rf "$a"; make_folder "$a"
	for f in '.Entwürfe' '.Entw&APw-rfe2' '.a\2eb' '.x.y\2ez' '.~t' '.&AGE-' \
	    '.\7et' '.a..b' '.Plain'; do make_folder "$a/$f"; done
	mkdir "$a/.notmuch"
	make_folder "$tmp/elsewhere"; ln -s "$tmp/elsewhere" "$a/.Link"
	printf 'V\t2\n\nEntwürfe\na\\2eb\nPlain\n' >"$a/subscriptions"
	echo x >"$a/.Entwürfe/cur/1700000001.M1P1.h:2,S"
	printf '3 V1600000000 N60\n7 :1700000001.M1P1.h\n' >"$a/.Entwürfe/dovecot-uidlist"
	own "$a" "$tmp/elsewhere"
}
names
adopt -n "$a"
is "$(printf "%s\n" "$out" | sed -n 's/^folder //p')" '.&AGE-: "&AGE-" shows as "=?&AGE-": its name on disk is not in modified UTF-7; --rename makes it .&-AGE-
.Entwürfe: "Entwürfe" shows as "=?Entw=C3=BCrfe": its name on disk is not in modified UTF-7; --rename makes it .Entw&APw-rfe
.Link: does not show: it is a symbolic link
.\7et: shows as "\7et"; Dovecot'"'"'s listescape meant "~t"
.a..b: shows as "a/=?/b": no mailbox can have this name
.a\2eb: shows as "a\2eb"; Dovecot'"'"'s listescape meant "a.b"; --rename makes it .a&AC4-b
.x.y\2ez: shows as "x/y\2ez"; Dovecot'"'"'s listescape meant "x/y.z"; --rename makes it .x.y&AC4-z
.~t: shows as "=?~t": no mailbox can have this name' 'each folder with another name is named'
is "$status" 1 'and that is not all'
adopt "$a"
is "$(ls -A "$a" | grep -c '\.[Ea].*[üe]b*$')" 2 'without --rename they stay'
names
adopt --rename "$a"
like "$out" 'folder .Entwürfe: .*: renamed to .Entw&APw-rfe' 'renamed'
like "$out" '^Entwürfe: 1 messages, 1 keep their UIDs' 'and taken over'
is "$(echo 'list' | "$tool" "$a" | tr ' ' '\n' | grep -v '^ok$')" 'INBOX
&AGE-
=?~t
Entwürfe
Entwürfe2
Plain
\7et
a.b
a/=?/b
x/y.z' 'what shows now'
is "$(echo subs | "$tool" "$a")" 'Entwürfe Plain a.b' 'and is subscribed'
names; make_folder "$a/.Entw&APw-rfe"; own "$a"
adopt --rename "$a"
like "$out" 'folder .Entwürfe: .*: .Entw&APw-rfe is there already' 'nothing is replaced'
is "$status" 1 'that is not all, either'

# --- other forms
refused() { # refused REGEX NAME
	own "$a"
	tree "$a" >"$tmp/before"
	adopt "$a"
	is "$status $(tree "$a" | cmp - "$tmp/before")" '100 ' "$2 is refused, and untouched"
	like "$out" "$1.*; nothing was done" 'and why'
	rm -rf "$a"; mkdir "$a"
}
rm -rf "$a"; make_folder "$a"; make_folder "$a/x/y.z"
refused "1 mailboxes in plain folders \(x/y.z\): Dovecot's LAYOUT=fs.*doveadm backup" LAYOUT=fs
make_folder "$a"; make_folder "$a/.Sent"; make_folder "$a/x"; : >"$a/x/dovecot-uidlist"
refused "LAYOUT=fs" 'some of it'
mkdir -p "$a/mailboxes/INBOX/dbox-Mails" "$a/storage"
refused "mdbox, not a Maildir.*doveadm backup" mdbox
mkdir -p "$a/mailboxes/INBOX/dbox-Mails"
refused "sdbox, not a Maildir.*doveadm backup" sdbox
printf 'From a Thu Jan  1 00:00:00 1970\n\n' >"$a/saved"
refused "mbox files.*postern mailbox import" mbox
make_folder "$a/Maildir"
refused "but Maildir in it is one" 'a home'
make_folder "$a/.Sent"
refused "no INBOX" 'an INBOX elsewhere'
: >"$a/x"
refused "not a Maildir" 'anything else'
printf 'From a Thu Jan  1 00:00:00 1970\n\n' >"$tmp/mbox"; own "$tmp/mbox"
adopt "$tmp/mbox"
is "$status" 100 'an mbox'
like "$out" 'postern mailbox import' 'what to do with it'
make_folder "$a"; make_folder "$a/.Sent"; make_folder "$a/backup"; own "$a"
adopt "$a"
is "$status" 0 'a Maildir that lies in a Maildir++'
like "$out" '^besides: 1 Maildirs in plain folders \(backup\)' 'is named'

# --- what else a mailbox may have
make_box "$a"
: >"$a/dovecot-uidlist.lock"; own "$a"
adopt "$a"
is "$status" 111 'while Dovecot holds its lock'
like "$out" 'dovecot-uidlist.lock is held: is Dovecot still running' 'nothing is done'
is "$(ls "$a" | grep -c postern.journal)" 0 'to that mailbox'
touch -d '1 hour ago' "$a/dovecot-uidlist.lock"
rm -r "$a/.Bad&Name" "$a/subscriptions"
i=0
for letter in a b c d e f g h i j k l m n o p q r s t u v w x y z; do
	echo "$i key$letter"; i=$((i + 1))
done >"$a/dovecot-keywords"
printf 'owner lrw\nuser=bob lr\n' >"$a/dovecot-acl"
: >"$a/dovecot.index.cache"; : >"$a/cur/.nfs0001"; mkdir "$a/cur/sub"; own "$a"
adopt "$a"
is "$status" 1 'a lock that was left behind'
like "$out" '^    all 26 letters for keywords are in use' 'all 26 letters'
like "$out" '^    2 files are no messages and stay as they are \(cur/(.nfs0001|sub)\)$' \
    'files that are no messages'
like "$out" '^    rights of other users \(ACL\) are not kept$' 'rights of others'
like "$out" '^left alone: dovecot-acl dovecot-uidlist.lock dovecot.index.cache$' \
    'what stays where it is'
rm -rf "$a"; make_folder "$a"; echo x >"$a/new/1700000001.M1P1.h"; own "$a"
adopt "$a"; is "$status" 1 'a Maildir without a list'
printf '3 V1600000000 N60\n7 :1700000001.M1P1.h\n' >"$a/dovecot-uidlist"; own "$a"
adopt "$a"
is "$status" 1 'a list that comes too late'
like "$out" 'was opened by Postern before there was a list of UIDs' 'is not kept, in words'

rm -rf "$a"; make_folder "$a"; echo x >"$a/cur/1700000001.M1P1.h:2,"
printf '3 V1600000000 N60\n7 :1700000001.M1P1.h\n8 :1700000002.M1P1.h\n' >"$a/dovecot-uidlist"
if truncate -s 4200M "$a/cur/1700000002.M1P1.h:2," 2>/dev/null; then
	own "$a"
	adopt "$a"
	is "$status" 1 'a file that is no message'
	like "$out" '^    1 files are too large, or gone, or wait for room$' 'is not passed over in silence'
	rm "$a/cur/1700000002.M1P1.h:2,"
else
	skip 'a file that is no message' 'no sparse files'
fi

# --- users
root=$tmp/root
mkdir -p "$root/etc/postern" "$root/var/mail"
u=$(id -u) g=$(id -g)
[ "$u" -ne 0 ] || u=65534 g=65534
printf 'domain example.org\n' >"$root/etc/postern/postern.conf"
for n in one two; do
	make_folder "$root/var/mail/$n"
	own "$root/var/mail/$n"
	echo "$n@example.org uid=$u gid=$g maildir=/var/mail/$n"
done >"$root/etc/postern/users"
printf 'example.org domain\nx@example.org alias=one@example.org\n' >>"$root/etc/postern/users"
adopt -r "$root" --all
is "$status" 0 'all users'
is "$(printf "%s\n" "$out" | grep -o '/var[a-z/]*: 1 mailboxes')" "/var/mail/one: 1 mailboxes
/var/mail/two: 1 mailboxes" 'each of them'
adopt -n -r "$root" two
like "$out" '/var/mail/two: 1 mailboxes.*nothing was done' 'one user'
adopt -r "$root" three
is "$status" 100 'nobody'
like "$out" 'three@example.org: no such mailbox' 'in words'
if [ "$(id -u)" -eq 0 ]; then
	chown 65533 "$root/var/mail/two"
	adopt -r "$root" two@example.org
	is "$status" 100 "somebody else's Maildir"
	like "$out" 'belongs to uid 65533.*chown' 'in words'
else
	skip "somebody else's Maildir" 'not root'
fi

# --- a terminal
rm -rf "$a"; make_folder "$a"
for i in 1 2 3 4 5; do make_folder "$a/.f$i"; done
own "$a"
cat >"$tmp/term.py" <<'END'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 1)
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
while True:
    try:
        got = os.read(fd, 65536)
    except OSError:
        break
    if not got:
        break
    seen += got
os.waitpid(pid, 0)
print(repr(seen.decode()))
END
python3 "$tmp/term.py" "$tmp/out" postern adopt "$a" >"$tmp/tty"
like "$(cat "$tmp/tty")" '(looking through it|of 6 mailboxes).*\\x1b\[K.$' 'progress on a terminal, taken away at the end'
is "$(grep -c mailboxes "$tmp/out")" 1 'and none of it in the report'
adopt
is "$status" 100 'misuse'
adopt --all "$a"
is "$status" 100 'all, and one'
adopt --help
is "$status" 0 'help'
done_testing
