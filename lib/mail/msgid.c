/* Message identifiers. */
#include "mail/msgid.h"

#include "mail/lex.h"

/* To the next "<" that is in no comment or quoted string; false: none. */
static bool
find_open(struct span *s)
{
	while (s->n > 0 && s->p[0] != '<') {
		size_t n = 1;

		if (s->p[0] == '(')
			n = lex_comment(*s);
		else if (s->p[0] == '"')
			n = lex_quoted(*s);
		else if (s->p[0] == '\\')
			n = 2;
		*s = span_skip(*s, n > 0 ? n : 1);
	}
	return s->n > 0;
}

/* The part of an identifier without quotes, blanks and line ends. */
static int
add_plain(struct span s, struct buf *id)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\' && i + 1 < s.n)
			c = s.p[++i];
		else if (c == '"')
			continue;
		if (!lex_is_blank((unsigned char)c) && c != '\0' &&
		    buf_add_byte(id, c) == -1)
			return -1;
	}
	return 0;
}

int
msgid_next(struct span *rest, struct buf *id)
{
	while (find_open(rest)) {
		struct span inner = span_skip(*rest, 1);
		size_t n = 0;

		while (n < inner.n && inner.p[n] != '<' && inner.p[n] != '>')
			n++;
		*rest = span_skip(inner, n);
		if (span_at(inner, n) != '>' ||
		    span_find(span_head(inner, n), '@') == n)
			continue;
		*rest = span_skip(*rest, 1);
		buf_reset(id);
		return add_plain(span_head(inner, n), id) == -1 ? -1 : 1;
	}
	return 0;
}
