#!/bin/sh
# mutt in batch mode: sends by SMTP, reads by IMAP and POP3, files and flags.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
need mutt
need script
start_try --no-mount
export TERM=xterm HOME="$tmp/home" MAIL=
mkdir "$HOME" "$HOME/Mail" # or it asks

cat >"$tmp/muttrc" <<END
set realname = "Bob Ääd" from = "$MAIL_ADDR2" use_from = yes
set hostname = client.test charset = utf-8 send_charset = utf-8
set certificate_file = "$CA_FILE"
set ssl_starttls = yes ssl_force_tls = yes ssl_verify_host = yes
set smtp_url = "smtp://$MAIL_USER2@$IMAP_HOST:$SUBMISSION_PORT"
set smtp_pass = "$MAIL_PASS2"
set imap_user = "$MAIL_USER" imap_pass = "$MAIL_PASS"
set pop_user = "$MAIL_USER" pop_pass = "$MAIL_PASS"
set copy = no move = no delete = yes quit = yes mark_old = no confirmappend = no
set confirmcreate = no beep = no wait_key = no timeout = 5 print = yes
set mail_check = 3600 header_cache = "" sleep_time = 0 pager_stop = yes
set pop_checkinterval = 3600
END

# mutt_run FOLDER COMMANDS: a whole session on a terminal of its own.
mutt_run() {
	cat >"$tmp/push" <<-END
	push "$2"
	END
	timeout 60 script -qfec \
	    "mutt -F $tmp/muttrc -e 'source $tmp/push' -f $1" /dev/null \
	    </dev/null >"$tmp/screen" 2>&1
}

printf 'Grüße aus dem Ort.\n\nVon hier\n.\n' |
    mutt -F "$tmp/muttrc" -s "Grüße, Alice" -a "$POSTERN_SRC/COPYING" -- \
    "$MAIL_ADDR" 2>"$tmp/err"
is "$?:$(cat "$tmp/err")" 0: "mutt sends with an attachment by STARTTLS"
echo second | mutt -F "$tmp/muttrc" -e 'set smtp_url = "'"smtps://$MAIL_USER2@$IMAP_HOST:$SMTPS_PORT"'"' \
    -s "Second one" -- "$MAIL_ADDR" 2>"$tmp/err"
is "$?:$(cat "$tmp/err")" 0: "mutt sends by implicit TLS"
wait_for arrived "$MAILDIR" 'second'; ok $? "the second arrived"
wait_for arrived "$MAILDIR" 'COPYING'; ok $? "the first arrived"

inbox=imaps://$IMAP_HOST:$IMAPS_PORT/INBOX
mutt_run "$inbox" "<limit>~s Second<enter><pipe-message>cat >$tmp/second<enter><exit>"
is $? 0 "mutt opens the INBOX by IMAPS"
like "$(cat "$tmp/second")" 'Subject: Second one' "and reads a message"
mutt_run "$inbox" "<limit>~b Ort<enter><set-flag>!<copy-message>=Kept/Here<enter><sync-mailbox><exit>"
is $? 0 "mutt searches, flags and copies"
mutt_run "imap://$IMAP_HOST:$IMAP_PORT/INBOX" \
    "<limit>~s Second<enter><delete-message><sync-mailbox><exit>"
is $? 0 "mutt deletes by IMAP with STARTTLS"
is "$(in_inbox "$MAILDIR" 'Second one')" 0 "it is gone from the Maildir"
is "$(find "$MAILDIR/cur" -name '*:2,*F*' | wc -l)" 1 "the other is flagged"
mutt_run "pops://$IMAP_HOST:$POP3S_PORT/" \
    "<limit>~s Alice<enter><pipe-message>cat >$tmp/pop<enter><exit>"
is $? 0 "mutt opens the mailbox by POP3S"
like "$(cat "$tmp/pop")" 'Subject: =\?utf-8\?' "and reads a message"
mutt_run "pop://$IMAP_HOST:$POP3_PORT/" "<delete-pattern>~A<enter><sync-mailbox><exit>"
is $? 0 "mutt deletes by POP3 with STLS"
is "$(find "$MAILDIR/cur" "$MAILDIR/new" -type f | wc -l)" 0 \
    "nothing is left in the Maildir"
done_testing
