#!/bin/sh
# msmtp sends, sendmail sends, fetchmail fetches.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
need msmtp
need fetchmail
start_try --no-mount

mail() { # SUBJECT
	printf '%s\n' "From: <$MAIL_ADDR>" "To: <$MAIL_ADDR2>" "Subject: $1" \
	    "" "A line." ".A line with a dot." "From a line with From." ""
}
cat >"$tmp/msmtprc" <<END
defaults
tls on
tls_trust_file $CA_FILE
auth plain
host $IMAP_HOST
from $MAIL_ADDR
user $MAIL_USER
password $MAIL_PASS
account tls
port $SMTPS_PORT
tls_starttls off
account starttls
port $SUBMISSION_PORT
account bad
port $SUBMISSION_PORT
password wrong
END
chmod 600 "$tmp/msmtprc"
send() { msmtp -C "$tmp/msmtprc" -a "$1" --timeout=20 "$MAIL_ADDR2"; }

mail starttls | send starttls; ok $? "msmtp with STARTTLS"
mail tls | send tls; ok $? "msmtp with implicit TLS"
mail bad | send bad 2>/dev/null
is $? 77 "msmtp with a wrong password: EX_NOPERM"
like "$(msmtp -C "$tmp/msmtprc" -a starttls --serverinfo)" \
    'PIPELINING' "msmtp --serverinfo"
mail sendmail | $SENDMAIL -i -f "$MAIL_ADDR" "$MAIL_ADDR2"
ok $? "SENDMAIL of try.env with recipients as arguments"
mail sendmail-t | $SENDMAIL -i -t; ok $? "SENDMAIL -t"
for subject in starttls tls sendmail sendmail-t; do
	wait_for arrived "$MAILDIR2" "Subject: $subject"
	ok $? "$subject arrived"
done
is "$(in_inbox "$MAILDIR2" 'Subject: bad')" 0 "the refused one did not"

mkdir "$tmp/home"
fetch() { # PROTOCOL PORT OPTIONS USER PASSWORD MBOX
	_uidl=
	[ "$1" != pop3 ] || _uidl=uidl
	cat >"$tmp/fetchmailrc" <<-END
	poll $IMAP_HOST service $2 protocol $1 $_uidl
	user "$4" password "$5" $3
	sslcertck sslcertfile $CA_FILE mda "cat >>$6; echo >>$6"
	END
	chmod 600 "$tmp/fetchmailrc"
	FETCHMAILHOME=$tmp/home HOME=$tmp/home fetchmail --nodetach --nosyslog \
	    --timeout 20 -f "$tmp/fetchmailrc" >"$tmp/fetch.out" 2>&1
	_status=$?
	sed 's/^/# /' "$tmp/fetch.out"
	return $_status
}
subjects() { grep '^Subject:' "$1" | sort | tr '\n' ' '; }
all='Subject: sendmail Subject: sendmail-t Subject: starttls Subject: tls '

fetch pop3 "$POP3S_PORT" "ssl keep" "$MAIL_USER2" "$MAIL_PASS2" "$tmp/pop"
is "$?" 0 "fetchmail by POP3S, keeping"
is "$(subjects "$tmp/pop")" "$all" "all four came"
fetch pop3 "$POP3S_PORT" "ssl keep" "$MAIL_USER2" "$MAIL_PASS2" "$tmp/again"
is "$?" 1 "a second time there is nothing new (UIDL)"
fetch pop3 "$POP3S_PORT" "ssl keep" "$MAIL_USER2" wrong "$tmp/bad"
is "$?" 3 "a wrong password is refused"
like "$(cat "$tmp/pop")" '^\.A line with a dot' "dots come through"
fetch imap "$IMAPS_PORT" "ssl nokeep fetchall" "$MAIL_USER2" "$MAIL_PASS2" \
    "$tmp/imap"
is "$?" 0 "fetchmail by IMAPS, deleting"
is "$(subjects "$tmp/imap")" "$all" "all four came"
is "$(find "$MAILDIR2/cur" "$MAILDIR2/new" -type f | wc -l)" 0 \
    "none is left on the server"
mail last | send tls
wait_for arrived "$MAILDIR2" 'Subject: last'; ok $? "one more"
fetch pop3 "$POP3_PORT" "sslproto tls1.2+ nokeep" "$MAIL_USER2" "$MAIL_PASS2" \
    "$tmp/stls"
is "$?" 0 "fetchmail by POP3 with STLS, deleting"
is "$(subjects "$tmp/stls")" "Subject: last " "it came"
is "$(find "$MAILDIR2/cur" "$MAILDIR2/new" -type f | wc -l)" 0 \
    "none is left on the server"
done_testing
