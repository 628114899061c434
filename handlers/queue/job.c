/* Running programs, through qspawn. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "qsend.h"
#include "store/quota.h"

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

static bool
add_arg(struct qframe_run *f, struct span arg)
{
	if (f->argc == QFRAME_ARGC || arg.n >= sizeof f->args - f->size)
		return false;
	if (arg.n > 0)
		memcpy(f->args + f->size, arg.p, arg.n);
	f->args[f->size + arg.n] = '\0';
	f->size += (uint32_t)arg.n + 1;
	f->argc++;
	return true;
}

/* Starts what f says; j has its program, work and recipients. */
static bool
start(struct qsend *q, struct job *j, struct qframe_run *f, uint32_t dest)
{
	struct work *w = &q->works[j->work];
	int pipes[2], r;

	if (pipe2(pipes, O_CLOEXEC) == -1) {
		log_error("not-started", "pipe", errno);
		return false;
	}
	gone_sync(q);
	f->slot = (uint32_t)(j - q->jobs);
	f->program = j->program;
	r = fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	if (r == 0)
		r = io_send(q->channel, f,
		    offsetof(struct qframe_run, args) + f->size,
		    (const int[]){ w->fd, pipes[1] }, 2);
	close(pipes[1]);
	if (r == -1) {
		q->stopping |= errno == EPIPE; /* it is gone for all */
		log_error("not-started", "qspawn", errno);
		close(pipes[0]);
		return false;
	}
	j->used = true;
	j->report = pipes[0];
	j->dest = dest;
	j->text = buf_new(JOB_REPORT);
	dest_start(&q->dests, dest);
	q->njobs++;
	q->nremote += j->program == QFRAME_REMOTE;
	w->running++;
	for (size_t i = 0; i < j->n; i++)
		w->route[j->rcpt[i]].kind = ROUTE_RUNNING;
	return true;
}

static struct job *
new_job(struct qsend *q, const struct work *w, enum qframe_program program)
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
job_remote_full(const struct qsend *q)
{
	return q->nremote >= q->workers - q->workers / 4;
}

bool
job_deliver(struct qsend *q, struct work *w, size_t rcpt)
{
	struct job *j = new_job(q, w, QFRAME_DELIVER);
	const struct route *to = &w->route[rcpt];
	char quota[QUOTA_TEXT];
	struct qframe_run f;

	if (j == NULL)
		return false;
	quota_text(&to->quota, quota);
	f.argc = f.size = 0;
	f.uid = to->uid;
	f.gid = to->gid;
	j->rcpt[j->n++] = rcpt;
	return add_arg(&f, w->state.rcpt[rcpt].address) &&
	    add_arg(&f, to->maildir) &&
	    (!to->quota.known || add_arg(&f, span_str(quota))) &&
	    start(q, j, &f, dest_find(&q->dests, to->dest, io_now_ms()));
}

/* A recipient of the envelope goes by its number; what an alias led to
 * stands in no envelope. */
static bool
add_rcpt(struct qframe_run *f, const struct work *w, size_t rcpt)
{
	struct buf arg = buf_new(ENVELOPE_FIELD + 32);
	bool r;

	(void)buf_add_u64(&arg, rcpt);
	if (rcpt >= w->envelope.nrcpt) {
		(void)buf_add_byte(&arg, '=');
		(void)buf_add_span(&arg, w->state.rcpt[rcpt].address);
	}
	r = !arg.full && add_arg(f, buf_span(&arg));
	buf_free(&arg);
	return r;
}

bool
job_remote(struct qsend *q, struct work *w, const size_t *rcpt, size_t n)
{
	struct job *j = new_job(q, w, QFRAME_REMOTE);
	struct span domain = w->route[rcpt[0]].dest;
	struct qframe_run f;

	if (j == NULL)
		return false;
	f.argc = f.size = 0;
	f.uid = f.gid = 0;
	if (!add_arg(&f, domain))
		return false;
	/* Those that no longer fit go with the next run. */
	while (j->n < n && j->n < JOB_RCPTS && add_rcpt(&f, w, rcpt[j->n])) {
		j->rcpt[j->n] = rcpt[j->n];
		j->n++;
	}
	return j->n > 0 &&
	    start(q, j, &f, dest_find(&q->dests, domain, io_now_ms()));
}

bool
job_bounce(struct qsend *q, struct work *w, bool late)
{
	struct job *j = new_job(q, w, QFRAME_BOUNCE);
	struct qframe_run f;

	if (j == NULL)
		return false;
	f.argc = f.size = 0;
	f.uid = f.gid = 0;
	j->late = late;
	return add_arg(&f, w->envelope.id) &&
	    (!late || add_arg(&f, span_str("late"))) &&
	    start(q, j, &f, DEST_NONE);
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
