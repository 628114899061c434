/* Sequence sets. */
#include "set.h"

#include <stdlib.h>

/* One more than the commas before the set's end. */
static size_t
count_ranges(struct span s)
{
	size_t n = 1;

	for (size_t i = 0; i < s.n && strchr("0123456789:*,", s.p[i]); i++)
		n += s.p[i] == ',';
	return n;
}

static uint32_t
number_or_star(struct parse *p)
{
	return parse_try(p, '*') ? SET_STAR : parse_nz_number(p);
}

void
set_parse(struct parse *p, struct set *out)
{
	size_t n = count_ranges(p->rest);

	out->n = 0;
	out->range = arena_alloc(p->arena, n, sizeof *out->range);
	if (out->range == NULL)
		parse_fail(p, "too many arguments");
	do {
		struct set_range r;

		r.lo = number_or_star(p);
		r.hi = parse_try(p, ':') ? number_or_star(p) : r.lo;
		if (p->error == NULL && out->n < n)
			out->range[out->n++] = r;
	} while (parse_try(p, ','));
}

static int
by_start(const void *a, const void *b)
{
	const struct set_range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

static void
settle_range(struct set_range *r, uint32_t star)
{
	uint32_t lo = r->lo == SET_STAR ? star : r->lo;
	uint32_t hi = r->hi == SET_STAR ? star : r->hi;

	r->lo = lo < hi ? lo : hi;
	r->hi = lo < hi ? hi : lo;
}

void
set_settle(struct set *s, uint32_t star)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		settle_range(&s->range[i], star);
	if (s->n > 1)
		qsort(s->range, s->n, sizeof *s->range, by_start);
	for (size_t i = 0; i < s->n; i++) {
		struct set_range r = s->range[i];

		if (n > 0 && r.lo <= s->range[n - 1].hi) {
			if (r.hi > s->range[n - 1].hi)
				s->range[n - 1].hi = r.hi;
		} else
			s->range[n++] = r;
	}
	s->n = n;
}

bool
set_has(const struct set *s, uint32_t v)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (s->range[middle].hi < v)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo < s->n && s->range[lo].lo <= v;
}
