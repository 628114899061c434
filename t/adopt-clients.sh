# Sourced by the tests of adoption: another server, then ours, on the Maildir
# $md; clients that start $tmp/server and keep their state.
#
# $tmp/ours                is there once the mail is ours
need python3
need mbsync
. "$POSTERN_SRC/t/dovecot.sh"
mkdir "$md" "$tmp/mbsync"

# The script that all clients start: ours, or what stands on standard input.
make_server() {
	{
		cat <<-END
			#!/bin/sh
			if [ -e "$tmp/ours" ]; then
				[ "\$1" = loud ] || exec "$POSTERN_STAGE/imapd" "$md"
				tee -a "$tmp/asked" | exec "$POSTERN_STAGE/imapd" "$md"
				exit
			fi
		END
		cat
	} >"$tmp/server"
	chmod 755 "$tmp/server"
	[ "$(id -u)" -ne 0 ] || chown -R "$me:$group" "$tmp"
}
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
# What a client sees of these mailboxes, and all subscriptions.
view() { # view BOX...
	for box in "$@"; do
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
	is "$(grep -E 'BODY\[|BODY.PEEK\[|RFC822([ )]|$)|STORE|APPEND|EXPUNGE' "$tmp/asked" |
	    head -n 20)" \
	    '' 'fetched no message and changed nothing'
}
files() { (cd "$1" && find . -type f ! -name '.*' | sort); }

# Both clients get the mail from the other server.
first_sync() { # first_sync N NAME: N messages from server NAME
	as timeout 120 mbsync -q -c "$tmp/mbsyncrc" all
	is "$?" 0 "mbsync gets them from $2"
	is "$(files "$tmp/mbsync" | grep -cE '/(cur|new)/')" "$1" 'all of them'
	files "$tmp/mbsync" >"$tmp/mbsync.before"
	command -v offlineimap >/dev/null || return 0
	as timeout 300 offlineimap -c "$tmp/offlineimaprc" -o -u quiet >"$tmp/oi.log" 2>&1
	is "$(files "$tmp/oi" | grep -cE '/(cur|new)/')" "$1" 'offlineimap, too'
	files "$tmp/oi" >"$tmp/oi.before"
}
same_files() { # same_files CLIENT
	is "$(files "$tmp/$1" | diff "$tmp/$1.before" - | head -n 20)" '' \
	    'has the files that it had'
}
# With their old state they do not get it again from Postern.
second_sync() { # second_sync N: there are N mailboxes
	as timeout 120 mbsync -Dn -c "$tmp/mbsyncrc" all >"$tmp/said" 2>&1
	is "$?" 0 'mbsync with its old state'
	same_files mbsync
	grep '>>> ' "$tmp/said" >"$tmp/asked"
	asked_nothing "$1"
	if [ ! -e "$tmp/oi.before" ]; then
		skip 'offlineimap' 'it is not installed'
		return
	fi
	rm "$tmp/asked"
	as timeout 120 offlineimap -c "$tmp/offlineimaprc" -o -u quiet
	is "$?" 0 'offlineimap with its old state'
	same_files oi
	asked_nothing "$1"
}
# A new message is the only one that comes.
new_mail() { # new_mail N: then there are N
	printf 'Subject: late\n\nnew\n' >"$tmp/late"
	[ "$(id -u)" -ne 0 ] || chown "$me" "$tmp/late"
	mv "$tmp/late" "$md/new/1800000000.late.h"
	as timeout 120 mbsync -q -c "$tmp/mbsyncrc" all
	is "$(files "$tmp/mbsync" | grep -cE '/(cur|new)/')" "$1" 'new mail comes, once'
}
