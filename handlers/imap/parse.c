/* The grammar of IMAP commands. */
#include "parse.h"

#include "base/num.h"

struct parse
parse_of(struct span text, struct arena *a)
{
	return (struct parse){ .rest = text, .arena = a };
}

void
parse_fail(struct parse *p, const char *why)
{
	if (p->error == NULL)
		p->error = why;
	p->rest.n = 0;
}

bool
parse_try(struct parse *p, char c)
{
	if (p->error || span_at(p->rest, 0) != (unsigned char)c)
		return false;
	p->rest = span_skip(p->rest, 1);
	return true;
}

bool
parse_try_word(struct parse *p, const char *word)
{
	if (p->error || !span_starts_nocase(p->rest, word))
		return false;
	p->rest = span_skip(p->rest, strlen(word));
	return true;
}

void
parse_byte(struct parse *p, char c)
{
	if (!parse_try(p, c))
		parse_fail(p, c == '(' || c == ')' ? "a parenthesis is missing"
						   : "wrong argument");
}

void
parse_space(struct parse *p)
{
	if (!parse_try(p, ' '))
		parse_fail(p, "an argument is missing");
}

bool
parse_end(struct parse *p)
{
	if (p->error == NULL && p->rest.n > 0)
		parse_fail(p, "something follows the last argument");
	return p->error == NULL;
}

/* RFC 3501 9: ATOM-CHAR. */
static bool
is_atom(int c)
{
	return c > 0x20 && c < 0x7f && strchr("(){%*\"\\]", c) == NULL;
}

static bool
is_astring(int c)
{
	return is_atom(c) || c == ']';
}

static bool
is_pattern(int c)
{
	return is_astring(c) || c == '%' || c == '*';
}

static bool
is_tag(int c)
{
	return is_astring(c) && c != '+';
}

static struct span
take_while(struct parse *p, bool (*is)(int), const char *error)
{
	struct span word = p->rest;
	size_t n = 0;

	while (n < word.n && is((unsigned char)word.p[n]))
		n++;
	if (n == 0)
		parse_fail(p, error);
	else
		p->rest = span_skip(p->rest, n);
	return span_head(word, n);
}

struct span
parse_atom(struct parse *p)
{
	return take_while(p, is_atom, "a word is expected");
}

struct span
parse_tag(struct parse *p)
{
	return take_while(p, is_tag, "no tag");
}

static struct span
without_backslashes(struct parse *p, struct span s)
{
	char *to = arena_alloc(p->arena, s.n + 1, 1);
	size_t n = 0;

	if (to == NULL) {
		parse_fail(p, "too many arguments");
		return span_of("", 0);
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		to[n++] = s.p[i];
	}
	return span_of(to, n);
}

/* Bytes before the closing quote, or s.n where something is wrong. */
static size_t
quoted_length(struct span s, bool *escapes)
{
	for (size_t i = 0; i < s.n; i++) {
		int c = span_at(s, i);

		if (c == '"')
			return i;
		if (c == '\\') {
			*escapes = true;
			c = span_at(s, ++i);
			if (c != '"' && c != '\\')
				break;
		} else if (c == 0 || c == '\r' || c == '\n' || c > 0x7f)
			break;
	}
	return s.n;
}

/* The opening quote is taken. */
static struct span
quoted(struct parse *p)
{
	bool escapes = false;
	size_t n = quoted_length(p->rest, &escapes);
	struct span s = span_head(p->rest, n);

	if (n == p->rest.n) {
		parse_fail(p, "a quoted string is wrong");
		return span_of("", 0);
	}
	p->rest = span_skip(p->rest, n + 1);
	return escapes ? without_backslashes(p, s) : s;
}

/* The opening brace is taken; command reading made sure of the length. */
static struct span
literal(struct parse *p)
{
	struct span s;
	uint64_t n;

	if (!num_take(&p->rest, p->rest.n, &n)) {
		parse_fail(p, "a literal is wrong");
		return span_of("", 0);
	}
	(void)parse_try(p, '+'); /* both forms are read alike */
	parse_byte(p, '}');
	parse_byte(p, '\r');
	parse_byte(p, '\n');
	s = span_head(p->rest, n);
	if (p->error || s.n < n || span_find(s, '\0') < s.n) {
		parse_fail(p, "a literal is wrong");
		return span_of("", 0);
	}
	p->rest = span_skip(p->rest, n);
	return s;
}

