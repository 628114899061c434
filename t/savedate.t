#!/bin/sh
# When messages came into their mailbox (RFC 8514): see savedate.py.
. "$(dirname "$0")/lib.sh"
need python3
if [ "$(id -u)" = 0 ]; then
	setpriv --reuid=65534 --regid=65534 --clear-groups \
	    test -x "$POSTERN_STAGE/imapd" 2>/dev/null ||
		plan_skip "another user cannot run what was built here"
fi
python3 "$(dirname "$0")/savedate.py" "$tmp"
