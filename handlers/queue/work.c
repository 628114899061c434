/* One message of the queue, from due to done or to the next time. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/io.h"
#include "base/log.h"
#include "qsend.h"

enum {
	SAVE_RETRY_MS = 100, /* doubled each time, */
	SAVE_RETRY_MOST_MS = 10000,
	FAULT_RETRY_MS = 60000,
	BUSY_RETRY_MS = 200
};

static const size_t WORK_MEMORY = (size_t)1 << 32;

int64_t
work_now(void)
{
	uint32_t usec;
	int64_t sec;

	io_wall(&sec, &usec);
	return sec;
}

int64_t
work_busy_ms(const struct qsend *q, uint32_t dest)
{
	return BUSY_RETRY_MS + dest_waiting(&q->dests, dest) / 20;
}

static const char *
id_of(const struct qsend *q, const struct work *w)
{
	return table_entry(&q->table, w->entry)->id;
}

static void
complain(const struct qsend *q, const struct work *w, const char *event,
    const char *what, int e)
{
	struct log l;

	log_start(&l, event);
	log_str(&l, "id", id_of(q, w));
	log_str(&l, "what", what);
	log_errno(&l, "error", e);
	log_end(&l);
}

static void
close_work(struct qsend *q, struct work *w)
{
	if (w->fd != -1)
		close(w->fd);
	buf_free(&w->text);
	buf_free(&w->unsaved);
	arena_free(&w->arena);
	*w = (struct work){ .fd = -1 };
	q->nworks--;
}

static void
put_off(struct qsend *q, struct work *w, int64_t ms, bool waits)
{
	table_schedule(&q->table, w->entry, io_now_ms() + ms, waits);
	close_work(q, w);
}

/* ---- outcomes ---- */

void
work_record(struct work *w, const struct outcome *o)
{
	if (!state_apply(&w->state, &w->arena, o))
		return;
	state_line(&w->unsaved, o);
	w->must_sync |= o->word != OUTCOME_TEMP && o->word != OUTCOME_FAULT;
}

static bool
is_done(const struct work *w)
{
	for (size_t i = 0; i < w->state.n; i++)
		if (w->state.rcpt[i].state == RCPT_PENDING ||
		    w->state.rcpt[i].state == RCPT_PERM)
			return false;
	return true;
}

static bool
has_failed(const struct work *w)
{
	for (size_t i = 0; i < w->state.n; i++)
		if (w->state.rcpt[i].state == RCPT_PERM)
			return true;
	return false;
}

/*
 * That something was tried in vain may get lost: then it is tried sooner.  A
 * queue with many messages to a host that is dead writes nothing else.
 */
static int
write_state(struct qsend *q, struct work *w)
{
	struct span lines = buf_span(&w->unsaved);

	if (!w->must_sync) {
		q->loose |= w->state.length == 0;
		return state_note(&q->queue, id_of(q, w), &w->state, lines);
	}
	/* The name of this one may be among those that are not yet durable. */
	if (q->loose && durable_sync(q->queue.state) == -1)
		return -1;
	q->loose = false;
	return state_write(&q->queue, id_of(q, w), &w->state, lines);
}

/*
 * Nothing more is begun for a message whose outcomes are not on the disk:
 * after a crash they would be tried twice.  A message that is done needs
 * none of it: removing it says all.
 */
static bool
save(struct qsend *q, struct work *w)
{
	if (w->unsaved.n == 0 || (is_done(w) && !w->must_save))
		return true;
	if (write_state(q, w) == 0) {
		buf_reset(&w->unsaved);
		w->must_sync = false;
		w->retry_ms = 0;
		w->delay_ms = 0;
		return true;
	}
	complain(q, w, "not-saved", "state", errno);
	w->delay_ms = w->delay_ms ? w->delay_ms * 2 : SAVE_RETRY_MS;
	if (w->delay_ms > SAVE_RETRY_MOST_MS)
		w->delay_ms = SAVE_RETRY_MOST_MS;
	w->retry_ms = io_now_ms() + w->delay_ms;
	return false;
}

void
work_log(const struct qsend *q, const struct work *w, const char *event,
    const struct rcpt *r)
{
	struct log l;

	log_start(&l, event);
	log_str(&l, "id", id_of(q, w));
	log_span(&l, "to", r->address);
	log_span(&l, "code", r->code);
	log_span(&l, "text", r->text);
	log_end(&l);
}

