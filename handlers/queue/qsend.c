/*
 * qsend: owns the queue and decides what is tried when.
 *
 * Reads:   var/spool/postern, users.cdb, postern.conf; from front, on fd 0,
 *          which programs have ended (front/start.h); the programs' reports.
 * Writes:  var/spool/postern; requests to front, on fd 1.
 * Runs as: the owner of the queue; with -c as root.
 * Exits:   0 told to stop, or (-1) nothing is due; 100 usage; 111 try later.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/err.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "qsend.h"

enum {
	SYNC_BATCH = 64,
	OPEN_BATCH = 32, /* messages that nothing is started for, before it */
	REST_MS = 2,     /* rests: what runs needs the disk and the processor */
	STATE_CHECK_MS = 1000,
	GRACE_MS = 15000, /* for running programs, once we are to stop */
	ALONE_MS = 30000  /* the same without front */
};

/* ---- the loop ---- */

/* The exit code that goes with a report, where nobody can tell it. */
static int
status_of(const struct job *j)
{
	struct span rest = buf_span(&j->text);
	struct outcome o;

	if (!state_report(span_take(&rest, '\n'), &o) ||
	    o.word == OUTCOME_TEMP)
		return EXIT_LATER;
	return o.word == OUTCOME_OK ? 0 : EXIT_NEVER;
}

/*
 * front was killed.  The programs that it has started go on, and whatever
 * they still deliver would be delivered again if it were not recorded.
 */
_Noreturn static void
finish_alone(struct qsend *q)
{
	int64_t end = io_now_ms() + ALONE_MS;

	q->stopping = true;
	while (q->njobs > 0 && io_now_ms() < end) {
		struct pollfd p[QSEND_WORKERS];
		nfds_t n = 0;

		for (size_t i = 0; i < q->workers; i++)
			if (q->jobs[i].used)
				p[n++] = (struct pollfd){ .events = POLLIN,
					.fd = q->jobs[i].report };
		if (poll(p, n, STATE_CHECK_MS) == -1 && errno != EINTR)
			break;
		for (size_t i = 0; i < q->workers; i++)
			if (q->jobs[i].used && job_read(&q->jobs[i]))
				work_job_done(q, &q->jobs[i],
				    status_of(&q->jobs[i]));
	}
	err_die(EXIT_LATER, "front is gone");
}

/* All that have ended: their messages are synced together. */
static void
take_ends(struct qsend *q)
{
	struct start_end e;
	struct job *j;

	while (read(QSEND_ENDS_FD, &e, sizeof e) == (ssize_t)sizeof e) {
		j = job_find(q, e.pid);
		if (j)
			work_job_done(q, j,
			    WIFSIGNALED(e.status) ? 128 + WTERMSIG(e.status)
						  : WEXITSTATUS(e.status));
	}
}

static void
end_unstarted(struct qsend *q)
{
	for (size_t i = 0; q->unstarted > 0 && i < q->workers; i++)
		if (q->jobs[i].used && q->jobs[i].pid == 0)
			work_job_done(q, &q->jobs[i], EXIT_LATER);
}

/* front says one thing only. */
static void
take_word(struct qsend *q)
{
	char stop;

	if (io_recv(START_FD, &stop, 1, NULL, 0) != 1) {
		take_ends(q);
		finish_alone(q);
	}
	q->stopping = true;
	if (q->stop_ms == 0)
		q->stop_ms = io_now_ms() + GRACE_MS;
}

/* What is cut off here is tried again: no message is lost by it. */
static void
keep_grace(struct qsend *q)
{
	if (q->stop_ms == 0 || io_now_ms() < q->stop_ms)
		return;
	if (q->njobs == 0 && q->nworks > 0)
		err_die(EXIT_LATER, "stopped, and outcomes are not saved");
	job_end_all(q);
	q->stop_ms = io_now_ms() + GRACE_MS;
}

/* What a message waits for is still in use. */
static bool
is_blocked(const struct qsend *q, const struct entry *e)
{
	uint32_t dest = e->dest;

	for (unsigned kind = 0; kind < DEST_KINDS; kind++)
		if (dest == DEST_SHARE(kind))
			return job_remote_full(q, kind);
	return dest != TABLE_NONE &&
	    dest_born(&q->dests, dest) == e->born &&
	    dest_busy(&q->dests, dest);
}

/* Begins with what is due.  New mail that is told of meanwhile goes first, so
 * it is looked for between any two. */
static void
begin_due(struct qsend *q)
{
	struct pollfd told = { .fd = q->trigger, .events = POLLIN };
	int n;

	for (n = 0; n < OPEN_BATCH && !q->stopping && q->njobs < q->workers &&
	     q->nworks < q->workers;
	     n++) {
		uint32_t i = table_take(&q->table, io_now_ms());
		struct entry *e;

		if (i == TABLE_NONE)
			break;
		e = table_entry(&q->table, i);
		if (is_blocked(q, e)) {
			table_schedule(&q->table, i,
			    io_now_ms() + work_busy_ms(q, e->dest), true);
			continue;
		}
		if (e->dest != TABLE_NONE)
			dest_leave(&q->dests, e->dest, e->born);
		e->dest = TABLE_NONE;
		work_open(q, i);
		if (poll(&told, 1, 0) == 1)
			find_told(q);
	}
	q->rests = n == OPEN_BATCH;
}

/* Messages that are open go first, each in its turn. */
static void
dispatch(struct qsend *q)
{
	for (size_t i = 0; i < q->workers; i++) {
		struct work *w = &q->works[(q->turn + i) % q->workers];

		if (w->used)
			work_step(q, w);
	}
	q->turn++;
	begin_due(q);
}

