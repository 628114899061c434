#!/bin/sh
# A Maildir that the real Courier made is taken over; mbsync and offlineimap,
# which know it from Courier, download nothing again.
#
# POSTERN_COURIER: a folder in which Debian's packages courier-imap and what
# it needs are unpacked (it cannot be installed beside Dovecot); t/run makes
# one.
. "${POSTERN_SRC:-.}/t/lib.sh"
courier=${POSTERN_COURIER:-}
[ -n "$courier" ] && [ -x "$courier/usr/bin/imapd" ] ||
    plan_skip "POSTERN_COURIER has no courier-imap"
. "$POSTERN_SRC/t/adopt-clients.sh"
as test -x "$courier/usr/bin/imapd" || plan_skip "$me may not run courier-imap"
n=${ADOPT_MESSAGES:-200}
libs=$courier/usr/lib:$(echo "$courier"/usr/lib/*-linux-gnu*)
rmdir "$md"
LD_LIBRARY_PATH=$libs "$courier/usr/bin/maildirmake.courier" "$md"

# It is not happy without its daemon, and says so before its greeting, which
# clients do not like.  They make their end nonblocking.
cat >"$tmp/pump.py" <<-END
	import os, re, select
	first = b""
	while not first.count(b"\n* PREAUTH"):
	    more = os.read(0, 65536)
	    if not more:
	        break
	    first += more
	rest = first[first.find(b"* PREAUTH"):]
	while rest:
	    try:
	        rest = rest[os.write(1, rest):]
	    except BlockingIOError:
	        select.select([], [1], [])
	    if not rest:
	        rest = os.read(0, 65536)
END
make_server <<-END
	cd "$tmp" || exit
	env -i LD_LIBRARY_PATH="$libs" HOME="$tmp" AUTHENTICATED=$me PROTOCOL=IMAP \\
	    MAILDIRPATH=Maildir IMAP_KEYWORDS=1 IMAP_USELOCKS=0 \\
	    GAMIN_DEBUG_SERVER=/bin/false IMAP_CAPABILITY="IMAP4rev1 UIDPLUS NAMESPACE" \\
	    "$courier/usr/bin/imapd" Maildir 2>/dev/null |
	    python3 "$tmp/pump.py"
END
# Its namespace begins with INBOX. and ours does not.
cat >>"$tmp/offlineimaprc" <<-END
	nametrans = lambda name: re.sub("^INBOX[.]", "", name)
	createfolders = False
END

as python3 "$POSTERN_SRC/t/adopt-mail.py" "$n" courier |
    as "$tmp/server" >"$tmp/made" 2>"$tmp/err"
is "$(grep -c '^a OK' "$tmp/made")" "$n" "$n messages are made by Courier"
first_sync $((n - 5)) Courier
view INBOX INBOX.Lists.golang INBOX.Lists 'INBOX.Entw&APw-rfe' INBOX.Empty |
    sed '/^INBOX$/d; /^UIDNEXT/d; /^INBOX\./ { s///; s/\./\//g; }' | sort >"$tmp/courier.view"
: >"$tmp/ours"
out=$(postern adopt --rename "$md")
is "$?" 0 'adopted, all is kept'
like "$out" '^folder .Entw.*: renamed to .Entw&APw-rfe$' 'its names in UTF-8 become ours'
like "$out" " $((n - 5)) messages, $((n - 5)) UIDs kept\$" 'all of them'
view INBOX Lists/golang Lists 'Entw&APw-rfe' Empty | grep -v '^UIDNEXT' |
    sort >"$tmp/our.view"
is "$(diff "$tmp/courier.view" "$tmp/our.view" | head -n 20)" '' \
    'UIDs, UIDVALIDITY, flags, keywords, dates, sizes and subscriptions'
second_sync 5
new_mail $((n - 4))
done_testing
