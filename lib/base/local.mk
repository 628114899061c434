lib_libpostern_a_SOURCES += \
	%D%/arena.c %D%/arena.h %D%/buf.c %D%/buf.h \
	%D%/calls.c %D%/calls.h %D%/conf.c %D%/conf.h \
	%D%/durable.c %D%/durable.h %D%/err.c %D%/err.h %D%/in.c %D%/in.h \
	%D%/io.c %D%/io.h %D%/jail.c %D%/jail.h %D%/log.c %D%/log.h \
	%D%/network.c %D%/network.h %D%/num.c %D%/num.h %D%/out.c %D%/out.h %D%/priv.c %D%/priv.h \
	%D%/proc.c %D%/proc.h %D%/spawn.c %D%/who.c %D%/rest.c %D%/rest.h %D%/slurp.c \
	%D%/span.c %D%/span.h
check_PROGRAMS += t/unit/base.t t/unit/jail.t
TESTS += t/unit/base.t t/unit/jail.t
t_unit_base_t_SOURCES = t/unit/base.c
t_unit_base_t_LDADD = lib/libpostern.a
t_unit_jail_t_SOURCES = t/unit/jail.c
t_unit_jail_t_LDADD = lib/libpostern.a
t_unit_jail_t_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=syscall
