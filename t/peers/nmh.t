#!/bin/sh
# nmh: inc fetches by POP3 and send submits, with SCRAM of Cyrus SASL.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
PATH=$PATH:/usr/bin/mh
need inc
need send
start_try --no-mount

HOME=$tmp MH=$tmp/profile SSL_CERT_FILE=$CA_FILE
export HOME MH SSL_CERT_FILE
mkdir -p "$tmp/Mail/inbox"
cat >"$MH" <<END_OF_PROFILE
Path: Mail
credentials: file:$tmp/netrc
END_OF_PROFILE
credentials() { # USER PASSWORD
	(umask 077; echo "machine $IMAP_HOST login $1 password $2" >"$tmp/netrc")
}

post() { # PORT TOKEN OPTION...
	_port=$1
	printf 'From: %s\nTo: %s\nSubject: %s\n--------\n.\nFrom here\n' \
	    "$MAIL_ADDR" "$MAIL_ADDR2" "$2" >"$tmp/draft"
	shift 2
	said=$(timeout 30 send -mts smtp -server "$IMAP_HOST" -port "$_port" \
	    -user "$MAIL_USER" "$@" "$tmp/draft" 2>&1 </dev/null)
}
fetch() { # PORT OPTION...: how many messages are in the folder then
	_port=$1
	shift
	said=$(timeout 30 inc -host "$IMAP_HOST" -port "$_port" \
	    -user "$MAIL_USER2" -nochangecur "$@" 2>&1 </dev/null)
	_status=$?
	find "$tmp/Mail/inbox" -name '[0-9]*' | wc -l
	return $_status
}

credentials "$MAIL_USER" "$MAIL_PASS"
post "$SUBMISSION_PORT" one -tls -certverify -sasl -saslmech SCRAM-SHA-256
is "$?$said" 0 "send: STARTTLS, SCRAM-SHA-256"
post "$SMTPS_PORT" two -initialtls -certverify -sasl -saslmech SCRAM-SHA-1
is "$?$said" 0 "send: TLS, SCRAM-SHA-1"
post "$SUBMISSION_PORT" three -notls -sasl -saslmech PLAIN
is "$?$said" 0 "send: clear, PLAIN"
credentials "$MAIL_USER" wrong
! post "$SUBMISSION_PORT" four -notls -sasl -saslmech SCRAM-SHA-256
ok $? "send: a wrong password"
wait_for arrived "$MAILDIR2" 'From here' 3
ok $? "all three arrived"

credentials "$MAIL_USER2" "$MAIL_PASS2"
is "$(fetch "$POP3_PORT" -notruncate -notls -nosasl)" 3 "inc: clear, USER"
is "$(fetch "$POP3S_PORT" -notruncate -initialtls -certverify -sasl \
    -saslmech SCRAM-SHA-1)" 6 "inc: TLS, SCRAM-SHA-1; all was left there"
is "$(fetch "$POP3_PORT" -truncate -notls -sasl -saslmech SCRAM-SHA-256)" 9 \
    "inc: clear, SCRAM-SHA-256"
fetch "$POP3_PORT" -notls -nosasl >"$tmp/n"
like "$said" "no mail" "inc: and now it is gone"
is "$(cat "$tmp/n")" 9 "nothing more was fetched"
credentials "$MAIL_USER2" wrong
! fetch "$POP3_PORT" -notls -sasl -saslmech SCRAM-SHA-256 >"$tmp/n"
ok $? "inc: a wrong password"
is "$(sed -n '/^$/,$p' "$tmp"/Mail/inbox/1)" "
.
From here" "the text is what was sent"
done_testing
