#!/bin/sh
# Logins that are none, on SMTP, POP3 and IMAP.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/gate-auth.py" "$POSTERN_STAGE" \
    "$tmp" "$POSTERN_BUILD/t/unit/tlspeer"
