/* Records of outcomes: what is taken in is legal, and writing what happened
 * makes a record that is taken in too. */
#include <stdlib.h>

#include "queue/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct state
begin(struct arena *a)
{
	static const struct span rcpts[] = { SPAN("a@b"), SPAN("c@d"),
		SPAN("e@f") };
	struct span list[3];
	struct envelope e = { .rcpt = list, .nrcpt = 3 };
	struct state s;

	memcpy(list, rcpts, sizeof list);
	if (state_begin(&s, &e, a) == -1)
		abort();
	return s;
}

static void
check(const struct state *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct rcpt *r = &s->rcpt[i];

		if (r->origin >= 3 || r->address.n == 0 ||
		    r->state > RCPT_TOLD || r->last < 0 ||
		    (r->state == RCPT_PERM && r->code.n == 0))
			abort();
	}
}

/* Reports of programs, written down, are read again. */
static void
check_reports(struct span text)
{
	struct buf lines = buf_new(1 << 20);
	struct arena a = arena_new(1 << 22), b = arena_new(1 << 22);
	struct state first = begin(&a), second = begin(&b);

	while (text.n > 0) {
		struct outcome o;

		if (!state_report(span_take(&text, '\n'), &o))
			continue;
		o.time = 7;
		if (state_apply(&first, &a, &o))
			state_line(&lines, &o);
	}
	if (!state_parse(&second, &b, buf_span(&lines)) ||
	    second.length != lines.n || second.n != first.n)
		abort();
	for (size_t i = 0; i < first.n; i++)
		if (first.rcpt[i].state != second.rcpt[i].state ||
		    first.rcpt[i].tries != second.rcpt[i].tries)
			abort();
	check(&second);
	buf_free(&lines);
	arena_free(&a);
	arena_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size);
	struct arena a = arena_new(1 << 22);
	struct state state = begin(&a);

	if (state_parse(&state, &a, s)) {
		if (state.length > size ||
		    (state.length > 0 && s.p[state.length - 1] != '\n'))
			abort();
		check(&state);
	}
	arena_free(&a);
	check_reports(s);
	return 0;
}
