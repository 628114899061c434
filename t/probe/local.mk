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
TESTS += t/probe.t
EXTRA_DIST += t/probe.t t/probe.py
