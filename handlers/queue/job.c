/* Running programs, which front starts. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "qsend.h"
#include "store/quota.h"

/*
 * Hosts that refuse at once would have all of the processor: each worker
 * begins with one that is not known to answer so often; half of the workers
 * may do so at once.
 */
enum { PACE_MS = 400 };

static struct job *
free_job(struct qsend *q)
{
	if (q->njobs == q->workers || q->stopping)
		return NULL;
	for (size_t i = 0; i < q->workers; i++)
		if (!q->jobs[i].used)
			return &q->jobs[i];
	return NULL;
}

static const char *
name_of(const struct job *j)
{
	return j->program == START_DELIVER ? "deliver"
	    : j->program == START_REMOTE   ? "remote"
					   : "bounce";
}

/* One that cannot be started counts as one that failed for now. */
static void
begin(struct qsend *q, struct job *j, const struct start_request *f,
    int report)
{
	const int fds[] = { q->works[j->work].fd, report };
	struct start_reply a;

	j->process = start_begin(f, fds, 2, -1, &a);
	j->pid = j->process == -1 ? 0 : a.pid;
	if (j->process != -1)
		return;
	q->unstarted++;
	q->stopping |= a.error == EPIPE; /* it is gone for all */
	log_error("not-started", name_of(j), a.error);
}

/* Starts what f says; j has its program, work and recipients. */
static bool
start(struct qsend *q, struct job *j, const struct start_request *f,
    uint32_t dest)
{
	struct work *w = &q->works[j->work];
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) == -1) {
		log_error("not-started", "pipe", errno);
		return false;
	}
	if (fcntl(pipes[0], F_SETFL, O_NONBLOCK) == -1) {
		close(pipes[0]);
		close(pipes[1]);
		return false;
	}
	gone_sync(q);
	begin(q, j, f, pipes[1]);
	close(pipes[1]);
	j->used = true;
	j->number = q->started++;
	j->report = pipes[0];
	j->dest = dest;
	j->text = buf_new(JOB_REPORT);
	dest_start(&q->dests, dest);
	q->njobs++;
	q->nremote += j->program == START_REMOTE;
	w->running++;
	for (size_t i = 0; i < j->n; i++)
		w->route[j->rcpt[i]].kind = ROUTE_RUNNING;
	return true;
}

static struct job *
new_job(struct qsend *q, const struct work *w, enum start_program program)
{
	struct job *j = free_job(q);

	if (j == NULL)
		return NULL;
	j->program = program;
	j->work = (uint32_t)(w - q->works);
	j->n = 0;
	return j;
}

bool
job_remote_full(const struct qsend *q, enum dest_kind kind)
{
	size_t most = q->workers - q->workers / 4;

	if (kind == DEST_UNKNOWN)
		most -= most / 5;
	else if (kind == DEST_SILENT)
		most = (most + 1) / 2;
	return q->nremote >= most ||
	    (kind != DEST_ANSWERS && job_pace(q) > io_now_ms());
}

int64_t
job_pace(const struct qsend *q)
{
	return q->pace_ms - PACE_MS / 2;
}

static void
keep_pace(struct qsend *q, uint32_t dest)
{
	int64_t now = io_now_ms();

	if (dest_kind(&q->dests, dest) == DEST_ANSWERS)
		return;
	if (q->pace_ms < now)
		q->pace_ms = now;
	q->pace_ms += PACE_MS / (int64_t)q->workers;
}

bool
job_deliver(struct qsend *q, struct work *w, size_t rcpt)
{
	struct job *j = new_job(q, w, START_DELIVER);
	const struct route *to = &w->route[rcpt];
	char quota[QUOTA_TEXT];
	struct start_request f;

	if (j == NULL)
		return false;
	start_request(&f, START_BEGIN, START_DELIVER);
	quota_text(&to->quota, quota);
	f.uid = j->uid = to->uid;
	f.gid = j->gid = to->gid;
	j->rcpt[j->n++] = rcpt;
	return start_add(&f, w->state.rcpt[rcpt].address) &&
	    start_add(&f, to->maildir) &&
	    (!to->quota.known || start_add(&f, span_str(quota))) &&
	    start(q, j, &f, dest_find(&q->dests, to->dest, io_now_ms()));
}

/* A recipient of the envelope goes by its number; what an alias led to
 * stands in no envelope. */
static bool
add_rcpt(struct start_request *f, const struct work *w, size_t rcpt)
{
	struct buf arg = buf_new(ENVELOPE_FIELD + 32);
	bool r;

	(void)buf_add_u64(&arg, rcpt);
	if (rcpt >= w->envelope.nrcpt) {
		(void)buf_add_byte(&arg, '=');
		(void)buf_add_span(&arg, w->state.rcpt[rcpt].address);
	}
	r = !arg.full && start_add(f, buf_span(&arg));
	buf_free(&arg);
	return r;
}

bool
job_remote(struct qsend *q, struct work *w, const size_t *rcpt, size_t n)
{
	struct job *j = new_job(q, w, START_REMOTE);
	struct span domain = w->route[rcpt[0]].dest;
	struct start_request f;
	uint32_t dest;

	if (j == NULL)
		return false;
	start_request(&f, START_BEGIN, START_REMOTE);
	if (!start_add(&f, domain))
		return false;
	/* Those that no longer fit go with the next run. */
	while (j->n < n && j->n < JOB_RCPTS &&
	    add_rcpt(&f, w, rcpt[j->n])) {
		j->rcpt[j->n] = rcpt[j->n];
		j->n++;
	}
	dest = dest_find(&q->dests, domain, io_now_ms());
	keep_pace(q, dest);
	return j->n > 0 && start(q, j, &f, dest);
}

bool
job_bounce(struct qsend *q, struct work *w, bool late)
{
	struct job *j = new_job(q, w, START_BOUNCE);
	struct start_request f;

	if (j == NULL)
		return false;
	start_request(&f, START_BEGIN, START_BOUNCE);
	j->late = late;
	return start_add(&f, w->envelope.id) &&
	    (!late || start_add(&f, span_str("late"))) &&
	    start(q, j, &f, DEST_NONE);
}

/* The number may be another's again before we have heard of the first. */
struct job *
job_find(struct qsend *q, int32_t pid)
{
	struct job *found = NULL;

	for (size_t i = 0; i < q->workers; i++)
		if (q->jobs[i].used && q->jobs[i].pid == pid &&
		    (found == NULL || q->jobs[i].number < found->number))
			found = &q->jobs[i];
	return found;
}

void
job_end_all(struct qsend *q)
{
	for (size_t i = 0; i < q->workers; i++) {
		const struct job *j = &q->jobs[i];
		struct start_request f;

		if (!j->used || j->process == -1)
			continue;
		start_request(&f, START_END, j->program);
		f.uid = j->uid;
		f.gid = j->gid;
		start_end(&f, j->process);
	}
}

bool
job_read(struct job *j)
{
	char chunk[4096];
	ssize_t n;

	for (;;) {
		n = read(j->report, chunk, sizeof chunk);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		/* A report that is too long is cut: the exit code counts. */
		(void)buf_add(&j->text, chunk, (size_t)n);
	}
}
