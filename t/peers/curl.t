#!/bin/sh
# curl: sends by SMTP, reads by POP3 and IMAP, with and without a login.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
need curl
start_try --no-mount

get() { # USER URL [OPTION...]
	_user=$1 _url=$2
	shift 2
	curl -sS --max-time 20 --cacert "$CA_FILE" -u "$_user" "$@" "$_url" 2>&1
}
alice=$MAIL_USER:$MAIL_PASS
bob=$MAIL_USER2:$MAIL_PASS2
smtp=smtp://$IMAP_HOST:$SMTP_PORT
pop3s=pop3s://$IMAP_HOST:$POP3S_PORT
imaps=imaps://$IMAP_HOST:$IMAPS_PORT

mail() { # TOKEN
	printf '%s\r\n' "From: Outside <a@outside.test>" "To: <$MAIL_ADDR2>" \
	    "Subject: $1" "Message-ID: <$1@outside.test>" "" \
	    "first line $1" ".second line" "last line"
}

mail one >"$tmp/one"
mail two >"$tmp/two"

said=$(curl -sS --max-time 20 --cacert "$CA_FILE" --ssl-reqd \
    --mail-from a@outside.test --mail-rcpt "$MAIL_ADDR2" -T "$tmp/one" \
    "$smtp/client.test" 2>&1)
is "$?:$said" "0:" "SMTP with STARTTLS, no login, to a local user"
said=$(get "$alice" "smtps://$IMAP_HOST:$SMTPS_PORT/client.test" \
    --mail-from "$MAIL_ADDR" --mail-rcpt "$MAIL_ADDR2" -T "$tmp/two")
is "$?:$said" "0:" "submission over TLS with a login"
wait_for arrived "$MAILDIR2" 'Subject: two'; ok $? "the second arrived"
wait_for arrived "$MAILDIR2" 'Subject: one'; ok $? "the first arrived"

get "$MAIL_USER:wrong" "smtps://$IMAP_HOST:$SMTPS_PORT/client.test" \
    --mail-from "$MAIL_ADDR" --mail-rcpt "$MAIL_ADDR2" -T "$tmp/two" >/dev/null
is $? 67 "SMTP: a wrong password is refused"
get "$MAIL_USER2:wrong" "$pop3s/" >/dev/null
is $? 67 "POP3: a wrong password is refused"
get "$MAIL_USER2:wrong" "$imaps/" >/dev/null
is $? 67 "IMAP: a wrong password is refused"
get "nobody:$MAIL_PASS2" "$imaps/" >/dev/null
is $? 67 "IMAP: an unknown user is refused"
curl -sS --max-time 20 -u "$bob" "$imaps/" >/dev/null 2>&1
is $? 60 "a client that does not know the authority refuses us"
for v in 1.0 1.1; do
	get "$bob" "$imaps/" --tls-max $v --ciphers DEFAULT@SECLEVEL=0 >/dev/null
	is $? 35 "TLS $v is refused"
done
for v in 1.2 1.3; do
	get "$bob" "$imaps/" --tls-max $v "--tlsv$v" >/dev/null
	is $? 0 "TLS $v works"
done

# POP3
is "$(get "$bob" "$pop3s/" | tr -d '\r' | grep -c .)" 2 "POP3S: LIST shows both"
first=
for n in 1 2; do
	get "$bob" "$pop3s/$n" >"$tmp/pop$n"
	! grep -q 'Subject: one' "$tmp/pop$n" || first=$n
done
[ -n "$first" ]; ok $? "POP3S: RETR finds the first"
sed -n '/^From: Outside/,$p' "$tmp/pop${first:-1}" >"$tmp/got"
cmp "$tmp/one" "$tmp/got" >&2; ok $? "POP3S: byte for byte, dots and all"
like "$(get "$bob" "$pop3s/" -X UIDL)" '^2 [!-~]+' "POP3S: UIDL"
said=$(get "$bob" "pop3://$IMAP_HOST:$POP3_PORT/" --ssl-reqd)
is "$(printf '%s\n' "$said" | tr -d '\r' | grep -c .)" 2 "POP3 with STLS"

# IMAP
like "$(get "$bob" "$imaps/")" 'LIST .*INBOX' "IMAPS: LIST"
get "$bob" "$imaps/INBOX;MAILINDEX=1" >"$tmp/imap1"
get "$bob" "$imaps/INBOX;MAILINDEX=2" >"$tmp/imap2"
cat "$tmp/imap1" "$tmp/imap2" >"$tmp/imaps"
is "$(grep -c 'first line' "$tmp/imaps")" 2 "IMAPS: both are fetched"
cmp "$tmp/imap1" "$tmp/pop1" >&2; ok $? "IMAP and POP3 show the same bytes"
like "$(get "$bob" "$imaps/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)")" \
    '^Subject: (one|two)' "IMAPS: one header field"
like "$(get "$bob" "$imaps/INBOX" -X 'SEARCH SUBJECT two')" \
    '^\* SEARCH [12]' "IMAPS: SEARCH"
mail three >"$tmp/three"
said=$(get "$bob" "$imaps/INBOX" -T "$tmp/three")
is "$?:$said" "0:" "IMAPS: APPEND"
get "$bob" "$imaps/INBOX;MAILINDEX=3" >"$tmp/got"
cmp "$tmp/three" "$tmp/got" >&2; ok $? "IMAPS: comes back byte for byte"
like "$(get "$bob" "$imaps/INBOX" -X 'STORE 3 +FLAGS (\Deleted)')" \
    'FETCH.*Deleted' "IMAPS: STORE"
like "$(get "$bob" "$imaps/INBOX" -X EXPUNGE)" '\* 3 EXPUNGE' "IMAPS: EXPUNGE"
like "$(get "$bob" "imap://$IMAP_HOST:$IMAP_PORT/INBOX" --ssl-reqd \
    -X 'STATUS INBOX (MESSAGES)')" 'MESSAGES 2' "IMAP with STARTTLS"

# POP3 deletes when told, and only then.
get "$bob" "$pop3s/1" -X DELE -I >/dev/null
is "$(get "$bob" "$pop3s/" | tr -d '\r' | grep -c .)" 1 "POP3S: DELE"
like "$(get "$bob" "$imaps/INBOX" -X 'STATUS INBOX (MESSAGES)')" \
    'MESSAGES 1' "IMAP sees it gone"
done_testing
