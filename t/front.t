#!/bin/sh
# front, the login programs and checkpw, from the outside.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/front.py" "$POSTERN_STAGE" "$tmp"
