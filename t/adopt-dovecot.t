#!/bin/sh
# A Maildir that the real Dovecot made is taken over; mbsync and offlineimap,
# which know it from Dovecot, download nothing again.
#
# ADOPT_MESSAGES=5000 makes it large.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need mbsync
dovecot=/usr/lib/dovecot/imap
[ -x "$dovecot" ] || plan_skip "dovecot-imapd is not installed"
n=${ADOPT_MESSAGES:-300}

# Dovecot never runs as root, nor does our mail belong to it.
me=$(id -un) group=$(id -gn)
as() { "$@"; }
if [ "$(id -u)" -eq 0 ]; then
	need setpriv
	me=nobody group=$(id -gn nobody)
	as() {
		setpriv --reuid "$me" --regid "$group" --clear-groups \
		    env USER="$me" HOME="$tmp" "$@"
	}
	chmod 755 "$tmp"
	chown "$me" "$tmp"
fi
md=$tmp/Maildir
mkdir "$md" "$tmp/run" "$tmp/state"
cat >"$tmp/dovecot.conf" <<-END
	base_dir = $tmp/run
	state_dir = $tmp/state
	log_path = $tmp/dovecot.log
	mail_location = maildir:$md
	default_internal_user = $me
	default_login_user = $me
	mail_uid = $me
	mail_gid = $group
	first_valid_uid = 0
	first_valid_gid = 0
	mail_fsync = never
	ssl = no
	protocols = imap pop3
	mail_plugins = listescape
	namespace inbox {
	  inbox = yes
	  separator = /
	}
END
# What both clients start.
cat >"$tmp/server" <<-END
	#!/bin/sh
	if [ -e "$tmp/ours" ]; then
		[ "\$1" = loud ] || exec "$POSTERN_STAGE/imapd" "$md"
		tee -a "$tmp/asked" | exec "$POSTERN_STAGE/imapd" "$md"
	else
		exec env USER=$me HOME="$tmp" "$dovecot" -c "$tmp/dovecot.conf" 2>/dev/null
	fi
END
cat >"$tmp/mbsyncrc" <<-END
	IMAPStore far
	Tunnel "$tmp/server"

	MaildirStore near
	Path $tmp/mbsync/
	Inbox $tmp/mbsync/INBOX
	SubFolders Verbatim

	Channel all
	Far :far:
	Near :near:
	Patterns *
	Create Near
	Sync All
	Expunge None
	SyncState *
END
cat >"$tmp/offlineimaprc" <<-END
	[general]
	accounts = a
	metadata = $tmp/oi-meta
	[Account a]
	localrepository = l
	remoterepository = r
	[Repository l]
	type = Maildir
	localfolders = $tmp/oi
	sep = /
	[Repository r]
	type = IMAP
	preauthtunnel = $tmp/server loud
END
chmod 755 "$tmp/server"
mkdir "$tmp/mbsync"
[ "$(id -u)" -ne 0 ] || chown -R "$me" "$tmp"
# Dovecot drops what it has not sent yet when its input ends.
cat >"$tmp/imap.py" <<-END
	import subprocess, sys
	p = subprocess.Popen("$tmp/server", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
	p.stdin.write(b"".join(a.encode() + b"\\r\\n" for a in sys.argv[1:] + ["z LOGOUT"]))
	p.stdin.flush()
	for line in p.stdout:
	    sys.stdout.buffer.write(line.replace(b"\\r", b""))
	    if line.startswith(b"z "):
	        break
	p.stdin.close()
	p.wait()
END
imap() { as python3 "$tmp/imap.py" "$@"; }
# What a client sees: UIDVALIDITY, UIDNEXT, UIDs and flags of all mailboxes.
view() {
	for box in INBOX Lists/golang Lists/go1.2 'Entw&APw-rfe' Empty; do
		imap "a EXAMINE $box" 'b UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)' |
		    sed -n 's/ \\Recent//; s/\\Recent //; s/\\Recent//
			s/.*\(UIDVALIDITY [0-9]*\).*/\1/p; s/.*\(UIDNEXT [0-9]*\).*/\1/p
			s/^\* [0-9]* FETCH (\(.*\))$/\1/p' |
		    python3 -c '
import re, sys
for line in sys.stdin:
    f = re.search(r"FLAGS \((.*?)\)", line)
    if not f:
        print(line.strip())
        continue
    print(re.search(r"UID \d+", line)[0], re.search("RFC822.SIZE \d+", line)[0],
          re.search("INTERNALDATE \".*?\"", line)[0], sorted(f[1].split()))
'
	done
	imap 'a LSUB "" "*"' | grep '^\* LSUB' | tr -d '"' | sed 's/.* //' | sort
}
asked_nothing() { # asked_nothing N: all N mailboxes, no message, no change
	is "$(tr -d '"\r' <"$tmp/asked" | sed -nE 's/.* (SELECT|EXAMINE) //p' |
	    sort -u | wc -l)" "$1" 'it asked for all mailboxes'
	is "$(grep -E 'BODY\[|BODY.PEEK\[|RFC822([ )]|$)|STORE|APPEND|EXPUNGE' "$tmp/asked")" \
	    '' 'fetched no message and changed nothing'
}
files() { (cd "$1" && find . -type f ! -name '.*' | sort); }

