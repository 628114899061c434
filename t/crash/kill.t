#!/bin/sh
# The queue's programs are killed at every system call they make, and every
# call is made to fail: see queue.py.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
	if $nobody test -x "$POSTERN_STAGE/qsend" -a -r "$0"; then
		exec $nobody sh "$0"
	fi
fi
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" != 0 ] || plan_skip "there is no other user to run as"
need strace
need python3
strace -o /dev/null true 2>/dev/null || plan_skip "strace may not trace here"
grep -q '^#define POSTERN_SANITIZE 1' "$POSTERN_BUILD/config.h" &&
	plan_skip "built with sanitizers, whose start makes too many calls"
python3 "$(dirname "$0")/queue.py" "$tmp"
