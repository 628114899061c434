#!/bin/sh
# imapd by hand: transcripts on its standard input and output.
. "${POSTERN_SRC:-.}/t/lib.sh"
[ -x "$POSTERN_STAGE/imapd" ] || plan_skip "imapd is not built"
unset AUTH_TAG POSTERN_ROOT
export USER=alice TZ=UTC
root=$tmp/root
box=$tmp/Maildir
mkdir -p "$root/etc/postern" "$box/cur" "$box/new" "$box/tmp"

message() { # message NAME [SUBJECT]
	printf 'From: Bob <bob@example.net>\nTo: alice@example.org\nSubject: %s\nDate: Wed, 17 Jul 1996 02:23:25 -0700\n\nHello,\n.\n..\nbye\n' \
	    "${2:-test}" >"$box/new/$1"
}
# imap: commands on stdin, with LF; answers without CR.
imap() { sed 's/$/\r/' | imapd -r "$root" "$box" 2>"$tmp/err" | tr -d '\r'; }
raw() { printf "$1" | imapd -r "$root" "$box" 2>"$tmp/err" | tr -d '\r'; }
# The tagged answer to TAG in $out.
tagged() { printf '%s\n' "$out" | grep -a "^$1 "; }

message 1000000001.M1P1.host one
message 1000000002.M1P1.host two
message 1000000003.M1P1.host three

# --- the way in and out
out=$(imap <<'X'
a capability
b noop
c logout
X
)
like "$out" '^\* PREAUTH \[CAPABILITY IMAP4rev1 .*\] Logged in as alice$' "greets with PREAUTH"
like "$out" '^\* CAPABILITY IMAP4rev1 LITERAL\+ IDLE NAMESPACE UIDPLUS' "CAPABILITY"
like "$out" '^\* BYE ' "LOGOUT says BYE"
is "$(tagged c)" "c OK Done" "LOGOUT is answered"
is "$(AUTH_TAG=x7 raw 'a logout\r\n' | head -n 1 | sed 's/\[.*\]/[]/')" \
    "x7 OK [] Logged in as alice" "AUTH_TAG is answered first"
like "$(cat "$tmp/err")" 'imapd\[[0-9]+\]: logout user=alice end=logout' "and one line is logged"
out=$(raw 'a noop\r\n'); is $? 0 "the end of the input ends it well"
is "$(tagged a)" "a OK Done" "NOOP"
out=$(imapd -r "$root" "$tmp/nothing" </dev/null 2>/dev/null)
is $? 111 "no Maildir: 111"
like "$out" '^\* BYE \[UNAVAILABLE\]' "and the client is told"
echo nonsense >"$tmp/file"
out=$(AUTH_TAG=a1 imapd -r "$root" "$tmp/file" </dev/null 2>/dev/null)
like "$out" '^a1 NO \[UNAVAILABLE\]' "after a login by the login's tag"
out=$(printf 'a SELECT inbox\r\n' | AUTH_TAG=a1 imapd -r "$root" "$tmp/first" 2>/dev/null | tr -d '\r')
is "$(tagged a)" "a OK [READ-WRITE] Selected" "after the first login there is a Maildir"
imapd </dev/null >/dev/null 2>&1; is $? 100 "no argument: 100"
AUTH_TAG='a b' imapd "$box" </dev/null >/dev/null 2>&1
is $? 100 "AUTH_TAG that is no tag: 100"

# --- too late, or unknown
out=$(imap <<'X'
a login alice secret
b authenticate plain
c starttls
d xyzzy
e fetch 1 flags
f uid noop
X
)
for t in a b c d e f; do like "$(tagged $t)" "^$t BAD " "BAD: $t"; done

