/* What can be seen of a message. */
#include "show.h"

#include "mail/header.h"
#include "mail/render.h"
#include "mail/word.h"
#include "text/charset.h"
#include "text/utf8.h"

#include <errno.h>
#include <stdio.h>

enum {
	VALUE = 1048576 /* bytes of one field shown */
};

int
show_open(struct show *v, struct span message)
{
	*v = (struct show){ .message = message,
		.arena = arena_new(2 * (size_t)MIME_ARENA) };
	v->root = mime_parse(message, &v->arena);
	return v->root ? 0 : -1;
}

void
show_close(struct show *v)
{
	arena_free(&v->arena);
}

/* The part after p in the order of the message. */
static const struct mime_part *
following(const struct mime_part *p)
{
	if (p->child)
		return p->child;
	while (p && p->next == NULL)
		p = p->parent;
	return p ? p->next : NULL;
}

const struct mime_part *
show_part(const struct show *v, uint32_t number)
{
	const struct mime_part *p = v->root;

	while (p && number-- > 0)
		p = following(p);
	return p;
}

const struct mime_part *
show_child(const struct mime_part *p, uint32_t place)
{
	const struct mime_part *c = place > 0 ? p->child : NULL;

	while (c && --place > 0)
		c = c->next;
	return c;
}

static struct span
range(const struct show *v, const struct mime_range *r)
{
	return span_head(span_skip(v->message, (size_t)r->at), (size_t)r->n);
}

/* Text that a terminal may be shown. */
static int
add_safe(struct span s, bool lines, struct buf *out)
{
	while (s.n > 0) {
		bool valid;
		uint32_t c = utf8_take(&s, &valid);

		if (c == '\r' && s.n > 0 && s.p[0] == '\n' && lines)
			continue;
		if (c != '\t' && !(c == '\n' && lines) &&
		    (utf8_is_control(c) || utf8_is_format(c)))
			c = UTF8_BAD;
		if (utf8_add(out, c) == -1)
			return -1;
	}
	return 0;
}

/* A field's value, decoded, on one line. */
static int
add_decoded(struct span value, struct buf *out)
{
	struct buf text = buf_new(VALUE);
	int r;

	if (word_decode(span_head(value, VALUE / 4), &text) == -1 &&
	    errno != ENOBUFS) {
		buf_free(&text);
		return -1;
	}
	r = add_safe(buf_span(&text), false, out);
	buf_free(&text);
	return r;
}

int
show_header(struct span header, struct buf *out)
{
	struct header_field f;

	while (header_next(&header, &f))
		if (add_safe(f.name, false, out) == -1 ||
		    buf_add_str(out, ": ") == -1 ||
		    add_decoded(f.value, out) == -1 ||
		    buf_add_byte(out, '\n') == -1)
			return -1;
	return 0;
}

int
show_text(struct span message, struct span parts, struct buf *out)
{
	return render_text(message, parts, out);
}

int
show_plain(struct span message, struct buf *out)
{
	if (buf_add_str(out,
		"[this message could not be shown as text; its "
		"printable bytes follow, all of them are in .eml]\n\n") == -1)
		return -1;
	for (size_t i = 0; i < message.n; i++) {
		unsigned char c = (unsigned char)message.p[i];

		if (c == '\r')
			continue;
		if (c != '\n' && c != '\t' && (c < 0x20 || c > 0x7e))
			c = '?';
		if (buf_add_byte(out, (char)c) == -1)
			return -1;
	}
	return 0;
}

static int
file_field(struct span header, const char *name, struct buf *out)
{
	struct header_field f;

	if (!header_get(header, name, &f))
		return 0;
	if (add_decoded(f.value, out) == -1)
		return -1;
	return buf_add_byte(out, '\n');
}

