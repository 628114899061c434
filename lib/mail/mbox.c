/* Reading mbox files. */
#include "mail/mbox.h"

#include "mail/mbox_fields.h"

#include <errno.h>

enum { FROM_WORD = 5 }; /* "From " */

void
mbox_open(struct mbox *b, mbox_read_fn *read, void *ctx, bool anywhere)
{
	b->read = read;
	b->ctx = ctx;
	b->anywhere = anywhere;
	b->verbatim = b->eof = b->inside = b->header_left = false;
	b->at = 0;
	b->start = b->end = 0;
	b->give_n = 0;
	b->header = buf_new(MBOX_HEADER);
	b->keywords = buf_new(MBOX_KEYWORDS);
}

void
mbox_close(struct mbox *b)
{
	buf_free(&b->header);
	buf_free(&b->keywords);
}

/* What is in the window and not yet read. */
static struct span
ahead(const struct mbox *b)
{
	return span_of(b->window + b->start, b->end - b->start);
}

static void
take(struct mbox *b, size_t n)
{
	b->start += n;
	b->at += n;
}

/* At least n bytes ahead, where the file has so many: 0, or -1. */
static int
fill(struct mbox *b, size_t n)
{
	if (b->end - b->start >= n || b->eof)
		return 0;
	memmove(b->window, b->window + b->start, b->end - b->start);
	b->end -= b->start;
	b->start = 0;
	while (b->end < n && !b->eof) {
		ssize_t got = b->read(b->ctx, b->at + b->end,
		    b->window + b->end, sizeof b->window - b->end);

		if (got == -1)
			return -1;
		b->eof = got == 0;
		b->end += (size_t)got;
	}
	return 0;
}

/* Length of the line end at the front of s; 0 where there is none. */
static size_t
line_end(struct span s, bool crlf)
{
	if (span_at(s, 0) == '\n')
		return 1;
	return crlf && span_starts(s, "\r\n") ? 2 : 0;
}

/* The From_ line ahead, and its length with its end; 0: none. */
static size_t
separator(const struct mbox *b, int64_t *date)
{
	struct span line = span_head(ahead(b), MBOX_FROM);
	size_t n = span_find(line, '\n');

	if (!span_starts(line, "From ") || (n == line.n && !b->eof))
		return 0;
	if (!mbox_is_from(span_head(line, n), date))
		return 0;
	return n < line.n ? n + 1 : n;
}

/* Ahead is a From_ line, or nothing. */
static bool
is_end(const struct mbox *b)
{
	int64_t date;

	return ahead(b).n == 0 || separator(b, &date) > 0;
}

static void
give(struct mbox *b, unsigned n)
{
	if (n == 2)
		b->give[b->give_n++] = '\r';
	if (n > 0)
		b->give[b->give_n++] = '\n';
}

/* The message's last line end may not be its own; an empty line before the
 * next message never is. */
static void
finish(struct mbox *b)
{
	b->inside = false;
	if (!b->unended)
		give(b, b->held);
	b->held = b->blank = 0;
}

/* At the start of a line: what is it?  0, or -1. */
static int
begin_line(struct mbox *b)
{
	size_t n;

	if (fill(b, MBOX_FROM) == -1)
		return -1;
	if (is_end(b)) {
		finish(b);
		return 0;
	}
	n = line_end(ahead(b), b->crlf);
	if (n == 0 || b->blank > 0) {
		give(b, b->held);
		b->held = b->blank;
		b->blank = 0;
	}
	if (n == 0) {
		give(b, b->held);
		b->held = 0;
	}
	b->blank = (unsigned)n;
	take(b, n);
	if (n == 0) {
		b->line_start = false;
		b->quote = !b->raw;
	}
	return 0;
}

/*
 * `>'s and then "From ": one `>' less.  A line of no end of `>'s goes by in
 * pieces, of which the last `>' stays ahead.
 */
static int
unquote(struct mbox *b, struct span *out)
{
	struct span s;
	size_t n = 0;

	if (fill(b, MBOX_FROM) == -1)
		return -1;
	s = ahead(b);
	while (n < s.n && s.p[n] == '>')
		n++;
	if (n + FROM_WORD > s.n && n > 1 && !b->eof) {
		*out = span_head(s, n - 1);
		take(b, n - 1);
		return 0;
	}
	b->quote = false;
	if (n > 0 && span_starts(span_skip(s, n), "From "))
		take(b, 1);
	return 0;
}

/* The rest of a line, as much of it as is there, without its end. */
static int
read_line(struct mbox *b, struct span *out)
{
	struct span s;
	size_t n, lf;

	if (fill(b, 2) == -1)
		return -1;
	s = ahead(b);
	lf = n = span_find(s, '\n');
	if (lf < s.n) {
		b->held = 1;
		if (b->crlf && n > 0 && s.p[n - 1] == '\r') {
			b->held = 2;
			n--;
		}
		take(b, lf + 1);
		b->line_start = true;
	} else {
		/* A CR that may belong to a line end waits. */
		if (b->crlf && n > 1 && s.p[n - 1] == '\r')
			n--;
		take(b, n);
		if (n == 0)
			finish(b);
	}
	*out = span_head(s, n);
	return 0;
}

