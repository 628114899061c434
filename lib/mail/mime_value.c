/* Values of parameters (RFC 2231), and bodies, decoded. */
#include "mail/mime.h"

#include "base/num.h"
#include "mail/word.h"
#include "text/base64.h"
#include "text/charset.h"
#include "text/qp.h"

/* A parameter's name taken apart: "name", "name*", "name*3", "name*3*". */
struct section {
	bool numbered, extended;
	uint64_t number;
};

/* False where it is another parameter. */
static bool
parse_name(struct span s, struct span name, struct section *out)
{
	*out = (struct section){ 0 };
	if (!span_eq_nocase(span_head(s, name.n), name))
		return false;
	s = span_skip(s, name.n);
	if (s.n == 0)
		return true;
	if (s.p[0] != '*')
		return false;
	s = span_skip(s, 1);
	out->numbered = num_take(&s, MIME_PARAMS, &out->number);
	if (s.n == 0) {
		out->extended = !out->numbered;
		return true;
	}
	out->extended = true;
	return out->numbered && span_is(s, "*");
}

static int
hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
add_percent(struct span s, struct buf *out)
{
	char *to = buf_room(out, s.n);

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		int high = s.p[i] == '%' ? hex(span_at(s, i + 1)) : -1;
		int low = hex(span_at(s, i + 2));

		if (high >= 0 && low >= 0) {
			to[0] = (char)(high << 4 | low);
			i += 2;
		} else {
			to[0] = s.p[i];
		}
		to++;
	}
	out->n = (size_t)(to - out->p);
	return 0;
}

/* Takes charset'language' from the front of *s; a value without both is
 * all text. */
static struct span
take_charset(struct span *s)
{
	struct span rest = *s, charset = span_take(&rest, '\'');

	if (span_find(rest, '\'') == rest.n)
		return span_of(NULL, 0);
	(void)span_take(&rest, '\'');
	*s = rest;
	return charset;
}

/* The parameter that is section `number' of name, or NULL.  With number
 * MIME_PARAMS + 1: the one that is not numbered, extended. */
static const struct mime_param *
find(const struct mime_param *p, size_t n, struct span name,
    uint64_t number, bool *extended)
{
	struct section s;

	for (size_t i = 0; i < n; i++) {
		if (!parse_name(p[i].name, name, &s))
			continue;
		*extended = s.extended;
		if (s.numbered ? s.number == number :
		    s.extended && number > MIME_PARAMS)
			return &p[i];
	}
	return NULL;
}

/* The bytes of the extended or continued value, before conversion: 1, 0:
 * none, -1. */
static int
gather(const struct mime_param *p, size_t n, struct span name,
    struct span *charset, struct buf *bytes)
{
	bool extended;
	const struct mime_param *one = find(p, n, name, MIME_PARAMS + 1,
	    &extended);
	uint64_t number = one ? MIME_PARAMS : 0;
	bool first = true;

	if (one == NULL)
		one = find(p, n, name, number, &extended);
	if (one == NULL)
		return 0;
	for (; one; one = find(p, n, name, ++number, &extended)) {
		struct span value = one->value;

		if (first && extended)
			*charset = take_charset(&value);
		first = false;
		if ((extended ? add_percent(value, bytes) :
		    buf_add_span(bytes, value)) == -1)
			return -1;
		if (number == MIME_PARAMS)
			break;
	}
	return 1;
}

/* As in encoded words, they have no place in a value. */
static void
drop_line_ends(struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		char c = b->p[i];

		if (c != '\0' && c != '\r' && c != '\n')
			b->p[n++] = c;
	}
	b->n = n;
}

int
mime_param_utf8(const struct mime_param *p, size_t n, const char *name,
    struct buf *out)
{
	struct buf bytes = buf_new(MIME_HEADER);
	struct span charset = { NULL, 0 }, value;
	int r = gather(p, n, span_str(name), &charset, &bytes);

	drop_line_ends(&bytes);
	if (r == 1 && charset_to_utf8(charset, buf_span(&bytes), out) == -1)
		r = -1;
	buf_free(&bytes);
	if (r != 0)
		return r;
	if (!mime_param(p, n, name, &value))
		return 0;
	return word_decode(value, out) == -1 ? -1 : 1;
}

int
mime_decode(struct span body, struct span encoding, struct buf *out)
{
	if (span_is_nocase(encoding, "base64"))
		return base64_decode_body(body, out);
	if (span_is_nocase(encoding, "quoted-printable"))
		return qp_decode(body, out);
	return buf_add_span(out, body);
}
