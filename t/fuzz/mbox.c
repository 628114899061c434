/* mbox files: read in pieces of any size, and what was written comes back. */
#include "mail/mbox.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
	struct span file;
	size_t most; /* bytes of one reading */
};

static void
must(bool good)
{
	if (!good)
		abort();
}

static ssize_t
read_at(void *ctx, uint64_t at, char *p, size_t n)
{
	const struct source *s = ctx;
	struct span rest = s->file;

	if (at >= rest.n)
		return 0;
	rest = span_skip(rest, (size_t)at);
	n = n < s->most ? n : s->most;
	n = n < rest.n ? n : rest.n;
	memcpy(p, rest.p, n);
	return (ssize_t)n;
}

static void
note(struct buf *out, const struct mbox_message *m)
{
	(void)buf_addf(out, "\n[%llu %lld %d %u %d]", (unsigned long long)m->at,
	    (long long)m->date, m->crlf, m->flags, m->internal);
	(void)buf_add_span(out, m->keywords);
}

/* All messages of the file, in one text. */
static void
read_all(struct mbox *b, struct source *s, bool verbatim, struct buf *out)
{
	struct mbox_message m;
	struct span bytes;

	mbox_open(b, read_at, s, true);
	b->verbatim = verbatim;
	while (mbox_next(b, &m) == 1) {
		must(m.at < s->file.n);
		note(out, &m);
		while (mbox_read(b, &bytes) == 1) {
			must(bytes.n > 0);
			(void)buf_add_span(out, bytes);
		}
	}
	mbox_close(b);
}

static void
pieces(struct mbox *b, struct span in, bool verbatim)
{
	struct source s = { in, MBOX_WINDOW };
	struct buf whole = buf_new(1 << 26), small = buf_new(1 << 26);

	read_all(b, &s, verbatim, &whole);
	s.most = 7;
	read_all(b, &s, verbatim, &small);
	must(!whole.full && span_eq(buf_span(&whole), buf_span(&small)));
	buf_free(&whole);
	buf_free(&small);
}

struct sink {
	struct buf text;
};

static int
write_to(void *ctx, const char *p, size_t n, int64_t deadline_ms)
{
	struct sink *s = ctx;

	(void)deadline_ms;
	return buf_add(&s->text, p, n);
}

static void
write_one(struct out *o, struct span in, unsigned flags)
{
	struct mbox_writer w;
	size_t half = in.n / 2;

	mbox_begin(&w, o, 1000000000 + (int64_t)flags, flags,
	    span_str("one $Two"), in.n == 0 || in.p[in.n - 1] == '\n');
	mbox_write(&w, span_head(in, half));
	mbox_write(&w, span_skip(in, half));
	mbox_end(&w);
}

static void
expect(struct mbox *b, struct span in, unsigned flags)
{
	struct buf got = buf_new(1 << 26);
	struct mbox_message m;
	struct span bytes;

	must(mbox_next(b, &m) == 1);
	must(m.flags == flags && m.date == 1000000000 + (int64_t)flags);
	must(span_is(m.keywords, "one $Two"));
	while (mbox_read(b, &bytes) == 1)
		(void)buf_add_span(&got, bytes);
	must(span_eq(buf_span(&got), in));
	buf_free(&got);
}

static void
round_trip(struct mbox *b, struct span in)
{
	struct sink sink = { buf_new(1 << 26) };
	char room[512];
	struct out o = { .write = write_to,
		.ctx = &sink,
		.buf = room,
		.size = sizeof room,
		.timeout_ms = -1 };
	struct source s = { .most = 4096 };
	struct mbox_message m;

	write_one(&o, in, 63);
	write_one(&o, in, 0);
	must(out_flush(&o) == 0);
	s.file = buf_span(&sink.text);
	mbox_open(b, read_at, &s, true);
	expect(b, in, 63);
	expect(b, in, 0);
	must(mbox_next(b, &m) == 0);
	mbox_close(b);
	buf_free(&sink.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct mbox *b = malloc(sizeof *b);

	must(b != NULL);
	pieces(b, in, false);
	pieces(b, in, true);
	round_trip(b, in);
	free(b);
	return 0;
}
