#!/bin/sh
# An IMAP session over TLS while nothing happens: what it has of its own.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/quiet.py" "$POSTERN_STAGE" "$tmp"
