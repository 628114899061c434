# t/bench: comparisons with other servers; not part of make check
EXTRA_PROGRAMS = t/bench/load t/bench/floor t/bench/mails t/bench/store
CLEANFILES += t/bench/load$(EXEEXT) t/bench/floor$(EXEEXT) \
	t/bench/mails$(EXEEXT) t/bench/store$(EXEEXT)
t_bench_load_SOURCES = %D%/load.c
t_bench_load_LDADD = lib/libpostern.a $(GNUTLS_LIBS)
t_bench_floor_SOURCES = %D%/floor.c
t_bench_floor_LDADD = lib/libpostern.a $(GNUTLS_LIBS)
t_bench_mails_SOURCES = %D%/mails.c
t_bench_mails_LDADD = lib/libpostern.a
t_bench_store_SOURCES = %D%/store.c
t_bench_store_LDADD = lib/libpostern.a
EXTRA_DIST += %D%/buffers %D%/imap-mailbox %D%/hostile %D%/idle %D%/login %D%/queue %D%/rights %D%/servers.py %D%/timing %D%/ways
