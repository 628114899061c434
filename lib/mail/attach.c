/* Attachments and their names. */
#include "mail/attach.h"

#include "text/base64.h"
#include "text/utf8.h"

#include <stdlib.h>

enum {
	NUMBER = 512 /* bytes of "1.2.3..." for MIME_DEPTH levels */
};

struct lister {
	struct span text;
	struct arena *arena;
	struct attach *list;
	size_t n, size;
	bool failed;
	char number[NUMBER];
};

static bool
is(const struct mime_part *part, const char *type, const char *subtype)
{
	return span_is(part->type, type) &&
	    (subtype == NULL || span_is(part->subtype, subtype));
}

/* Calendars and address cards are text for programs. */
bool
attach_is_text(const struct mime_part *part)
{
	return is(part, "text", NULL) && !is(part, "text", "calendar") &&
	    !is(part, "text", "vcard") && !is(part, "text", "x-vcard") &&
	    !is(part, "text", "directory") &&
	    !span_is(part->disposition, "attachment");
}

const struct mime_part *
attach_chosen(const struct mime_part *alternative)
{
	const struct mime_part *best = NULL;

	for (const struct mime_part *p = alternative->child; p; p = p->next) {
		if (is(p, "text", "plain") && attach_is_text(p))
			return p;
		/* Later ones are richer (RFC 2046 5.1.4), but for programs
		 * that know them. */
		if (best == NULL && (is(p, "text", "html") ||
		    is(p, "multipart", NULL)))
			best = p;
	}
	return best ? best : alternative->child;
}

bool
attach_is_other_form(const struct mime_part *child)
{
	return is(child, "multipart", NULL) || is(child, "text", "plain") ||
	    is(child, "text", "html") || is(child, "text", "enriched");
}

/* What stands for a name where there is none. */
static const char *
suffix(const struct mime_part *part)
{
	static const struct {
		const char *type, *subtype, *suffix;
	} suffixes[] = { { "text", "html", ".html" },
		{ "text", "calendar", ".ics" }, { "text", NULL, ".txt" },
		{ "message", NULL, ".eml" }, { "image", "jpeg", ".jpg" },
		{ "image", "png", ".png" }, { "image", "gif", ".gif" },
		{ "application", "pdf", ".pdf" },
		{ "application", "pgp-signature", ".asc" },
		{ "application", "pkcs7-signature", ".p7s" } };

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
		if (is(part, suffixes[i].type, suffixes[i].subtype))
			return suffixes[i].suffix;
	return ".bin";
}

/* Letters and digits of any script, and a few marks. */
static bool
is_safe(uint32_t c)
{
	if (c < 0x80)
		return c > ' ' && c < 0x7f && !strchr("/\\:*?\"'`<>|$&;!(){}[]#~%^",
		    (int)c);
	return !utf8_is_control(c) && !utf8_is_format(c) && c != UTF8_BAD &&
	    c != 0xa0 && !(c >= 0x2000 && c <= 0x206f) && c != 0x3000 &&
	    !(c >= 0xe000 && c <= 0xf8ff) && c < 0xe0000;
}

static bool
is_right_to_left(uint32_t c)
{
	return (c >= 0x590 && c <= 0x8ff) || (c >= 0xfb1d && c <= 0xfdff) ||
	    (c >= 0xfe70 && c <= 0xfeff) || (c >= 0x10800 && c <= 0x10fff) ||
	    (c >= 0x1e800 && c <= 0x1efff);
}

/* Adds one character of a name; a run of unsafe ones becomes one "-", and
 * none at the ends, before a dot or beside a dash. */
static int
add_safe(struct buf *out, uint32_t c, bool *gap)
{
	char last = out->n > 0 ? out->p[out->n - 1] : '\0';

	if (!is_safe(c) || (out->n == 0 && (c == '.' || c == '-'))) {
		*gap = true;
		return 0;
	}
	if (*gap && out->n > 0 && c != '.' && c != '-' && last != '-' &&
	    last != '.' && buf_add_byte(out, '-') == -1)
		return -1;
	*gap = false;
	return utf8_add(out, c);
}

/* The name without folders, in safe characters.  Returns true where it must
 * have a prefix. */
static bool
safe_name(struct span s, struct buf *out)
{
	bool prefix = false, valid, gap = false;
	size_t digits = 0;

	while (span_find(s, '/') < s.n)
		(void)span_take(&s, '/');
	while (span_find(s, '\\') < s.n)
		(void)span_take(&s, '\\');
	while (s.n > 0) {
		uint32_t c = utf8_take(&s, &valid);

		prefix = prefix || is_right_to_left(c);
		if (add_safe(out, c, &gap) == -1)
			break;
	}
	while (span_at(buf_span(out), digits) >= '0' &&
	    span_at(buf_span(out), digits) <= '9')
		digits++;
	return prefix ||
	    (digits > 0 && span_at(buf_span(out), digits) == '_');
}

/* At most ATTACH_NAME bytes, with the extension if that is short. */
static void
shorten(struct buf *b)
{
	size_t dot = span_rfind(buf_span(b), '.');
	size_t tail = b->n - dot > 16 ? 0 : b->n - dot;
	size_t cut = ATTACH_NAME - tail;

	if (b->n <= ATTACH_NAME)
		return;
	while (cut > 0 && ((unsigned char)b->p[cut] & 0xc0) == 0x80)
		cut--;
	memmove(b->p + cut, b->p + b->n - tail, tail);
	b->n = cut + tail;
}

/* The sender's name for it: false if there is none. */
static bool
given_name(const struct mime_part *part, struct buf *out)
{
	if (mime_param_utf8(part->disposition_params,
		part->ndisposition_params, "filename", out) == 1 && out->n > 0)
		return true;
	buf_reset(out);
	return mime_param_utf8(part->params, part->nparams, "name", out) ==
	    1 && out->n > 0;
}

