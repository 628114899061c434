#!/bin/sh
# Guessing passwords is slow, and nobody is locked out by it.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/guard.py" "$POSTERN_STAGE" "$tmp"
