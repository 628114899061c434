TEST_EXTENSIONS = .t
T_LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) \
	$(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = POSTERN_STAGE='$(abs_builddir)/stage'; \
	POSTERN_BUILD='$(abs_builddir)'; POSTERN_SRC='$(abs_srcdir)'; \
	export POSTERN_STAGE POSTERN_BUILD POSTERN_SRC;
EXTRA_DIST += t/lib.sh t/run
# For t/systemd.t.
check_PROGRAMS += t/pam
t_pam_SOURCES = t/pam.c
TESTS += t/gate-auth.t t/gate-dos.t t/gate-tls.t t/rows.t
EXTRA_DIST += t/gatelib.py t/sasllib.py t/gate-auth.t t/gate-auth.py \
	t/gate-dos.t t/gate-dos.py \
	t/gate-tls.t t/gate-tls.py t/rows t/rows.py t/rows.t
include t/unit/local.mk
include t/peers/local.mk
include t/fuzz/local.mk
include t/crash/local.mk
include t/bench/local.mk
include t/probe/local.mk
