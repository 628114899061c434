#!/bin/sh
# The ways in: sockets of a supervisor, listening or connected, at the places
# where systemd and where inetd puts them; and that front leaves when idle.
# Under systemd's, and under inetd, xinetd and tcpserver.
#
# POSTERN_INETDS: a folder in which Debian's packages of these are unpacked;
# else those that are installed are taken.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
need systemd-socket-activate
need curl
start_try --no-mount
echo 'listen_idle_s 1' >>"$root/etc/postern/postern.conf"
front=$root/usr/libexec/postern/front
port=$((IMAP_PORT + 3))

# Each starts a supervisor for one service on a port of its own:
# by_NAME OPTION... -- SERVICE.
by_activate() {
	: >"$tmp/activate"
	_o=
	while [ "$1" != -- ]; do
		_o="$_o $1"
		shift
	done
	# shellcheck disable=SC2086
	systemd-socket-activate -E ASAN_OPTIONS $_o -l "127.0.0.1:$port" "$front" \
	    -r "$root" "$2" 2>"$tmp/activate" </dev/null &
	supervisor=$!
	wait_for grep -q Listening "$tmp/activate"
}
get() { # USER:PASSWORD URL
	curl -sS --max-time 20 --cacert "$CA_FILE" -u "$1" "$2" 2>&1
}
by_inetd() { # wait or nowait
	echo "127.0.0.1:$port stream tcp $1 root $front front -r $root $3" \
	    >"$tmp/inetd.conf"
	"$inetd" -d "$tmp/inetd.conf" >"$tmp/activate" 2>&1 </dev/null &
	supervisor=$!
	wait_for listens
}
by_xinetd() { # yes or no: wait
	cat >"$tmp/xinetd.conf" <<-END
	service postern
	{
		type = UNLISTED
		socket_type = stream
		protocol = tcp
		bind = 127.0.0.1
		port = $port
		wait = $1
		user = root
		server = $front
		server_args = -r $root $3
		instances = UNLIMITED
		cps = 1000 1
	}
	END
	"$xinetd" -dontfork -f "$tmp/xinetd.conf" -pidfile "$tmp/xinetd.pid" \
	    >"$tmp/activate" 2>&1 </dev/null &
	supervisor=$!
	wait_for listens
}
by_tcpserver() {
	# shellcheck disable=SC2086
	"$tcpserver" -HR -l0 127.0.0.1 "$port" $front -r "$root" "$2" \
	    >"$tmp/activate" 2>&1 </dev/null &
	supervisor=$!
	wait_for listens
}
# In the kernel's list, so that nobody is served for it.
listens() {
	grep -qi "^ *[0-9]*: 0100007F:$(printf %04X "$port") 00000000:0000 0A" \
	    /proc/net/tcp
}
ended() { ! kill -0 "$supervisor" 2>/dev/null; }
childless() { ! ps -eo ppid= | grep -qx " *$supervisor"; }
alice=$MAIL_USER:$MAIL_PASS

# use NAME ENDS BY OPTION...: all of it with the supervisor's options; ENDS is
# yes where front takes the supervisor's place and must leave when idle.
use() {
	name=$1 ends=$2 by=$3
	shift 3
	for service in imaps pop3s; do
		port=$((port + 1))
		"$by" "$@" -- $service
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
use "systemd Accept=no" yes by_activate
use "systemd Accept=yes" no by_activate --accept
use "socket on 0, listening" yes by_activate --inetd
use "socket on 0, connected" no by_activate --accept --inetd

# find NAME: sets the variable of that name to the program, if there is one.
find_one() {
	for path in "${POSTERN_INETDS:-}/usr/sbin/$1" \
	    "${POSTERN_INETDS:-}/usr/bin/$1" "/usr/sbin/$1" "/usr/bin/$1"; do
		if [ -x "$path" ]; then
			eval "$1=\$path"
			return 0
		fi
	done
	skip "under $1" "it is not installed"
	return 1
}
# Inetds end a service that is asked for often, 256 times a minute or 50 a
# second if they are not told otherwise (T-DOS-3).
burst() { # NAME BY OPTION...
	name=$1 by=$2
	shift 2
	port=$((port + 1))
	"$by" "$@" -- imaps
	python3 -c '
import socket, sys
for i in range(600):
    socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()' "$port"
	# The last of them may still have the places of this address.
	said=$(get "$alice" "imaps://localhost:$port/") ||
		said=$(sleep 1; get "$alice" "imaps://localhost:$port/")
	is $? 0 "T-DOS-3 $name: 600 connections, then a login"
	kill "$supervisor"
	wait "$supervisor" 2>/dev/null
}
if [ "$(id -u)" != 0 ]; then
	skip "under inetd, xinetd and tcpserver" "not root"
else
	if find_one inetd; then
		use "inetd wait" no by_inetd wait
		use "inetd nowait" no by_inetd nowait
		burst "inetd wait" by_inetd wait.10000
		burst "inetd nowait" by_inetd nowait.10000
	fi
	if find_one xinetd; then
		use "xinetd wait=yes" no by_xinetd yes
		use "xinetd wait=no" no by_xinetd no
		burst "xinetd wait=no" by_xinetd no
	fi
	if find_one tcpserver; then
		use tcpserver no by_tcpserver
	fi
fi

port=$((port + 1))
by_activate -- smtp
# Not before the banner: who talks then is refused.
said=$(curl -sv --max-time 5 -X NOOP "smtp://127.0.0.1:$port" 2>&1)
like "$said" '^< 220 ' "SMTP by a supervisor's socket"
kill "$supervisor"
wait "$supervisor"
is $? 0 "SIGTERM ends a listener without an error"
done_testing
