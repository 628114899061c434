# Sourced by t/peers/*.t: t/lib.sh and a tools/try of the test's own, whose
# variables (try.env) are set.  Options for tools/try may follow.
. "${POSTERN_SRC:-.}/t/lib.sh"
chmod 711 "$tmp" # the programs' uids pass
root=$tmp/root
try_pid=

start_try() {
	# Ends with this test, however that ends.
	setpriv --pdeathsig TERM "$POSTERN_SRC/tools/try" --quiet --root "$root" "$@" \
	    >"$tmp/try.out" 2>"$tmp/try.err" </dev/null &
	try_pid=$!
	_n=0
	until grep -qsx ready "$tmp/try.out"; do
		_n=$((_n + 1))
		if [ $_n -gt 600 ] || ! kill -0 "$try_pid" 2>/dev/null; then
			sed 's/^/# /' "$tmp/try.err"
			echo "Bail out! tools/try did not come up"
			exit 1
		fi
		sleep 0.1
	done
	. "$root/try.env"
}

stop_try() {
	[ -z "$try_pid" ] || { kill -TERM "$try_pid" 2>/dev/null
	    wait "$try_pid"; }
	_status=$?
	try_pid=
	return $_status
}

cleanup() {
	if [ "$failed" -gt 0 ]; then
		tail -n 15 "$root"/log/* 2>/dev/null | sed 's/^/# log: /'
	fi
	stop_try
}

# in_inbox MAILDIR TEXT: how many messages of the INBOX contain the text.
in_inbox() {
	find "$1/new" "$1/cur" -type f -exec grep -lF -- "$2" {} + 2>/dev/null |
	    wc -l
}
arrived() { [ "$(in_inbox "$1" "$2")" -ge "${3:-1}" ]; }
