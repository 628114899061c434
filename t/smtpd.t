#!/bin/sh
# smtpd, driven as front would.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3; need openssl; need cdb
python3 "$POSTERN_SRC/t/smtp/smtpd.py" "$tmp" "$@"
