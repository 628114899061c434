/* Content-Type, Content-Disposition and their like. */
#include "mail/mime_field.h"

#include "mail/header.h"
#include "mail/lex.h"

enum {
	TOKEN = 127 /* bytes of a type, as RFC 6838 4.2 has it */
};

/* True for a byte that may stand in a type or a name, as mail programs write
 * them (RFC 2045 5.1 forbids a few of these). */
static bool
is_token(int c)
{
	return c > ' ' && c < 0x7f && c != ';' && c != '(' && c != ')' &&
	    c != '"' && c != ',' && c != '\\' && c != '/' && c != '=';
}

static struct span
take_token(struct span *s)
{
	struct span word;
	size_t n = 0;

	lex_skip(s);
	while (is_token(span_at(*s, n)))
		n++;
	word = span_head(*s, n);
	*s = span_skip(*s, n);
	return word;
}

/* A lower-case copy; the word is no longer than TOKEN. */
static int
lower(struct span word, struct arena *a, struct span *out)
{
	char *to = arena_alloc(a, word.n + 1, 1);

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < word.n; i++)
		to[i] = (char)(word.p[i] >= 'A' && word.p[i] <= 'Z' ?
			word.p[i] - 'A' + 'a' : word.p[i]);
	*out = span_of(to, word.n);
	return 0;
}

/* Length of an unquoted value.  A file name may hold blanks and what looks
 * like a comment: nobody means anything else by `filename=my file (1).pdf'. */
static size_t
value_length(struct span s, bool is_name)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != ';' && s.p[n] != '\r' &&
	    s.p[n] != '\n') {
		if (lex_is_blank((unsigned char)s.p[n]) && !is_name)
			break;
		n++;
	}
	return n;
}

/* The inside of a quoted string, without a copy where it is clean. */
static int
unquote(struct span inner, struct mime_budget *budget, struct arena *a,
    struct span *out)
{
	char *to;

	*out = inner;
	if (span_find(inner, '\\') == inner.n &&
	    span_find(inner, '\n') == inner.n)
		return 0;
	if (inner.n > budget->copy)
		return 0;
	budget->copy -= inner.n;
	if ((to = arena_alloc(a, inner.n + 1, 1)) == NULL)
		return -1;
	*out = span_of(to, lex_unescape(inner, to));
	return 0;
}

static int
take_value(struct span *s, struct span name, struct mime_budget *budget,
    struct arena *a, struct span *out)
{
	bool is_name = span_is_nocase(name, "name") ||
	    span_is_nocase(name, "filename");
	size_t n;

	lex_skip(s);
	if (span_at(*s, 0) == '"') {
		struct span inner;

		n = lex_quoted(*s);
		inner = n > 0 ? span_of(s->p + 1, n - 2) :
		    span_trim(span_head(span_skip(*s, 1),
			span_find(span_skip(*s, 1), '\n')));
		*s = span_skip(*s, n > 0 ? n : s->n);
		return unquote(inner, budget, a, out);
	}
	n = value_length(*s, is_name);
	*out = span_trim(span_head(*s, n));
	*s = span_skip(*s, n);
	return 0;
}

/* To the next parameter: past the ";" that is in no string or comment. */
static void
skip_to_next(struct span *s)
{
	while (s->n > 0 && s->p[0] != ';') {
		size_t n = 1;

		if (s->p[0] == '(')
			n = lex_comment(*s);
		else if (s->p[0] == '"')
			n = lex_quoted(*s);
		*s = span_skip(*s, n > 0 ? n : s->n);
	}
	*s = span_skip(*s, 1);
}

/* One parameter: 1; 0 where there is none before the next ";"; -1. */
static int
take_param(struct span *s, struct mime_budget *budget, struct arena *a,
    struct mime_param *param)
{
	param->name = take_token(s);
	lex_skip(s);
	if (param->name.n == 0 || span_at(*s, 0) != '=')
		return 0;
	*s = span_skip(*s, 1);
	return take_value(s, param->name, budget, a, &param->value) == -1 ?
	    -1 : 1;
}

/* The parameters of s, into the arena. */
static int
take_params(struct span s, struct mime_budget *budget, struct arena *a,
    struct mime_param **params, size_t *nparams)
{
	struct mime_param list[MIME_PARAMS];
	size_t n = 0;