# --- SELECT
out=$(imap <<'X'
a select inbox
b fetch 1 (uid flags rfc822.size)
c examine "INBOX"
d store 1 +flags (\seen)
e expunge
f close
g select nothing
h fetch 1 flags
X
)
like "$out" '^\* 3 EXISTS$' "EXISTS"
like "$out" '^\* 3 RECENT$' "RECENT"
like "$out" '^\* OK \[UNSEEN 1\]' "UNSEEN"
like "$out" '^\* OK \[UIDVALIDITY [1-9][0-9]*\]' "UIDVALIDITY"
like "$out" '^\* OK \[UIDNEXT 4\]' "UIDNEXT"
like "$out" '^\* FLAGS \(\\Answered \\Flagged \\Deleted \\Seen \\Draft' "FLAGS"
like "$out" '^\* OK \[PERMANENTFLAGS \(.*\\\*\)\]' "PERMANENTFLAGS"
like "$out" '^\* OK \[PERMANENTFLAGS \(\)\]' "none in EXAMINE"
is "$(tagged a)" "a OK [READ-WRITE] Selected" "SELECT"
is "$(tagged c)" "c OK [READ-ONLY] Selected" "EXAMINE"
like "$out" "^\* 1 FETCH \(UID 1 FLAGS \(\\\\Recent\) RFC822.SIZE [0-9]+\)$" "FETCH"
like "$(tagged d)" '^d NO \[READ-ONLY\]' "no STORE in EXAMINE"
like "$(tagged e)" '^e NO \[READ-ONLY\]' "no EXPUNGE in EXAMINE"
like "$(tagged g)" '^g NO \[NONEXISTENT\]' "SELECT of nothing"
like "$(tagged h)" '^h BAD' "a failed SELECT leaves nothing selected"

# --- T-IMAP-1: literals that cannot be
for literal in '{4294967296}' '{18446744073709551616}'; do
	out=$(raw "a LIST $literal\r\nb NOOP\r\n")
	like "$out" '^a NO \[TOOBIG\]' "T-IMAP-1 $literal is too big"
	is "$(tagged b)" "b OK Done" "T-IMAP-1 $literal: the session goes on"
	unlike "$out" '^\+' "T-IMAP-1 $literal is not asked for"
done
for literal in '{99999999999999999999+}' '{65537+}' '{-1}' '{+}' '{}' '{ 5}' \
    '{5 }' '{0x5}' '{5++}' '~{5}'; do
	out=$(raw "a LIST \"\" $literal\r\nb NOOP\r\n")
	like "$out" '^a (BAD|NO \[TOOBIG\])' "T-IMAP-1 $literal is refused"
	like "$out" '^\* BYE' "T-IMAP-1 $literal ends the session"
	unlike "$out" '^b ' "T-IMAP-1 $literal: nothing behind it runs"
done
out=$(raw 'a LIST "" {5}\nb NOOP\r\n')
like "$out" '^a BAD' "T-IMAP-1 a literal before a bare LF"
is "$(tagged b)" "b OK Done" "T-IMAP-1 and the session goes on"
out=$(raw 'a LIST {0}\r\n {007}\r\nINBOX%%%%\r\nb LIST {0+}\r\n "inbox"\r\n')
is "$(tagged a)" "a OK Done" "T-IMAP-1 {0} and {007}"
is "$(printf '%s\n' "$out" | grep -c '^\* LIST .*"INBOX"')" 2 "T-IMAP-1 literals are read"

# --- T-IMAP-2, 3: budgets
printf 'message_size 2000\n' >"$root/etc/postern/postern.conf"
out=$(raw 'a APPEND inbox {2001}\r\nb NOOP\r\nc APPEND inbox {2001+}\r\nd NOOP\r\n')
like "$(tagged a)" '^a NO \[TOOBIG\]' "T-IMAP-2 APPEND over the limit"
is "$(tagged b)" "b OK Done" "T-IMAP-2 is not waited for"
like "$out" '^c NO \[TOOBIG\]' "T-IMAP-2 LITERAL+ over the limit"
like "$out" '^\* BYE' "T-IMAP-2 ends the session"
unlike "$out" '^(d |\+)' "T-IMAP-2 nothing behind it runs"
rm "$root/etc/postern/postern.conf"
big=$(head -c 30000 /dev/zero | tr '\0' x)
out=$(raw "a LIST \"\" {30000+}\r\n$big\r\nb LOGIN {30000+}\r\n$big {30000+}\r\n$big {30000}\r\nc NOOP\r\n")
is "$(tagged a)" "a OK Done" "T-IMAP-3 a literal in the budget"
like "$(tagged b)" '^b NO \[TOOBIG\]' "T-IMAP-3 literals over the budget"
is "$(tagged c)" "c OK Done" "T-IMAP-3 and the session goes on"

