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

/* Whoever chooses names that meet in one bucket makes a search as long as
 * DEST_MAX, and no longer. */
static uint32_t *
bucket(struct dests *d, struct span name)
{
	return &d->bucket[span_hash_nocase(name) & (DEST_BUCKETS - 1)];
}

static void
forget(struct dests *d, uint32_t i)
{
	uint32_t *p = bucket(d, span_str(at(d, i)->name));

	while (*p != i + 1)
		p = &at(d, *p - 1)->next;
	*p = at(d, i)->next;
}

/*
 * Nothing is known of it that is worth keeping; and of those that answer this
 * is the second time that they are passed.
 */
static bool
is_spare(struct dest *x, int64_t now_ms)
{
	bool answers = x->answers;

	if (x->active > 0 || x->hold_ms > now_ms)
		return false;
	x->answers = false;
	return !answers;
}

/* A place for another one: while there is room, a new one. */
static uint32_t
spare(struct dests *d, int64_t now_ms)
{
	static const struct dest empty;
	uint32_t n = (uint32_t)(d->all.n / sizeof empty);

	if (n < DEST_MAX && buf_add(&d->all, &empty, sizeof empty) == 0)
		return n;
	for (uint32_t k = 0; n > 0 && k < 2 * n; k++) {
		uint32_t i = d->hand++ % n;

		if (is_spare(at(d, i), now_ms)) {
			forget(d, i);
			return i;
		}
	}
	return DEST_NONE;
}

uint32_t
dest_find(struct dests *d, struct span name, int64_t now_ms)
{
	uint32_t *first = bucket(d, name), i;
	struct dest *x;

	for (i = *first; i != 0; i = at(d, i - 1)->next)
		if (span_is_nocase(name, at(d, i - 1)->name))
			return i - 1;
	if (name.n >= DEST_NAME)
		return DEST_NONE;
	i = spare(d, now_ms);
	if (i == DEST_NONE)
		return DEST_NONE;
	x = at(d, i);
	*x = (struct dest){ .born = ++d->born, .next = *first };
	(void)span_copy(name, x->name, DEST_NAME);
	*first = i + 1;
	return i;
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

enum dest_kind
dest_kind(const struct dests *d, uint32_t i)
{
	if (i == DEST_NONE)
		return DEST_UNKNOWN;
	if (at(d, i)->fails > 0)
		return DEST_SILENT;
	return at(d, i)->answers ? DEST_ANSWERS : DEST_UNKNOWN;
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
	x->answers = !silent;
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

/* ---- who waits ---- */

/* NULL: a place that is none, or another's by now. */
static uint32_t *
waiting(struct dests *d, uint32_t i, uint32_t born)
{
	for (unsigned kind = 0; kind < DEST_KINDS; kind++)
		if (i == DEST_SHARE(kind))
			return &d->waiting[kind];
	return dest_born(d, i) == born && born != 0 ? &at(d, i)->waiting
						    : NULL;
}

void
dest_wait(struct dests *d, uint32_t i)
{
	uint32_t *n = waiting(d, i, dest_born(d, i));

	if (n)
		++*n;
}

void
dest_leave(struct dests *d, uint32_t i, uint32_t born)
{
	uint32_t *n = waiting(d, i, born);

	if (n && *n > 0)
		--*n;
}

uint32_t
dest_waiting(const struct dests *d, uint32_t i)
{
	for (unsigned kind = 0; kind < DEST_KINDS; kind++)
		if (i == DEST_SHARE(kind))
			return d->waiting[kind];
	return dest_born(d, i) ? at(d, i)->waiting : 0;
}
