#!/bin/sh
# Forms of mail that Dovecot has besides a plain Maildir++, made by the real
# one: what is refused, how it converts them, and what is adopted then.
. "${POSTERN_SRC:-.}/t/lib.sh"
. "$POSTERN_SRC/t/adopt-clients.sh"
dovecot=/usr/lib/dovecot/imap
[ -x "$dovecot" ] || plan_skip "dovecot-imapd is not installed"
need doveadm

mkdir "$tmp/run" "$tmp/state"
make_server </dev/null
conf() { # conf LOCATION [NAMESPACE-LINE...]
	dovecot_conf imap "$1"
	cat <<-END
		namespace inbox {
		  inbox = yes
	END
	shift
	printf '  %s\n' "$@"
	echo '}'
}
# Starts afresh: nothing but this configuration.
begin() { # begin LOCATION [NAMESPACE-LINE...]
	rm -rf "$md" "$tmp/new" "$tmp/inbox" "$tmp/ours"
	conf "$@" >"$tmp/dovecot.conf"
	make_server <<-EOF
		exec env USER=$me HOME="$tmp" "$dovecot" -c "$tmp/dovecot.conf" 2>/dev/null
	EOF
}
message() { printf 'APPEND %s (%s) {16+}\r\nSubject: %s\r\n\r\nx' "$1" "$2" "$3"; }
fill() { # fill LISTS ENTWUERFE: mail in INBOX and these two
	imap "a CREATE $1" "b CREATE $2" "c SUBSCRIBE $2" \
	    "d $(message INBOX '\Seen work' 1)" "e $(message INBOX '' 2)" \
	    "f $(message INBOX '\Flagged' 3)" "g $(message "$1" 'home' 4)" \
	    "h $(message "$2" '\Draft' 5)" 'i SELECT INBOX' \
	    'j STORE 2 +FLAGS (\Deleted)' 'k EXPUNGE' >"$tmp/made"
	is "$(grep -c '^[a-k] OK' "$tmp/made")" 11 "mail in $3"
}
adopt() { out=$(postern adopt "$@" 2>&1); status=$?; }
refused() { # refused DIR REGEX
	adopt "$1"
	is "$status $(find "$1" -name 'postern*')" '100 ' 'it is refused, and untouched'
	like "$out" "$2.*; nothing was done" 'and why'
}
# Converts it as the man page says, and takes it over.
convert() { # convert BOX...
	view "$@" >"$tmp/dovecot.view"
	# shellcheck disable=SC2086
	as doveadm -c "$tmp/dovecot.conf" ${convert_with:-} backup "maildir:$tmp/new" 2>"$tmp/said"
	is "$?" 0 'doveadm backup converts it'
	adopt "$tmp/new"
	is "$status" 0 'then all is kept'
	rm -rf "$md"; mv "$tmp/new" "$md"; : >"$tmp/ours"
	view "$@" >"$tmp/our.view"
	is "$(diff "$tmp/dovecot.view" "$tmp/our.view")" '' 'and clients see the same'
}

begin "maildir:$md:LAYOUT=fs" 'separator = /'
fill Lists/golang 'Entw&APw-rfe' LAYOUT=fs
refused "$md" "2 mailboxes in plain folders \\(Entw&APw-rfe\\): Dovecot's LAYOUT=fs"
convert INBOX Lists/golang 'Entw&APw-rfe'
for form in mdbox sdbox; do
	begin "$form:$md" 'separator = /'
	fill Lists/golang 'Entw&APw-rfe' "$form"
	refused "$md" "Dovecot's $form"
	convert INBOX Lists/golang 'Entw&APw-rfe'
done
begin "mbox:$md:INBOX=$tmp/inbox" 'separator = /'
fill Lists/golang 'Entw&APw-rfe' mbox
refused "$md" 'mbox files'
adopt "$tmp/inbox"
like "$status $out" '^100 .*postern mailbox import' 'so is its INBOX'
convert INBOX Lists/golang 'Entw&APw-rfe'

# Compressed messages.
begin "maildir:$md" 'separator = /'
printf 'mail_plugins = zlib\nplugin {\n  zlib_save = gz\n}\n' >>"$tmp/dovecot.conf"
fill Lists/golang 'Entw&APw-rfe' 'a compressed Maildir'
refused "$md" '4 messages are compressed or encrypted by Dovecot'
convert_with='-o plugin/zlib_save= -o maildir_copy_with_hardlinks=no'
convert INBOX Lists/golang 'Entw&APw-rfe'
is "$(imap 'a EXAMINE INBOX' 'b UID FETCH 1 BODY.PEEK[TEXT]' | grep -c '^x')" 1 'as mail'

# A namespace with a prefix, whose subscriptions have it, too.
begin "maildir:$md" 'separator = .' 'prefix = INBOX.' 'subscriptions = no'
cat >>"$tmp/dovecot.conf" <<-END
	namespace all {
	  prefix =
	  separator = .
	  list = no
	  hidden = yes
	}
END
fill INBOX.Lists.golang 'INBOX.Entw&APw-rfe' 'a namespace'
like "$(cat "$md/subscriptions")" '^INBOX.Entw' 'whose prefix is in the subscriptions'
rm -f "$md"/dovecot.index*
adopt "$md"
is "$status" 0 'all is kept, without an index'
: >"$tmp/ours"
is "$(imap 'a LSUB "" "*"' | grep '^. LSUB')" '* LSUB () "/" "Entw&APw-rfe"' \
    'and the subscription'

# A list that is not what lies there; a lock.
begin "maildir:$md" 'separator = /'
fill Lists 'Entw&APw-rfe' 'a Maildir'
rm "$md"/cur/*:2,F
printf 'Subject: x\n\n' >"$md/cur/1600000000.other.h:2,S"
[ "$(id -u)" -ne 0 ] || chown "$me:$group" "$md"/cur/*other*
: >"$md/.Lists/dovecot-uidlist.lock"
adopt "$md"
is "$status" 111 'a lock'
like "$out" '^INBOX: 2 messages, 1 keep their UIDs' 'one is gone, one is new'
like "$out" 'dovecot-uidlist.lock is held' 'one mailbox has to wait'
rm "$md/.Lists/dovecot-uidlist.lock"
adopt "$md"
is "$status" 0 'the second time it is taken over'
like "$out" '^Lists: 1 messages, 1 keep their UIDs' 'as it was'

# More keywords than letters.
begin "maildir:$md" 'separator = /'
i=1 keys=
while [ $i -le 28 ]; do keys="$keys key$i"; i=$((i + 1)); done
imap "a $(message INBOX "\\Seen$keys" 1)" >"$tmp/made"
adopt "$md"
is "$status" 1 'keywords behind the 26th are lost'
like "$out" 'keywords that only Dovecot.s index knows are not kept' 'which is said'
like "$out" '^    keywords:.* key26$' 'the others are kept'
done_testing
