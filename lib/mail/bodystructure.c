/* BODYSTRUCTURE and BODY (RFC 3501 7.4.2). */
#include "mail/imap.h"

#include "mail/lex.h"

struct writer {
	const struct source *source;
	struct buf header; /* of a source that is read */
	bool extended;
	struct arena *arena;
	struct buf *out;
};

static int
add_param(struct writer *w, struct span name, bool extended,
    struct span value)
{
	char text[128];
	size_t n = name.n;

	if (extended && n + 1 < sizeof text) {
		memcpy(text, name.p, n);
		text[n] = '*';
		name = span_of(text, n + 1);
	}
	if (imap_string(name, w->out) == -1 ||
	    buf_add_byte(w->out, ' ') == -1)
		return -1;
	return imap_string(value, w->out);
}

/* Marks the sections of whole series: one may stand before its first. */
static int
find_members(const struct mime_param *p, size_t n, bool member[MIME_PARAMS],
    struct buf *scratch)
{
	struct span name;
	bool extended;
	int r = 0;

	for (size_t i = 0; i < n && r != -1; i++) {
		r = mime_param_join(p, n, i, member, &name, &extended,
		    scratch);
		buf_reset(scratch);
	}
	return r == -1 ? -1 : 0;
}

/* ("name" "value" ...) or NIL; what RFC 2231 cut in pieces is joined. */
static int
add_params(struct writer *w, const struct mime_param *p, size_t n)
{
	bool member[MIME_PARAMS] = { false }, extended = false;
	struct buf joined = buf_new(4 * (size_t)MIME_HEADER);
	char before = '(';
	int r;

	if (n == 0)
		return buf_add_str(w->out, "NIL");
	r = find_members(p, n, member, &joined);
	for (size_t i = 0; i < n && r != -1; i++) {
		struct span name;

		r = mime_param_join(p, n, i, member, &name, &extended,
		    &joined);
		if (r == 0 && member[i])
			continue;
		if (r == -1 || buf_add_byte(w->out, before) == -1)
			break;
		before = ' ';
		r = r == 1 ?
		    add_param(w, name, extended, buf_span(&joined)) :
		    add_param(w, p[i].name, false, p[i].value);
		buf_reset(&joined);
	}
	buf_free(&joined);
	return r == -1 || w->out->full ? -1 : buf_add_byte(w->out, ')');
}

/* RFC 2045 5.2: a part that does not say what it is. */
static int
add_type_params(struct writer *w, const struct mime_part *part)
{
	static const char ascii[] = "(\"charset\" \"us-ascii\")";

	if (!part->typed && part->nparams == 0 && span_is(part->type, "text"))
		return buf_add_str(w->out, ascii);
	return add_params(w, part->params, part->nparams);
}

static int
add_disposition(struct writer *w, const struct mime_part *part)
{
	if (part->disposition.p == NULL)
		return buf_add_str(w->out, " NIL");
	if (buf_add_str(w->out, " (") == -1 ||
	    imap_string(part->disposition, w->out) == -1 ||
	    buf_add_byte(w->out, ' ') == -1 ||
	    add_params(w, part->disposition_params,
		part->ndisposition_params) == -1)
		return -1;
	return buf_add_byte(w->out, ')');
}

/* Content-Language (RFC 3282): a list of tags. */
static int
add_language(struct writer *w, struct span value)
{
	size_t n = 0;

	if (buf_add_byte(w->out, ' ') == -1)
		return -1;
	for (;;) {
		struct span tag = value;

		lex_skip(&tag);
		value = tag;
		tag.n = 0;
		while (tag.n < value.n && value.p[tag.n] != ',' &&
		    value.p[tag.n] != '(' &&
		    !lex_is_blank((unsigned char)value.p[tag.n]))
			tag.n++;
		value = span_skip(value, tag.n);
		if (tag.n > 0 && (buf_add_byte(w->out, n++ ? ' ' : '(') == -1 ||
		    imap_string(tag, w->out) == -1))
			return -1;
		if (value.n == 0)
			break;
		if (value.p[0] == ',')
			value = span_skip(value, 1);
	}
	return buf_add_str(w->out, n > 0 ? ")" : "NIL");
}

