# handlers/front, and the two programs that talk before a login
pkglibexec_PROGRAMS += handlers/front/front handlers/front/checkpw \
	handlers/imap/imap-login handlers/pop3/pop3-login
handlers_front_front_SOURCES = %D%/front.c %D%/front.h %D%/check.c \
	%D%/listen.c %D%/serve.c
handlers_front_checkpw_SOURCES = %D%/checkpw.c
handlers_front_checkpw_LDADD = lib/libpostern.a $(GNUTLS_LIBS) \
	$(SECCOMP_LIBS) $(CDB_LIBS) $(CRYPT_LIBS)
handlers_imap_imap_login_SOURCES = handlers/imap/imap-login.c
handlers_imap_imap_login_LDADD = lib/libpostern.a $(GNUTLS_LIBS) \
	$(SECCOMP_LIBS)
handlers_pop3_pop3_login_SOURCES = handlers/pop3/pop3-login.c
handlers_pop3_pop3_login_LDADD = lib/libpostern.a $(GNUTLS_LIBS) \
	$(SECCOMP_LIBS)
