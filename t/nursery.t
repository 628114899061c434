#!/bin/sh
# The nursery of a listening front: replaced, killed, crashed, current.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/nursery.py" "$POSTERN_STAGE" "$tmp"
