#!/bin/sh
# Clients that leave mail on a POP3 server, Dovecot's or Courier's (see
# adopt-courier.t), fetch nothing again when Postern has taken it over.
. "${POSTERN_SRC:-.}/t/lib.sh"
. "$POSTERN_SRC/t/adopt-clients.sh"
need fetchmail
need getmail
server=
cleanup() { [ -z "$server" ] || kill "$server"; }

# Both hand a message to a program that notes its subject.
cat >"$tmp/take" <<-END
	#!/bin/sh
	sed -n 's/^Subject: //p' >>"$tmp/got"
END
chmod 755 "$tmp/take"
start() { # start SCRIPT: behind one port, until the clients are done
	printf '%s\n' "$1" >"$tmp/theirs"
	make_server <"$tmp/theirs"
	sed "s,/imapd\",/pop3d\"," "$tmp/server" >"$tmp/pop3"
	rm -rf "$md" "$tmp/port" "$tmp/ours" "$tmp/home"
	mkdir -p "$md/cur" "$md/new" "$md/tmp" "$tmp/home/getmail"
	for i in 1 2 3 4 5; do
		printf 'Subject: m%d\n\ntext\n' $i >"$md/new/170000000$i.M1P1.h"
	done
	[ "$(id -u)" -ne 0 ] || chown -R "$me:$group" "$tmp"
	as python3 "$POSTERN_SRC/t/adopt-pop3.py" "$tmp/port" "$tmp/pop3" \
	    >"$tmp/log" 2>&1 &
	wait_for test -s "$tmp/port"
	read -r port server <"$tmp/port"
	cat >"$tmp/home/fetchmailrc" <<-END
		poll 127.0.0.1 service $port protocol pop3 uidl
		user "u" password "p" keep sslproto ""
		mda "$tmp/take"
	END
	cat >"$tmp/home/getmail/getmailrc" <<-END
		[retriever]
		type = SimplePOP3Retriever
		server = 127.0.0.1
		port = $port
		username = u
		password = p
		[destination]
		type = MDA_external
		path = $tmp/take
		unixfrom = True
		[options]
		read_all = False
		delete = False
	END
	chmod 600 "$tmp/home/fetchmailrc" "$tmp/home/getmail/getmailrc"
	[ "$(id -u)" -ne 0 ] || chown -R "$me:$group" "$tmp/home"
}
# The subjects that came; what the client said where it did not end well.
came() { # came STATUS
	[ "$1" -lt 2 ] || { echo "status $1:"; cat "$tmp/said"; }
	tr '\n' ' ' 2>/dev/null <"$tmp/got"
}
fetch() {
	as sh -c ': >"$1"' sh "$tmp/got"
	as timeout 100 env FETCHMAILHOME="$tmp/home" fetchmail --nosyslog -f "$tmp/home/fetchmailrc" \
	    >"$tmp/said" 2>&1
	came $?
}
get() {
	as sh -c ': >"$1"' sh "$tmp/got"
	as timeout 100 getmail --getmaildir "$tmp/home/getmail" >"$tmp/said" 2>&1
	came $?
}
try() { # try NAME
	is "$(fetch)" 'm1 m2 m3 m4 m5 ' "fetchmail gets all from $1"
	is "$(get)" 'm1 m2 m3 m4 m5 ' 'getmail, too'
	is "$(fetch)$(get)" '' 'and once'
	: >"$tmp/ours"
	adopted=$(postern adopt "$md")
	is "$(fetch)" '' 'fetchmail gets nothing again'
	is "$(get)" '' 'nor does getmail'
	printf 'Subject: m6\n\ntext\n' >"$tmp/m6"
	[ "$(id -u)" -ne 0 ] || chown "$me:$group" "$tmp/m6"
	mv "$tmp/m6" "$md/new/1700000006.M1P1.h"
	is "$(fetch)" 'm6 ' 'but what is new'
	is "$(get)" 'm6 ' 'and so does getmail'
	kill "$server"
	wait
	server=
}

dovecot=/usr/lib/dovecot/pop3
if [ -x "$dovecot" ]; then
	mkdir "$tmp/run" "$tmp/state"
	dovecot_conf pop3 "maildir:$md" >"$tmp/dovecot.conf"
	# It greets nobody.
	start "printf '+OK\\r\\n'; exec env USER=$me HOME=$tmp $dovecot -c $tmp/dovecot.conf 2>/dev/null"
	try Dovecot
else
	skip Dovecot 'dovecot-pop3d is not installed'
fi

courier=${POSTERN_COURIER:-/nonexistent}
pop3d=$courier/usr/lib/courier/courier/courierpop3d
if as test -x "$pop3d"; then
	libs=$courier/usr/lib:$(echo "$courier"/usr/lib/*-linux-gnu*)
	start "cd $tmp && exec env -i LD_LIBRARY_PATH=$libs HOME=$tmp \\
	    AUTHENTICATED=$me MAILDIRPATH=Maildir $pop3d Maildir 2>/dev/null"
	try Courier
	like "$adopted" '^    5 messages keep a POP3 id of their own$' 'by their own ids'
	is "$(cut -c 1-2 "$md/courierpop3dsizelist" | head -n 1)" /3 'which had a list of its own'
else
	skip Courier 'POSTERN_COURIER has no courier-pop'
fi
done_testing
