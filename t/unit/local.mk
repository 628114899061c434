# t/unit

# Messages.
check_PROGRAMS += t/unit/mailtree t/unit/bombs.t t/unit/mail.t t/unit/text.t \
	t/unit/threads.t
t_unit_threads_t_SOURCES = t/unit/threads.c t/unit/tap.h
t_unit_mailtree_SOURCES = t/unit/mailtree.c
t_unit_mail_t_SOURCES = t/unit/mail.c t/unit/tap.h
t_unit_text_t_SOURCES = t/unit/text.c t/unit/tap.h
t_unit_text_t_LDADD = lib/libpostern.a $(UNISTRING_LIBS)
t_unit_bombs_t_SOURCES = t/unit/bombs.c t/unit/tap.h
TESTS += t/unit/bombs.t t/unit/mail.t t/unit/text.t t/unit/threads.t t/mime.t t/corpus.t
EXTRA_DIST += t/corpus.py t/corpus.t t/corpuslib.py t/mime.py t/mime.t \
	t/mimelib.py t/vectors/mail

# The user database.
check_PROGRAMS += t/unit/users.t
t_unit_users_t_SOURCES = t/unit/users.c t/unit/tap.h
t_unit_users_t_LDADD = lib/libpostern.a $(CDB_LIBS)
TESTS += t/unit/users.t