static int
wait_ms(const struct qsend *q)
{
	int64_t now = io_now_ms(), next = find_next(q), due;

	due = table_next(&q->table);
	if (q->unstarted > 0)
		return 0;
	if (q->rests)
		return REST_MS;
	if (q->stop_ms > 0 && q->stop_ms < next)
		next = q->stop_ms;
	if (!q->stopping && due != -1 && due < next &&
	    q->njobs < q->workers && q->nworks < q->workers)
		next = due;
	if (q->nworks > 0 && now + STATE_CHECK_MS < next)
		next = now + STATE_CHECK_MS;
	if (q->nworks > 0 && job_pace(q) > now && job_pace(q) < next)
		next = job_pace(q);
	for (size_t i = 0; i < q->workers; i++)
		if (q->works[i].retry_ms > 0 && q->works[i].retry_ms < next)
			next = q->works[i].retry_ms;
	return next > now ? (int)(next - now) : 0;
}

static void
wait_for_something(struct qsend *q)
{
	struct pollfd p[3] = { { .fd = START_FD, .events = POLLIN },
		{ .fd = QSEND_ENDS_FD, .events = POLLIN },
		{ .fd = q->trigger, .events = POLLIN } };
	int ms = wait_ms(q), r;

	/* With nothing else to do, what was removed becomes durable. */
	if (q->unsynced >= SYNC_BATCH ||
	    (q->unsynced > 0 && poll(p, 3, 0) == 0))
		gone_sync(q);
	r = poll(p, 3, ms);
	if (r == -1 && errno != EINTR)
		err_die_sys(EXIT_LATER, "poll");
	if (r <= 0)
		return;
	if (p[2].revents)
		find_told(q);
	if (p[1].revents)
		take_ends(q);
	if (p[0].revents)
		take_word(q);
}

/* Full pipes would stop the programs that write to them. */
static void
drain_reports(struct qsend *q)
{
	for (size_t i = 0; i < q->workers; i++)
		if (q->jobs[i].used)
			job_read(&q->jobs[i]);
}

static bool
is_over(const struct qsend *q)
{
	int64_t next = table_next(&q->table);

	if (q->njobs > 0 || q->nworks > 0)
		return false;
	if (q->stopping)
		return true;
	return q->once && find_done(q) && q->table.nwaits == 0 &&
	    (next == -1 || next > io_now_ms());
}

static void
serve(struct qsend *q)
{
	for (;;) {
		dispatch(q);
		if (is_over(q))
			break;
		wait_for_something(q);
		drain_reports(q);
		end_unstarted(q);
		keep_grace(q);
		find_step(q);
	}
	gone_sync(q);
}

/* ---- the start ---- */

static void
open_queue(struct qsend *q)
{
	if (queue_open(&q->conf, &q->queue) == -1)
		err_die_sys(EXIT_LATER, "queue (root makes it by qsend -c)");
	q->lock = openat(q->queue.dir, "lock",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (q->lock == -1 || flock(q->lock, LOCK_EX | LOCK_NB) == -1)
		err_die_sys(EXIT_LATER, "lock");
	q->trigger = queue_trigger(&q->queue);
	if (q->trigger == -1)
		err_die_sys(EXIT_LATER, "trigger");
}

/* users.cdb is opened again and again, for it is replaced. */
static void
enter_jail(const struct qsend *q)
{
	char folder[PATH_MAX], etc[PATH_MAX];
	struct jail j = { .kind = JAIL_QUEUE, .folder = folder, .also = etc };
	int landlock;

	if (conf_path(&q->conf, QUEUE_FOLDER, folder) == -1 ||
	    conf_etc(&q->conf, ".", etc) == -1 ||
	    jail_enter(&j, &landlock) == -1)
		err_die_sys(EXIT_LATER, "jail");
}

static void
make_room(struct qsend *q)
{
	q->workers = q->conf.queue_workers < QSEND_WORKERS
	    ? (size_t)q->conf.queue_workers
	    : QSEND_WORKERS;
	q->arena = arena_new(SIZE_MAX / 2);
	q->works = arena_alloc(&q->arena, q->workers, sizeof *q->works);
	q->jobs = arena_alloc(&q->arena, q->workers, sizeof *q->jobs);
	if (q->works == NULL || q->jobs == NULL)
		err_nomem();
}

static void
options(struct qsend *q, int argc, char **argv)
{
	static const char usage[] = "usage: qsend [-1c] [-r root]";
	char error[CONF_ERROR];
	const char *root = NULL;
	int c;

	while ((c = getopt(argc, argv, "1cr:")) != -1)
		if (c == '1')
			q->once = true;
		else if (c == 'c')
			q->create = true;
		else if (c == 'r')
			root = optarg;
		else
			err_die(EXIT_NEVER, "%s", usage);
	if (optind != argc)
		err_die(EXIT_NEVER, "%s", usage);
	if (conf_load(&q->conf, root, error) == -1)
		err_die(EXIT_LATER, "%s", error);
}

int
main(int argc, char **argv)
{
	struct qsend q = { .table = table_new(), .dests = dests_new(),
		.states = buf_new(SIZE_MAX / 2), .loose = true };

	err_program("qsend");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* front has got it, too, and says so. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	umask(077);
	options(&q, argc, argv);
	if (q.create) {
		if (queue_create(&q.conf) == -1)
			err_die_sys(EXIT_LATER, "make the queue");
		return 0;
	}
	if (geteuid() == 0)
		err_die(EXIT_LATER, "must not run as root");
	open_queue(&q);
	enter_jail(&q);
	make_room(&q);
	/* First the FIFO: what is told from now on is not in the scan. */
	find_told(&q);
	find_begin(&q, true);
	serve(&q);
	return 0;
}
