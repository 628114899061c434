/* A message as readable UTF-8 text. */
#include "mail/render.h"

#include "mail/attach.h"
#include "mail/header.h"
#include "mail/html.h"
#include "mail/mime.h"
#include "mail/word.h"
#include "text/charset.h"
#include "text/utf8.h"

enum {
	CHARSET = 64 /* bytes of its name */
};

struct view {
	struct span message, parts;
	struct arena arena;
	struct attach *list;
	size_t n, next; /* of list; the next line to write */
	size_t text;    /* bytes of text shown so far */
	bool begun;     /* something follows the header */
	bool listing;   /* the last thing was an attachment's line */
	struct buf *out;
};

/* U+FFFD for what could speak to a terminal or change the order of text;
 * line ends only where many lines are wanted. */
static int
add_clean(struct span s, bool lines, struct buf *out)
{
	while (s.n > 0) {
		size_t n = 0;
		uint32_t c;
		bool valid;

		while (n < s.n && s.p[n] >= ' ' && s.p[n] < 0x7f)
			n++;
		if (buf_add(out, s.p, n) == -1)
			return -1;
		if ((s = span_skip(s, n)).n == 0)
			break;
		if (lines && span_at(s, 0) == '\r' && span_at(s, 1) == '\n')
			s = span_skip(s, 1);
		c = utf8_take(&s, &valid);
		if (c != '\t' && !(lines && c == '\n') &&
		    (utf8_is_control(c) || utf8_is_format(c)))
			c = UTF8_BAD;
		if (utf8_add(out, c) == -1)
			return -1;
	}
	return 0;
}

static int
add_field(struct view *v, const char *name, struct span value)
{
	struct buf b = buf_new(4 * value.n + 16);
	int r = -1;

	if (word_decode(value, &b) == 0 && buf_add_str(v->out, name) == 0 &&
	    buf_add_str(v->out, b.n > 0 ? ": " : ":") == 0 &&
	    add_clean(buf_span(&b), false, v->out) == 0)
		r = buf_add_byte(v->out, '\n');
	buf_free(&b);
	return r;
}

/* The fields that people read, in one order, and an empty line. */
static int
add_header(struct view *v, const struct mime_part *part)
{
	static const char *const names[] = { "From", "To", "Cc", "Date",
		"Subject" };
	struct span header = span_head(span_skip(v->message, part->header.at),
	    part->header.n);

	header = span_head(header, MIME_HEADER);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct span rest = header;
		struct header_field f;

		while (header_next(&rest, &f))
			if (span_is_nocase(f.name, names[i]) &&
			    add_field(v, names[i], f.value) == -1)
				return -1;
	}
	return buf_add_byte(v->out, '\n');
}

static size_t
quote_depth(struct span *line)
{
	size_t n = 0;

	while (span_at(*line, n) == '>')
		n++;
	*line = span_skip(*line, n);
	if (span_at(*line, 0) == ' ') /* RFC 3676 4.4, stuffing */
		*line = span_skip(*line, 1);
	return n;
}

/*
 * format=flowed (RFC 3676 4.2): a line that ends in a space goes on in the
 * next one of the same depth; "-- " is a signature and does not.
 */
static int
add_flowed(struct span text, bool delsp, struct buf *out)
{
	bool flows = false;
	size_t before = 0;
	int r = 0;

	while (text.n > 0 && r == 0) {
		struct span line = span_take(&text, '\n');
		size_t depth;

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		depth = quote_depth(&line);
		/* An empty line is meant as one, whatever was before. */
		if (flows && (depth != before || line.n == 0 ||
		    span_is(line, "-- "))) {
			r = buf_add_byte(out, '\n');
			flows = false;
		}
		for (size_t i = 0; i < depth && !flows && r == 0; i++)
			r = buf_add_byte(out, '>');
		if (depth > 0 && !flows && r == 0)
			r = buf_add_byte(out, ' ');
		before = depth;
		flows = span_ends(line, " ") && !span_is(line, "-- ");
		if (flows && delsp)
			line.n--;
		if (r == 0)
			r = buf_add_span(out, line);
		if (!flows && r == 0)
			r = buf_add_byte(out, '\n');
	}
	return flows && r == 0 ? buf_add_byte(out, '\n') : r;
}

/* Charset to UTF-8, then from HTML or flowed lines to plain ones. */
static int
to_plain(const struct mime_part *part, struct span raw, struct buf *out)
{
	struct buf text = buf_new(4 * raw.n + 16);
	struct buf charset = buf_new(CHARSET);
	struct span v;
	int r;

	(void)mime_param_utf8(part->params, part->nparams, "charset",
	    &charset);
	r = charset_to_utf8(buf_span(&charset), raw, &text);
	buf_free(&charset);
	if (r == 0 && span_is(part->subtype, "html"))
		r = html_to_text(buf_span(&text), out);
	else if (r == 0 && mime_param(part->params, part->nparams, "format",
	    &v) && span_is_nocase(v, "flowed"))
		r = add_flowed(buf_span(&text), mime_param(part->params,
		    part->nparams, "delsp", &v) && span_is_nocase(v, "yes"),
		    out);
	else if (r == 0)
		r = buf_add_span(out, buf_span(&text));
	buf_free(&text);
	return r;
}

