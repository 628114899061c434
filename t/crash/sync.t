#!/bin/sh
# Sessions that read what another one cannot get onto the disk: see sync.py.
. "$(dirname "$0")/../lib.sh"
need strace
need python3
[ -x "$POSTERN_BUILD/t/unit/store-tool" ] || plan_skip "store-tool is not built"
strace -o /dev/null true 2>/dev/null || plan_skip "strace may not trace here"
grep -q '^#define POSTERN_SANITIZE 1' "$POSTERN_BUILD/config.h" &&
	plan_skip "built with sanitizers, whose start makes too many calls"
python3 "$(dirname "$0")/sync.py" "$tmp"
