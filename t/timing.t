#!/bin/sh
# A refusal does not tell by its time why; t/bench/timing has the figures.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/timing.py" "$POSTERN_STAGE" "$tmp"