static int
file_mime_header(struct span header, struct buf *out)
{
	struct header_field f;

	while (header_next(&header, &f))
		if ((span_starts_nocase(f.name, "Content-") ||
			span_is_nocase(f.name, "MIME-Version")) &&
		    buf_add_span(out, f.whole) == -1)
			return -1;
	return 0;
}

static int
file_name(const struct mime_part *p, struct buf *out)
{
	struct buf name = buf_new(VALUE);
	int r = mime_param_utf8(
	    p->disposition_params, p->ndisposition_params, "filename", &name);

	if (r == 0)
		r = mime_param_utf8(p->params, p->nparams, "name", &name);
	if (r == 1)
		r = add_safe(buf_span(&name), false, out);
	if (r == 0 && name.n > 0)
		r = buf_add_byte(out, '\n');
	buf_free(&name);
	return r;
}

static bool
is_text(const struct mime_part *p, const char *subtype)
{
	return span_is_nocase(p->type, "text") &&
	       (subtype == NULL || span_is_nocase(p->subtype, subtype));
}

/* A text part in UTF-8; others as they were before they were encoded. */
static int
file_body(const struct show *v, const struct mime_part *p, struct buf *out)
{
	struct span body = range(v, &p->body), charset = span_of(NULL, 0);
	struct buf bytes, text;
	int r;

	if (!is_text(p, NULL))
		return p->child ? buf_add_span(out, body)
				: mime_decode(body, p->encoding, out);
	bytes = buf_new(out->cap);
	text = buf_new(out->cap);
	(void)mime_param(p->params, p->nparams, "charset", &charset);
	r = mime_decode(body, p->encoding, &bytes);
	if (r == 0)
		r = charset_to_utf8(charset, buf_span(&bytes), &text);
	if (r == 0)
		r = add_safe(buf_span(&text), true, out);
	buf_free(&bytes);
	buf_free(&text);
	return r;
}

static int
file_html(const struct show *v, const struct mime_part *p, struct buf *out)
{
	const struct mime_part *end = p->next;

	for (const struct mime_part *q = p; q && q != end; q = following(q))
		if (is_text(q, "html"))
			return file_body(v, q, out);
	return 0;
}

static int
file_text(const struct show *v, const struct mime_part *p, struct buf *out)
{
	char none[1] = "";

	if (p->parent && is_text(p, NULL))
		return file_body(v, p, out);
	if (p->parent && span_is_nocase(p->type, "message"))
		return render_text(range(v, &p->body), span_of(none, 0), out);
	if (p->parent)
		return 0;
	return render_text(v->message, span_of(none, 0), out);
}

/* Everything of a part as it is stored. */
static struct span
whole(const struct show *v, const struct mime_part *p)
{
	if (p->parent == NULL)
		return v->message;
	return span_head(span_skip(v->message, (size_t)p->header.at),
	    (size_t)(p->header.n + p->body.n));
}

static int
file_number(uint64_t n, struct buf *out)
{
	if (buf_add_u64(out, n) == -1)
		return -1;
	return buf_add_byte(out, '\n');
}

static int
file_type(const struct mime_part *p, struct buf *out)
{
	if (add_safe(p->type, false, out) == -1 ||
	    buf_add_byte(out, '/') == -1 ||
	    add_safe(p->subtype, false, out) == -1)
		return -1;
	return buf_add_byte(out, '\n');
}

static int
file_word(struct span word, struct buf *out)
{
	if (word.n == 0)
		return 0;
	if (add_safe(word, false, out) == -1)
		return -1;
	return buf_add_byte(out, '\n');
}

