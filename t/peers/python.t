#!/bin/sh
# Python's imaplib, poplib and smtplib.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
[ -x /usr/bin/python3 ] || plan_skip "no /usr/bin/python3"
set -a # the variables go to Python
start_try --no-mount
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$POSTERN_SRC/t/peers/python.py"
failed=$?
exit $failed
