#!/bin/sh
# The structure of messages, as lib/mail reads it, against Python's email
# package and against itself with CRLF line ends.
. "${POSTERN_SRC:-$(dirname "$0")/..}/t/lib.sh"

mailtree=${POSTERN_BUILD:-.}/t/unit/mailtree
[ -x "$mailtree" ] || plan_skip "mailtree is not built"
python=/usr/bin/python3
[ -x "$python" ] || plan_skip "python3 is not installed"
exec_python() { "$python" -B "$POSTERN_SRC/t/mime.py" "$@"; }
exec_python "$mailtree" "$POSTERN_SRC/t/vectors/mail" "$tmp"
