#!/bin/sh
# The queue's whole work: 20 MB, 8-bit headers, 300 recipients, an outside
# domain on another server, a deferral, a bounce.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
/usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null ||
    plan_skip "python3-aiosmtpd is not installed"
set -a # the variables go to Python
start_try --no-mount
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$POSTERN_SRC/t/peers/mail.py"
failed=$?
exit $failed
