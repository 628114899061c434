#!/bin/sh
# The queue from sendmail to the mailbox, without root: who gets what, what is
# tried again, what comes back, and what becomes of damage.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
	if $nobody test -x "$POSTERN_STAGE/qsend" -a -r "$0"; then
		exec $nobody sh "$0"
	fi
fi
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" != 0 ] || plan_skip "there is no other user to run as"

root=$tmp/root
spool=$root/var/spool/postern
mail=$root/var/mail/example.test
POSTERN_ROOT=$root
export POSTERN_ROOT
mkdir -p "$root/etc/postern" "$tmp/libexec"
ln -s "$POSTERN_STAGE"/* "$tmp/libexec/"

# In the place of remote: notes its arguments and says what it is told to.
rm -f "$tmp/libexec/remote"
cat >"$tmp/libexec/remote" <<END
#!/bin/sh
shift 3
echo "\$*" >>"$tmp/remote.args"
cat >>"$tmp/remote.file"
cat "$tmp/remote.says"
exit 0
END
chmod 755 "$tmp/libexec/remote"

conf() { # [LINES...]: the configuration, with more lines
	{
		echo "domain example.test"
		echo "hostname mx.example.test"
		echo "libexec $tmp/libexec"
		echo "uid_min 1"
		echo "retry_min_s 1"
		for line; do echo "$line"; done
	} >"$root/etc/postern/postern.conf"
}
run() { # the queue until nothing is due
	front -1 queue 2>>"$tmp/log"
}
send() { # [OPTIONS] RCPT...: a message with the subject $subject
	printf 'Subject: %s\n\n%s text\n' "$subject" "$subject" |
	    sendmail "$@" 2>>"$tmp/log"
}
copies() { # MAILBOX: how many have the subject $subject
	cat "$mail/$1"/new/* 2>/dev/null | grep -c "^Subject: $subject\$"
}
queued() { ls "$spool/mess" | wc -l; }
bounces() { # MAILBOX: its reports, which go
	cat "$mail/$1"/new/* 2>/dev/null | grep -A100 '^From: Mail Delivery'
	rm -f "$mail/$1"/new/*
}

conf
postern domain add example.test
for user in alice bob carol; do echo x | postern user add $user; done
postern alias add info@example.test alice@example.test bob@example.test
postern alias add outside@example.test alice@example.test x@far.test
postern alias add loop1@example.test loop2@example.test
postern alias add loop2@example.test loop1@example.test

# A mailbox that is full.
quota() { postern user quota alice "$1"; }
full=$mail/alice
subject=fits
quota 2000
send -f bob@example.test alice@example.test; run
is "$(copies alice)" 1 "a message for which there is room"
is "$(head -1 "$full/maildirsize")" 2000S,0C "the limit stands in maildirsize"
is "$(awk 'NR > 1 { n += $1 } END { print n }' "$full/maildirsize")" \
	"$(cat "$full"/new/* | wc -c)" "and its true size"
subject=waits
quota 500
send -f bob@example.test alice@example.test; run
is "$(copies alice) $(queued)" "0 1" "one for which there is none waits"
like "$(cat "$tmp/log")" "over-quota" "and the log says so"
quota 2000
again() { front -1 queue 2>>"$tmp/log"; [ "$(copies alice)" = 1 ]; }
wait_for again; is "$(copies alice) $(queued)" "1 0" "until there is room"
subject=goes-back
quota 500
conf "quota_full refuse"
send -f bob@example.test alice@example.test; run
is "$(copies alice) $(queued)" "0 0" "where it is to be refused it goes back"
like "$(bounces bob)" '^Status: 5.2.2' "with an honest reason"
conf "quota 3000"
quota default
subject=huge
{ printf 'Subject: huge\n\n'; yes | head -4000; } |
	sendmail -f bob@example.test alice@example.test 2>>"$tmp/log"; run
like "$(bounces bob)" '^Status: 5.2.3' "one larger than the mailbox may be goes back"
is "$(head -1 "$full/maildirsize")" 3000S,0C "postern.conf's limit"
conf "quota 0"
subject=unlimited
{ printf 'Subject: unlimited\n\n'; yes | head -4000; } |
	sendmail -f bob@example.test alice@example.test 2>>"$tmp/log"; run
is "$(copies alice)" 1 "no limit, whatever the Maildir says"
rm -f "$mail"/*/new/* "$mail"/*/maildirsize
conf

