lib_libpostern_a_SOURCES += \
	%D%/add.c %D%/add.h %D%/envelope.c %D%/envelope.h %D%/queue.c %D%/queue.h \
	%D%/report.c %D%/report.h %D%/state.c %D%/state.h %D%/submit.c %D%/submit.h \
	%D%/trace.c %D%/trace.h
