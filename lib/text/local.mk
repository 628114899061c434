# lib/text
lib_libpostern_a_SOURCES += \
	%D%/base64.c %D%/base64.h %D%/date.c %D%/date.h
lib_libpostern_a_SOURCES += \
	%D%/utf7.c %D%/utf7.h %D%/utf8.c %D%/utf8.h
lib_libpostern_a_SOURCES += \
	%D%/charset.c %D%/charset.h %D%/qp.c %D%/qp.h
lib_libpostern_a_SOURCES += %D%/casemap.c %D%/casemap.h
