/*
 * The lines of a message.
 *
 * Of a file a window is held, which begins with the line that did not end in
 * the one before.  Of a line that is longer than a window only the front is
 * kept.
 */
#include "mail/mime_line.h"

#include "mail/header.h"

enum {
	WINDOW = 262144,
	REST = 65536 /* bytes at once of a line that has no end */
};

struct mime_lines
mime_lines(const struct source *s)
{
	return (struct mime_lines){ .source = s, .window = buf_new(WINDOW),
		.rest = buf_new(REST) };
}

void
mime_lines_free(struct mime_lines *l)
{
	buf_free(&l->window);
	buf_free(&l->rest);
}

/* The line at the front of s, where it ends in it or s is all there is. */
static bool
take(struct span s, bool last, struct mime_line *line)
{
	size_t lf = span_find(s, '\n');

	if (lf == s.n && !last)
		return false;
	line->lf = lf < s.n;
	line->cr = line->lf && lf > 0 && s.p[lf - 1] == '\r';
	line->n = lf + line->lf;
	line->head = span_head(span_head(s, line->n), HEADER_LINE);
	return true;
}

/* The end of a line of which the window holds the front. */
static int
pass_rest(struct mime_lines *l, struct mime_line *line)
{
	struct span s = buf_span(&l->window);
	uint64_t at = l->window_at + s.n, size = l->source->size, start = at;

	line->head = span_head(s, HEADER_LINE);
	line->lf = line->cr = false;
	while (at < size && !line->lf) {
		char last = s.p[s.n - 1];
		size_t n = size - at < REST ? (size_t)(size - at) : REST, lf;

		if (source_span(l->source, at, n, &l->rest, &s) == -1)
			return -1;
		lf = span_find(s, '\n');
		line->lf = lf < n;
		line->cr = line->lf && (lf > 0 ? s.p[lf - 1] : last) == '\r';
		at += lf + line->lf;
	}
	line->n = l->window.n + (at - start);
	return 0;
}

int
mime_line(struct mime_lines *l, uint64_t at, struct mime_line *line)
{
	uint64_t size = l->source->size, end = l->window_at + l->window.n;
	struct span s;
	size_t n;

	if (l->source->text) {
		s = span_of(l->source->text + at, (size_t)(size - at));
		(void)take(s, true, line);
		return 0;
	}
	if (at >= l->window_at && at < end) {
		s = span_skip(buf_span(&l->window),
		    (size_t)(at - l->window_at));
		if (take(s, end == size, line))
			return 0;
	}
	n = size - at < WINDOW ? (size_t)(size - at) : WINDOW;
	if (source_span(l->source, at, n, &l->window, &s) == -1)
		return -1;
	l->window_at = at;
	return take(s, at + n == size, line) ? 0 : pass_rest(l, line);
}
