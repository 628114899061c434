#!/bin/sh
# tools/try itself: its proof, its variables, and that nothing is left.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"

said=$("$POSTERN_SRC/tools/try" --once --root "$root" 2>&1 </dev/null)
is $? 0 "--once exits with 0"
like "$said" 'in by SMTP: msmtp' "it tells what went in"
like "$said" 'out by POP3: curl pop3s' "and came out by POP3"
like "$said" 'out by IMAP: curl imaps' "and by IMAP"
if printf '%s\n' "$said" | grep -q 'nothing is mounted'; then
	skip "cat" "no FUSE here"
else
	like "$said" "out by cat $root/mnt/INBOX/" "and by cat"
fi
is "$(ps -eo args= | grep -cF -- "-r $root")" 1 "no process is left" # grep's
! grep -qF " $root/mnt " /proc/mounts; ok $? "nothing is mounted any more"

like "$("$POSTERN_SRC/tools/try" --help)" '^  --port-base N' "--help explains"

start_try
is "$(grep -h fewer-connections "$root"/log/*)" "" "there are files enough"
for v in IMAP_HOST IMAP_PORT IMAPS_PORT POP3_PORT POP3S_PORT SMTP_PORT \
    SUBMISSION_PORT SMTPS_PORT MAIL_DOMAIN MAIL_USER MAIL_PASS MAIL_ADDR \
    MAIL_USER2 MAIL_PASS2 MAIL_ADDR2 MAILDIR MAILDIR2 CA_FILE SINK_DOMAIN \
    SINK_PORT MOUNT SENDMAIL PID; do
	grep -q "^$v=" "$root/try.env" || echo "$v"
done >"$tmp/unset"
is "$(cat "$tmp/unset")" "" "every variable is in try.env"
is "$(cat "$tmp/try.out")" ready "--quiet prints one word"
is "$(stat -c %a "$root/try.env")" 600 "the passwords are for the caller"
is "$(printf %s "$MAIL_PASS$MAIL_PASS2" | tr -d A-Za-z0-9)" "" \
    "letters and digits only"
is "$PID" "$try_pid" "PID is tools/try"
is "$(find "$MAILDIR"/cur "$MAILDIR"/new -type f | wc -l)" 2 \
    "the mail of the run before is there, and the new one"
if [ -n "$MOUNT" ]; then
	is "$(find "$MOUNT/INBOX" -name '*.txt' | wc -l)" 2 "and in the mount"
fi
printf 'From: <%s>\nSubject: by sendmail\n\ntext\n' "$MAIL_ADDR2" |
    $SENDMAIL "$MAIL_ADDR"
ok $? "SENDMAIL works"
wait_for arrived "$MAILDIR" "by sendmail"; ok $? "what it sent arrived"

"$POSTERN_SRC/tools/try" --once --root "$root" >"$tmp/second" 2>&1 </dev/null
is $? 1 "the same root cannot be used twice at a time"
like "$(cat "$tmp/second")" 'in use' "it says so"
"$POSTERN_SRC/tools/try" --once --port-base $((SMTP_PORT - 25)) \
    >"$tmp/second" 2>&1 </dev/null
is $? 1 "nor can the same ports"
like "$(cat "$tmp/second")" 'taken' "it says so"
"$POSTERN_SRC/tools/try" --nonsense >"$tmp/second" 2>&1 </dev/null
is $? 100 "an unknown option is misuse"

stop_try
is $? 0 "SIGTERM ends it with 0"
is "$(ps -eo args= | grep -cF -- "-r $root")" 1 "no process is left"
! grep -qF " $root/mnt " /proc/mounts; ok $? "nothing is mounted any more"
done_testing
