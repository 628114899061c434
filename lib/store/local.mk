# lib/store
lib_libpostern_a_SOURCES += \
	%D%/adopt.c %D%/adopt.h %D%/kwlist.c %D%/kwlist.h %D%/uidlist.c \
	%D%/uidlist.h %D%/uidls.c %D%/uidls.h %D%/account.c %D%/account.h %D%/account_change.c \
	%D%/account_inner.h %D%/account_list.c %D%/account_rename.c \
	%D%/bytes.h %D%/cache.c %D%/cache.h \
	%D%/cache_file.h %D%/cache_make.c %D%/cache_record.c \
	%D%/cache_write.c %D%/append.c %D%/change.c %D%/copy.c %D%/target.h \
	%D%/folder.c %D%/folder.h %D%/batch.c %D%/facts.c %D%/fresh.c \
	%D%/index.c \
	%D%/index_file.h %D%/index_load.c \
	%D%/journal.c %D%/load.c %D%/lock.c %D%/lock.h %D%/mailbox.c \
	%D%/mailbox.h %D%/maildir.c %D%/maildir.h %D%/quota.c %D%/quota.h \
	%D%/read.c %D%/repair.c %D%/scan.c %D%/state.h %D%/sum.c %D%/sum.h \
	%D%/space.c %D%/space.h \
	%D%/sync.c %D%/view.c %D%/watch.c
check_PROGRAMS += t/unit/store-tool
t_unit_store_tool_SOURCES = t/unit/store-tool.c
check_PROGRAMS += t/unit/store-model
t_unit_store_model_SOURCES = t/unit/store-model.c
check_PROGRAMS += t/unit/cache.t t/fuzz/cache
t_unit_cache_t_SOURCES = t/unit/cache.c t/unit/tap.h
t_fuzz_cache_SOURCES = t/fuzz/cache.c t/fuzz/driver.c
TESTS += t/unit/cache.t
check_PROGRAMS += t/unit/index.t
t_unit_index_t_SOURCES = t/unit/index.c t/unit/tap.h
TESTS += t/unit/index.t
EXTRA_DIST += t/fuzz/seeds/cache
check_PROGRAMS += t/fuzz/maildir t/fuzz/journal
t_fuzz_maildir_SOURCES = t/fuzz/maildir.c t/fuzz/driver.c
t_fuzz_journal_SOURCES = t/fuzz/journal.c t/fuzz/driver.c
check_PROGRAMS += t/fuzz/uidlist t/fuzz/kwlist t/fuzz/uidls
t_fuzz_uidls_SOURCES = t/fuzz/uidls.c t/fuzz/driver.c
t_fuzz_uidlist_SOURCES = t/fuzz/uidlist.c t/fuzz/driver.c
t_fuzz_kwlist_SOURCES = t/fuzz/kwlist.c t/fuzz/driver.c
EXTRA_DIST += t/fuzz/seeds/uidlist t/fuzz/seeds/kwlist t/fuzz/seeds/uidls
TESTS += t/adopt.t
EXTRA_DIST += t/adopt.t
TESTS += t/store.t t/store-crash.t t/store-fuzz.t
TESTS += t/large.t t/savedate.t
EXTRA_DIST += t/large.t t/large.py t/savedate.t t/savedate.py
EXTRA_DIST += t/store.t t/store-crash.t t/store-fuzz.t
EXTRA_DIST += t/fuzz/seeds/maildir t/fuzz/seeds/journal
TESTS += t/quota.t t/folders.t
EXTRA_DIST += t/quota.t t/folders.t t/folders.py
lib_libpostern_a_SOURCES += %D%/inspect.c %D%/inspect.h %D%/rebuild.c
