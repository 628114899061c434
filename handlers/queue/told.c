/* What a sender was told, and is to be told. */
#include "qsend.h"

/* ---- failures ---- */

static void
mark_one_told(const struct qsend *q, struct work *w, size_t rcpt,
    const char *event)
{
	struct outcome o = { .index = rcpt, .word = OUTCOME_TOLD,
		.time = work_now(), .code = w->state.rcpt[rcpt].code };

	work_record(w, &o);
	if (event)
		work_log(q, w, event, &w->state.rcpt[rcpt]);
}

void
told_all(const struct qsend *q, struct work *w, const char *event)
{
	for (size_t i = 0; i < w->state.n; i++)
		if (w->state.rcpt[i].state == RCPT_PERM)
			mark_one_told(q, w, i, event);
}

void
told_no_loop(const struct qsend *q, struct work *w, size_t rcpt)
{
	const struct rcpt *r = &w->state.rcpt[rcpt];

	if (r->state == RCPT_PERM && span_is(r->code, "5.4.6") &&
	    w->envelope.user.n == 0)
		mark_one_told(q, w, rcpt, "loop-dropped");
}

/* ---- delays ---- */

bool
told_late(const struct work *w)
{
	for (size_t i = 0; i < w->state.n; i++)
		if (w->state.rcpt[i].told_late)
			return true;
	return false;
}

/* RFC 5321 4.5.4.1 has a message tried for days: its sender should know. */
bool
told_is_late(const struct qsend *q, const struct work *w)
{
	int64_t now = work_now();

	if (now < retry_warn(&q->conf, &w->envelope) || told_late(w) ||
	    now - w->envelope.time >= (int64_t)q->conf.queue_life_s)
		return false;
	for (size_t i = 0; i < w->state.n; i++)
		if (state_is_late(&w->state.rcpt[i]))
			return true;
	return false;
}

void
told_of_delay(const struct qsend *q, struct work *w)
{
	for (size_t i = 0; i < w->state.n; i++) {
		struct outcome o = { .index = i, .word = OUTCOME_LATE,
			.time = work_now() };

		if (!state_is_late(&w->state.rcpt[i]))
			continue;
		work_record(w, &o);
		work_log(q, w, "late", &w->state.rcpt[i]);
	}
}
