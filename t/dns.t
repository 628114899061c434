#!/bin/sh
# Look-ups of mail exchangers and addresses.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
python3 "$POSTERN_SRC/t/smtp/dns.py"
