#!/bin/sh
# Logins by every mechanism on every protocol, and app passwords.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/sasl.py" "$POSTERN_STAGE" "$tmp"