/*
 * A recipient that failed for now.  After its time it fails for good, also
 * where this machine is at fault: the sender must learn of it one day.
 */
static void
record_temp(struct qsend *q, struct work *w, struct outcome *o)
{
	const struct rcpt *r;

	work_record(w, o);
	r = &w->state.rcpt[o->index];
	work_log(q, w, "deferred", r);
	if (!retry_expired(&q->conf, &w->envelope, r, o->time))
		return;
	if (o->word == OUTCOME_FAULT) {
		work_log(q, w, "fault-expired", r);
		o->text = span_str("A fault of this system lasted too long");
	}
	o->word = OUTCOME_PERM;
	o->code = span_str("5.4.7");
	work_record(w, o);
	work_log(q, w, "failed", r);
}

void
work_outcome(struct qsend *q, struct work *w, struct outcome *o, bool local)
{
	if (o->word == OUTCOME_TEMP) {
		if (local)
			o->word = OUTCOME_FAULT;
		record_temp(q, w, o);
		return;
	}
	work_record(w, o);
	work_log(q, w, o->word == OUTCOME_OK ? "sent" : "failed",
	    &w->state.rcpt[o->index]);
}

/* ---- starting ---- */

/* The recipients that wait for the same destination as number i. */
static size_t
gather(const struct work *w, size_t i, size_t rcpt[JOB_RCPTS])
{
	struct span dest = w->route[i].dest;
	size_t n = 0;

	for (; i < w->state.n && n < JOB_RCPTS; i++)
		if (w->route[i].kind == ROUTE_REMOTE &&
		    span_eq_nocase(w->route[i].dest, dest))
			rcpt[n++] = i;
	return n;
}

/* The destination did not answer a moment ago: that is the answer now. */
static void
fail_held(struct qsend *q, struct work *w, const size_t *rcpt, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct outcome o = { .index = rcpt[i], .word = OUTCOME_TEMP,
			.time = work_now(), .code = SPAN("4.4.1"),
			.text = SPAN("The destination did not answer when it "
			             "was last tried") };

		w->route[rcpt[i]].kind = ROUTE_IDLE;
		work_outcome(q, w, &o, false);
	}
}

/* Whether a job was started for recipient i, or it needs none any more. */
static bool
start_one(struct qsend *q, struct work *w, size_t i, uint32_t *blocked)
{
	uint32_t dest = dest_find(&q->dests, w->route[i].dest, io_now_ms());
	enum dest_kind kind = dest_kind(&q->dests, dest);
	size_t rcpt[JOB_RCPTS], n;

	if (w->route[i].kind == ROUTE_REMOTE &&
	    dest_held(&q->dests, dest, io_now_ms())) {
		n = gather(w, i, rcpt);
		fail_held(q, w, rcpt, n);
		return true;
	}
	if (dest_busy(&q->dests, dest)) {
		*blocked = dest;
		return false;
	}
	if (w->route[i].kind == ROUTE_LOCAL)
		return job_deliver(q, w, i);
	if (job_remote_full(q, kind)) {
		*blocked = DEST_SHARE(kind);
		return false;
	}
	n = gather(w, i, rcpt);
	return job_remote(q, w, rcpt, n);
}

/* No message takes more than half of the workers. */
static bool
may_start(const struct qsend *q, const struct work *w)
{
	return !q->stopping && q->njobs < q->workers &&
	    w->running < (q->workers + 1) / 2;
}

/* Returns how many recipients are still waiting to be tried. */
static size_t
start_jobs(struct qsend *q, struct work *w, uint32_t *blocked)
{
	size_t waiting = 0;

	for (size_t i = 0; i < w->state.n; i++) {
		if (w->route[i].kind != ROUTE_LOCAL &&
		    w->route[i].kind != ROUTE_REMOTE)
			continue;
		if (!may_start(q, w) || !start_one(q, w, i, blocked))
			waiting++;
	}
	return waiting;
}

/* ---- the end of a round ---- */

static void
finish(struct qsend *q, struct work *w)
{
	const char *id = id_of(q, w);

	if (gone_remove(q, id, w->state.length > 0) == -1) {
		complain(q, w, "not-removed", "mess", errno);
		w->must_save = true;
		if (save(q, w))
			put_off(q, w, FAULT_RETRY_MS, false);
		return;
	}
	table_remove(&q->table, w->entry);
	close_work(q, w);
}