static int
end_line(struct buf *out)
{
	if (out->n > 0 && out->p[out->n - 1] != '\n')
		return buf_add_byte(out, '\n');
	return 0;
}

/* An empty line before all but the first; attachments stand together. */
static int
separate(struct view *v, bool listing)
{
	bool empty = v->begun && !(listing && v->listing);

	v->begun = true;
	v->listing = listing;
	return empty ? buf_add_byte(v->out, '\n') : 0;
}

/* A text part, as much of it as may still be shown. */
static int
add_text(struct view *v, const struct mime_part *part)
{
	struct span body = span_head(span_skip(v->message, part->body.at),
	    part->body.n);
	struct buf raw = buf_new(body.n + 4), plain = buf_new(5 * body.n + 64);
	size_t left = RENDER_TEXT - v->text;
	bool cut;
	int r = separate(v, false);

	if (r == 0)
		r = mime_decode(body, part->encoding, &raw);
	if (r == 0)
		r = to_plain(part, buf_span(&raw), &plain);
	cut = plain.n > left;
	plain.n = cut ? left : plain.n;
	v->text += plain.n;
	if (r == 0)
		r = add_clean(buf_span(&plain), true, v->out);
	if (r == 0)
		r = end_line(v->out);
	if (r == 0 && cut)
		r = buf_add_str(v->out, "[the rest is not shown]\n");
	buf_free(&raw);
	buf_free(&plain);
	return r;
}

/* "[2 invoice.pdf application/pdf 120431 bytes: PATH/attach/invoice.pdf]" */
static int
add_line(struct view *v, const struct attach *at)
{
	struct buf *out = v->out;

	if (buf_add_byte(out, '[') == -1 ||
	    buf_add_span(out, at->number) == -1 ||
	    buf_add_byte(out, ' ') == -1 ||
	    buf_add_span(out, at->name) == -1 ||
	    buf_add_byte(out, ' ') == -1 ||
	    add_clean(at->part->type, false, out) == -1 ||
	    buf_add_byte(out, '/') == -1 ||
	    add_clean(at->part->subtype, false, out) == -1 ||
	    buf_addf(out, " %llu bytes", (unsigned long long)at->size) == -1)
		return -1;
	if (v->parts.n > 0 && (buf_add_str(out, ": ") == -1 ||
	    add_clean(v->parts, false, out) == -1 ||
	    buf_add_str(out, "/attach/") == -1 ||
	    buf_add_span(out, at->name) == -1))
		return -1;
	return buf_add_str(out, "]\n");
}

static int
add_attachment(struct view *v, const struct mime_part *part)
{
	while (v->next < v->n && v->list[v->next].shown)
		v->next++;
	if (v->next == v->n || v->list[v->next].part != part)
		return 0;
	return separate(v, true) == -1 ? -1 :
	    add_line(v, &v->list[v->next++]);
}

static int add_part(struct view *v, const struct mime_part *part);

static int
add_children(struct view *v, const struct mime_part *part)
{
	bool alternative = span_is(part->subtype, "alternative");
	const struct mime_part *chosen = alternative ? attach_chosen(part) :
	    NULL;

	for (const struct mime_part *p = part->child; p; p = p->next) {
		if (alternative && p != chosen && attach_is_other_form(p))
			continue;
		if (add_part(v, p) == -1)
			return -1;
	}
	return 0;
}

/* In the order of attach_list, and as deep as the tree. */
static int
add_part(struct view *v, const struct mime_part *part)
{
	if (span_is(part->type, "multipart"))
		return add_children(v, part);
	if (part->child) {
		if (add_attachment(v, part) == -1 ||
		    buf_add_byte(v->out, '\n') == -1 ||
		    add_header(v, part->child) == -1)
			return -1;
		v->begun = v->listing = false;
		return add_part(v, part->child);
	}
	if (attach_is_text(part))
		return add_text(v, part);
	return add_attachment(v, part);
}

int
render_text(struct span message, struct span parts, struct buf *out)
{
	struct view v = { .message = message, .parts = parts, .out = out,
		.arena = arena_new(2 * (size_t)MIME_ARENA) };
	struct mime_part *part = mime_parse(message, &v.arena);
	int r = -1;

	if (part) {
		v.n = attach_list(message, part, &v.arena, &v.list);
		r = add_header(&v, part);
		if (r == 0)
			r = add_part(&v, part);
	}
	arena_free(&v.arena);
	return r;
}