subject=plain
send -f bob@example.test alice@example.test; ok $? "sendmail takes a message"
is "$(queued)" 1 "it is in the queue"
is "$(stat -c %a "$spool" "$spool"/mess | sort -u)" 700 "which is private"
run; ok $? "the queue runs"
is "$(queued) $(ls "$spool/state" | wc -l)" "0 0" "and is empty then"
message=$(cat "$mail"/alice/new/*)
is "$(echo "$message" | head -2)" "Return-Path: <bob@example.test>
Delivered-To: alice@example.test" "the mailbox has it, with its trace"
like "$message" '^Message-ID: <.+@mx.example.test>$' "a Message-ID was added"
like "$message" '^Date: ' "a date"
like "$message" '^From: <bob@example.test>$' "and a sender"
is "$(echo "$message" | tail -2)" "
plain text" "the text is as it was"

subject=alias
send -f bob info alice+tag; run
is "$(copies alice) $(copies bob)" "2 1" \
	"an alias reaches its members, a sub-address its mailbox"
rm -f "$mail"/*/new/*
subject=twice
send -f bob alice@example.test alice@example.test ALICE@Example.TEST bob \
	alice+x@example.test alice+X@example.test info; run
is "$(copies alice) $(copies bob) $(queued)" "2 1 0" \
	"an address that is named twice has it once, a sub-address for itself"
is "$(grep -h ^Delivered-To "$mail"/alice/new/* | sort)" \
	"Delivered-To: alice+x@example.test
Delivered-To: alice@example.test" "as it was named"
postern alias add @example.test carol@example.test
subject=catch
send -f bob whoever whoelse nobody; run
is "$(copies carol)" 1 "catch-all: three addresses, one mailbox, one copy"
postern alias del @example.test
rm -f "$mail"/*/new/*

subject=unknown
send -f bob alice nosuch; run
is "$(copies alice)" 1 "the known one has it"
report=$(bounces bob)
like "$report" '^Content-Type: multipart/report; report-type=delivery-status' \
	"the unknown one brings a report"
like "$report" '^Final-Recipient: rfc822; nosuch@example.test$' "on it alone"
like "$report" '^Status: 5\.1\.1$' "with its status"
like "$report" '^Auto-Submitted: auto-replied$' "marked as automatic"
is "$(echo "$report" | grep -c '^Final-Recipient')" 1 "and on nobody else"
like "$report" '^Subject: unknown$' "with the header"
unlike "$report" 'unknown text' "but not the text"
subject=loop
send -f bob loop1; run
like "$(bounces bob)" '^Status: 5\.4\.6$' "a loop of aliases comes back"

subject=nosender
send -f '<>' nosuch; run
is "$(queued)" 0 "no report to an empty sender"
like "$(cat "$tmp/log")" 'qsend.*double-bounce .*to=nosuch@example.test' \
	"it is logged and dropped"
subject=badsender
send -f nosuch2 nosuch; run
is "$(queued)" 0 "a report that cannot be delivered is dropped too"

printf 'Delivered-To: alice@example.test\nSubject: again\n\nx\n' |
	sendmail -f bob alice 2>>"$tmp/log"
is $? 65 "what was delivered to all its recipients before is refused"
like "$(cat "$tmp/log")" 'mail loop' "as a loop"
subject=some
printf 'Delivered-To: ALICE@example.test\nSubject: some\n\nx\n' |
	sendmail -f bob alice carol 2>>"$tmp/log"
run
is "$(copies alice) $(copies carol)" "0 1" "to some of them: the others get it"
like "$(bounces bob)" 'Mail loop' "and a sender who logged in is told"
rm -f "$mail"/*/new/*
stranger() { # HEADER RCPT...: mail from bob@example.test, as he says
	python3 - "$@" <<'END'
import os, socket, subprocess, sys
ns = lambda s: b"%d:%s," % (len(s), s.encode())
a, b = socket.socketpair()
p = subprocess.Popen(["enqueue", "192.0.2.1"], stdin=b,
    stderr=subprocess.DEVNULL)
a.sendall(ns("sender 16:bob@example.test,\n" + "".join("rcpt %d:%s,\n" %
    (len(r), r) for r in sys.argv[2:])) +
    ns(sys.argv[1] + "\nSubject: stranger\n\nx\n") + b"0:,")
print(a.recv(1000)[:1].decode())
p.wait()
END
}
if command -v python3 >/dev/null; then
	subject=stranger
	loop="Delivered-To: alice@example.test"
	is "$(stranger "$loop" alice@example.test)" D "a stranger's loop is refused"
	is "$(stranger "$loop" alice@example.test carol@example.test)" K \
		"one for some is not"
	is "$(stranger "$loop" info@example.test)" K "nor one behind an alias"
	run
	is "$(copies alice) $(copies carol) $(copies bob) $(queued)" "0 1 1 0" \
		"those get it who did not have it"
	unlike "$(bounces bob)" 'Mail Delivery' "and no sender that may be forged is told"
	is "$(grep -c 'loop-dropped.* to=alice' "$tmp/log")" 2 "the log says it"
	i=0; many=
	while [ $i -le 100 ]; do many="${many}Delivered-To: x
"; i=$((i + 1)); done
	is "$(stranger "${many}X: y" alice@example.test)" D \
		"a hundred deliveries before are too many"
fi
rm -f "$mail"/*/new/*
{ i=0; while [ $i -le 100 ]; do echo "Received: by x; y"; i=$((i + 1)); done
echo; } | sendmail -f bob alice 2>"$tmp/err"
is "$? $(cat "$tmp/err" | grep -c 'too many hops')" "65 1" \
	"what has been through 100 hosts is refused"

# ---- other hosts ----
rm -f "$mail"/*/new/*
subject=remote
: >"$tmp/remote.args"
{ echo "0 ok 2.0.0 fine"; echo "2 ok 2.1.5 fine too"
echo "1 perm 5.1.1 no such user"; } >"$tmp/remote.says"
send -f bob a@far.test b@far.test c@FAR.test; run
is "$(cat "$tmp/remote.args")" "far.test 0 1 2" "one run for one domain"
: >"$tmp/remote.args"
{ echo "0 ok 2.0.0 fine"; echo "2 ok 2.0.0 fine"; } >"$tmp/remote.says"
send -f bob d@far.test d@FAR.test D@far.test; run
is "$(cat "$tmp/remote.args") $(queued)" "far.test 0 2 0" \
	"named twice is once, but capitals are the other host's to read"
{ echo "0 ok 2.0.0 fine"; echo "2 ok 2.1.5 fine too"
echo "1 perm 5.1.1 no such user"; } >"$tmp/remote.says"
like "$(cat "$tmp/remote.file")" '^rcpt 10:b@far.test,$' \
	"it gets the queue file"
report=$(bounces bob)
like "$report" '^Diagnostic-Code: x-postern; no such user$' \
	"its refusal comes back"
is "$(echo "$report" | grep '^Final')" "Final-Recipient: rfc822; b@far.test" \
	"for the one that was refused"
: >"$tmp/remote.args"
echo "2 ok 2.0.0 fine" >"$tmp/remote.says"
send -f bob outside; run
is "$(cat "$tmp/remote.args") $(copies alice)" "far.test 2=x@far.test 1" \
	"an alias leads here and elsewhere"

subject=later
: >"$tmp/remote.args"
{ echo "0 temp 4.2.0 grey"; echo "1 ok 2.0.0 fine"; } >"$tmp/remote.says"
send -f bob a@far.test b@far.test; run
is "$(queued)" 1 "what failed for now stays"
is "$(cut -d' ' -f1,2,4- "$spool"/state/*)" "0 temp 4.2.0 grey
1 ok 2.0.0 fine" "what happened is on record"
echo "0 ok 2.0.0 fine" >"$tmp/remote.says"
again() { run; [ "$(queued)" = 0 ]; }
wait_for again; ok $? "and it is tried again"
is "$(cat "$tmp/remote.args")" "far.test 0 1
far.test 0" "for the one that is left"
is "$(ls "$spool/state" | wc -l)" 0 "its record is gone"

conf "queue_life_s 0"
subject=expired
echo "0 temp 4.4.1 no answer" >"$tmp/remote.says"
send -f bob a@dead.test; run
like "$(bounces bob)" '^Status: 5\.4\.7$' "after its time it comes back"
: >"$tmp/remote.says"
subject=crash
send -f bob a@crash.test; run
is "$(queued)" 0 "also where a program of ours crashed"
like "$(bounces bob)" '^Diagnostic-Code: x-postern; A fault of this system' \
	"with the reason, in words for others"
like "$(cat "$tmp/log")" 'fault-expired.* to=a@crash.test .*did.*not.*report' \
	"and in the log for us"
mv "$root/etc/postern/users.cdb" "$tmp/users.cdb"
subject=nodb
send -f bob alice; run
mv "$tmp/users.cdb" "$root/etc/postern/users.cdb"
like "$(cat "$tmp/log")" 'fault-expired.* to=alice@example.test .*users.cdb' \
	"or the database was not there"
again() { run; [ "$(queued)" = 0 ]; }
wait_for again
conf
subject=crash
send -f bob a@crash.test; run
is "$(queued)" 1 "but not before its time"
like "$(cat "$spool"/state/*)" '^0 fault [0-9]+ 4\.3\.0 ' \
	"the record tells whose fault it is"
rm -f "$spool"/mess/* "$spool"/state/*
chmod 500 "$mail/alice/tmp"
subject=full
send -f bob alice; run
is "$(queued) $(bounces bob | wc -l)" "1 0" \
	"nor because a mailbox cannot be written"
chmod 700 "$mail/alice/tmp"
wait_for again; is "$(copies alice)" 1 "it is delivered when it can be"
mv "$root/etc/postern/users.cdb" "$tmp/users.cdb"
subject=nodb
send -f bob alice nosuch; run
is "$(queued) $(bounces bob | wc -l)" "1 0" \
	"without the database nobody is unknown"
mv "$tmp/users.cdb" "$root/etc/postern/users.cdb"
run; is "$(copies alice)" 1 "it is delivered when it is back"
conf
rm -f "$mail"/*/new/*

# ---- mail that is late ----
conf "queue_warn_s 1"
subject=late
: >"$tmp/remote.args"
{ echo "0 temp 4.2.0 host.test[192.0.2.7]: 450 4.2.0 grey"
echo "1 ok 2.0.0 fine"; } >"$tmp/remote.says"
send -f bob late@far.test soon@far.test
send -f '<>' null@far.test
warned() { run; grep -qs '^Subject: Mail is late' "$mail"/bob/new/*; }
wait_for warned; ok $? "who logged in is told that a message is late"
report=$(cat "$mail"/bob/new/*)
is "$(echo "$report" | grep -c '^Action: delayed$')" 1 "with RFC 3464's word"
is "$(echo "$report" | grep '^Final')" \
	"Final-Recipient: rfc822; late@far.test" "for what is late, and nobody else"
like "$report" '^Status: 4\.2\.0$' "with the status of the last try"
like "$report" '^Diagnostic-Code: smtp; 450 4.2.0 grey$' "what the host said"
like "$report" '^Will-Retry-Until: [A-Z][a-z]{2}, ' "how long it will be tried"
like "$report" '^Return-Path: <>$' "from nobody"
tries() { run; [ "$(grep -c '^far.test 0$' "$tmp/remote.args")" -ge "$1" ]; }
n=$(grep -c '^far.test 0$' "$tmp/remote.args")
wait_for tries $((n + 2)); ok $? "it is tried on"
is "$(ls "$mail/bob/new" | wc -l) $(cat "$spool"/state/* | grep -c ' late ')" \
	"1 1" "its sender is told once, and a null sender never"
echo "0 ok 2.0.0 fine" >"$tmp/remote.says"
wait_for again; ok $? "and sent in the end"
conf "queue_warn_s 0"
rm -f "$mail"/*/new/*

# ---- damage ----
subject=sound
send -f bob alice carol
chmod 500 "$mail/carol/tmp"; run # for its state
send -f bob alice
first=$(ls "$spool/mess" | head -1)
second=$(ls "$spool/mess" | tail -1)
rm -f "$mail"/*/new/*
fake() { printf '1ng7yrx1zqv00pgfhnngz5%02d' "$1"; }
damage() { # N COMMAND: a copy of the second one, made otherwise
	sed "s/$second/$(fake "$1")/" "$spool/mess/$second" >"$spool/mess/$(fake "$1")"
	(cd "$spool/mess" && file=$(fake "$1") && eval "$2")
}
damage 10 ': >$file'
damage 11 'truncate -s -1 $file'
damage 12 'echo more >>$file'
damage 13 'printf "\\0\\0\\0\\0" | dd of=$file conv=notrunc 2>/dev/null'
damage 14 'sed -i "s/^sender 16/sender 17/" $file'
damage 15 'sed -i s/^rcpt/rpct/ $file'
damage 16 'sed -i "s/bob@example/bob\\n@exampl/" $file'
damage 17 "sed -i 's/$(fake 17)/$(fake 27)/' \$file"
damage 18 'mv $file ../elsewhere; ln -s ../elsewhere $file'
damage 19 'rm $file; mkfifo $file'
damage 21 'echo "0 ok 12 2.0.0 x" >../state/$file; echo "0 ok 12 2.0.0 x" >>../state/$file'
damage 22 'echo "9 ok 12 2.0.0 x" >../state/$file'
damage 23 'echo nonsense >../state/$file'
damage 24 'mv $file name-of-nothing'
damage 25 'rm $file; mkdir $file'
echo "0 ok 1 2.0.0 x" >"$spool/state/$(fake 50)"
printf '1 o' >>"$spool/state/$first"
echo x >"$spool/tmp/old"; touch -d '37 hours ago' "$spool/tmp/old"
echo x >"$spool/tmp/young"
chmod 700 "$mail/carol/tmp"
wait_for again; ok $? "damaged files do not stop the queue"
is "$(copies alice)" 1 "what is sound is delivered"
is "$(copies carol)" 1 "what was half written in a record does not count"
is "$(ls "$spool/bad" | grep -vc state)" 15 "all of them are in bad"
is "$(ls "$spool/bad" | grep -c 'state$')" 3 "with their states"
is "$(ls "$spool/state")" "" "a state without a message is gone"
is "$(ls "$spool/tmp")" young "old unfinished files are gone, young ones not"

rm -f "$mail"/*/new/*
subject=linked
send -f bob alice
ln "$spool/mess"/* "$tmp/backup"; run
is "$(copies alice) $(queued)" "1 0" "a backup's second name is no damage"

# ---- limits ----
rm -f "$mail"/*/new/* "$spool"/tmp/*
conf "message_size 20000" "recipients 10"
head -c 40000 /dev/zero | tr '\0' x | sendmail -f bob alice 2>"$tmp/err"
is "$? $(grep -c 'not accepted: message too large' "$tmp/err")" "65 1" \
	"a message that is too large is refused"
sendmail -f bob 1 2 3 4 5 6 7 8 9 10 11 </dev/null 2>"$tmp/err"
is "$?" 65 "too many recipients are refused"
is "$(ls "$spool/mess" "$spool/tmp" | grep -c .)" 2 "nothing stays of either"

conf
users=$root/etc/postern/users
cp "$users" "$tmp/users"
i=100
while [ $i -lt 400 ]; do
	mkdir -p "$mail/u$i/cur" "$mail/u$i/new" "$mail/u$i/tmp"
	echo "u$i@example.test uid=$(id -u) gid=$(id -g)" \
	    "maildir=/var/mail/example.test/u$i"
	i=$((i + 1))
done 2>/dev/null >"$tmp/more"
cat "$tmp/users" "$tmp/more" >"$users"
cdb -c -m "$root/etc/postern/users.cdb" "$users"
subject=many
# shellcheck disable=SC2046
send -f bob $(cut -d' ' -f1 "$tmp/more"); run
is "$(cat "$mail"/u*/new/* | grep -c '^Subject: many$')" 300 \
	"300 recipients have it, each once"
cp "$tmp/users" "$users"
cdb -c -m "$root/etc/postern/users.cdb" "$users"

# ---- staying ----
got() { [ "$(copies alice)" -ge 1 ]; }
front queue 2>>"$tmp/log" &
pid=$!
cleanup() { kill -9 "$pid" 2>/dev/null; }
wait_for test -e "$spool/lock"
subject=poke
send -f bob alice
wait_for got; ok $? "a queue that stays delivers new mail at once"
front -1 queue 2>"$tmp/err"
is "$? $(grep -c 'qsend: lock' "$tmp/err")" "111 1" "there is one qsend only"
kill "$pid"; wait "$pid"; ok $? "it ends when it is told to"
rm -f "$mail/alice/new"/*
subject=killed
i=0
while [ $i -lt 10 ]; do send -f bob alice; i=$((i + 1)); done
front queue 2>>"$tmp/log" &
pid=$!
wait_for got
kill -9 "$pid"; wait "$pid" 2>/dev/null
wait_for again; ok $? "killed, another takes over"
n=$(copies alice)
[ "$n" -ge 10 ] && [ "$n" -le 20 ]; ok $? "and nothing is lost ($n of 10)"
rm -f "$mail"/*/new/*

# Hosts that never answer do not stop the mail of others.
cp "$tmp/libexec/remote" "$tmp/remote"
cat >"$tmp/libexec/remote" <<END
#!/bin/sh
echo x >>"$tmp/started"
until [ -e "$tmp/go" ]; do sleep 0.1; done
echo "0 ok 2.0.0 fine"
END
rm -f "$tmp/go" "$tmp/started" "$mail"/*/new/*
conf "queue_workers 4"
front queue 2>>"$tmp/log" &
pid=$!
subject=tarpit
for i in 1 2 3 4 5 6; do send -f bob "x@tar$i.test"; done
started() { [ "$(wc -l <"$tmp/started")" -ge 3 ]; }
wait_for started
send -f bob alice
wait_for got; ok $? "hosts that are slow leave room for local mail"
touch "$tmp/go"
none() { [ "$(queued)" = 0 ]; }
wait_for none; ok $? "and get theirs in the end"
kill "$pid"; wait "$pid"
conf
mv "$tmp/remote" "$tmp/libexec/remote"
rm -f "$mail"/*/new/*

# Told to stop while more is due than may run.
cp -P "$tmp/libexec/deliver" "$tmp/deliver"
rm -f "$tmp/libexec/deliver" "$tmp/go" "$tmp/started"
cat >"$tmp/libexec/deliver" <<END
#!/bin/sh
echo x >>"$tmp/started"
until [ -e "$tmp/go" ]; do sleep 0.1; done
exit 111
END
chmod 755 "$tmp/libexec/deliver"
subject=stop
for i in 1 2 3 4 5 6 7 8 9 10; do send -f bob alice; done
front queue 2>>"$tmp/log" &
pid=$!
started() { [ "$(wc -l <"$tmp/started")" -ge 5 ]; }
wait_for started
qsend=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null | tr ' ' '\n' |
	while read -r p; do grep -qs '^qsend$' "/proc/$p/comm" && echo "$p"; done)
if [ -n "$qsend" ]; then
	ticks() { awk '{ print $14 + $15 }' "/proc/$qsend/stat"; }
	kill "$pid"
	sleep 0.5 # what waited for its destination comes due
	before=$(ticks)
	sleep 1
	n=$(($(ticks) - before))
	[ "$n" -lt 15 ]; ok $? "told to stop, it waits without work ($n ticks)"
else
	kill "$pid"
	skip "told to stop, it waits without work" "children are not listed"
fi
touch "$tmp/go"
wait "$pid"
rm -f "$tmp/libexec/deliver" "$spool"/mess/* "$spool"/state/*
cp -P "$tmp/deliver" "$tmp/libexec/deliver"

# Arguments that one of ours got wrong are no reason to send mail back.
for program in deliver bounce; do
	"$program" --nonsense 2>/dev/null; is $? 111 "$program: wrong arguments: later"
done

# What runs when front or qsend is killed.
cp "$tmp/libexec/remote" "$tmp/remote"
cat >"$tmp/libexec/remote" <<END
#!/bin/sh
shift 3
echo "\$*" >>"$tmp/remote.args"
until [ -e "$tmp/go" ]; do sleep 0.1; done
echo "0 ok 2.0.0 fine"
END
slow() { # WHICH: remote runs, and one of those above it is killed
	rm -f "$tmp/remote.args" "$tmp/go"
	front queue 2>>"$tmp/log" &
	pid=$!
	subject=slow
	send -f bob x@far.test
	wait_for test -s "$tmp/remote.args"
	[ "$1" = front ] || kill -9 $(ps -o pid=,comm= --ppid "$pid" |
		sed -n 's/ qsend$//p')
	[ "$1" = qsend ] || kill -9 "$pid"
}
if command -v ps >/dev/null; then
	slow front
	wait "$pid" 2>/dev/null
	touch "$tmp/go"
	none() { [ "$(queued)" = 0 ]; }
	wait_for none; ok $? "what ran when front was killed is recorded"
	wait_for run
	is "$(grep -c . "$tmp/remote.args")" 1 "and not done again"
	slow qsend
	gone() { ! kill -0 "$pid" 2>/dev/null; }
	wait_for gone; ok $? "qsend killed: front ends as well"
	wait "$pid"; is $? 137 "and the queue is to be started again"
	touch "$tmp/go"
	wait_for run
	is "$(queued) $(grep -c . "$tmp/remote.args")" "0 2" "then it is done"
fi
mv "$tmp/remote" "$tmp/libexec/remote"

# ---- sendmail's ways ----
printf 'To: Alice <alice@example.test>, carol@example.test\nBcc: bob\nDate: d
From: f\n\na\n.\nb\n' | sendmail -t -i -f '' 2>>"$tmp/log"; run
is "$(cat "$mail"/bob/new/* "$mail"/carol/new/* | grep -c '^b$')" 2 \
	"-t takes the recipients from the header, -i any line"
unlike "$(cat "$mail"/bob/new/*)" '^Bcc' "Bcc is removed"
is "$(grep -hc '^Date: d$\|^From: f$' "$mail"/bob/new/*)" 2 \
	"what the header has is kept"
rm -f "$mail"/*/new/*
printf 'no header here\r\nsecond\0\rthird\n.\nnot this\n' |
	sendmail -F 'A "B" C' alice 2>>"$tmp/log"; run
is "$(sed '1,/^$/d' "$mail"/alice/new/*)" "no header here
second
third" "text without a header, with all line ends, up to a lone dot"
like "$(cat "$mail"/alice/new/*)" '^From: "A B C" <' "-F names the sender"
sendmail </dev/null 2>"$tmp/err"; is "$?" 64 "no recipients: usage"
sendmail -bs </dev/null 2>"$tmp/err"; is "$?" 64 "what is not there is said"
sendmail 'a@b!c' <"$tmp/users" >/dev/null 2>&1
is "$? $(queued)" "65 0" "an address that is none is refused"
chmod 555 "$spool/tmp"
echo x | sendmail alice 2>"$tmp/err"; is "$?" 75 "a fault here: try later"
chmod 700 "$spool/tmp"
chmod 755 "$spool"
echo x | sendmail alice 2>"$tmp/err"; is "$?" 75 \
	"a queue that others can look into is not used"
chmod 700 "$spool"

# ---- a caller that means harm ----
subject=limits
rm -f "$mail"/*/new/* "$spool"/tmp/*
sendmail alice <&- 2>"$tmp/err"; is "$?" 74 "no standard input: an error"
echo "Subject: limits" | sendmail alice >&- 2>&-
is "$?" 0 "other descriptors may be closed"
(ulimit -f 0; echo x | sendmail alice 2>/dev/null); is "$?" 75 \
	"no files may be written: later"
echo x | (exec 2>/dev/null; ulimit -n 6; exec sendmail alice); is "$?" 75 \
	"nor opened: later"
mkfifo "$tmp/fifo"
sendmail alice <"$tmp/fifo" 2>/dev/null &
half=$!
exec 9>"$tmp/fifo"
{ printf 'Subject: limits\n\n'; head -c 300000 "$POSTERN_STAGE/enqueue" |
	base64; } >&9
begun() { find "$spool/tmp" -size +100k | grep -q .; }
wait_for begun; ok $? "a message is being written"
kill -9 "$half"; wait "$half" 2>/dev/null
exec 9>&-
ended() { ! begun; }
wait_for ended; ok $? "its sender is killed: it is gone"
run
is "$(copies alice) $(ls "$mail"/alice/new | wc -l)" "1 1" \
	"and not sent"

# ---- submissions that are broken ----
if command -v python3 >/dev/null; then
	rm -f "$spool"/mess/*
	python3 - >"$tmp/out" 2>"$tmp/err" <<'END'
import os, socket, subprocess
good = b"sender 1:a,\nrcpt 16:bob@example.test,\n,"
good = b"%d:%s" % (len(good) - 1, good)
cases = [
    ("whole", good + b"3:ab\n,0:,", "K"),
    ("nothing", b"", "Z"),
    ("envelope only", good, "Z"),
    ("no end", good + b"3:ab\n,", "Z"),
    ("half a chunk", good + b"9:ab", "Z"),
    ("no comma", good + b"3:ab\n.0:,", "D"),
    ("leading zero", good + b"03:ab\n,0:,", "D"),
    ("chunk too long", good + b"65537:", "D"),
    ("number without end", b"9" * 100000, "D"),
    ("not a netstring", b"hello\n", "D"),
    ("no recipient", b"12:sender 1:a,\n,0:,", "D"),
    ("id from outside", good.replace(b"sender", b"id 1:x,\nsender")
        .replace(good[:2], b"%d" % (int(good[:2]) + 8)) + b"0:,", "K"),
    ("line feed in a field", b"27:sender 1:a,\nrcpt 5:a\nb@c,\n,0:,", "D"),
    ("unknown field", b"31:sender 1:a,\nrcpt 1:b,\nzeal 1:x,\n,0:,", "D"),
]
for name, data, want in cases:
    a, b = socket.socketpair()
    p = subprocess.Popen(["enqueue", "bad\npeer", "me"], stdin=b,
        stderr=subprocess.DEVNULL)
    b.close()
    try:
        a.sendall(data)
        a.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    got = b""
    try:
        while True:
            r = a.recv(1000)
            if not r:
                break
            got += r
    except OSError:
        pass
    code = p.wait()
    right = (got[:2] == want.encode() + b" " and got[-1:] == b"\n" and
             code == {"K": 0, "Z": 111, "D": 100}[want])
    print("%d %s" % (not right, name))
    if not right:
        print("# %r %d" % (got, code))
END
	while read -r status name; do
		case $status in '#') echo "# $name" ;;
		*) ok "$status" "submission: $name" ;; esac
	done <"$tmp/out"
	is "$(wc -l <"$tmp/err")" 0 "all were made"
	is "$(queued) $(ls "$spool/tmp" | wc -l)" "2 0" "only the whole ones stay"
	like "$(cat "$spool"/mess/* | tr -d '\n')" "user 2:me,size" \
		"who it was comes from the parent, and only what is printable"
	unlike "$(cat "$spool"/mess/*)" '^id 1:x' "an id does not"
else
	skip "broken submissions" "python3 is not installed"
fi
done_testing
