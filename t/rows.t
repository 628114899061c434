#!/bin/sh
# Each row of the catalogue of attacks has its test (t/rows).
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/rows.py" "$POSTERN_SRC" \
    "$POSTERN_BUILD"
