#!/bin/sh
# What is tried on TLS from outside, on SMTP, POP3 and IMAP.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/gate-tls.py" "$POSTERN_STAGE" \
    "$tmp" "$POSTERN_BUILD/t/unit/tlspeer"
