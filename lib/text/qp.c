/* Quoted-printable and the Q encoding. */
#include "text/qp.h"

static int
hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "=XX" at the front of s means, or -1. */
static int
escaped(struct span s)
{
	int high = hex(span_at(s, 1)), low = hex(span_at(s, 2));

	return high == -1 || low == -1 ? -1 : high << 4 | low;
}

/* Writes s decoded to `to'; returns the length. */
static size_t
decode(struct span s, bool underscores, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int c = s.p[i] == '=' ? escaped(span_skip(s, i)) : -1;

		if (c >= 0) {
			to[n++] = (char)c;
			i += 2;
		} else if (underscores && s.p[i] == '_') {
			to[n++] = ' ';
		} else {
			to[n++] = s.p[i];
		}
	}
	return n;
}

/*
 * A line with its end.  RFC 2045 6.7: blanks at its end were added on the
 * way; "=" there means that the line goes on.
 */
static size_t
decode_line(struct span line, char *to)
{
	size_t end = line.n, last = line.n, n;

	if (end > 0 && line.p[end - 1] == '\n')
		end--;
	if (end > 0 && end < line.n && line.p[end - 1] == '\r')
		end--;
	last = end;
	while (last > 0 && (line.p[last - 1] == ' ' ||
	    line.p[last - 1] == '\t'))
		last--;
	if (last > 0 && line.p[last - 1] == '=')
		return decode(span_head(line, last - 1), false, to);
	n = decode(span_head(line, last), false, to);
	for (; end < line.n; end++)
		to[n++] = line.p[end];
	return n;
}

int
qp_decode(struct span s, struct buf *out)
{
	char *to = buf_room(out, s.n);
	size_t n = 0;

	if (to == NULL)
		return -1;
	while (s.n > 0) {
		size_t lf = span_find(s, '\n');
		struct span line = span_head(s, lf < s.n ? lf + 1 : lf);

		n += decode_line(line, to + n);
		s = span_skip(s, line.n);
	}
	out->n += n;
	return 0;
}

int
qp_decode_word(struct span s, struct buf *out)
{
	char *to = buf_room(out, s.n);

	if (to == NULL)
		return -1;
	out->n += decode(s, true, to);
	return 0;
}
