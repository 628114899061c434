#!/bin/sh
# front's sockets and rights, and what it believes.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/front-rights.py" "$POSTERN_STAGE" "$tmp"
