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
TESTS += t/queue.t t/queue-root.t
EXTRA_DIST += t/queue.t t/queue-root.t
dist_man_MANS += %D%/enqueue.8 %D%/qspawn.8 %D%/qsend.8 %D%/deliver.8 \
	%D%/bounce.8 tools/sendmail.8
queue_units = %D%/postern-queue.service %D%/postern-queue.socket \
	%D%/postern-queue.timer
nodist_systemdsystemunit_DATA += $(queue_units)
CLEANFILES += $(queue_units)
EXTRA_DIST += %D%/postern-queue.service.in %D%/postern-queue.socket.in \
	%D%/postern-queue.timer.in
