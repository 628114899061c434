/* Where the bytes of a message are. */
#include "mail/source.h"

struct source
source_text(struct span text)
{
	return (struct source){ .size = text.n,
		.text = text.p ? text.p : "" };
}

int
source_span(const struct source *s, uint64_t at, size_t n, struct buf *b,
    struct span *out)
{
	char *to;

	if (s->text) {
		*out = span_of(s->text + at, n);
		return 0;
	}
	buf_reset(b);
	*out = span_of("", 0);
	if (n == 0)
		return 0;
	if ((to = buf_room(b, n)) == NULL || s->read(s->ctx, at, to, n) == -1)
		return -1;
	b->n = n;
	*out = buf_span(b);
	return 0;
}
