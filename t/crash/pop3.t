#!/bin/sh
# pop3d is killed at every system call it makes: see pop3.py.
. "$(dirname "$0")/../lib.sh"
need strace
need python3
strace -o /dev/null true 2>/dev/null || plan_skip "strace may not trace here"
grep -q '^#define POSTERN_SANITIZE 1' "$POSTERN_BUILD/config.h" &&
	plan_skip "built with sanitizers, whose start makes too many calls"
python3 "$(dirname "$0")/pop3.py" "$tmp"
