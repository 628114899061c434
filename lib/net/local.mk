# lib/net
lib_libpostern_a_SOURCES += \
	%D%/conn.c %D%/conn.h %D%/frame.c %D%/frame.h \
	%D%/service.c %D%/service.h %D%/tls.c %D%/tls.h
