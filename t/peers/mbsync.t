#!/bin/sh
# mbsync: 200 messages, then flags and deletions both ways, folders, and a
# second run that changes nothing.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
need mbsync
[ -x /usr/bin/python3 ] || plan_skip "no /usr/bin/python3"
set -a # the variables go to Python
start_try --no-mount
far=$MAILDIR2 near=$tmp/near
mkdir -p "$near" "$tmp/sync"

cat >"$tmp/mbsyncrc" <<END
IMAPAccount far
Host $IMAP_HOST
Port $IMAPS_PORT
SSLType IMAPS
CertificateFile $CA_FILE
User $MAIL_USER2
Pass $MAIL_PASS2

IMAPStore far
Account far

MaildirStore near
Path $near/
Inbox $near/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState $tmp/sync/
END
sync() { mbsync -c "$tmp/mbsyncrc" -a >"$tmp/mbsync.out" 2>&1; _s=$?
	[ $_s = 0 ] || sed 's/^/# mbsync: /' "$tmp/mbsync.out"; return $_s; }
peer() { PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 \
	"$POSTERN_SRC/t/peers/mbsync.py" "$@"; }
near_files() { find "$near/$1/cur" "$near/$1/new" -type f; }
near_count() { near_files "$1" | wc -l; }
# The file here that holds message N.
near_mail() { near_files INBOX | xargs grep -l "^Message-ID: <$1\.peers@"; }

peer send 0 100; ok $? "100 messages in by SMTP"
peer append INBOX 100 200; ok $? "100 messages in by APPEND"
all_there() { [ "$(find "$far/new" "$far/cur" -type f | wc -l)" = 200 ]; }
wait_for all_there; ok $? "200 are there"
sync; ok $? "the full sync"
is "$(near_count INBOX)" 200 "200 are here"
peer same "$near/INBOX" 0 200; ok $? "each is what was sent"
before=$(near_files INBOX | sort | cksum)
sync; ok $? "a sync with nothing to do"
is "$(near_files INBOX | sort | cksum)" "$before" "it changed nothing"

# Changes here: flags on 10, 20 and 30, deletions of 40 to 49.
for n in 10 20 30; do
	f=$(near_mail $n)
	base=${f##*/}
	mv "$f" "$near/INBOX/cur/${base%%:2,*}:2,FS"
done
for n in 40 41 42 43 44 45 46 47 48 49; do
	f=$(near_mail $n)
	base=${f##*/}
	mv "$f" "$near/INBOX/cur/${base%%:2,*}:2,T"
done
# And there: flags on 11 and 21, deletions of 50 to 59.
peer flag 11 21; ok $? "flags set there"
peer delete 50 60; ok $? "ten deleted there"
sync; ok $? "the sync of changes both ways"
is "$(near_count INBOX)" 180 "180 are here"
is "$(find "$far/new" "$far/cur" -type f | wc -l)" 180 "180 are there"
is "$(peer flagged)" "10 11 20 21 30" "the flags of both are there"
for n in 11 21; do like "$(near_mail $n)" ':2,[A-Z]*F[A-Z]*S' "$n's are here"; done
peer gone 40 60; ok $? "what was deleted here or there is gone there"
is "$(near_files INBOX | xargs grep -lE '^Message-ID: <[45][0-9]\.peers@' |
    wc -l)" 0 "and here"

# Flags taken back, answered and draft; a new folder and new mail both ways.
f=$(near_mail 10)
mv "$f" "$(echo "$f" | sed 's/:2,.*/:2,RS/')"
mkdir -p "$near/Work/Z&APw-rich" "$near/Work/new" "$near/Work/cur" "$near/Work/tmp" \
    "$near/Work/Z&APw-rich/new" "$near/Work/Z&APw-rich/cur" "$near/Work/Z&APw-rich/tmp"
peer print 300 >"$near/Work/cur/1700000000.a.here:2,S"
# This mbsync shows names as IMAP has them.
peer print 301 >"$near/Work/Z&APw-rich/cur/1700000001.a.here:2,"
peer create "Lists/Go"; ok $? "a folder made there"
peer append "Lists/Go" 302 305; ok $? "three messages in it"
sync; ok $? "the sync of folders both ways"
is "$(near_count Lists/Go)" 3 "three are here"
is "$(find "$far/.Work/cur" "$far/.Work/new" -type f | wc -l)" 1 "one is there"
is "$(peer flagged)" "11 20 21 30" "a flag taken back is gone there"
is "$(peer answered)" 10 "and another one set"
is "$(peer count Work/Z\&APw-rich)" 1 "the folder with a name in UTF-7"
rm -r "$near/Lists/Go"/*/* 2>/dev/null
sync; ok $? "the sync of a folder emptied here"
is "$(peer count Lists/Go)" 0 "it is empty there"
before=$(near_files INBOX | sort | cksum)
sync; ok $? "a last sync"
is "$(near_files INBOX | sort | cksum)" "$before" "it changed nothing"
done_testing
