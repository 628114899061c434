/*
 * Texts of SMTP: what is stuffed comes back as it was, with one end; what
 * is taken apart does not depend on how it was cut; the strict reader's text
 * has no byte that it refuses.  The first two bytes say how it is cut.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "net/smtp-data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum smtp_data
unstuff(
    struct span in, size_t step, size_t room, struct buf *out, size_t *taken)
{
	struct smtp_unstuff u = { .state = UNSTUFF_START };
	enum smtp_data r = SMTP_DATA_MORE;
	char text[300];

	*taken = 0;
	while (r == SMTP_DATA_MORE && in.n > 0) {
		struct span piece = span_head(in, step);
		size_t before = piece.n, n;

		r = smtp_unstuff(&u, &piece, text, room, &n);
		if (n > before - piece.n || buf_add(out, text, n) == -1)
			abort();
		*taken += before - piece.n;
		in = span_skip(in, before - piece.n);
	}
	return r;
}

static void
stuff(struct span in, size_t step, size_t room, struct buf *out)
{
	struct smtp_stuff s = { .bol = true };
	char text[300];

	while (in.n > 0) {
		struct span piece = span_head(in, step);
		size_t before = piece.n;
		size_t n = smtp_stuff(&s, &piece, text, room);

		if (before == piece.n || buf_add(out, text, n) == -1)
			abort();
		in = span_skip(in, before - piece.n);
	}
	if (buf_add(out, text, smtp_stuff_end(&s, text)) == -1)
		abort();
}

/* What the receiver must see: our text with its odd bytes as blanks. */
static void
normalise(struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		int c = span_at(in, i);

		if (c == '\r' && span_at(in, i + 1) == '\n')
			continue;
		(void)buf_add_byte(out, c == '\r' || c == 0 ? ' ' : (char)c);
	}
	if (out->n > 0 && out->p[out->n - 1] != '\n')
		(void)buf_add_byte(out, '\n');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size);
	size_t step = 1, room = 64, taken, again;
	struct buf a = buf_new(1 << 20), b = buf_new(1 << 20),
		   c = buf_new(1 << 20);

	if (size >= 2) {
		step = 1U + data[0];
		room = 4U + data[1];
		s = span_skip(s, 2);
	}
	if (unstuff(s, step, room, &a, &taken) !=
		unstuff(s, s.n + 1, 256, &b, &again) ||
	    taken != again || !span_eq(buf_span(&a), buf_span(&b)))
		abort();
	buf_reset(&a);
	buf_reset(&b);
	stuff(s, step, room, &a);
	stuff(s, s.n + 1, 256, &b);
	if (!span_eq(buf_span(&a), buf_span(&b)))
		abort();
	buf_reset(&b);
	normalise(s, &c);
	if (unstuff(buf_span(&a), step, room, &b, &taken) != SMTP_DATA_END ||
	    taken != a.n || !span_eq(buf_span(&b), buf_span(&c)))
		abort();
	buf_free(&a);
	buf_free(&b);
	buf_free(&c);
	return 0;
}
