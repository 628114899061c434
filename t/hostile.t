#!/bin/sh
# Index and journal damaged, swapped, put back: see hostile.py.
. "$(dirname "$0")/lib.sh"
need python3
[ -x "$POSTERN_BUILD/t/unit/store-tool" ] || plan_skip "store-tool is not built"
python3 "$(dirname "$0")/hostile.py" "$tmp" "$@"
