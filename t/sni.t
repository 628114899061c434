#!/bin/sh
# Several certificates: which client gets which.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/sni.py" "$POSTERN_STAGE" "$tmp"
