#!/bin/sh
# SEARCH in text of many charsets, beside Dovecot.
. "${POSTERN_SRC:-$(dirname "$0")/..}/t/lib.sh"

python=/usr/bin/python3
[ -x "$python" ] || plan_skip "python3 is not installed"
"$python" -B "$POSTERN_SRC/t/search.py" "$POSTERN_SRC/t/vectors/mail"
