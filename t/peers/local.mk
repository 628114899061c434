peers_tests = %D%/curl.t %D%/imapclient.t %D%/inetd.t %D%/mail.t \
	%D%/mbsync.t %D%/msmtp.t %D%/mutt.t %D%/nmh.t %D%/npm.t \
	%D%/procs.t %D%/python.t %D%/quota.t %D%/ruby.t %D%/swaks.t %D%/try.t
TESTS += t/man.t t/shelves.t t/linked.t $(peers_tests)
EXTRA_DIST += t/man.t t/shelves.t t/linked.t t/bare $(peers_tests) \
	%D%/imapclient.pl %D%/lib.sh %D%/mail.py %D%/mails.py %D%/mbsync.py \
	%D%/npm.js %D%/python.py %D%/ruby.rb %D%/tap.py
