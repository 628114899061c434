# handlers/smtp: smtpd
pkglibexec_PROGRAMS += handlers/smtp/smtpd
handlers_smtp_smtpd_SOURCES = \
	%D%/smtpd.c %D%/session.c %D%/session.h %D%/commands.c %D%/auth.c \
	%D%/envelope.c %D%/data.c %D%/header.c %D%/header.h
handlers_smtp_smtpd_LDADD = lib/libpostern.a $(GNUTLS_LIBS) $(SECCOMP_LIBS) \
	$(CDB_LIBS)
dist_man_MANS += %D%/smtpd.8