static int
set_name(struct lister *l, struct attach *at)
{
	struct buf raw = buf_new(MIME_HEADER), safe = buf_new(MIME_HEADER);
	struct buf whole = buf_new(NUMBER + ATTACH_NAME + 2);
	bool prefix = false;

	if (given_name(at->part, &raw))
		prefix = safe_name(buf_span(&raw), &safe);
	shorten(&safe);
	if (safe.n == 0)
		(void)buf_addf(&safe, "part-%u%s", at->part->order,
		    suffix(at->part));
	if (prefix)
		(void)buf_addf(&whole, "%u_", at->part->order);
	(void)buf_add_span(&whole, buf_span(&safe));
	at->name = arena_copy(l->arena, buf_span(&whole));
	buf_free(&raw);
	buf_free(&safe);
	buf_free(&whole);
	return at->name.p ? 0 : -1;
}

static uint64_t
decoded_size(struct span text, const struct mime_part *part)
{
	struct span body = span_head(span_skip(text, part->body.at),
	    part->body.n);
	struct buf b = buf_new(body.n + 4);
	uint64_t n;

	if (span_is_nocase(part->encoding, "base64"))
		return base64_body_length(body);
	if (!span_is_nocase(part->encoding, "quoted-printable"))
		return body.n;
	(void)mime_decode(body, part->encoding, &b);
	n = b.n;
	buf_free(&b);
	return n;
}

static bool
has_name(const struct mime_part *part)
{
	struct buf name = buf_new(MIME_HEADER);
	bool is = given_name(part, &name);

	buf_free(&name);
	return is;
}

static void
add(struct lister *l, const struct mime_part *part)
{
	struct attach *at;

	if (l->list == NULL) { /* the first round counts */
		l->size++;
		return;
	}
	at = &l->list[l->n];
	at->part = part;
	at->shown = attach_is_text(part);
	at->number = arena_copy(l->arena, span_str(l->number));
	at->size = decoded_size(l->text, part);
	if (at->number.p == NULL || set_name(l, at) == -1)
		l->failed = true;
	else
		l->n++;
}

static void walk(struct lister *l, const struct mime_part *part,
    size_t length);

/* The children of a multipart, numbered behind length bytes of number. */
static void
walk_children(struct lister *l, const struct mime_part *part, size_t length)
{
	bool alternative = is(part, "multipart", "alternative");
	const struct mime_part *chosen = alternative ? attach_chosen(part) :
	    NULL;
	unsigned i = 0;

	for (const struct mime_part *p = part->child; p; p = p->next) {
		struct buf number = buf_new(NUMBER - 1 - length);

		i++;
		if (l->failed || (alternative && p != chosen &&
		    attach_is_other_form(p)))
			continue;
		(void)buf_addf(&number, "%s%u", length > 0 ? "." : "", i);
		memcpy(l->number + length, buf_cstr(&number), number.n + 1);
		walk(l, p, length + number.n);
		buf_free(&number);
	}
}

/* As deep as the tree. */
static void
walk(struct lister *l, const struct mime_part *part, size_t length)
{
	const struct mime_part *in = part;

	if (part->child && !is(part, "multipart", NULL)) {
		add(l, part); /* a message: itself, then what it holds */
		in = part->child;
	} else if (!part->child) {
		if (!attach_is_text(part) || has_name(part))
			add(l, part);
		return;
	}
	if (is(in, "multipart", NULL)) {
		walk_children(l, in, length);
		return;
	}
	memcpy(l->number + length, ".1", 3);
	walk(l, in, length + 2);
	l->number[length] = '\0';
}

static int
by_name(const void *a, const void *b)
{
	const struct attach *x = *(struct attach *const *)a;
	const struct attach *y = *(struct attach *const *)b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int r = memcmp(x->name.p, y->name.p, n);

	if (r != 0)
		return r;
	if (x->name.n != y->name.n)
		return x->name.n < y->name.n ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int
add_prefix(struct lister *l, struct attach *at)
{
	struct buf b = buf_new(NUMBER + ATTACH_NAME);

	(void)buf_addf(&b, "%u_", at->part->order);
	(void)buf_add_span(&b, at->name);
	at->name = arena_copy(l->arena, buf_span(&b));
	buf_free(&b);
	return at->name.p ? 0 : -1;
}

/* All but the first of one name get a prefix. */
static int
make_unique(struct lister *l)
{
	struct attach **order = arena_alloc(l->arena, l->n, sizeof *order);
	struct span before = { NULL, 0 };

	if (order == NULL)
		return -1;
	for (size_t i = 0; i < l->n; i++)
		order[i] = &l->list[i];
	qsort(order, l->n, sizeof *order, by_name);
	for (size_t i = 0; i < l->n; i++) {
		struct span name = order[i]->name;

		if (i > 0 && span_eq(name, before) &&
		    add_prefix(l, order[i]) == -1)
			return -1;
		before = name;
	}
	return 0;
}

static void
walk_message(struct lister *l, const struct mime_part *message)
{
	bool many = is(message, "multipart", NULL);

	memcpy(l->number, many ? "" : "1", many ? 1 : 2);
	walk(l, message, many ? 0 : 1);
}

size_t
attach_list(struct span text, const struct mime_part *message,
    struct arena *a, struct attach **list)
{
	struct lister l = { .text = text, .arena = a };

	*list = NULL;
	walk_message(&l, message);
	if (l.size == 0)
		return 0;
	l.list = arena_alloc(a, l.size, sizeof *l.list);
	if (l.list == NULL)
		return 0;
	walk_message(&l, message);
	if (l.failed || make_unique(&l) == -1)
		return 0;
	*list = l.list;
	return l.n;
}
