# handlers/smtp: smtpd and remote
pkglibexec_PROGRAMS += handlers/smtp/smtpd
handlers_smtp_smtpd_SOURCES = \
	%D%/smtpd.c %D%/session.c %D%/session.h %D%/commands.c %D%/auth.c \
	%D%/envelope.c %D%/data.c %D%/header.c %D%/header.h
handlers_smtp_smtpd_LDADD = lib/libpostern.a $(GNUTLS_LIBS) \
	$(CDB_LIBS)
dist_man_MANS += %D%/smtpd.8 %D%/remote.8

pkglibexec_PROGRAMS += handlers/smtp/remote
handlers_smtp_remote_SOURCES = \
	%D%/remote.c %D%/remote.h %D%/remote-hosts.c %D%/remote-session.c
handlers_smtp_remote_LDADD = lib/libpostern.a $(GNUTLS_LIBS) \
	$(RESOLV_LIBS)

TESTS += t/remote.t t/smtpd.t
EXTRA_DIST += t/remote.t t/smtpd.t t/smtp/harness.py t/smtp/servers.py \
	t/smtp/remote.py t/smtp/smtpd.py

check_PROGRAMS += t/unit/smtp.t
TESTS += t/unit/smtp.t
t_unit_smtp_t_SOURCES = t/unit/smtp.c
t_unit_smtp_t_LDADD = lib/libpostern.a $(RESOLV_LIBS)

check_PROGRAMS += t/fuzz/dns t/fuzz/smtp-data t/fuzz/smtp-header \
	t/fuzz/smtp-path t/fuzz/smtp-reply t/fuzz/smtp-session
t_fuzz_dns_SOURCES = t/fuzz/dns.c t/fuzz/driver.c
t_fuzz_dns_LDADD = lib/libpostern.a $(RESOLV_LIBS)
t_fuzz_smtp_data_SOURCES = t/fuzz/smtp-data.c t/fuzz/driver.c
t_fuzz_smtp_header_SOURCES = t/fuzz/smtp-header.c handlers/smtp/header.c \
	t/fuzz/driver.c
t_fuzz_smtp_path_SOURCES = t/fuzz/smtp-path.c t/fuzz/driver.c
t_fuzz_smtp_reply_SOURCES = t/fuzz/smtp-reply.c t/fuzz/driver.c
t_fuzz_smtp_session_SOURCES = t/fuzz/smtp-session.c t/fuzz/driver.c \
	%D%/session.c %D%/commands.c %D%/auth.c %D%/envelope.c %D%/data.c \
	%D%/header.c
t_fuzz_smtp_session_LDADD = lib/libpostern.a $(GNUTLS_LIBS) \
	$(CDB_LIBS)
EXTRA_DIST += t/fuzz/seeds/dns t/fuzz/seeds/smtp-data \
	t/fuzz/seeds/smtp-header t/fuzz/seeds/smtp-path \
	t/fuzz/seeds/smtp-reply t/fuzz/seeds/smtp-session

check_PROGRAMS += t/unit/dns
TESTS += t/dns.t
EXTRA_DIST += t/dns.t t/smtp/dns.py
t_unit_dns_SOURCES = t/unit/dns.c
t_unit_dns_LDADD = lib/libpostern.a $(RESOLV_LIBS)
