# handlers/imap
pkglibexec_PROGRAMS += handlers/imap/imapd
imapd_session = \
	%D%/any.c %D%/append.c %D%/change.c %D%/fetch-parse.c \
	%D%/fetch.c %D%/fetch.h %D%/folders.c %D%/idle.c %D%/known.c \
	%D%/known.h %D%/list.c %D%/match.c %D%/match.h %D%/names.c \
	%D%/parse.c %D%/parse.h %D%/quota.c %D%/reply.c %D%/search-parse.c \
	%D%/search.c %D%/search.h %D%/select.c %D%/session.c \
	%D%/session.h %D%/set.c %D%/set.h %D%/shown.c %D%/shown.h
handlers_imap_imapd_SOURCES = $(imapd_session) %D%/imapd.c
handlers_imap_imapd_LDADD = lib/libpostern.a $(UNISTRING_LIBS)
dist_man_MANS += %D%/imapd.8

check_PROGRAMS += t/fuzz/imap-command t/fuzz/imap-session
t_fuzz_imap_command_SOURCES = t/fuzz/imap-command.c t/fuzz/driver.c \
	%D%/fetch-parse.c %D%/match.c %D%/parse.c %D%/search-parse.c %D%/set.c
t_fuzz_imap_command_LDADD = lib/libpostern.a $(UNISTRING_LIBS)
t_fuzz_imap_session_LDADD = lib/libpostern.a $(UNISTRING_LIBS)
t_fuzz_imap_session_SOURCES = t/fuzz/imap-session.c t/fuzz/driver.c \
	$(imapd_session)
EXTRA_DIST += t/fuzz/seeds/imap-command t/fuzz/seeds/imap-session \
	t/idle.py t/idle.t t/imapd.py t/imapd.t t/imapd-py.t t/imapd-many.t t/imapd-cache.t \
	t/quiet.py t/quiet.t t/search.py t/search.t
TESTS += t/idle.t t/quiet.t t/imapd.t t/imapd-py.t t/imapd-many.t t/imapd-cache.t t/search.t
