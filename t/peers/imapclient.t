#!/bin/sh
# Perl's Mail::IMAPClient, on which imapsync and others are built.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
need perl
perl -MMail::IMAPClient -MIO::Socket::SSL -e 1 2>/dev/null ||
    plan_skip "libmail-imapclient-perl or libio-socket-ssl-perl is not installed"
set -a # the variables go to Perl
export tmp
start_try --no-mount
timeout 120 perl "$POSTERN_SRC/t/peers/imapclient.pl" </dev/null
failed=$?
exit $failed
