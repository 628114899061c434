#!/bin/sh
# A Maildir that the real Dovecot made is taken over; mbsync and offlineimap,
# which know it from Dovecot, download nothing again.
#
# ADOPT_MESSAGES=5000 makes it large.
. "${POSTERN_SRC:-.}/t/lib.sh"
. "$POSTERN_SRC/t/adopt-clients.sh"
dovecot=/usr/lib/dovecot/imap
[ -x "$dovecot" ] || plan_skip "dovecot-imapd is not installed"
n=${ADOPT_MESSAGES:-300}

mkdir "$tmp/run" "$tmp/state"
{
	dovecot_conf "imap pop3" "maildir:$md"
	cat <<-END
		mail_plugins = listescape
		namespace inbox {
		  inbox = yes
		  separator = /
		}
	END
} >"$tmp/dovecot.conf"
make_server <<-END
	exec env USER=$me HOME="$tmp" "$dovecot" -c "$tmp/dovecot.conf" 2>/dev/null
END
boxes="INBOX Lists/golang Lists/go1.2 Entw&APw-rfe Empty"

as python3 "$POSTERN_SRC/t/adopt-mail.py" "$n" |
    as "$tmp/server" >"$tmp/made" 2>"$tmp/err"
is "$(grep -c '^a OK' "$tmp/made")" "$n" "$n messages are made by Dovecot"
first_sync $((n - 5)) Dovecot
view $boxes >"$tmp/dovecot.view"
: >"$tmp/ours"
out=$(postern adopt -n "$md")
is "$? $(ls "$md" | grep -c postern)" '1 0' 'a name with a dot shows in another way'
out=$(postern adopt --rename "$md")
is "$?" 0 'adopted under its own name, all is kept'
like "$out" " $((n - 5)) messages, $((n - 5)) UIDs kept\$" 'all of them'
view $boxes >"$tmp/our.view"
ok "$(cmp -s "$tmp/dovecot.view" "$tmp/our.view"; echo $?)" \
    'UIDs, UIDVALIDITY, UIDNEXT, flags, keywords, dates, sizes and subscriptions'
diff "$tmp/dovecot.view" "$tmp/our.view" | head -n 20 | sed 's/^/# /'
second_sync 5
new_mail $((n - 4))
# The way back.
imap 'a SELECT INBOX' 'b UID STORE 1,5:20 +FLAGS (\Flagged)' \
    'c UID STORE 1:40 -FLAGS (\Seen)' >"$tmp/said"
like "$(cat "$tmp/said")" '^c OK' 'flags are changed'
view $boxes >"$tmp/our.view"
rm "$tmp/ours"
mv "$md/.Lists.go1&AC4-2" "$md/.Lists.go1\\2e2"
view $boxes >"$tmp/dovecot.view"
is "$(diff "$tmp/our.view" "$tmp/dovecot.view" | grep '^[<>]')" \
    '< Lists/go1.2
> Lists/go1/2' 'Dovecot is back and sees the same, but for one subscription'
done_testing
