/* Submissions: the same outcome however the bytes arrive, and no more bytes
 * than came. */
#include <errno.h>
#include <stdlib.h>

#include "queue/envelope.h"
#include "queue/submit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
	struct span rest;
	size_t step; /* bytes of one read */
};

struct outcome {
	int result; /* 0 the end was seen, else errno */
	struct buf fields, body;
};

static ssize_t
read_source(void *ctx, char *p, size_t n, int64_t deadline_ms)
{
	struct source *s = ctx;
	struct span part = span_head(s->rest, n < s->step ? n : s->step);

	if (part.n > 0)
		memcpy(p, part.p, part.n);
	s->rest = span_skip(s->rest, part.n);
	return (ssize_t)part.n;
}

static struct outcome
run(struct span data, size_t step, size_t room_size)
{
	struct outcome o = { .fields = buf_new(4096),
		.body = buf_new(1 << 20) };
	struct source source = { data, step };
	char room[512];
	struct in in = { .read = read_source, .ctx = &source, .buf = room,
		.size = room_size, .deadline_ms = -1 };
	struct submit_reader r = { .in = &in };
	struct span bytes;
	int n = -1;

	errno = 0;
	if (submit_read_envelope(&r, &o.fields) == 0)
		while ((n = submit_read_body(&r, &bytes)) == 1)
			if (bytes.n == 0 ||
			    buf_add_span(&o.body, bytes) == -1)
				abort();
	o.result = n == 0 ? 0 : errno;
	return o;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size);
	struct outcome a = run(s, 1, 1), b = run(s, SIZE_MAX, 512),
	               c = run(s, 7, 64);

	if (a.result != b.result || a.result != c.result ||
	    !span_eq(buf_span(&a.fields), buf_span(&b.fields)) ||
	    !span_eq(buf_span(&a.body), buf_span(&b.body)) ||
	    !span_eq(buf_span(&a.body), buf_span(&c.body)) ||
	    a.fields.n + a.body.n > size || (size == 0 && a.result == 0))
		abort();
	buf_free(&a.fields);
	buf_free(&a.body);
	buf_free(&b.fields);
	buf_free(&b.body);
	buf_free(&c.fields);
	buf_free(&c.body);
	return 0;
}