# --- T-IMAP-4, 5: lines
deep=$(head -c 4000 /dev/zero | tr '\0' '(')
out=$(raw "a NOOP $deep\r\nb SELECT inbox\r\nc SEARCH $deep\r\nd NOOP\r\n")
like "$(tagged a)" '^a BAD' "T-IMAP-4 parentheses"
like "$(tagged c)" '^c BAD' "T-IMAP-4 parentheses in SEARCH"
is "$(tagged d)" "d OK Done" "T-IMAP-4 and the session goes on"
long=$(head -c 1000000 /dev/zero | tr '\0' x)
{ printf 'a NOOP '; printf '%s' "$long"; printf '\r\nb NOOP\r\n'; } >"$tmp/in"
out=$(imapd -r "$root" "$box" <"$tmp/in" | tr -d '\r')
like "$(tagged a)" '^a BAD' "T-IMAP-5 an atom of 1 MB"
is "$(tagged b)" "b OK Done" "T-IMAP-5 and the session goes on"
{ printf '%s' "$long"; printf ' NOOP {5+}\r\nb NOOP\r\n'; } >"$tmp/in"
out=$(imapd -r "$root" "$box" <"$tmp/in" | tr -d '\r')
like "$out" '^\* BAD' "T-IMAP-5 a tag of 1 MB"
like "$out" '^\* BYE' "T-IMAP-5 a literal behind it ends the session"
unlike "$out" 'xxxxx' "T-IMAP-5 input is not repeated"
for line in 'a NO\0OP' 'a NOOP\r' 'a \rNOOP' 'a LIST "" "\\x"' 'a LIST "" "x' \
    'a LIST "" "\303\244"' 'a ' 'a NOOP x'; do
	out=$(raw "$line\r\nb NOOP\r\n")
	like "$(tagged a)" '^a BAD' "T-IMAP-5 $line"
	is "$(tagged b)" "b OK Done" "T-IMAP-5 $line: the session goes on"
done
for line in '+ NOOP' '* NOOP' ' NOOP' '' 'NOOP'; do
	out=$(raw "$line\r\nb NOOP\r\n")
	like "$out" '^(\*|NOOP) BAD' "T-IMAP-5 no tag: $line"
done
yes '' | head -n 100000 | sed 's/$/\r/' >"$tmp/in"
out=$(imapd -r "$root" "$box" <"$tmp/in" | tr -d '\r')
is "$(printf '%s\n' "$out" | grep -c '^\* BAD')" 10 "T-IMAP-5 ten wrong commands"
like "$out" '^\* BYE' "T-IMAP-5 end the session"

# --- T-IMAP-6, 7: sets and sections
stars=$(yes '1:*,' | head -n 10000 | tr -d '\n')
out=$(imap <<X
s select inbox
a fetch 1:4294967295 uid
b fetch 4294967296 uid
c fetch 0 uid
d fetch *:* uid
e uid fetch ${stars}1 flags
f fetch 3:1 uid
g fetch 1:2:3 uid
h fetch 7 uid
i uid fetch 900:1000 flags
X
)
for t in a d e f i; do like "$(tagged $t)" "^$t OK" "T-IMAP-6 set $t"; done
for t in b c g h; do like "$(tagged $t)" "^$t BAD" "T-IMAP-6 set $t is refused"; done
is "$(printf '%s\n' "$out" | grep -c FETCH)" 10 "T-IMAP-6 each message once"
ones=$(yes '1.' | head -n 5000 | tr -d '\n')
out=$(imap <<X
s examine inbox
a fetch 1 body[${ones}1]
b fetch 1 body[4294967296]
c fetch 1 body[0]
d fetch 1 body[1.0]
e fetch 1 body[header.fields ()]
f fetch 1 body[text]<0.0>
g fetch 1 body[]<18446744073709551615.1>
t noop
h fetch 1 body[]<1.18446744073709551615>
i fetch 1 body[1.]
j fetch 1 body[mime]
k fetch 1 body[2]
l fetch 1 body[text]<4294967295.4294967295>
m fetch 1 body[text]<3.5>
n fetch 1 body.peek[header.fields (subject "x y" Date)]
o fetch 1 (body[1] body[1.mime])
X
)
for t in a b c d e f g h i j; do like "$(tagged $t)" "^$t BAD" "T-IMAP-7 section $t is refused"; done
for t in k l m n o; do like "$(tagged $t)" "^$t OK" "T-IMAP-7 section $t"; done
like "$out" '^\* 1 FETCH \(BODY\[2\] NIL\)' "T-IMAP-7 no such part"
like "$out" '^\* 1 FETCH \(BODY\[TEXT\]<4294967295> (""|\{0\})' "T-IMAP-7 past the end"
like "$out" '^\* 1 FETCH \(BODY\[TEXT\]<3> \{5\}' "T-IMAP-7 a partial"
like "$out" '^BODY|BODY\[HEADER.FIELDS \(subject "x y" Date\)\] \{[0-9]+\}' "T-IMAP-7 fields"

