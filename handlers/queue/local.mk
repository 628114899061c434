pkglibexec_PROGRAMS += handlers/queue/enqueue handlers/queue/qsend \
	handlers/queue/deliver handlers/queue/bounce
sbin_PROGRAMS += tools/sendmail
handlers_queue_enqueue_SOURCES = %D%/enqueue.c
handlers_queue_enqueue_LDADD = lib/libpostern.a
handlers_queue_qsend_SOURCES = %D%/qsend.c %D%/qsend.h \
	handlers/front/ask.c handlers/front/start.h \
	%D%/dest.c %D%/dest.h %D%/find.c %D%/gone.c %D%/job.c %D%/retry.c %D%/route.c \
	%D%/table.c %D%/table.h %D%/told.c %D%/work.c
handlers_queue_qsend_LDADD = lib/libpostern.a $(CDB_LIBS)
handlers_queue_deliver_SOURCES = %D%/deliver.c
handlers_queue_deliver_LDADD = lib/libpostern.a
handlers_queue_bounce_SOURCES = %D%/bounce.c
handlers_queue_bounce_LDADD = lib/libpostern.a
tools_sendmail_SOURCES = tools/sendmail.c tools/sendmail-incoming.c \
	tools/sendmail-incoming.h
TESTS += t/queue.t t/queue-root.t t/queue-remote.t t/queue-rights.t \
	t/queue-load.t
EXTRA_DIST += t/queue.t t/queue-root.t t/queue-remote.t t/queue-rights.t \
	t/queue-rights.py t/queue-load.t t/queue-load.py
dist_man_MANS += %D%/enqueue.8 %D%/qsend.8 %D%/deliver.8 \
	%D%/bounce.8 tools/sendmail.8
queue_units = %D%/postern-queue.service %D%/postern-queue.socket \
	%D%/postern-queue.timer %D%/postern-submit.socket \
	%D%/postern-submit@.service
nodist_systemdsystemunit_DATA += $(queue_units)
CLEANFILES += $(queue_units)
EXTRA_DIST += %D%/postern-queue.service.in %D%/postern-queue.socket.in \
	%D%/postern-queue.timer.in %D%/postern-submit.socket.in \
	%D%/postern-submit@.service.in
check_PROGRAMS += t/fuzz/queue-envelope t/fuzz/queue-report \
	t/fuzz/queue-state t/fuzz/queue-submit
t_fuzz_queue_envelope_SOURCES = t/fuzz/queue-envelope.c t/fuzz/driver.c
t_fuzz_queue_report_SOURCES = t/fuzz/queue-report.c t/fuzz/driver.c
t_fuzz_queue_state_SOURCES = t/fuzz/queue-state.c t/fuzz/driver.c
t_fuzz_queue_submit_SOURCES = t/fuzz/queue-submit.c t/fuzz/driver.c
EXTRA_DIST += t/fuzz/seeds/queue-envelope t/fuzz/seeds/queue-report \
	t/fuzz/seeds/queue-state t/fuzz/seeds/queue-submit
check_PROGRAMS += t/unit/queue.t
TESTS += t/unit/queue.t
t_unit_queue_t_SOURCES = t/unit/queue.c t/unit/tap.h %D%/dest.c %D%/retry.c \
	%D%/table.c
