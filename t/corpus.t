#!/bin/sh
# What IMAP says of some hundred real and hostile messages, beside Dovecot and
# Python's email package.
. "${POSTERN_SRC:-$(dirname "$0")/..}/t/lib.sh"

mailtree=${POSTERN_BUILD:-.}/t/unit/mailtree
[ -x "$mailtree" ] || plan_skip "mailtree is not built"
python=/usr/bin/python3
[ -x "$python" ] || plan_skip "python3 is not installed"
"$python" -B "$POSTERN_SRC/t/corpus.py" "$mailtree" \
    "$POSTERN_SRC/t/vectors/mail"