# --- T-IMAP-9: SEARCH
ors=$(yes 'OR' | head -n 5000 | tr '\n' ' ')
nots=$(yes 'NOT' | head -n 5000 | tr '\n' ' ')
many=$(yes 'ALL' | head -n 5000 | tr '\n' ' ')
out=$(imap <<X
s examine inbox
a search $ors all all
b search $nots all
c search $many all
d search charset x-none all
e search larger 18446744073709551616
f search since 99-Foo-0000
t noop
g search subject two
h search charset utf-8 text "HELLO" not subject three
i uid search senton 17-Jul-1996 1:2
j search body zzz
k search keyword nowhere
l search or subject one subject three
m search (1:2) (2:3)
n search header message-id ""
o search new
X
)
for t in a b c e f; do like "$(tagged $t)" "^$t BAD" "T-IMAP-9 search $t is refused"; done
like "$(tagged d)" '^d NO \[BADCHARSET \(US-ASCII UTF-8\)\]' "T-IMAP-9 an unknown charset"
is "$(printf '%s\n' "$out" | grep '^\* SEARCH' | tr '\n' ';')" \
    '* SEARCH 2;* SEARCH 1 2;* SEARCH 1 2;* SEARCH;* SEARCH;* SEARCH 1 3;* SEARCH 2;* SEARCH;* SEARCH;' \
    "what SEARCH finds"

# --- T-IMAP-12: APPEND
out=$(raw 'a APPEND inbox (\\Seen work) "17-Jul-1996 02:44:25 -0700" {9}\r\nA: b\r\n\r\nx\r\n')
like "$out" '^\+' "APPEND asks for its literal"
like "$(tagged a)" '^a OK \[APPENDUID [0-9]+ 4\]' "APPEND"
out=$(imap <<'X'
s examine inbox
a fetch 4 (internaldate flags rfc822.size)
b search on 17-jul-1996
X
)
like "$out" 'INTERNALDATE "17-Jul-1996 09:44:25 \+0000" FLAGS \(\\Seen work\) RFC822.SIZE 9' "with date and flags"
like "$out" '^\* SEARCH 4$' "and found by its date"
files() { find "$box/cur" "$box/new" "$box/tmp" -type f | wc -l; }
before=$(files)
for n in 0 1 2 3 4 5 6 7 8; do
	raw "a APPEND inbox {9+}\r\n$(printf 'A: b\r\n\r\nx' | head -c $n)" >/dev/null
	is "$(files)" "$before" "T-IMAP-12 cut after $n bytes: nothing stays"
