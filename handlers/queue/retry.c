/* When a recipient is tried again, and when no more. */
#include "qsend.h"

/* The delay after so many failures, at most so long, without the jitter. */
static uint64_t
back_off(const struct conf *c, uint32_t tries, uint64_t most)
{
	uint64_t s = c->retry_min_s;

	for (uint32_t i = 1; i < tries && s < most; i++)
		s *= 2;
	return s < most ? s : most;
}

/* What ails this machine is mended by its people, who then want their mail. */
static uint64_t
longest(const struct conf *c, const struct rcpt *r)
{
	uint64_t most = r->fault ? c->retry_max_s / 4 : c->retry_max_s;

	return most > c->retry_min_s ? most : c->retry_min_s;
}

/* A quarter up or down, by the id: messages that failed together are not
 * tried together, and a restart comes to the same time. */
static uint64_t
jittered(const struct conf *c, const char *id, uint32_t tries, uint64_t most)
{
	uint64_t s = back_off(c, tries, most);
	uint64_t h = 1469598103934665603u + tries;

	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * 1099511628211u;
	s = s - s / 4 + (h >> 16) % (s / 2 + 1);
	if (s < c->retry_min_s)
		return c->retry_min_s;
	return s < most ? s : most;
}

int64_t
retry_due(const struct conf *c, const char *id, const struct rcpt *r)
{
	if (r->tries == 0)
		return 0;
	return r->last + (int64_t)jittered(c, id, r->tries, longest(c, r));
}

/*
 * Strangers are not warned: their senders may be forged, and a warning is
 * not worth sending to somebody who never wrote.
 */
int64_t
retry_warn(const struct conf *c, const struct envelope *e)
{
	if (c->queue_warn_s == 0 || c->queue_warn_s >= c->queue_life_s ||
	    e->user.n == 0 || envelope_is_null(e))
		return INT64_MAX;
	return e->time + (int64_t)c->queue_warn_s;
}

/* How often a message is tried in half its life, were all well. */
static uint32_t
least_tries(const struct conf *c)
{
	uint64_t passed = 0;
	uint32_t n = 1;

	while (n < 1000) {
		passed += back_off(c, n, c->retry_max_s);
		if (passed > c->queue_life_s / 2)
			break;
		n++;
	}
	return n;
}

/*
 * The age alone would bounce the whole queue when the clock jumps, or when
 * the machine was off for a week: it must also have been tried often enough.
 */
bool
retry_expired(const struct conf *c, const struct envelope *e,
    const struct rcpt *r, int64_t now)
{
	return now - e->time >= (int64_t)c->queue_life_s &&
	    r->tries >= least_tries(c);
}
