# tools
EXTRA_DIST += %D%/packages %D%/try %D%/try-prove %D%/try-serve
bin_PROGRAMS += tools/postern
pkglibexec_PROGRAMS += tools/postern-user tools/postern-domain \
	tools/postern-alias
tools_postern_SOURCES = %D%/postern.c
tools_postern_user_SOURCES = %D%/user.c %D%/common.c %D%/common.h \
	%D%/certificate.c %D%/certificate.h \
	%D%/credential.c %D%/credential.h \
	%D%/home.c %D%/home.h
tools_postern_user_LDADD = lib/libpostern.a $(CDB_LIBS) $(GNUTLS_LIBS) \
	$(CRYPT_LIBS)
tools_postern_domain_SOURCES = %D%/domain.c %D%/common.c %D%/common.h
tools_postern_domain_LDADD = lib/libpostern.a $(CDB_LIBS)
tools_postern_alias_SOURCES = %D%/alias.c %D%/common.c %D%/common.h
tools_postern_alias_LDADD = lib/libpostern.a $(CDB_LIBS)
dist_man_MANS += %D%/postern.1 %D%/postern-user.1 %D%/postern-domain.1 \
	%D%/postern-alias.1 %D%/postern.conf.5 %D%/postern-users.5
TESTS += t/users.t
EXTRA_DIST += t/users.t

pkglibexec_PROGRAMS += tools/postern-adopt
tools_postern_adopt_SOURCES = %D%/adopt.c %D%/adopt.h %D%/adopt_box.c \
	%D%/adopt_layout.c %D%/adopt_packed.c %D%/adopt_print.c \
	%D%/adopt_tree.c %D%/common.c %D%/common.h %D%/names.c %D%/names.h %D%/owner.c %D%/owner.h \
	%D%/progress.c %D%/progress.h
tools_postern_adopt_LDADD = lib/libpostern.a $(CDB_LIBS)
dist_man_MANS += %D%/postern-adopt.1
TESTS += t/adopt-tool.t t/adopt-dovecot.t t/adopt-courier.t t/adopt-pop3.t \
	t/adopt-variants.t
EXTRA_DIST += t/adopt-tool.t t/adopt-dovecot.t t/adopt-courier.t \
	t/adopt-mail.py t/adopt-clients.sh t/dovecot.sh \
	t/adopt-pop3.t t/adopt-pop3.py \
	t/adopt-variants.t

pkglibexec_PROGRAMS += tools/postern-mailbox
tools_postern_mailbox_SOURCES = %D%/mailbox.c %D%/mailbox.h \
	%D%/mailbox-check.c %D%/mailbox-check.h %D%/mailbox-check-account.c \
	%D%/mailbox-rebuild.c \
	%D%/names.c %D%/names.h %D%/progress.c %D%/progress.h \
	%D%/mailbox-export.c %D%/mailbox-import.c %D%/mailbox-known.c \
	%D%/mailbox-known.h %D%/mailbox-list.c %D%/mailbox-source.c \
	%D%/mailbox-source.h %D%/common.c %D%/common.h %D%/owner.c \
	%D%/owner.h
tools_postern_mailbox_LDADD = lib/libpostern.a $(CDB_LIBS)
dist_man_MANS += %D%/postern-mailbox.1
TESTS += t/mailbox-tool.t t/mailbox-check.t
EXTRA_DIST += t/mailbox-tool.t t/mailbox-tool.py t/mailbox-check.t \
	t/mailbox-check.py
