lib_libpostern_a_SOURCES += \
	%D%/cdbfile.c %D%/cdbfile.h %D%/guard.c %D%/guard.h \
	%D%/sasl.c %D%/sasl.h %D%/scram.c %D%/scram.h %D%/record.c %D%/secrets.c %D%/secrets.h \
	%D%/userdb.c %D%/userdb.h %D%/users.c %D%/users.h
check_PROGRAMS += t/unit/scram.t t/fuzz/scram
t_unit_scram_t_SOURCES = t/unit/scram.c t/unit/tap.h
t_unit_scram_t_LDADD = lib/libpostern.a $(GNUTLS_LIBS)
t_fuzz_scram_SOURCES = t/fuzz/scram.c t/fuzz/driver.c
t_fuzz_scram_LDADD = lib/libpostern.a $(GNUTLS_LIBS)
TESTS += t/unit/scram.t t/sasl.t t/timing.t
EXTRA_DIST += t/fuzz/seeds/scram t/checkpassword t/sasl.t t/sasl.py t/timing.t t/timing.py
check_PROGRAMS += t/unit/guard.t
t_unit_guard_t_SOURCES = t/unit/guard.c t/unit/tap.h
t_unit_guard_t_LDADD = lib/libpostern.a $(GNUTLS_LIBS)
TESTS += t/unit/guard.t
check_PROGRAMS += t/unit/shared.t
t_unit_shared_t_SOURCES = t/unit/shared.c t/unit/tap.h
t_unit_shared_t_LDADD = lib/libpostern.a $(CDB_LIBS) $(GNUTLS_LIBS)
TESTS += t/unit/shared.t
