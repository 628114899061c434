#!/bin/sh
# remote against an SMTP server and a DNS server that follow scripts.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3; need openssl; need cdb
python3 "$POSTERN_SRC/t/smtp/remote.py" "$tmp"
