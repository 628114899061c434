#!/bin/sh
# Programs that were taken over.
. "${POSTERN_SRC:-.}/t/lib.sh"
need python3
need openssl
grep -q '^#define POSTERN_SANITIZE 1' "$POSTERN_BUILD/config.h" &&
	plan_skip "built with sanitizers, so without jails"
chmod 755 "$tmp"
PYTHONDONTWRITEBYTECODE=1 python3 "$POSTERN_SRC/t/probe.py" "$POSTERN_STAGE" "$tmp"
