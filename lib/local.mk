noinst_LIBRARIES += lib/libpostern.a
lib_libpostern_a_SOURCES =
include lib/base/local.mk
include lib/text/local.mk
include lib/mail/local.mk
include lib/net/local.mk
include lib/auth/local.mk
include lib/store/local.mk
include lib/queue/local.mk