done
out=$(raw 'a APPEND inbox {9+}\r\nA: b\r\n\r\nx {9+}\r\nA: b\r\n\r\nx\r\nb NOOP\r\n')
like "$out" '^a BAD' "T-IMAP-12 two messages at once"
is "$(files)" "$before" "T-IMAP-12 nothing stays"
unlike "$out" '^b ' "T-IMAP-12 nor runs"
kw=$(i=0; while [ $i -lt 300 ]; do printf 'k%d ' $i; i=$((i + 1)); done)
out=$(imap <<X
a append inbox "31-Feb-2020 00:00:00 +0000" {3}
b append inbox (\Recent) {3}
c append nowhere {3}
d append inbox ($kw) {3}
e append inbox "x" {3}
f append "&-&AG-" {3}
g append inbox {0}
h append inbox
i append inbox {3
j append inbox {3}x
X
)
for t in a b d e h i j; do like "$(tagged $t)" "^$t (BAD|NO)" "T-IMAP-12 $t"; done
like "$(tagged c)" '^c NO \[TRYCREATE\]' "T-IMAP-12 APPEND to nothing"
is "$(files)" "$before" "T-IMAP-12 nothing stays"
out=$(raw 'a APPEND nowhere {9+}\r\nb NOOPxxx\r\nc NOOP\r\n')
like "$(tagged a)" '^a NO \[TRYCREATE\]' "a refused message is read to its end"
is "$(tagged c)" "c OK Done" "and the session goes on"

# --- the full disk
full=$tmp/full
mkdir "$full"
if unshare -rm mount -t tmpfs none "$full" 2>/dev/null; then
	head -c 300000 /dev/zero | tr '\0' x >"$tmp/x"
	{ printf 'a APPEND inbox {300000+}\r\n'; cat "$tmp/x"
	printf '\r\nb NOOP\r\nc STATUS inbox (MESSAGES)\r\nd APPEND inbox {3+}\r\nabc\r\n'
	} >"$tmp/in"
	out=$(unshare -rm sh -c 'mount -t tmpfs -o size=128k none "$2" &&
	    mkdir "$2/cur" "$2/new" "$2/tmp" && imapd -r "$1" "$2" <"$3" &&
	    echo left: $(ls "$2/tmp")' sh "$root" "$full" "$tmp/in" 2>&1 | tr -d '\r')
	like "$(tagged a)" '^a NO \[OVERQUOTA\]' "APPEND to a full disk"
	is "$(tagged b)" "b OK Done" "and the session goes on"
	like "$out" '^\* STATUS "INBOX" \(MESSAGES 0\)' "nothing shows"
	like "$(tagged d)" '^d OK \[APPENDUID' "what fits is taken"
	like "$out" '^left:$' "and nothing stays in tmp"
else
	skip "the full disk" "no mount in a user's name space"
fi

# --- T-IMAP-13: IDLE
out=$(raw 'a SELECT inbox\r\nb IDLE\r\nDONE\r\nc IDLE\r\nNOOP\r\nd NOOP\r\n')
is "$(tagged b)" "b OK Done" "IDLE and DONE"
like "$(tagged c)" '^c BAD' "T-IMAP-13 not DONE"
is "$(tagged d)" "d OK Done" "T-IMAP-13 and the session goes on"
printf 'imap_idle_s 1\n' >"$root/etc/postern/postern.conf"
mkfifo "$tmp/fifo"; exec 9<>"$tmp/fifo"; printf 'a IDLE\r\n' >&9
out=$(imapd -r "$root" "$box" <"$tmp/fifo" | tr -d '\r'); exec 9>&-
like "$out" '^\* BYE' "T-IMAP-13 idle for too long"
rm "$root/etc/postern/postern.conf"

# --- names
out=$(imap <<'X'
a create "a/b/"
b create a/b
c create Entw&APw-rfe
d create "&AGE-"
e create ../x
f create "a//b"
g create inbox
h create Drafts
i list "" *
j list "" %
k list "" ""
l list a/ %
m lsub "" *
n subscribe a/b
o lsub "" %
p lsub "" "*"
q status a/b (messages unseen uidnext)
r rename a/b c
s select c
t delete c
u list "" c
v unsubscribe a/b
w delete inbox
x delete c
y namespace
z status inbox (bogus)
X
)
for t in a c h i j k l m n o p q r s t u v y; do like "$(tagged $t)" "^$t OK" "names: $t"; done
like "$(tagged b)" '^b NO \[ALREADYEXISTS\]' "CREATE of what is there"
for t in d e f; do like "$(tagged $t)" "^$t NO \[CANNOT\]" "names: $t is refused"; done
for t in g w x; do like "$(tagged $t)" "^$t NO " "names: $t is refused"; done
like "$(tagged z)" "^z BAD" "STATUS of an unknown item"
like "$out" '^\* LIST \(\\Noselect \\HasChildren\) "/" "a"$' "a parent that is none"
like "$out" '^\* LIST \(\\HasNoChildren\) "/" "a/b"$' "a child"
like "$out" '^\* LIST \(\\HasNoChildren\) "/" "Entw&APw-rfe"$' "a name in modified UTF-7"
like "$out" '^\* LIST \(\\HasNoChildren \\Drafts\) "/" "Drafts"$' "SPECIAL-USE"
like "$out" '^\* LIST \(\\Noselect\) "/" ""$' "the separator"
like "$out" '^\* LSUB \(\\Noselect\) "/" "a"$' "LSUB % of a subscribed child"
like "$out" '^\* LSUB \(\) "/" "a/b"$' "LSUB"
like "$out" '^\* STATUS "a/b" \(MESSAGES 0 UIDNEXT 1 UNSEEN 0\)$' "STATUS"
like "$out" '^\* NAMESPACE \(\(\"\" \"/\"\)\) NIL NIL$' "NAMESPACE"
[ -d "$box/.Entw&APw-rfe" ]; ok $? "Maildir++ on disk"

# --- T-IMAP-8: patterns that ask for much
i=0; while [ $i -lt 500 ]; do
	b=$box/.$(printf '%s%03d' aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa $i)
	echo "$b/cur" "$b/new" "$b/tmp"; i=$((i + 1))
done | xargs mkdir -p
stars=$(yes '*a' | head -n 100 | tr -d '\n')
percents=$(yes '%/%' | head -n 1000 | tr -d '\n')
out=$( (ulimit -t 2; imap <<X
a list "" ${stars}b
b list "" $percents
c list "" "%%%%%%%%*%*%*%*%*%*%*%*%*b"
d list "" aaa%1
X
) )
for t in a b c d; do like "$(tagged $t)" "^$t OK" "T-IMAP-8 pattern $t"; done
is "$(printf '%s\n' "$out" | grep -c 'LIST.*"a')" 50 "T-IMAP-8 what matches"

# --- small things
out=$(imap <<'X'
a id nil
b id ("name" "x" "y" nil)
c id ("name")
d enable condstore
e enable
f unselect
g select inbox
h unselect
i check
X
)
for t in a b d h; do like "$(tagged $t)" "^$t OK" "small: $t"; done
for t in c e f i; do like "$(tagged $t)" "^$t BAD" "small: $t is refused"; done
like "$out" '^\* ID \("name" "Postern"' "ID"
like "$out" '^\* ENABLED$' "ENABLED"
# --- INBOX is one name, also above others
out=$(imap <<'X'
a CREATE Inbox/Kid
b LIST "" inbox/%
c LIST "" "inbox*"
d LIST "" "INBOX/kid"
e STATUS iNbOx/Kid (MESSAGES)
f SUBSCRIBE inbox/Kid
g LSUB "Inbox/" *
h SELECT Inbox/Kid
i DELETE inbox/Kid
j NOOP
k UNSUBSCRIBE INBOX/Kid
X
)
is "$(printf '%s\n' "$out" | grep -c 'LIST .*"INBOX/Kid"')" 2 "INBOX's children are listed in any spelling"
like "$out" '^\* STATUS "INBOX/Kid" ' "and have one"
like "$out" '^\* LSUB \(\) "/" "INBOX/Kid"' "subscribed, too"
is "$(tagged i),$(tagged j)" "i OK Done,j OK Done" "the selected one is deleted by another spelling"

# --- a keyword that no message gets takes no place
out=$(imap <<'X'
a SELECT INBOX
b UID STORE 4000000 +FLAGS (ghost)
c UID STORE 4000000 FLAGS (ghost2 \Seen)
d SELECT INBOX
X
)
is "$(tagged b),$(tagged c)" "b OK Done,c OK Done" "flags for nobody"
unlike "$out" 'ghost' "add no keyword"

# --- a mailbox that was never opened, and no room for its journal
full=$tmp/packed
cleanup() { ! grep -q " $full tmpfs" /proc/mounts || umount -l "$full"; }
mkdir "$full"
if mount -t tmpfs -o size=1m,nr_inodes=24,mode=700 none "$full" 2>/dev/null
then
	mkdir "$full/cur" "$full/new" "$full/tmp"
	printf 'Subject: there\n\nx\n' >"$full/new/1000000001.M1P1.h"
	i=0
	while true >"$full/fill$i"; do i=$((i + 1)); done 2>/dev/null
	talk() { printf "$1" | imapd -r "$root" "$full" 2>/dev/null | tr -d '\r'; }
	out=$(talk 'a SELECT INBOX\r\nb FETCH 1 BODY[]\r\nc NOOP\r\n')
	is "$(tagged a)" "a OK [READ-ONLY] Selected" "a full file system is read"
	like "$out" '^Subject: there' "and the mail shown"
	rm "$full"/fill*
	out=$(talk 'a SELECT INBOX\r\n')
	is "$(tagged a)" "a OK [READ-WRITE] Selected" "then written"
	umount "$full"
else
	skip "a full file system is read" "no mount here"
fi

done_testing
