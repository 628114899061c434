#!/bin/sh
# Behind a proxy: its header, and whom a connection counts for.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/proxy.py" "$POSTERN_STAGE" "$tmp"
