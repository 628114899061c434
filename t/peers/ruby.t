#!/bin/sh
# Ruby's net/imap, net/pop and net/smtp.
. "${POSTERN_SRC:-.}/t/peers/lib.sh"
need ruby
ruby -e 'require "net/imap"; require "net/pop"; require "net/smtp"' \
    2>/dev/null || plan_skip "Ruby has no net-imap, net-pop or net-smtp"
set -a # the variables go to Ruby
start_try --no-mount
timeout 120 ruby "$POSTERN_SRC/t/peers/ruby.rb" </dev/null
failed=$?
exit $failed