/* Some of a body whose length is known. */
static int
read_counted(struct mbox *b, struct span *out)
{
	size_t most = MBOX_WINDOW;

	if (fill(b, MBOX_FROM) == -1)
		return -1;
	if (b->counted == 0)
		take(b, line_end(ahead(b), true)); /* the empty line behind */
	if (b->counted < most)
		most = (size_t)b->counted;
	*out = span_head(ahead(b), most);
	take(b, out->n);
	b->counted -= out->n;
	/* Perhaps the file became shorter meanwhile. */
	if (out->n == 0)
		b->inside = false;
	return 0;
}

static int
step(struct mbox *b, struct span *out)
{
	*out = span_of(NULL, 0);
	if (b->counted != UINT64_MAX)
		return read_counted(b, out);
	if (b->line_start)
		return begin_line(b);
	if (b->quote)
		return unquote(b, out);
	return read_line(b, out);
}

/* As mbox_read, of what lies in the file. */
static int
read_on(struct mbox *b, struct span *out)
{
	for (;;) {
		*out = span_of(b->give, b->give_n);
		b->give_n = 0;
		if (out->n > 0)
			return 1;
		if (!b->inside)
			return 0;
		if (step(b, out) == -1)
			return -1;
		if (out->n > 0)
			return 1;
	}
}

int
mbox_read(struct mbox *b, struct span *out)
{
	if (!b->header_left)
		return read_on(b, out);
	b->header_left = false;
	*out = buf_span(&b->header);
	return out->n > 0 ? 1 : read_on(b, out);
}

/* The file ends at this offset, or a From_ line begins there, perhaps behind
 * an empty line: 1, 0, -1. */
static int
is_boundary(struct mbox *b, uint64_t at)
{
	char line[MBOX_FROM];
	size_t got = 0;
	struct span s;
	int64_t date;
	ssize_t r;

	do {
		r = b->read(b->ctx, at + got, line + got, sizeof line - got);
		if (r == -1)
			return -1;
		got += (size_t)r;
	} while (r > 0 && got < sizeof line);
	s = span_of(line, got);
	s = span_skip(s, line_end(s, true));
	return s.n == 0 ||
	       mbox_is_from(span_head(s, span_find(s, '\n')), &date);
}

/* Is the body, which is ahead, just n bytes long?  1, 0, -1. */
static int
is_counted(struct mbox *b, uint64_t n)
{
	char last = n > 0 ? '\0' : '\n';

	if (!b->anywhere || n > INT64_MAX - b->at)
		return 0;
	if (n > 0 && b->read(b->ctx, b->at + n - 1, &last, 1) == -1)
		return -1;
	return last == '\n' ? is_boundary(b, b->at + n) : 0;
}

/* The header, into b->header; its empty line is the one that is held then.
 * 1; 0: it is longer than that; -1. */
static int
read_header(struct mbox *b)
{
	struct span piece;

	b->raw = true;
	for (;;) {
		if (b->blank > 0) {
			give(b, b->held);
			b->held = 0;
		}
		(void)buf_add(&b->header, b->give, b->give_n);
		b->give_n = 0;
		if (b->blank > 0 || !b->inside)
			return 1;
		if (b->header.n > MBOX_HEADER - MBOX_WINDOW - sizeof b->give)
			return 0;
		if (step(b, &piece) == -1)
			return -1;
		(void)buf_add_span(&b->header, piece); /* it has room */
	}
}

/* A message that is not the writer's. */
static int
begin_foreign(struct mbox *b, struct mbox_fields *f)
{
	int r = read_header(b);

	b->header_left = true;
	b->raw = b->verbatim;
	if (r <= 0)
		return r;
	mbox_fields_take(&b->header, &b->keywords, f);
	if (!f->counted || b->blank == 0)
		return 0;
	r = is_counted(b, f->length);
	if (r == 1) {
		b->counted = f->length;
		give(b, b->blank);
		b->blank = 0;
	}
	return r == -1 ? -1 : 0;
}

static int
begin(struct mbox *b, struct mbox_message *m)
{
	struct mbox_fields f = { 0 };
	size_t n;

	if (fill(b, MBOX_KEYWORDS * 2) == -1)
		return -1;
	n = mbox_fields_own(ahead(b), m->crlf, &b->keywords, &f);
	take(b, n);
	b->unended = f.unended;
	m->own = n > 0;
	if (n == 0 && begin_foreign(b, &f) == -1)
		return -1;
	m->flags = f.flags;
	m->internal = f.internal;
	m->keywords = buf_span(&b->keywords);
	return 1;
}

/* From_ lines come one behind the other; before the first may be empty
 * lines. */
static int
find_next(struct mbox *b)
{
	struct span rest;
	size_t n;
	int r;

	while ((r = mbox_read(b, &rest)) == 1)
		continue;
	do {
		if (r == -1 || fill(b, MBOX_FROM) == -1)
			return -1;
		n = line_end(ahead(b), true);
		take(b, n);
	} while (n > 0);
	return ahead(b).n > 0;
}

int
mbox_next(struct mbox *b, struct mbox_message *m)
{
	size_t n;
	int r = find_next(b);

	*m = (struct mbox_message){ .at = b->at };
	if (r <= 0)
		return r;
	n = separator(b, &m->date);
	if (n == 0) {
		errno = EBADMSG;
		return -1;
	}
	m->crlf = n > 1 && ahead(b).p[n - 2] == '\r';
	take(b, n);
	buf_reset(&b->header);
	buf_reset(&b->keywords);
	b->crlf = m->crlf;
	b->inside = b->line_start = true;
	b->raw = b->quote = b->unended = false;
	b->counted = UINT64_MAX;
	b->held = b->blank = 0;
	return begin(b, m);
}
