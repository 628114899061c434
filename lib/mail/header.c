/* The header of a message, field by field. */
#include "mail/header.h"

/* Length of the line at the front of s with its end. */
static size_t
line_length(struct span s)
{
	size_t lf = span_find(s, '\n');

	return lf < s.n ? lf + 1 : s.n;
}

/* Length of the empty line at the front of s, 0 if there is none. */
static size_t
empty_line(struct span s)
{
	if (span_at(s, 0) == '\n')
		return 1;
	return span_at(s, 0) == '\r' && span_at(s, 1) == '\n' ? 2 : 0;
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\t';
}

/* s without the line end behind it. */
static struct span
without_end(struct span s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/*
 * Splits a line at its colon.  RFC 5322 4.5 allows blanks before it.  False
 * for what is no field: no colon, an empty name, or a blank or a control
 * character in the name (the first line of an mbox, a line that lost its
 * indentation).
 */
static bool
split(struct span whole, struct header_field *f)
{
	size_t line = line_length(whole);
	size_t colon = span_find(span_head(whole, line), ':');
	size_t n = colon;

	if (colon == line)
		return false;
	while (n > 0 && is_blank((unsigned char)whole.p[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)whole.p[i];

		if (c <= ' ' || c >= 0x7f)
			return false;
	}
	if (n == 0)
		return false;
	f->name = span_head(whole, n);
	f->value = without_end(span_skip(whole, colon + 1));
	f->whole = whole;
	return true;
}

bool
header_is_field(struct span line)
{
	struct header_field f;

	line = span_head(line, HEADER_LINE);
	return is_blank(span_at(line, 0)) || span_starts(line, "From ") ||
	    span_starts(line, ">From ") || split(line, &f);
}

bool
header_next(struct span *rest, struct header_field *f)
{
	while (rest->n > 0) {
		size_t n = empty_line(*rest);
		struct span whole;

		if (n > 0) {
			*rest = span_skip(*rest, n);
			return false;
		}
		n = line_length(*rest);
		while (is_blank(span_at(*rest, n)))
			n += line_length(span_skip(*rest, n));
		whole = span_head(*rest, n);
		*rest = span_skip(*rest, n);
		if (split(whole, f))
			return true;
	}
	return false;
}

bool
header_get(struct span header, const char *name, struct header_field *f)
{
	while (header_next(&header, f))
		if (span_is_nocase(f->name, name))
			return true;
	return false;
}

int
header_unfold(struct span value, struct buf *out)
{
	bool folded = false;

	value = span_trim(value);
	while (value.n > 0) {
		size_t lf = span_find(value, '\n');
		struct span line = span_head(value, lf);

		value = span_skip(value, lf + 1);
		while (folded && is_blank(span_at(line, 0)))
			line = span_skip(line, 1);
		if (span_ends(line, "\r")) /* trimmed, so a line end's */
			line.n--;
		if ((folded && buf_add_byte(out, ' ') == -1) ||
		    buf_add_span(out, line) == -1)
			return -1;
		folded = true;
	}
	return 0;
}

size_t
header_length(struct span text)
{
	struct span rest = text;
	size_t stray = text.n; /* where the first line lies that is no field */

	while (rest.n > 0) {
		size_t n = empty_line(rest), at = text.n - rest.n;

		if (n > 0)
			return at + n;
		n = line_length(rest);
		if (stray == text.n && !header_is_field(span_head(rest, n)))
			stray = at;
		rest = span_skip(rest, n);
	}
	return stray;
}
