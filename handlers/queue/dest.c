/* Destinations. */
#include "dest.h"

static struct dest *
at(const struct dests *d, uint32_t i)
{
	return (struct dest *)(void *)d->all.p + i;
}

struct dests
dests_new(void)
{
	return (struct dests){ .all = buf_new(DEST_MAX * sizeof(struct dest)) };
}

/* Nothing is known of it that is worth keeping. */
static bool
is_idle(const struct dest *x, int64_t now_ms)
{
	return x->active == 0 && x->hold_ms <= now_ms;
}

uint32_t
dest_find(struct dests *d, struct span name, int64_t now_ms)
{
	static const struct dest empty;
	uint32_t n = (uint32_t)(d->all.n / sizeof empty), spare = DEST_NONE;

	for (uint32_t i = 0; i < n; i++) {
		if (span_is_nocase(name, at(d, i)->name))
			return i;
		if (spare == DEST_NONE && is_idle(at(d, i), now_ms))
			spare = i;
	}
	if (spare == DEST_NONE && n < DEST_MAX &&
	    buf_add(&d->all, &empty, sizeof empty) == 0)
		spare = n;
	if (spare == DEST_NONE)
		return DEST_NONE;
	*at(d, spare) = empty;
	at(d, spare)->born = ++d->born;
	if (span_copy(name, at(d, spare)->name, DEST_NAME) == -1)
		return DEST_NONE;
	return spare;
}

uint32_t
dest_born(const struct dests *d, uint32_t i)
{
	return i < d->all.n / sizeof(struct dest) ? at(d, i)->born : 0;
}

bool
dest_busy(const struct dests *d, uint32_t i)
{
	return i != DEST_NONE && at(d, i)->active >= DEST_LIMIT;
}

bool
dest_held(const struct dests *d, uint32_t i, int64_t now_ms)
{
	return i != DEST_NONE && at(d, i)->hold_ms > now_ms;
}

void
dest_start(struct dests *d, uint32_t i)
{
	if (i != DEST_NONE)
		at(d, i)->active++;
}

void
dest_end(struct dests *d, uint32_t i, bool silent, const struct conf *c,
    int64_t now_ms)
{
	uint64_t s = c->retry_min_s, most = c->retry_max_s / 4;
	struct dest *x;

	if (i == DEST_NONE)
		return;
	x = at(d, i);
	x->active--;
	if (!silent) {
		x->fails = 0;
		x->hold_ms = 0;
		return;
	}
	/* Those that were under way together count once. */
	if (x->hold_ms > now_ms)
		return;
	for (uint32_t k = 0; k < x->fails && s < most; k++)
		s *= 2;
	x->fails++;
	x->hold_ms = now_ms + (int64_t)(s < most ? s : most) * 1000;
}
