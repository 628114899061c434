pkglibexec_PROGRAMS += handlers/queue/enqueue handlers/queue/qspawn \
	handlers/queue/qsend handlers/queue/deliver handlers/queue/bounce
sbin_PROGRAMS += tools/sendmail
handlers_queue_enqueue_SOURCES = %D%/enqueue.c
handlers_queue_enqueue_LDADD = lib/libpostern.a $(SECCOMP_LIBS)
handlers_queue_qspawn_SOURCES = %D%/qspawn.c %D%/qframe.h
handlers_queue_qsend_SOURCES = %D%/qsend.c %D%/qsend.h %D%/qframe.h \
	%D%/dest.c %D%/dest.h %D%/job.c %D%/retry.c %D%/route.c \
	%D%/table.c %D%/table.h %D%/work.c
handlers_queue_qsend_LDADD = lib/libpostern.a $(CDB_LIBS)
handlers_queue_deliver_SOURCES = %D%/deliver.c
handlers_queue_deliver_LDADD = lib/libpostern.a $(SECCOMP_LIBS)
handlers_queue_bounce_SOURCES = %D%/bounce.c
tools_sendmail_SOURCES = tools/sendmail.c
TESTS += t/queue.t
EXTRA_DIST += t/queue.t