	while (s.n > 0 && n < MIME_PARAMS && n < budget->params) {
		int r = take_param(&s, budget, a, &list[n]);

		if (r == -1)
			return -1;
		n += (size_t)r;
		skip_to_next(&s);
	}
	*nparams = 0;
	*params = NULL;
	if (n == 0)
		return 0;
	if ((*params = arena_alloc(a, n, sizeof **params)) == NULL)
		return -1;
	memcpy(*params, list, n * sizeof *list);
	budget->params -= n;
	*nparams = n;
	return 0;
}

/*
 * RFC 2045 5.2: what is no type is text/plain.  A bare `text' or
 * `multipart' says enough; any other word alone is bytes.
 */
static int
content_type(struct mime_part *part, struct span s,
    struct mime_budget *budget, struct arena *a)
{
	struct span type = take_token(&s), subtype = { NULL, 0 };

	if (type.n == 0 || type.n > TOKEN)
		return 0;
	lex_skip(&s);
	if (span_at(s, 0) == '/') {
		s = span_skip(s, 1);
		subtype = take_token(&s);
	}
	if (subtype.n > TOKEN || lower(type, a, &part->type) == -1)
		return subtype.n > TOKEN ? 0 : -1;
	if (subtype.n > 0) {
		if (lower(subtype, a, &part->subtype) == -1)
			return -1;
	} else if (span_is(part->type, "text")) {
		part->subtype = span_str("plain");
	} else if (span_is(part->type, "multipart")) {
		part->subtype = span_str("mixed");
	} else {
		part->type = span_str("application");
		part->subtype = span_str("octet-stream");
	}
	lex_skip(&s);
	if (span_at(s, 0) == ';') /* `text/plain charset=utf-8' has none */
		s = span_skip(s, 1);
	return take_params(s, budget, a, &part->params, &part->nparams);
}

static int
disposition(struct mime_part *part, struct span s,
    struct mime_budget *budget, struct arena *a)
{
	struct span rest = s, word = take_token(&rest);

	lex_skip(&rest);
	if (word.n == 0 || word.n > TOKEN || span_at(rest, 0) == '=') {
		/* `filename=x' alone; RFC 2183 2.8: what is not known is an
		 * attachment. */
		part->disposition = span_str("attachment");
	} else {
		if (lower(word, a, &part->disposition) == -1)
			return -1;
		s = rest;
		skip_to_next(&s);
	}
	return take_params(s, budget, a, &part->disposition_params,
	    &part->ndisposition_params);
}

static void
encoding(struct mime_part *part, struct span s)
{
	struct span word = take_token(&s);

	if (word.n > 0)
		part->encoding = word;
}

/* Of a field that stands there twice the first counts. */
static int
one_field(struct mime_part *part, const struct header_field *f,
    struct mime_budget *budget, struct arena *a)
{
	struct span what = span_skip(f->name, sizeof "Content-" - 1);
	struct span value = span_trim(f->value);

	if (span_is_nocase(what, "Type") && !part->typed) {
		part->typed = true;
		return content_type(part, value, budget, a);
	}
	if (span_is_nocase(what, "Disposition") && part->disposition.p == NULL)
		return disposition(part, value, budget, a);
	if (span_is_nocase(what, "Transfer-Encoding")) {
		if (part->encoding.p == NULL)
			encoding(part, value);
	} else if (span_is_nocase(what, "ID")) {
		if (part->id.p == NULL)
			part->id = value;
	} else if (span_is_nocase(what, "Description")) {
		if (part->description.p == NULL)
			part->description = value;
	} else if (span_is_nocase(what, "MD5")) {
		if (part->md5.p == NULL)
			part->md5 = value;
	} else if (span_is_nocase(what, "Language")) {
		if (part->language.p == NULL)
			part->language = value;
	} else if (span_is_nocase(what, "Location")) {
		if (part->location.p == NULL)
			part->location = value;
	}
	return 0;
}

/* The field again, in the arena. */
static int
keep(struct header_field *f, struct arena *a)
{
	struct span copy = arena_copy(a, f->whole);

	if (copy.p == NULL)
		return -1;
	f->name.p = copy.p + (f->name.p - f->whole.p);
	f->value.p = copy.p + (f->value.p - f->whole.p);
	f->whole = copy;
	return 0;
}

int
mime_fields(struct mime_part *part, struct span header,
    struct mime_budget *budget, struct arena *a)
{
	struct header_field f;

	while (header_next(&header, &f)) {
		if (!span_starts_nocase(f.name, "Content-") ||
		    f.whole.n > budget->fields)
			continue;
		budget->fields -= f.whole.n;
		if ((budget->keep && keep(&f, a) == -1) ||
		    one_field(part, &f, budget, a) == -1)
			return -1;
	}
	return 0;
}
