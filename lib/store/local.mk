# lib/store
lib_libpostern_a_SOURCES += \
	%D%/account.c %D%/account.h %D%/account_change.c \
	%D%/account_list.c %D%/bytes.h %D%/change.c %D%/copy.c \
	%D%/folder.c %D%/folder.h %D%/batch.c %D%/fresh.c %D%/index.c \
	%D%/journal.c %D%/load.c %D%/lock.c %D%/lock.h %D%/mailbox.c \
	%D%/mailbox.h %D%/maildir.c %D%/maildir.h %D%/read.c \
	%D%/repair.c %D%/scan.c %D%/state.h %D%/sum.c %D%/sum.h \
	%D%/sync.c %D%/view.c %D%/watch.c
check_PROGRAMS += t/unit/store-tool
t_unit_store_tool_SOURCES = t/unit/store-tool.c
