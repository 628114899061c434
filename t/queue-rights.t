#!/bin/sh
# What front does, and refuses, for a qsend that was taken over.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/queue-rights.py" "$POSTERN_STAGE" "$tmp"
