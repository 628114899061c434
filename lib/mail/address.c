/*
 * Address lists.
 *
 * Each address is cut out of the list first, with quoted strings and
 * comments whole, and then taken apart; every byte is looked at a fixed
 * number of times.
 */
#include "mail/address.h"

#include "mail/header.h"
#include "mail/lex.h"
#include "mail/word.h"

#include <stdint.h>

enum {
	SENDER_FIELD = 65536,   /* bytes of a field that are looked at */
	SENDER_ARENA = 4194304,
	LITERAL = 255 /* bytes of a domain literal; bounds the search for "]" */
};

/* One entry of a list, as it stands. */
struct piece {
	struct span text;    /* up to the character that ended it */
	struct span comment; /* the last one, with its parentheses */
	size_t at;           /* of the last "@", text.n if none */
	char end;            /* < , ; : or NUL at the end of the list */
};

/* Length of the token at the front of s: a quoted string, a comment, an
 * escaped character, a domain literal, or one byte. */
static size_t
token(struct span s, bool after_at)
{
	size_t n;

	switch (span_at(s, 0)) {
	case '"':
		n = lex_quoted(s);
		return n > 0 ? n : 1;
	case '(':
		return lex_comment(s);
	case '\\':
		return s.n < 2 ? s.n : 2;
	case '[':
		s = span_head(s, LITERAL);
		n = after_at ? span_find(s, ']') : s.n;
		return n < s.n ? n + 1 : 1;
	default:
		return 1;
	}
}

/* Takes the bytes up to one of stops (outside of tokens) and it too. */
static struct piece
take_piece(struct span *s, const char *stops)
{
	struct piece p = { .text = *s, .at = SIZE_MAX };
	size_t i = 0, n;

	while (i < s->n) {
		char c = s->p[i];

		if (c != '\0' && strchr(stops, c)) {
			p.end = c;
			break;
		}
		if (c == '@')
			p.at = i;
		n = token(span_skip(*s, i), i > 0 && p.at == i - 1);
		if (c == '(')
			p.comment = span_of(s->p + i, n);
		i += n;
	}
	p.text.n = i;
	if (p.at > i)
		p.at = i;
	*s = span_skip(*s, p.end ? i + 1 : i);
	return p;
}

/* True where s can be shown as it stands. */
static bool
is_clean(struct span s, bool spaces)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"' || c == '(' || c == '\\' || c == '\r' ||
		    c == '\n' || c == '\t' || (c == ' ' && !spaces))
			return false;
		if (c == ' ' && span_at(s, i + 1) == ' ')
			return false;
	}
	return true;
}

/* Copies one token without its quoting; returns the new length. */
static size_t
add_token(struct span t, char *to, size_t n)
{
	if (t.p[0] == '"' && t.n > 1)
		return n + lex_unescape(span_of(t.p + 1, t.n - 2), to + n);
	if (t.p[0] == '"')
		return n; /* a quote that nothing closes */
	if (t.p[0] == '\\' && t.n > 1)
		t = span_skip(t, 1);
	memcpy(to + n, t.p, t.n);
	return n + t.n;
}

/*
 * The words of s without quotes, comments and line ends.  Blanks between
 * words become one space, or nothing.  0, or -1 (ENOBUFS).
 */
static int
collect(struct span s, bool spaces, struct arena *a, struct span *out)
{
	bool blank = false;
	char *to;
	size_t n = 0;

	*out = s = span_trim(s);
	if (is_clean(s, spaces))
		return 0;
	if ((to = arena_alloc(a, s.n + 1, 1)) == NULL)
		return -1;
	while (s.n > 0) {
		size_t len = token(s, false);

		if (s.p[0] == '(' || lex_is_blank((unsigned char)s.p[0])) {
			blank = true;
		} else {
			if (blank && spaces && n > 0)
				to[n++] = ' ';
			blank = false;
			n = add_token(span_head(s, len), to, n);
		}
		s = span_skip(s, len);
	}
	*out = span_of(to, n);
	return 0;
}

/* Where the last word of s begins: what stands before it is no part of the
 * local part.  Words are joined by dots, with blanks around them or not. */
static size_t
last_word(struct span s)
{
	size_t start = 0, i = 0;
	bool blank = false, dot = true;

	while (i < s.n) {
		char c = s.p[i];

		if (lex_is_blank((unsigned char)c) || c == '(') {
			blank = true;
		} else {
			if (blank && !dot && c != '.')
				start = i;
			blank = false;
			dot = c == '.';
		}
		i += token(span_skip(s, i), false);
	}
	return start;
}

/* The length of the domain at the front of s: to a blank that no dot is
 * near. */
static size_t
domain_length(struct span s)
{
	bool blank = false, dot = true;
	size_t i = 0;

	while (i < s.n) {
		char c = s.p[i];

		if (lex_is_blank((unsigned char)c) || c == '(') {
			blank = true;
		} else {
			if ((blank && !dot && c != '.') || c == '>')
				return i;
			blank = false;
			dot = c == '.';
		}
		i += token(span_skip(s, i), i == 0);
	}
	return s.n;
}

/* local@domain; *before gets what stands before the local part. */
static int
addr_spec(const struct piece *p, struct arena *a, struct address *out,
    struct span *before)
{
	struct span local = span_head(p->text, p->at);
	struct span domain = span_skip(p->text, p->at + 1);
	size_t start = last_word(local);

