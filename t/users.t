#!/bin/sh
# The user database: postern's tools and the plain cdb tool, on the same files.
. "$(dirname "$0")/lib.sh"
need cdb

root=$tmp/root
mkdir -p "$root/etc/postern"
POSTERN_ROOT=$root
export POSTERN_ROOT
etc=$root/etc/postern
{ echo "domain example.test"; echo "libexec $POSTERN_STAGE"; } >"$etc/postern.conf"

postern domain add example.test other.test; ok $? "domains are added"
is "$(postern domain list)" "example.test
other.test" "and listed"
is "$(postern domain list --json)" '["example.test","other.test"]' "as JSON too"

echo secret1 | postern user add alice; ok $? "a mailbox in the default domain"
echo secret2 | postern user add --quota 2G --maildir /mail/bob bob@other.test
ok $? "a mailbox with a quota and a place of its own"
like "$(postern user show bob@other.test)" '^quota 2147483648$' "its quota is shown"
postern user quota bob@other.test 1M,500; ok $? "the quota is changed"
is "$(cdb -q "$etc/users.cdb" bob@other.test | grep -o 'quota=.*')" "quota=1048576,500" \
	"bytes and messages"
like "$(postern user list --json)" '"quota":1048576,"quota_messages":500' "as JSON too"
postern user quota bob@other.test none
is "$(cdb -q "$etc/users.cdb" bob@other.test | grep -o 'quota=.*')" "quota=0" "no limit"
postern user quota bob@other.test default
unlike "$(cdb -q "$etc/users.cdb" bob@other.test)" quota "the default"
postern user quota bob@other.test 2x 2>/dev/null; is $? 100 "what is no quota"
postern user quota nobody@other.test 2M 2>/dev/null; is $? 1 "nobody's quota"
is "$(postern user list)" "alice@example.test
bob@other.test" "mailboxes are listed"
[ -d "$root/var/mail/example.test/alice/new" ] &&
	[ -d "$root/mail/bob/tmp" ]
ok $? "the Maildirs are there"
is "$(stat -c %a "$root/var/mail/example.test/alice")" 700 "for the owner only"
is "$(stat -c %a "$etc/secrets" "$etc/secrets.cdb" | sort -u)" 600 \
	"secrets are for their owner only"
unlike "$(cat "$etc/secrets")" "secret1" "no password is stored"

out=$(echo x | postern user add alice 2>&1); is $? 1 "no mailbox twice"
like "$out" "there already" "and the error says so"
out=$(echo x | postern user add eve@nowhere.test 2>&1)
is $? 1 "no mailbox in a domain that is not ours"
like "$out" "postern domain add nowhere.test" "the error says how to mend it"
for bad in '../x' 'a b' 'a/b' '.a' '-a' 'a@' '@b' "a
b" 'a@b@c' 'a@-x.test' 'é'; do
	echo x | postern user add -- "$bad" >/dev/null 2>&1
	is $? 100 "refused as an address: $(printf %s "$bad" | tr '\n' ' ')"
done
printf '' | postern user passwd alice 2>/dev/null
is $? 100 "no empty password"
postern user passwd nobody </dev/null 2>/dev/null
is $? 1 "no password for a mailbox that is not there"

postern alias add info alice bob@other.test eve@elsewhere.example
ok $? "an alias"
postern alias add @other.test alice; ok $? "a catch-all"
is "$(postern alias list)" \
"info@example.test alice@example.test,bob@other.test,eve@elsewhere.example
@other.test alice@example.test" "aliases are listed"
postern alias add alice bob@other.test 2>/dev/null
is $? 1 "an alias does not hide a mailbox"

# The plain cdb tool: ask, print, build.
like "$(cdb -q "$etc/users.cdb" alice@example.test)" \
	'^uid=[0-9]+ gid=[0-9]+ maildir=/var/mail/example.test/alice$' "cdb asks"
cdb -d -m "$etc/users.cdb" | sort >"$tmp/dump"
grep -v '^#' "$etc/users" | sort >"$tmp/text"
cmp -s "$tmp/dump" "$tmp/text"; ok $? "cdb prints what the text says"
cdb -c -m "$tmp/mine.cdb" "$etc/users"; ok $? "cdb builds from the text"
is "$(cdb -d -m "$tmp/mine.cdb" | sort)" "$(cat "$tmp/dump")" "the same records"

# An administrator's editor and comments live on.
{ echo "# friends"; cat "$etc/users"; } >"$tmp/edited"
cat "$tmp/edited" >"$etc/users"
postern alias del info; ok $? "an alias goes"
is "$(head -n 1 "$etc/users")" "# friends" "comments stay"
postern alias del info 2>/dev/null; is $? 1 "and is gone"

