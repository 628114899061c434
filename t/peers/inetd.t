#!/bin/sh
# The ways in: sockets of a supervisor, listening or connected, at the places
# where systemd and where inetd puts them; and that front leaves when idle.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
need systemd-socket-activate
need curl
start_try --no-mount
echo 'listen_idle_s 1' >>"$root/etc/postern/postern.conf"
front="$root/usr/libexec/postern/front -r $root"
port=$((IMAP_PORT + 3))

# activate OPTION... -- SERVICE: a supervisor for one service.
activate() {
	port=$((port + 1))
	: >"$tmp/activate"
	_o=
	while [ "$1" != -- ]; do
		_o="$_o $1"
		shift
	done
	# shellcheck disable=SC2086
	systemd-socket-activate -E ASAN_OPTIONS $_o -l "127.0.0.1:$port" $front "$2" \
	    2>"$tmp/activate" </dev/null &
	supervisor=$!
	wait_for grep -q Listening "$tmp/activate"
}
get() { # USER:PASSWORD URL
	curl -sS --max-time 20 --cacert "$CA_FILE" -u "$1" "$2" 2>&1
}
ended() { ! kill -0 "$supervisor" 2>/dev/null; }
childless() { ! ps -eo ppid= | grep -qx " *$supervisor"; }
alice=$MAIL_USER:$MAIL_PASS

# use NAME ENDS OPTION...: all of it with the supervisor's options; ENDS is
# yes where front takes the supervisor's place and must leave when idle.
use() {
	name=$1 ends=$2
	shift 2
	for service in imaps pop3s; do
		activate "$@" -- $service
		said=$(get "$alice" "$service://localhost:$port/")
		is $? 0 "$name: $service, login and list"
		get "$MAIL_USER:wrong" "$service://localhost:$port/" >/dev/null
		is $? 67 "$name: $service, a wrong password"
		said=$(get "$alice" "$service://localhost:$port/")
		is $? 0 "$name: $service, once more"
		if [ "$ends" = yes ]; then
			wait_for ended
			ok $? "$name: $service leaves when it is idle"
			wait "$supervisor"
			is $? 0 "$name: $service leaves without an error"
		else
			wait_for childless
			ok $? "$name: nothing of $service stays"
			kill "$supervisor"
			wait "$supervisor" 2>/dev/null
		fi
	done
}
use "systemd Accept=no" yes
use "systemd Accept=yes" no --accept
use "inetd wait" yes --inetd
use "inetd nowait" no --accept --inetd

activate -- smtp
said=$(printf 'QUIT\r\n' | curl -sS --max-time 5 "telnet://127.0.0.1:$port" 2>&1)
like "$said" '^220 ' "SMTP by a supervisor's socket"
kill "$supervisor"
wait "$supervisor"
is $? 0 "SIGTERM ends a listener without an error"
done_testing