	*before = span_head(local, start);
	local = span_skip(local, start);
	domain = span_head(domain, domain_length(domain));
	if (collect(local, false, a, &out->mailbox) == -1 ||
	    collect(domain, false, a, &out->host) == -1)
		return -1;
	return 0;
}

/* An empty value that is there. */
static struct span
empty(void)
{
	return span_of("", 0);
}

static int
name_from_comment(struct span comment, struct arena *a, struct span *name)
{
	char *to;
	size_t n = comment.n > 0 && comment.p[comment.n - 1] == ')' ? 2 : 1;

	if (comment.n <= n)
		return 0;
	comment = span_trim(span_of(comment.p + 1, comment.n - n));
	if ((to = arena_alloc(a, comment.n + 1, 1)) == NULL)
		return -1;
	n = lex_unescape(comment, to);
	if (n > 0)
		*name = span_of(to, n);
	return 0;
}

/* The rest of "<...>"; an unclosed one ends with the entry. */
static int
angle(struct span *rest, struct arena *a, struct address *out)
{
	struct span look, before;
	struct piece p;

	while (span_at(*rest, 0) == '<')
		*rest = span_skip(*rest, 1);
	look = *rest;
	lex_skip(&look);
	if (span_at(look, 0) == '@') {
		struct span route_rest = *rest;

		p = take_piece(&route_rest, ":>");
		if (p.end == ':') { /* RFC 5322 4.4, obs-route */
			if (collect(p.text, false, a, &out->route) == -1)
				return -1;
			*rest = route_rest;
		}
	}
	p = take_piece(rest, ">,;");
	if (addr_spec(&p, a, out, &before) == -1)
		return -1;
	if (p.end == '>') {
		struct piece after = take_piece(rest, ",;");

		p.end = after.end;
		if (out->name.p == NULL && after.comment.n > 0 &&
		    name_from_comment(after.comment, a, &out->name) == -1)
			return -1;
	}
	return p.end == ';' ? 1 : 0;
}

/* An address without angle brackets, with the name before it or in a
 * comment; or a name that has no address. */
static int
bare(const struct piece *p, struct arena *a, struct address *out)
{
	struct span name = { NULL, 0 };
	size_t n = last_word(p->text);

	if (p->at < p->text.n) {
		if (addr_spec(p, a, out, &name) == -1)
			return -1;
	} else if (n > 0) {
		name = p->text;
	} else if (collect(p->text, false, a, &out->mailbox) == -1) {
		return -1;
	}
	if (span_trim(name).n > 0)
		return collect(name, true, a, &out->name);
	if (p->comment.n > 0)
		return name_from_comment(p->comment, a, &out->name);
	return 0;
}

/* An address from the piece before it ended; 1, or -1. */
static int
mailbox(struct address_reader *r, const struct piece *p, struct arena *a,
    struct address *out)
{
	int end = p->end == ';';

	out->mailbox = out->host = empty();
	if (p->end == '<') {
		struct span name = span_trim(p->text);

		if (name.n > 0 && collect(name, true, a, &out->name) == -1)
			return -1;
		if (out->name.n == 0)
			out->name.p = NULL;
		if ((end = angle(&r->rest, a, out)) == -1)
			return -1;
	} else if (bare(p, a, out) == -1) {
		return -1;
	}
	r->must_end = r->in_group && end;
	return 1;
}

int
address_next(struct address_reader *r, struct arena *a, struct address *out)
{
	*out = (struct address){ { NULL, 0 }, { NULL, 0 }, { NULL, 0 },
		{ NULL, 0 } };
	while (!r->must_end) {
		struct piece p;

		lex_skip(&r->rest);
		if (r->rest.n == 0)
			break;
		p = take_piece(&r->rest, r->in_group ? "<,;" : "<,;:");
		if (p.end == ':') {
			r->in_group = true;
			out->mailbox = empty();
			return collect(p.text, true, a, &out->mailbox) == -1 ?
			    -1 : 1;
		}
		if (p.end == '<' || span_trim(p.text).n > 0)
			return mailbox(r, &p, a, out);
		r->must_end = r->in_group && p.end == ';';
	}
	if (!r->in_group)
		return 0;
	r->in_group = r->must_end = false;
	return 1;
}

size_t
address_parse(struct span value, struct arena *a, struct address **list)
{
	struct address_reader r = { .rest = value };
	struct address one;
	size_t limit = 2, n = 0;

	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == ',' || value.p[i] == ':' ||
		    value.p[i] == ';')
			limit += 2;
	limit = limit < ADDRESS_LIMIT ? limit : ADDRESS_LIMIT;
	*list = arena_alloc(a, limit, sizeof **list);
	while (*list && n < limit && address_next(&r, a, &one) == 1)
		(*list)[n++] = one;
	if (n == 0)
		*list = NULL;
	return n;
}

int
address_sender(struct span header, struct buf *out)
{
	struct arena a = arena_new(SENDER_ARENA);
	struct header_field f;
	struct address *list = NULL;
	size_t n = 0;
	int r = 0;

	if (header_get(header, "From", &f))
		n = address_parse(span_head(f.value, SENDER_FIELD), &a, &list);
	if (n > 0 && list[0].name.n > 0)
		r = word_decode(list[0].name, out);
	else if (n > 0 && list[0].mailbox.n > 0)
		r = buf_add_span(out, list[0].mailbox);
	arena_free(&a);
	return r;
}