before=$(cdb -d -m "$etc/users.cdb")
echo "alice@example.test alias=x@y" >>"$etc/users"
out=$(postern domain add third.test 2>&1); is $? 111 "a key twice is refused"
like "$out" 'users:[0-9]+:' "with its line"
is "$(cdb -d -m "$etc/users.cdb")" "$before" "and the database is untouched"
sed -i '$d' "$etc/users"

postern domain del other.test 2>/dev/null; is $? 1 "a domain in use stays"
postern user del bob@other.test 2>"$tmp/err"; ok $? "a mailbox goes"
like "$(cat "$tmp/err")" "mail stays in $root/mail/bob" "its mail stays"
unlike "$(cut -d ' ' -f 1 "$etc/secrets")" "bob" "its credentials go"
is "$(postern user list --json | tr -d ' ' | grep -c '"address":"alice@example.test"')" \
	1 "JSON for scripts"
like "$(postern user show alice)" "^maildir $root/var/mail/example.test/alice" \
	"one record, shown"

# Nor do they open a new mailbox of that name, whoever removed the old one.
echo x | postern user add again
postern user app add again phone >/dev/null; ok $? "an app password"
postern user disable again
sed -i '/^again@/d' "$etc/users"
cert=cert:$(printf '%064d' 7)
echo "$cert login=again@example.test" >>"$etc/users"
echo y | postern user add again; ok $? "a mailbox whose record was removed"
unlike "$(cdb -d -m "$etc/secrets.cdb" | grep ^again)" 'phone|disabled' \
	"has no credentials of before"
unlike "$(cdb -d -m "$etc/users.cdb")" "^$cert" "and no certificate"
sed -i '/^again@/d' "$etc/secrets"
postern user disable again; postern user enable again
unlike "$(cdb -d -m "$etc/secrets.cdb" | grep ^again)" disabled \
	"enabled again, with no password"
postern user del again 2>/dev/null

# Its uid is not somebody else's: the mail is still there.
if [ "$(id -u)" = 0 ]; then
	echo x | postern user add first; echo x | postern user add last
	was=$(postern user show last | grep ^uid)
	postern user del last 2>/dev/null
	echo x | postern user add new
	[ "$(postern user show new | grep ^uid)" != "$was" ]
	ok $? "a new mailbox has a new uid"
	out=$(echo x | postern user add last 2>&1); is $? 1 "nor the mail of before"
	like "$out" '--uid' "and the error says how"
	echo x | postern user add --uid "${was#uid }" --gid "${was#uid }" last
	ok $? "but where that is wanted"
else
	skip "uids" "only root gives them"
fi

# Nobody waits while somebody types.
{ sleep 4; echo changed; } | postern user passwd alice &
sleep 0.3
timeout 3 postern user list >/dev/null; ok $? "a prompt keeps no lock"
wait $!

like "$(postern user disable 2>&1)" 'usage: postern-user disable ADDRESS' "usage: disable"
like "$(postern user cert 2>&1)" 'usage: postern-user cert add' "usage: cert"

# Changes meet a removal that is slow between users and secrets.
if strace -o /dev/null -e trace=none true 2>/dev/null; then
	echo x | postern user add gone; echo old | postern user add stays
	strace -f -o "$tmp/trace" -e trace=renameat,renameat2,rename \
	    -e inject=renameat,renameat2,rename:delay_enter=1500000:when=3 \
	    postern user del gone 2>/dev/null &
	wait_for grep -q 'users.cdb' "$tmp/trace"
	before=$(grep ^stays@ "$etc/secrets")
	echo new | postern user passwd stays; ok $? "a password, meanwhile"
	[ "$(grep ^stays@ "$etc/secrets")" != "$before" ]; ok $? "is changed"
	after=$(grep ^stays@ "$etc/secrets")
	wait $!
	is "$(grep ^stays@ "$etc/secrets")" "$after" "and stays so"
else
	skip "a slow removal" "strace cannot trace here"
fi

# Several edits at once lose nothing.
for i in 1 2 3 4 5 6 7 8; do
	echo pw | postern user add "user$i" &
done
wait
is "$(postern user list | grep -c '^user[1-8]@')" 8 "eight edits at once"
is "$(cdb -l "$etc/secrets.cdb" | grep -c user)" 8 "all with credentials"

# Configuration errors name file and line.
echo "no_such_setting 1" >>"$etc/postern.conf"
out=$(postern user list 2>&1); is $? 111 "an unknown setting ends it"
like "$out" "postern.conf:3: no_such_setting: unknown name" "with file and line"
sed -i '$d' "$etc/postern.conf"
postern frobnicate >/dev/null 2>&1; is $? 100 "an unknown command"
postern ../user list >/dev/null 2>&1; is $? 100 "a command is no path"
done_testing