static int
add_field(struct writer *w, struct span value)
{
	return buf_add_byte(w->out, ' ') == -1 ? -1 :
	    imap_nstring_folded(value, w->out);
}

static int
add_number(struct writer *w, uint64_t v)
{
	return buf_add_byte(w->out, ' ') == -1 ? -1 : buf_add_u64(w->out, v);
}

/* Disposition, language, location: the end of every extended part. */
static int
add_extension(struct writer *w, const struct mime_part *part)
{
	if (add_disposition(w, part) == -1 ||
	    add_language(w, part->language) == -1)
		return -1;
	return add_field(w, part->location);
}

static int add_part(struct writer *w, const struct mime_part *part);

static int
add_multipart(struct writer *w, const struct mime_part *part)
{
	for (const struct mime_part *p = part->child; p; p = p->next)
		if (add_part(w, p) == -1)
			return -1;
	if (buf_add_byte(w->out, ' ') == -1 ||
	    imap_string(part->subtype, w->out) == -1)
		return -1;
	if (!w->extended)
		return 0;
	if (buf_add_byte(w->out, ' ') == -1 ||
	    add_params(w, part->params, part->nparams) == -1)
		return -1;
	return add_extension(w, part);
}

/* What message/rfc822 has more: envelope, structure, lines. */
static int
add_message(struct writer *w, const struct mime_part *part)
{
	const struct mime_part *in = part->child;
	uint64_t n = in->header.n < MIME_HEADER ? in->header.n : MIME_HEADER;
	struct span header;

	if (source_span(w->source, in->header.at, (size_t)n, &w->header,
		&header) == -1 ||
	    buf_add_byte(w->out, ' ') == -1 ||
	    imap_envelope(header, w->arena, w->out) == -1 ||
	    buf_add_byte(w->out, ' ') == -1 || add_part(w, in) == -1)
		return -1;
	return add_number(w, part->body.lines);
}

static int
add_single(struct writer *w, const struct mime_part *part)
{
	struct span encoding = part->encoding;

	if (encoding.p == NULL)
		encoding = span_str("7bit");
	if (imap_string(part->type, w->out) == -1 ||
	    add_field(w, part->subtype) == -1 ||
	    buf_add_byte(w->out, ' ') == -1 ||
	    add_type_params(w, part) == -1 || add_field(w, part->id) == -1 ||
	    add_field(w, part->description) == -1 ||
	    add_field(w, encoding) == -1 ||
	    add_number(w, part->body.wire) == -1)
		return -1;
	if (part->child && add_message(w, part) == -1)
		return -1;
	if (span_is(part->type, "text") &&
	    add_number(w, part->body.lines) == -1)
		return -1;
	if (!w->extended)
		return 0;
	return add_field(w, part->md5) == -1 ? -1 : add_extension(w, part);
}

/* As deep as the tree: MIME_DEPTH. */
static int
add_part(struct writer *w, const struct mime_part *part)
{
	bool many = span_is(part->type, "multipart");

	if (buf_add_byte(w->out, '(') == -1 ||
	    (many ? add_multipart(w, part) : add_single(w, part)) == -1)
		return -1;
	return buf_add_byte(w->out, ')');
}

int
imap_bodystructure_from(const struct source *s, const struct mime_part *part,
    bool extended, struct arena *a, struct buf *out)
{
	struct writer w = { .source = s, .header = buf_new(MIME_HEADER),
		.extended = extended, .arena = a, .out = out };
	int r = add_part(&w, part);

	buf_free(&w.header);
	return r;
}

int
imap_bodystructure(struct span text, const struct mime_part *part,
    bool extended, struct arena *a, struct buf *out)
{
	struct source s = source_text(text);

	return imap_bodystructure_from(&s, part, extended, a, out);
}
