/* Values of parameters (RFC 2231), and bodies, decoded. */
#include "mail/mime.h"

#include "base/num.h"
#include "mail/word.h"
#include "text/base64.h"
#include "text/charset.h"
#include "text/qp.h"

enum {
	ALONE = MIME_PARAMS + 1 /* a number that no section has */
};

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

/* The parameter that is section `number' of name; n if there is none.
 * ALONE: the one that is extended and not numbered. */
static size_t
find(const struct mime_param *p, size_t n, struct span name,
    uint64_t number, bool *extended)
{
	struct section s;

	for (size_t i = 0; i < n; i++) {
		if (!parse_name(p[i].name, name, &s))
			continue;
		*extended = s.extended;
		if (s.numbered ? s.number == number :
		    s.extended && number == ALONE)
			return i;
	}
	return n;
}

/* The bytes of the extended or continued value, before conversion: 1, 0:
 * none, -1. */
static int
gather(const struct mime_param *p, size_t n, struct span name,
    struct span *charset, struct buf *bytes)
{
	bool extended, first = true;
	uint64_t number = ALONE;
	size_t i = find(p, n, name, number, &extended);

	if (i == n)
		i = find(p, n, name, number = 0, &extended);
	if (i == n)
		return 0;
	while (i < n) {
		struct span value = p[i].value;

		if (first && extended)
			*charset = take_charset(&value);
		first = false;
		if ((extended ? add_percent(value, bytes) :
		    buf_add_span(bytes, value)) == -1)
			return -1;
		i = number == ALONE ? n :
		    find(p, n, name, ++number, &extended);
	}
	return 1;
}

/* True for what may stand bare in an extended value: attribute-char. */
static bool
is_attribute_char(unsigned char c)
{
	return c > ' ' && c < 0x7f && !strchr("*'%()<>@,;:\\\"/[]?=", c);
}

static int
add_section(struct span value, bool encode, struct buf *out)
{
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if ((encode && !is_attribute_char(c) ?
		    buf_addf(out, "%%%02X", c) :
		    buf_add_byte(out, value.p[i])) == -1)
			return -1;
	}
	return 0;
}

/* How many sections of that name there are, in any order. */
static size_t
count_sections(const struct mime_param *p, size_t n, struct span name)
{
	size_t count = 0;
	struct section s;

	for (size_t i = 0; i < n; i++)
		count += parse_name(p[i].name, name, &s) && s.numbered;
	return count;
}

int
mime_param_join(const struct mime_param *p, size_t n, size_t i,
    bool member[MIME_PARAMS], struct span *name, bool *extended,
    struct buf *out)
{
	size_t order[MIME_PARAMS], count = 0, total;
	bool more = false;
	struct section s;

	*name = span_head(p[i].name, span_find(p[i].name, '*'));
	if (!parse_name(p[i].name, *name, &s) || !s.numbered || s.number > 0)
		return 0;
	*extended = s.extended;
	total = count_sections(p, n, *name);
	while (count < total) {
		i = find(p, n, *name, count, &more);
		if (i == n || (more && !*extended))
			return 0;
		order[count++] = i;
	}
	for (size_t j = 0; j < count; j++) {
		struct span value = p[order[j]].value;

		(void)parse_name(p[order[j]].name, *name, &s);
		member[order[j]] = true;
		if (add_section(value, *extended && !s.extended, out) == -1)
			return -1;
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