/* For the next qsend; without it the message is read to know. */
static void
note_due(const struct qsend *q, const struct work *w, int64_t due)
{
	const struct timespec t[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = due } };

	if (futimens(w->fd, t) == -1)
		complain(q, w, "not-noted", "due", errno);
}

/* When the first of those that are left is due. */
static void
wait_for_next(struct qsend *q, struct work *w)
{
	int64_t now = work_now(), first = INT64_MAX, delay;
	int64_t most = (int64_t)q->conf.retry_max_s;
	int64_t warn = retry_warn(&q->conf, &w->envelope);

	if (warn > now && !told_late(w))
		first = warn;
	for (size_t i = 0; i < w->state.n; i++) {
		const struct rcpt *r = &w->state.rcpt[i];
		int64_t due = retry_due(&q->conf, id_of(q, w), r);

		if (r->state == RCPT_PENDING && due < first)
			first = due;
	}
	delay = first == INT64_MAX ? most : first - now;
	if (w->local_fault || w->bounce_failed || delay < 1)
		delay = (int64_t)q->conf.retry_min_s;
	if (!w->local_fault && !w->bounce_failed && delay <= most)
		note_due(q, w, now + delay);
	put_off(q, w, (delay < most ? delay : most) * 1000, false);
}

static void
wait_for_dest(struct qsend *q, struct work *w, uint32_t dest)
{
	struct entry *e = table_entry(&q->table, w->entry);

	e->dest = dest;
	e->born = dest_born(&q->dests, dest);
	dest_wait(&q->dests, dest);
	put_off(q, w, work_busy_ms(q, dest), true);
}

static void
conclude(struct qsend *q, struct work *w, bool waiting, uint32_t blocked)
{
	bool failed;

	if (has_failed(w) && envelope_is_null(&w->envelope))
		told_all(q, w, "double-bounce");
	if (!save(q, w))
		return;
	if (waiting) {
		if (blocked != DEST_NONE)
			wait_for_dest(q, w, blocked);
		else if (q->stopping)
			put_off(q, w, 0, false);
		else if (q->njobs < q->workers)
			put_off(q, w, FAULT_RETRY_MS, false);
		return; /* else its turn comes */
	}
	failed = has_failed(w);
	if (is_done(w))
		finish(q, w);
	else if (w->bounce_failed || q->stopping ||
	    (!failed && !told_is_late(q, w)))
		wait_for_next(q, w);
	else if (q->njobs < q->workers && !job_bounce(q, w, !failed))
		put_off(q, w, FAULT_RETRY_MS, false);
}

void
work_step(struct qsend *q, struct work *w)
{
	uint32_t blocked = DEST_NONE;
	size_t waiting;

	if (w->retry_ms > io_now_ms())
		return;
	if (!save(q, w))
		return;
	waiting = start_jobs(q, w, &blocked);
	if (w->running == 0)
		conclude(q, w, waiting > 0, blocked);
}

/* ---- the end of a program ---- */

static bool
is_silent(const struct outcome *o)
{
	return o->word == OUTCOME_TEMP && span_starts(o->code, "4.4.");
}

static void
remote_done(struct qsend *q, struct work *w, const struct job *j)
{
	struct span rest = buf_span(&j->text);
	size_t said = 0, silent = 0;
	struct outcome o;

	while (rest.n > 0) {
		if (!state_report(span_take(&rest, '\n'), &o) ||
		    o.index >= w->state.n ||
		    w->route[o.index].kind != ROUTE_RUNNING)
			continue;
		for (size_t i = 0; i < j->n; i++) {
			if (j->rcpt[i] != o.index ||
			    w->route[o.index].kind != ROUTE_RUNNING)
				continue;
			said++;
			silent += is_silent(&o);
			w->route[o.index].kind = ROUTE_IDLE;
			o.time = work_now();
			work_outcome(q, w, &o, false);
			break;
		}
	}
	dest_end(&q->dests, j->dest, said > 0 && silent == said, &q->conf,
	    io_now_ms());
}

static enum outcome_word
word_of(int status)
{
	if (status == 0)
		return OUTCOME_OK;
	return status == 100 ? OUTCOME_PERM : OUTCOME_TEMP;
}

