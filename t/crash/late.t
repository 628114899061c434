#!/bin/sh
# Flags, where the disk has no room for every other rename: see late.py.
. "$(dirname "$0")/../lib.sh"
need python3
[ -x "$POSTERN_BUILD/t/unit/store-tool" ] || plan_skip "store-tool is not built"
command -v "${CC:-cc}" >/dev/null || plan_skip "no compiler for shim.c"
grep -q '^#define POSTERN_SANITIZE 1' "$POSTERN_BUILD/config.h" &&
	plan_skip "built with sanitizers, which shim.c cannot be put before"
python3 "$(dirname "$0")/late.py" "$tmp" "$@"
