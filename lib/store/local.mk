# lib/store
lib_libpostern_a_SOURCES += \
	%D%/account.c %D%/account.h %D%/account_change.c \
	%D%/account_list.c %D%/folder.c %D%/folder.h %D%/lock.c \
	%D%/lock.h %D%/maildir.c %D%/maildir.h
