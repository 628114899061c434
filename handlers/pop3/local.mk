# handlers/pop3
pkglibexec_PROGRAMS += handlers/pop3/pop3d
handlers_pop3_pop3d_SOURCES = %D%/pop3d.c %D%/command.c %D%/command.h \
	%D%/drop.c %D%/drop.h %D%/pop3d.h %D%/uidl.c %D%/uidl.h %D%/verbs.c \
	%D%/wire.c %D%/wire.h
handlers_pop3_pop3d_LDADD = lib/libpostern.a
dist_man_MANS += %D%/pop3d.8
TESTS += t/pop3d.t
EXTRA_DIST += t/pop3d.t t/fuzz/seeds/pop3/dots t/fuzz/seeds/pop3/top \
	t/fuzz/seeds/pop3/cr-at-end t/fuzz/seeds/pop3/plain

check_PROGRAMS += t/fuzz/pop3
t_fuzz_pop3_SOURCES = t/fuzz/pop3.c t/fuzz/driver.c \
	%D%/command.c %D%/wire.c
t_fuzz_pop3_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/handlers/pop3

TESTS += t/crash/pop3.t
EXTRA_DIST += t/crash/pop3.t t/crash/pop3.py
