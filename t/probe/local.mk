# Our programs with code of a stranger's in them, to see what it can reach.
probe_probes = %D%/probes.c %D%/calls.c %D%/aim.h %D%/probe.h
probe_injected = %D%/inject.c $(probe_probes)
probe_ldflags = $(AM_LDFLAGS) -Wl,--wrap=in_line
check_PROGRAMS += %D%/imapd %D%/pop3d %D%/imap-login %D%/pop3-login \
	%D%/smtpd %D%/bare
t_probe_bare_SOURCES = %D%/bare.c $(probe_probes)
t_probe_imapd_SOURCES = $(handlers_imap_imapd_SOURCES) $(probe_injected)
t_probe_imapd_LDADD = $(handlers_imap_imapd_LDADD)
t_probe_imapd_LDFLAGS = $(probe_ldflags)
t_probe_pop3d_SOURCES = $(handlers_pop3_pop3d_SOURCES) $(probe_injected)
t_probe_pop3d_LDADD = $(handlers_pop3_pop3d_LDADD)
t_probe_pop3d_LDFLAGS = $(probe_ldflags)
t_probe_imap_login_SOURCES = $(handlers_imap_imap_login_SOURCES) \
	$(probe_injected)
t_probe_imap_login_LDADD = $(handlers_imap_imap_login_LDADD)
t_probe_imap_login_LDFLAGS = $(probe_ldflags)
t_probe_pop3_login_SOURCES = $(handlers_pop3_pop3_login_SOURCES) \
	$(probe_injected)
t_probe_pop3_login_LDADD = $(handlers_pop3_pop3_login_LDADD)
t_probe_pop3_login_LDFLAGS = $(probe_ldflags)
t_probe_smtpd_SOURCES = $(handlers_smtp_smtpd_SOURCES) $(probe_injected)
t_probe_smtpd_LDADD = $(handlers_smtp_smtpd_LDADD)
t_probe_smtpd_LDFLAGS = $(probe_ldflags)
# And with a probe as soon as they are in their jails.
probe_entered = %D%/enter.c $(probe_probes)
probe_enter_ldflags = $(AM_LDFLAGS) -Wl,--wrap=jail_enter
check_PROGRAMS += %D%/adopt %D%/bounce %D%/checkpw %D%/deliver \
	%D%/enqueue %D%/porter %D%/qsend %D%/remote %D%/signer
t_probe_adopt_SOURCES = $(tools_postern_adopt_SOURCES) $(probe_entered)
t_probe_adopt_LDADD = $(tools_postern_adopt_LDADD)
t_probe_adopt_LDFLAGS = $(probe_enter_ldflags)
t_probe_bounce_SOURCES = $(handlers_queue_bounce_SOURCES) $(probe_entered)
t_probe_bounce_LDADD = $(handlers_queue_bounce_LDADD)
t_probe_bounce_LDFLAGS = $(probe_enter_ldflags)
t_probe_checkpw_SOURCES = $(handlers_front_checkpw_SOURCES) $(probe_entered)
t_probe_checkpw_LDADD = $(handlers_front_checkpw_LDADD)
t_probe_checkpw_LDFLAGS = $(probe_enter_ldflags)
t_probe_deliver_SOURCES = $(handlers_queue_deliver_SOURCES) $(probe_entered)
t_probe_deliver_LDADD = $(handlers_queue_deliver_LDADD)
t_probe_deliver_LDFLAGS = $(probe_enter_ldflags)
t_probe_enqueue_SOURCES = $(handlers_queue_enqueue_SOURCES) $(probe_entered)
t_probe_enqueue_LDADD = $(handlers_queue_enqueue_LDADD)
t_probe_enqueue_LDFLAGS = $(probe_enter_ldflags)
t_probe_porter_SOURCES = $(handlers_front_porter_SOURCES) $(probe_entered)
t_probe_porter_LDADD = lib/libpostern.a
t_probe_porter_LDFLAGS = $(probe_enter_ldflags)
t_probe_qsend_SOURCES = $(handlers_queue_qsend_SOURCES) $(probe_entered)
t_probe_qsend_LDADD = $(handlers_queue_qsend_LDADD)
t_probe_qsend_LDFLAGS = $(probe_enter_ldflags)
t_probe_remote_SOURCES = $(handlers_smtp_remote_SOURCES) $(probe_entered)
t_probe_remote_LDADD = $(handlers_smtp_remote_LDADD)
t_probe_remote_LDFLAGS = $(probe_enter_ldflags)
t_probe_signer_SOURCES = $(handlers_front_signer_SOURCES) $(probe_entered)
t_probe_signer_LDADD = $(handlers_front_signer_LDADD)
t_probe_signer_LDFLAGS = $(probe_enter_ldflags)
TESTS += t/probe.t
EXTRA_DIST += t/probe.t t/probe.py
