/* The header scanner of smtpd: nothing is lost or invented, and what it
 * finds does not depend on how the text was cut (by the first byte). */
#include <stdint.h>
#include <stdlib.h>

#include "../../handlers/smtp/header.h"
#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
scan(struct span in, size_t step, struct header *h, struct buf *out)
{
	*h = (struct header){ .n = 0 };
	while (in.n > 0 && h->state != HEADER_OVER) {
		struct span piece = span_head(in, step);
		size_t before = piece.n;

		while (piece.n > 0 && h->state != HEADER_OVER)
			(void)buf_add_span(out, header_take(h, &piece));
		in = span_skip(in, before - piece.n);
	}
	if (h->state == HEADER_OVER && h->has_end)
		(void)buf_add_byte(out, '\n');
	(void)buf_add_span(out, header_rest(h));
	(void)buf_add_span(out, in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size);
	struct buf a = buf_new(1 << 20), b = buf_new(1 << 20);
	struct header x, y;

	scan(span_skip(s, 1), size ? 1U + data[0] : 1, &x, &a);
	scan(span_skip(s, 1), size + 1, &y, &b);
	if (!span_eq(buf_span(&a), span_skip(s, 1)) ||
	    !span_eq(buf_span(&b), span_skip(s, 1)))
		abort();
	if (x.fields != y.fields || x.hops != y.hops || x.bytes != y.bytes ||
	    x.has_date != y.has_date || x.has_id != y.has_id ||
	    x.has_end != y.has_end)
		abort();
	buf_free(&a);
	buf_free(&b);
	return 0;
}