/* The exit code decides; the report may say why. */
static void
deliver_done(struct qsend *q, struct work *w, const struct job *j, int status)
{
	struct span rest = buf_span(&j->text);
	struct outcome o;

	if (!state_report(span_take(&rest, '\n'), &o) ||
	    o.word != word_of(status))
		o = (struct outcome){ .word = word_of(status),
			.text = SPAN("The delivery program gave no reason") };
	o.index = j->rcpt[0];
	o.time = work_now();
	w->route[o.index].kind = ROUTE_IDLE;
	/* Only a mailbox that is full is its owner's doing. */
	work_outcome(q, w, &o, !span_is(o.code, "4.2.2"));
	told_no_loop(q, w, o.index);
	dest_end(&q->dests, j->dest, false, &q->conf, io_now_ms());
}

static void
bounce_done(struct qsend *q, struct work *w, const struct job *j, int status)
{
	if (status != 0 && status != 100)
		w->bounce_failed = true;
	else if (j->late)
		told_of_delay(q, w);
	else if (status == 0)
		told_all(q, w, NULL);
	else
		told_all(q, w, "bounce-refused");
}

/* Programs that ended without a word: crashed, not started, or killed. */
static void
record_silence(struct qsend *q, struct work *w, const struct job *j)
{
	for (size_t i = 0; i < j->n; i++) {
		struct outcome o = { .index = j->rcpt[i],
			.word = OUTCOME_TEMP, .time = work_now(),
			.code = SPAN("4.3.0"),
			.text = SPAN("The delivery program did not report") };

		if (w->route[o.index].kind != ROUTE_RUNNING)
			continue;
		w->route[o.index].kind = ROUTE_IDLE;
		work_outcome(q, w, &o, true);
	}
}

void
work_job_done(struct qsend *q, struct job *j, int status)
{
	struct work *w = &q->works[j->work];

	job_read(j);
	if (j->program == START_REMOTE)
		remote_done(q, w, j);
	else if (j->program == START_DELIVER)
		deliver_done(q, w, j, status);
	else
		bounce_done(q, w, j, status);
	record_silence(q, w, j);
	close(j->report);
	io_close(j->process);
	buf_free(&j->text);
	q->unstarted -= j->pid == 0;
	q->nremote -= j->program == START_REMOTE;
	*j = (struct job){ .report = -1, .process = -1 };
	q->njobs--;
	w->running--;
	work_step(q, w);
}

/* ---- the beginning ---- */

static void
bury(struct qsend *q, struct work *w, const char *what)
{
	complain(q, w, "damaged", what, errno);
	if (queue_bury(&q->queue, id_of(q, w)) == -1 && errno != ENOENT) {
		complain(q, w, "not-moved", "bad", errno);
		put_off(q, w, FAULT_RETRY_MS, false);
		return;
	}
	table_remove(&q->table, w->entry);
	close_work(q, w);
}

static int
load(struct qsend *q, struct work *w)
{
	const char *id = id_of(q, w);

	w->fd = queue_file(q->queue.mess, id, false);
	if (w->fd == -1)
		return -1;
	if (envelope_load(w->fd, &w->text, &w->arena, &w->envelope,
		&w->start) == -1)
		return -1;
	if (!span_is(w->envelope.id, id)) {
		errno = EBADMSG;
		return -1;
	}
	if (state_load(&q->queue, id, &w->envelope, &w->arena, &w->state) ==
	    -1)
		return -1;
	w->routes = w->state.n + q->conf.recipients;
	w->route = arena_alloc(&w->arena, w->routes, sizeof *w->route);
	return w->route ? 0 : -1;
}

void
work_open(struct qsend *q, uint32_t entry)
{
	struct work *w = q->works;

	while (w->used)
		w++;
	*w = (struct work){ .used = true, .entry = entry, .fd = -1,
		.text = buf_new(ENVELOPE_SIZE),
		.unsaved = buf_new(STATE_SIZE),
		.arena = arena_new(WORK_MEMORY) };
	q->nworks++;
	if (load(q, w) == 0) {
		route_all(q, w, work_now());
		work_step(q, w);
	} else if (errno == ENOENT) {
		table_remove(&q->table, entry);
		close_work(q, w);
	} else if (errno == EBADMSG) {
		bury(q, w, "message");
	} else {
		complain(q, w, "not-opened", "message", errno);
		put_off(q, w, FAULT_RETRY_MS, false);
	}
}
