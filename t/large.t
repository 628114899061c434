#!/bin/sh
# Large mailboxes, sessions that share one, and what is looked up late: see
# large.py.
. "$(dirname "$0")/lib.sh"
need python3
if [ "$(id -u)" = 0 ]; then
	setpriv --reuid=65534 --regid=65534 --clear-groups \
	    test -x "$POSTERN_STAGE/imapd" 2>/dev/null ||
		plan_skip "another user cannot run what was built here"
fi
python3 "$(dirname "$0")/large.py" "$tmp" "$@"
