# lib/text
lib_libpostern_a_SOURCES += \
	%D%/base64.c %D%/base64.h %D%/date.c %D%/date.h