as python3 "$POSTERN_SRC/t/adopt-dovecot.py" "$n" |
    as "$tmp/server" >"$tmp/made" 2>"$tmp/err"
is "$(grep -c '^a OK' "$tmp/made")" "$n" "$n messages are made by Dovecot"
as timeout 60 mbsync -q -c "$tmp/mbsyncrc" all
is "$?" 0 'mbsync gets them from Dovecot'
is "$(files "$tmp/mbsync" | grep -cE '/(cur|new)/')" $((n - 5)) 'all of them'
offline=
if command -v offlineimap >/dev/null; then
	offline=yes
	as timeout 100 offlineimap -c "$tmp/offlineimaprc" -o -u quiet >"$tmp/oi.log" 2>&1
	is "$(files "$tmp/oi" | grep -cE '/(cur|new)/')" $((n - 5)) 'offlineimap, too'
fi
view >"$tmp/dovecot.view"
files "$tmp/mbsync" >"$tmp/mbsync.before"
[ -z "$offline" ] || files "$tmp/oi" >"$tmp/oi.before"

: >"$tmp/ours"
out=$(postern adopt -n "$md")
is "$? $(ls "$md" | grep -c postern)" '1 0' 'a name with a dot shows in another way'
out=$(postern adopt --rename "$md")
is "$?" 0 'adopted under its own name, all is kept'
like "$out" " $((n - 5)) messages, $((n - 5)) UIDs kept\$" 'all of them'
view >"$tmp/our.view"
ok "$(cmp -s "$tmp/dovecot.view" "$tmp/our.view"; echo $?)" \
    'UIDs, UIDVALIDITY, UIDNEXT, flags, keywords, dates, sizes and subscriptions'
diff "$tmp/dovecot.view" "$tmp/our.view" | head -n 20 | sed 's/^/# /'
as timeout 60 mbsync -Dn -c "$tmp/mbsyncrc" all >"$tmp/said" 2>&1
is "$?" 0 'mbsync with its old state'
is "$(files "$tmp/mbsync")" "$(cat "$tmp/mbsync.before")" 'has the files that it had'
grep '>>> ' "$tmp/said" >"$tmp/asked"
asked_nothing 5
if [ -n "$offline" ]; then
	rm "$tmp/asked"
	as timeout 60 offlineimap -c "$tmp/offlineimaprc" -o -u quiet
	is "$?" 0 'offlineimap with its old state'
	is "$(files "$tmp/oi")" "$(cat "$tmp/oi.before")" 'has the files that it had'
	asked_nothing 5
else
	skip 'offlineimap' 'it is not installed'
fi
# A new one is the only one that comes.
printf 'Subject: late\n\nnew\n' >"$tmp/late"
[ "$(id -u)" -ne 0 ] || chown "$me" "$tmp/late"
mv "$tmp/late" "$md/new/1800000000.late.h"
as timeout 60 mbsync -q -c "$tmp/mbsyncrc" all
is "$(files "$tmp/mbsync" | grep -cE '/(cur|new)/')" $((n - 4)) 'new mail comes, once'
# The way back.
imap 'a SELECT INBOX' 'b UID STORE 1,5:20 +FLAGS (\Flagged)' \
    'c UID STORE 1:40 -FLAGS (\Seen)' >"$tmp/said"
like "$(cat "$tmp/said")" '^c OK' 'flags are changed'
view >"$tmp/our.view"
rm "$tmp/ours"
mv "$md/.Lists.go1&AC4-2" "$md/.Lists.go1\\2e2"
view >"$tmp/dovecot.view"
is "$(diff "$tmp/our.view" "$tmp/dovecot.view" | grep '^[<>]')" \
    '< Lists/go1.2
> Lists/go1&-AC4-2' 'Dovecot is back and sees the same, but for one subscription'
done_testing
