# handlers/smtp: smtpd and remote
pkglibexec_PROGRAMS += handlers/smtp/smtpd
handlers_smtp_smtpd_SOURCES = \
	%D%/smtpd.c %D%/session.c %D%/session.h %D%/commands.c %D%/auth.c \
	%D%/envelope.c %D%/data.c %D%/header.c %D%/header.h
handlers_smtp_smtpd_LDADD = lib/libpostern.a $(GNUTLS_LIBS) $(SECCOMP_LIBS) \
	$(CDB_LIBS)
dist_man_MANS += %D%/smtpd.8 %D%/remote.8

pkglibexec_PROGRAMS += handlers/smtp/remote
handlers_smtp_remote_SOURCES = \
	%D%/remote.c %D%/remote.h %D%/remote-hosts.c %D%/remote-session.c
handlers_smtp_remote_LDADD = lib/libpostern.a $(GNUTLS_LIBS) $(SECCOMP_LIBS) \
	$(RESOLV_LIBS)

TESTS += t/remote.t t/smtpd.t
EXTRA_DIST += t/remote.t t/smtpd.t t/smtp/harness.py t/smtp/servers.py \
	t/smtp/remote.py t/smtp/smtpd.py

check_PROGRAMS += t/unit/smtp.t
TESTS += t/unit/smtp.t
t_unit_smtp_t_SOURCES = t/unit/smtp.c
t_unit_smtp_t_LDADD = lib/libpostern.a $(RESOLV_LIBS)
