# lib/store
lib_libpostern_a_SOURCES += \
	%D%/folder.c %D%/folder.h %D%/maildir.c %D%/maildir.h
