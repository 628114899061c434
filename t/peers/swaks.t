#!/bin/sh
# swaks: STARTTLS and implicit TLS; what must be refused is refused.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
need swaks
start_try --no-mount

send() { # OPTION...: swaks's exit status is kept, its words are in $said
	said=$(swaks --server "$IMAP_HOST" --timeout 20 --helo client.test \
	    --header "X-Token: $token" "$@" 2>&1 </dev/null)
}
login="--auth PLAIN --auth-user $MAIL_USER --auth-password $MAIL_PASS"
trust="--tls-verify --tls-ca-path $CA_FILE"
# swaks: 0 sent, 23 sender refused, 24 recipient refused, 28 login failed.

token=starttls
# shellcheck disable=SC2086
send --port "$SUBMISSION_PORT" --tls $trust $login \
    --from "$MAIL_ADDR" --to "$MAIL_ADDR2"
is $? 0 "submission with STARTTLS and AUTH PLAIN"
like "$said" 'EHLO client.test' "it said EHLO"
wait_for arrived "$MAILDIR2" 'X-Token: starttls'; ok $? "it arrived"
received=$(find "$MAILDIR2"/new "$MAILDIR2"/cur -type f \
    -exec grep -l 'X-Token: starttls' {} + | head -n 1)
like "$(cat "$received")" '^Return-Path: <'"$MAIL_ADDR"'>' "Return-Path"
like "$(sed -n '/^Received:/,/^[^ 	R]/p' "$received")" \
    'client.test' "Received names the client"
like "$(sed -n '/^Received:/,/^[^ 	R]/p' "$received")" \
    'ESMTPSA' "Received says TLS and login"

token=implicit
# shellcheck disable=SC2086
send --port "$SMTPS_PORT" --tls-on-connect $trust $login \
    --from "$MAIL_ADDR" --to "$MAIL_ADDR2"
is $? 0 "submission with implicit TLS"
wait_for arrived "$MAILDIR2" 'X-Token: implicit'; ok $? "it arrived"

token=relay-in
send --port "$SMTP_PORT" --from x@outside.test --to "$MAIL_ADDR"
is $? 0 "port 25 takes mail for a local user without login"
wait_for arrived "$MAILDIR" 'X-Token: relay-in'; ok $? "it arrived"
token=pipeline
send --port "$SMTP_PORT" --pipeline --tls --from x@outside.test \
    --to "$MAIL_ADDR,$MAIL_ADDR2"
is $? 0 "PIPELINING to two recipients"
wait_for arrived "$MAILDIR" 'X-Token: pipeline'; ok $? "it arrived at one"
wait_for arrived "$MAILDIR2" 'X-Token: pipeline'; ok $? "it arrived at both"
token=attach
send --port "$SMTP_PORT" --from x@outside.test --to "$MAIL_ADDR" \
    --attach "@$POSTERN_SRC/COPYING" --body "with an attachment"
is $? 0 "with an attachment"
wait_for arrived "$MAILDIR" 'X-Token: attach'; ok $? "it arrived"
token=null-sender
send --port "$SMTP_PORT" --from '<>' --to "$MAIL_ADDR"
is $? 0 "the null sender is taken"

token=refused
for port in "$SUBMISSION_PORT:--tls" "$SMTPS_PORT:--tls-on-connect"; do
	send --port "${port%%:*}" "${port#*:}" --auth PLAIN \
	    --auth-user "$MAIL_USER" --auth-password wrong \
	    --from "$MAIL_ADDR" --to "$MAIL_ADDR2"
	is $? 28 "a bad password is refused (${port#*:})"
	like "$said" '^<(~\*|\*\*).*535' "with 535"
	send --port "${port%%:*}" "${port#*:}" --auth PLAIN \
	    --auth-user nobody --auth-password "$MAIL_PASS" \
	    --from "$MAIL_ADDR" --to "$MAIL_ADDR2"
	is $? 28 "an unknown user is refused (${port#*:})"
	send --port "${port%%:*}" "${port#*:}" \
	    --from "$MAIL_ADDR" --to "$MAIL_ADDR2"
	case $? in 23|24) true ;; *) false ;; esac
	ok $? "submission without a login is refused (${port#*:})"
	like "$said" '530|550' "with its code"
done
send --port "$SMTP_PORT" --from x@outside.test --to y@elsewhere.test
is $? 24 "relaying is refused"
like "$said" '55[04] 5\.7\.1' "with 5.7.1"
send --port "$SMTP_PORT" --from "$MAIL_ADDR" --to y@elsewhere.test
is $? 24 "relaying with a local sender too"
for to in "y%elsewhere.test@$MAIL_DOMAIN" "\"y@elsewhere.test\"@$MAIL_DOMAIN" \
    "@$MAIL_DOMAIN:y@elsewhere.test"; do
	send --port "$SMTP_PORT" --from x@outside.test --to "$to"
	is $? 24 "relaying by $to too"
done
send --port "$SMTP_PORT" --from x@outside.test --to "nobody@$MAIL_DOMAIN"
is $? 24 "an unknown local user is refused at RCPT"
like "$said" '550 5\.1\.1' "with 5.1.1"
# shellcheck disable=SC2086
send --port "$SUBMISSION_PORT" --tls $login --from "$MAIL_ADDR2" \
    --to "$MAIL_ADDR"
case $? in 23|24) true ;; *) false ;; esac
ok $? "a login does not send in somebody else's name"
is "$(in_inbox "$MAILDIR" 'X-Token: refused')$(in_inbox "$MAILDIR2" \
    'X-Token: refused')" 00 "nothing of what was refused arrived"
done_testing
