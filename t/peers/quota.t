#!/bin/sh
# Dovecot's quota plugin and we keep one maildirsize.
. "${POSTERN_SRC:-.}/t/lib.sh"
dovecot=/usr/lib/dovecot/imap
[ -x "$dovecot" ] || plan_skip "dovecot-imapd is not installed"
[ -e /usr/lib/dovecot/modules/lib11_imap_quota_plugin.so ] ||
	plan_skip "Dovecot has no quota plugin"

. "$POSTERN_SRC/t/dovecot.sh"
conf() { # conf [RULE]
	{
		dovecot_conf imap "maildir:$md"
		cat <<-END
			mail_plugins = quota
			protocol imap {
			  mail_plugins = quota imap_quota
			}
			plugin {
			  quota = maildir:User quota
			  ${1:-}
			}
			namespace inbox {
			  inbox = yes
			  separator = /
			}
		END
	} >"$tmp/dovecot.conf"
}
theirs() { printf '%s\r\n' "$@" 'z LOGOUT' |
	as "$dovecot" -c "$tmp/dovecot.conf" 2>>"$tmp/err" | tr -d '\r'; }
ours() { printf '%s\r\n' "$@" 'z LOGOUT' | as imapd "$md" | tr -d '\r'; }
append() {
	printf 'a APPEND %s {%d+}\r\nSubject: %08d\r\n\r\n' "$1" "$2" 1
	head -c $(($2 - 21)) /dev/zero | tr '\0' x
}
usage='g GETQUOTA "User quota"'
same() { # same NAME: both say the same
	theirs "$usage" | grep '^\* QUOTA' >"$tmp/theirs"
	ours "$usage" | grep '^\* QUOTA' >"$tmp/ours"
	is "$(cat "$tmp/ours")" "$(cat "$tmp/theirs")" "$1: $(cut -d' ' -f5- "$tmp/ours")"
}

mkdir -p "$md/cur" "$md/new" "$md/tmp" "$tmp/run" "$tmp/state"
echo 20480S,10C >"$md/maildirsize"
conf
[ "$(id -u)" -ne 0 ] || chown -R "$me" "$md" "$tmp/run" "$tmp/state"
ours "$(append INBOX 5000)" 'b CREATE Lists/a' "$(append Lists/a 3000)" >/dev/null
like "$(theirs "$usage")" 'STORAGE 8 20 MESSAGE 2 10' 'Dovecot reads what we counted'
before=$(ls -i "$md/maildirsize" | cut -d' ' -f1)
theirs "$(append INBOX 4000)" >/dev/null
same 'we read what Dovecot added'
is "$(ls -i "$md/maildirsize" | cut -d' ' -f1)" "$before" 'in the same file'
theirs 'a SELECT INBOX' 'b STORE 1 +FLAGS (\Deleted)' 'c EXPUNGE' >/dev/null
same 'Dovecot expunged'
ours 'a SELECT Lists/a' 'b COPY 1 INBOX' 'c STORE 1 +FLAGS (\Deleted)' 'd EXPUNGE' \
    'e SELECT INBOX' 'f MOVE 1 Lists/a' >/dev/null
same 'we copied, moved and expunged'
ours "$(append INBOX 9000)" "$(append INBOX 3000)" >/dev/null
same 'nearly full'
like "$(theirs "$(append INBOX 5000)")" '^a NO \[OVERQUOTA' 'full for Dovecot'
like "$(ours "$(append INBOX 5000)")" '^a NO \[OVERQUOTA' 'full for us'
rm -f "$md/maildirsize"
conf 'quota_rule = *:storage=20K:messages=10'
theirs "$usage" >/dev/null
is "$(head -1 "$md/maildirsize")" 20480S,10C 'Dovecot counted anew, with its limits'
out=$(ours "$usage")
is "$(sed -n 2p "$md/maildirsize")" \
    "$(find "$md" -path '*/cur/*' -printf '%s\n' -o -path '*/new/*' -printf '%s\n' |
	awk '{ b += $1; n++ } END { print b, n }')" 'it counts what we count'
like "$out" 'STORAGE [0-9]+ 20 MESSAGE [0-9]+ 10' 'and we take its limits'
ours 'a DELETE Lists/a' >/dev/null
same 'we deleted a mailbox'
unlike "$(cat "$tmp/dovecot.log" 2>/dev/null)" 'Error.*maildirsize' 'Dovecot has no complaints'
done_testing
