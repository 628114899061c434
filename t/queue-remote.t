#!/bin/sh
# Mail to another host, from sendmail by the queue and remote to an SMTP
# server, and what comes back.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
	if $nobody test -x "$POSTERN_STAGE/qsend" -a -r "$0"; then
		exec $nobody sh "$0"
	fi
fi
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" != 0 ] || plan_skip "there is no other user to run as"
[ -x "$POSTERN_STAGE/remote" ] || plan_skip "remote is not built"
need python3
python3 -c 'import aiosmtpd' 2>/dev/null ||
	plan_skip "python3-aiosmtpd is not installed"

root=$tmp/root
spool=$root/var/spool/postern
mail=$root/var/mail/example.test
POSTERN_ROOT=$root
export POSTERN_ROOT
mkdir -p "$root/etc/postern" "$root/run/postern/empty"

# Refuses no@, puts grey@ off once, and notes what it takes.
cat >"$tmp/sink.py" <<'END'
import sys, time
from aiosmtpd.controller import Controller
seen = set()
class Sink:
    async def handle_RCPT(self, server, session, envelope, to, options):
        if to.startswith("no@"):
            return "550 5.1.1 no\x1bbody here"
        if to.startswith("grey@") and to not in seen:
            seen.add(to)
            return "451 4.7.1 come again"
        envelope.rcpt_tos.append(to)
        return "250 2.1.5 fine"
    async def handle_DATA(self, server, session, envelope):
        with open(sys.argv[1] + "/taken", "ab") as f:
            f.write(b"from %s to %s\n" % (envelope.mail_from.encode(),
                    " ".join(envelope.rcpt_tos).encode()))
            f.write(envelope.content.replace(b"\r\n", b"\n"))
        return "250 2.0.0 taken"
c = Controller(Sink(), hostname="127.0.0.1", port=0)
c.port = 0
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
s.close()
c = Controller(Sink(), hostname="127.0.0.1", port=port)
c.start()
open(sys.argv[1] + "/port", "w").write(str(port))
time.sleep(600)
END
python3 "$tmp/sink.py" "$tmp" 2>"$tmp/sink.log" &
sink=$!
cleanup() { kill "$sink" 2>/dev/null; }
wait_for test -s "$tmp/port" || plan_skip "no server: $(cat "$tmp/sink.log")"
cat >"$root/etc/postern/postern.conf" <<END
domain example.test
hostname mx.example.test
libexec $POSTERN_STAGE
uid_min 1
retry_min_s 1
route far.test 127.0.0.1:$(cat "$tmp/port")
route dead.test 127.0.0.1:1
END
postern domain add example.test
echo x | postern user add alice
echo x | postern user add bob
postern alias add both@example.test alice@example.test friend@far.test
run() { front -1 queue 2>>"$tmp/log"; }
queued() { ls "$spool/mess" | wc -l; }
again() { run; [ "$(queued)" = 0 ]; }

printf 'Subject: one\n\n.dot\ntext\n' |
	sendmail -i -f bob a@far.test b@FAR.test no@far.test 2>>"$tmp/log"
run
is "$(queued)" 0 "the message has gone"
like "$(cat "$tmp/taken")" '^from bob@example.test to a@far.test b@FAR.test$' \
	"both recipients in one go"
like "$(cat "$tmp/taken")" '^\.dot$' "with its dots"
like "$(cat "$mail"/bob/new/*)" \
	'^Diagnostic-Code: smtp; 550 [^[:cntrl:]]*no[^[:cntrl:]]body here' \
	"the refusal comes back, printable"
like "$(cat "$mail"/bob/new/*)" '^Remote-MTA: dns; [^][ ]*$' \
	"and from whom"
rm -f "$mail"/*/new/* "$tmp/taken"

echo x | sendmail -f bob grey@far.test alice 2>>"$tmp/log"; run
is "$(queued) $(ls "$mail/alice/new" | wc -l)" "1 1" \
	"what is put off waits, the others have it"
wait_for again; ok $? "and is sent later"
is "$(grep -c '^from' "$tmp/taken") $(ls "$mail/alice/new" | wc -l)" "1 1" \
	"each once"
rm -f "$mail"/*/new/* "$tmp/taken"
echo x | sendmail -f bob both 2>>"$tmp/log"; run
is "$(grep '^from' "$tmp/taken") $(ls "$mail/alice/new" | wc -l)" \
	"from bob@example.test to friend@far.test 1" \
	"an alias here and there reaches both"
echo x | sendmail -f bob x@dead.test 2>>"$tmp/log"; run
like "$(cat "$spool"/state/*)" '^0 temp [0-9]+ 4\.4\.1 ' \
	"a host that does not answer is tried again"
is "$(ls "$mail/bob/new" | wc -l)" 0 "and nobody is told yet"
for i in 1 2 3 4 5 6 7; do
	echo x | sendmail -f bob y$i@dead.test 2>>"$tmp/log"
done
run
tried=$(grep -h temp "$spool"/state/* | grep -vc 'when it was last tried')
[ "$tried" -ge 2 ] && [ "$tried" -le 6 ]
ok $? "mail for it that waits does not try it again ($tried did)"
done_testing
