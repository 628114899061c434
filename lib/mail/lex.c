/* Blanks, comments and quoted strings. */
#include "mail/lex.h"

bool
lex_is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

size_t
lex_comment(struct span s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

size_t
lex_quoted(struct span s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

void
lex_skip(struct span *s)
{
	while (s->n > 0) {
		if (s->p[0] == '(')
			*s = span_skip(*s, lex_comment(*s));
		else if (lex_is_blank((unsigned char)s->p[0]))
			*s = span_skip(*s, 1);
		else
			return;
	}
}

size_t
lex_unescape(struct span s, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n')
			to[n++] = s.p[i];
	}
	return n;
}