static const struct {
	const char *name;
	const char *field; /* a header field, decoded */
} files[SHOW_FILES] = {
	[SHOW_BCC] = { "bcc", "Bcc" },
	[SHOW_BODY] = { "body", NULL },
	[SHOW_CC] = { "cc", "Cc" },
	[SHOW_DATE] = { "date", "Date" },
	[SHOW_DESCRIPTION] = { "description", "Content-Description" },
	[SHOW_DISPOSITION] = { "disposition", NULL },
	[SHOW_FILENAME] = { "filename", NULL },
	[SHOW_FROM] = { "from", "From" },
	[SHOW_HEADER] = { "header", NULL },
	[SHOW_HTML] = { "html", NULL },
	[SHOW_INFO] = { "info", NULL },
	[SHOW_INREPLYTO] = { "inreplyto", "In-Reply-To" },
	[SHOW_LINES] = { "lines", NULL },
	[SHOW_MESSAGEID] = { "messageid", "Message-ID" },
	[SHOW_MIMEHEADER] = { "mimeheader", NULL },
	[SHOW_RAW] = { "raw", NULL },
	[SHOW_RAWBODY] = { "rawbody", NULL },
	[SHOW_RAWHEADER] = { "rawheader", NULL },
	[SHOW_REFERENCES] = { "references", "References" },
	[SHOW_REPLYTO] = { "replyto", "Reply-To" },
	[SHOW_SENDER] = { "sender", "Sender" },
	[SHOW_SIZE] = { "size", NULL },
	[SHOW_SUBJECT] = { "subject", "Subject" },
	[SHOW_TEXT] = { "text", NULL },
	[SHOW_TO] = { "to", "To" },
	[SHOW_TYPE] = { "type", NULL },
};

const char *
show_file_name(enum show_file f)
{
	return files[f].name;
}

bool
show_file_find(struct span name, enum show_file *f)
{
	for (size_t i = 0; i < SHOW_FILES; i++) {
		if (!span_is(name, files[i].name))
			continue;
		*f = (enum show_file)i;
		return true;
	}
	return false;
}

/* All that has one line, with its name before it. */
static int
file_info(const struct show *v, const struct mime_part *p, struct buf *out)
{
	for (size_t i = 0; i < SHOW_FILES; i++) {
		struct buf line = buf_new(VALUE);
		int r;

		if (files[i].field == NULL && i != SHOW_TYPE &&
		    i != SHOW_DISPOSITION && i != SHOW_FILENAME &&
		    i != SHOW_SIZE && i != SHOW_LINES)
			continue;
		r = show_file(v, p, (enum show_file)i, &line);
		if (r == 0 && line.n > 0)
			r = buf_addf(
			    out, "%s %s", files[i].name, buf_cstr(&line));
		buf_free(&line);
		if (r == -1)
			return -1;
	}
	return 0;
}

int
show_file(const struct show *v, const struct mime_part *p, enum show_file f,
    struct buf *out)
{
	struct span header = range(v, &p->header);

	if (files[f].field)
		return file_field(header, files[f].field, out);
	/* Only what is made otherwise than by its field. */
	switch ((int)f) {
	case SHOW_BODY:
		return file_body(v, p, out);
	case SHOW_DISPOSITION:
		return file_word(p->disposition, out);
	case SHOW_FILENAME:
		return file_name(p, out);
	case SHOW_HEADER:
		return show_header(header, out);
	case SHOW_HTML:
		return file_html(v, p, out);
	case SHOW_INFO:
		return file_info(v, p, out);
	case SHOW_LINES:
		return file_number(p->body.lines, out);
	case SHOW_MIMEHEADER:
		return file_mime_header(header, out);
	case SHOW_RAW:
		return buf_add_span(out, whole(v, p));
	case SHOW_RAWBODY:
		return buf_add_span(out, range(v, &p->body));
	case SHOW_RAWHEADER:
		return buf_add_span(out, header);
	case SHOW_SIZE:
		return file_number(whole(v, p).n, out);
	case SHOW_TEXT:
		return file_text(v, p, out);
	default:
		return file_type(p, out);
	}
}

size_t
show_attachments(struct show *v, struct attach **list)
{
	if (!v->listed)
		v->nattached = attach_list(
		    v->message, v->root, &v->arena, &v->attached);
	v->listed = true;
	*list = v->attached;
	return v->nattached;
}
