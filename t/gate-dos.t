#!/bin/sh
# What is tried on us by many, and by the slow.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/gate-dos.py" "$POSTERN_STAGE" \
    "$tmp" "$POSTERN_BUILD/t/unit/tlspeer"
