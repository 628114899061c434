/* Where a message has been. */
#include "queue/trace.h"

struct trace
trace_new(struct trace_address *address, size_t n)
{
	return (struct trace){ .address = address, .n_addresses = n };
}

bool
trace_is_endless(const struct trace *t)
{
	return t->received > TRACE_HOPS || t->delivered > TRACE_HOPS;
}

static void
find(struct trace *t, struct span value)
{
	if (++t->delivered > TRACE_HOPS)
		return;
	for (size_t i = 0; i < t->n_addresses; i++) {
		struct trace_address *a = &t->address[i];

		if (a->found || !span_eq_nocase(value, a->text))
			continue;
		a->found = true;
		t->found++;
	}
}

static void
end_line(struct trace *t)
{
	struct span value, name, line = span_of(t->line, t->n);

	t->n = 0;
	if (span_trim(line).n == 0) {
		t->over = true;
		return;
	}
	/* A field that goes on counted with its first line. */
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return;
	value = line;
	name = span_trim(span_take(&value, ':'));
	if (span_is_nocase(name, "received"))
		t->received++;
	if (span_is_nocase(name, "delivered-to"))
		find(t, span_trim(value));
}

void
trace_feed(struct trace *t, struct span bytes)
{
	while (bytes.n > 0 && !t->over) {
		size_t at = span_find(bytes, '\n');
		struct span part = span_head(bytes, at);

		part = span_head(part, sizeof t->line - t->n);
		if (part.n > 0)
			memcpy(t->line + t->n, part.p, part.n);
		t->n += part.n;
		if (at < bytes.n)
			end_line(t);
		bytes = span_skip(bytes, at + 1);
	}
}