struct span
parse_string(struct parse *p)
{
	if (parse_try(p, '"'))
		return quoted(p);
	if (parse_try(p, '{'))
		return literal(p);
	parse_fail(p, "a string is expected");
	return span_of("", 0);
}

static bool
string_is_next(const struct parse *p)
{
	int c = span_at(p->rest, 0);

	return c == '"' || c == '{';
}

struct span
parse_astring(struct parse *p)
{
	if (string_is_next(p))
		return parse_string(p);
	return take_while(p, is_astring, "a string is expected");
}

struct span
parse_pattern(struct parse *p)
{
	if (string_is_next(p))
		return parse_string(p);
	return take_while(p, is_pattern, "a pattern is expected");
}

struct span
parse_nstring(struct parse *p)
{
	if (!string_is_next(p) && parse_try_word(p, "NIL"))
		return span_of(NULL, 0);
	return parse_string(p);
}

uint32_t
parse_number(struct parse *p)
{
	uint64_t v = 0;

	if (p->error || !num_take(&p->rest, UINT32_MAX, &v))
		parse_fail(p, "a number below 4294967296 is expected");
	return (uint32_t)v;
}

uint32_t
parse_nz_number(struct parse *p)
{
	uint32_t v = parse_number(p);

	if (v == 0)
		parse_fail(p, "a number above 0 is expected");
	return v;
}

static const struct {
	const char *name;
	unsigned bit;
} system_flags[] = {
	{ "Answered", FLAG_ANSWERED },
	{ "Deleted", FLAG_DELETED },
	{ "Draft", FLAG_DRAFT },
	{ "Flagged", FLAG_FLAGGED },
	{ "Seen", FLAG_SEEN },
};

static void
system_flag(struct parse *p, struct parse_flags *out)
{
	struct span name = parse_atom(p);

	for (size_t i = 0; i < sizeof system_flags / sizeof *system_flags; i++)
		if (span_is_nocase(name, system_flags[i].name)) {
			out->system |= system_flags[i].bit;
			return;
		}
	parse_fail(p, "no such system flag");
}

static void
one_flag(struct parse *p, struct parse_flags *out)
{
	struct span name;

	if (parse_try(p, '\\')) {
		system_flag(p, out);
		return;
	}
	name = parse_atom(p);
	if (span_is_nocase(name, "$Forwarded"))
		out->system |= FLAG_PASSED;
	else if (out->n == PARSE_FLAGS)
		parse_fail(p, "too many flags");
	else if (p->error == NULL)
		out->keyword[out->n++] = name;
}

void
parse_flag_list(struct parse *p, bool bare, struct parse_flags *out)
{
	bool open = parse_try(p, '(');

	*out = (struct parse_flags){ .keyword = arena_alloc(p->arena,
					 PARSE_FLAGS, sizeof(struct span)) };
	if (out->keyword == NULL || (!open && !bare))
		parse_fail(p, "a list of flags is expected");
	if (open && parse_try(p, ')'))
		return;
	do
		one_flag(p, out);
	while (parse_try(p, ' '));
	if (open)
		parse_byte(p, ')');
}

enum literal
parse_literal(struct span line, uint64_t *n)
{
	enum literal kind = LITERAL_SYNC;
	size_t open = span_rfind(line, '{');
	struct span s;

	*n = 0;
	if (!span_ends(line, "}") || open == line.n)
		return LITERAL_NONE;
	s = span_of(line.p + open + 1, line.n - open - 2);
	if (span_ends(s, "+")) {
		kind = LITERAL_NONSYNC;
		s.n--;
	}
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return LITERAL_BROKEN;
	if (s.n == 0)
		return LITERAL_BROKEN;
	if (!num_parse(s, UINT64_MAX - 1, n))
		*n = UINT64_MAX;
	/* RFC 3516's literal8 is not offered. */
	if (open > 0 && line.p[open - 1] == '~')
		return LITERAL_BROKEN;
	return kind;
}
