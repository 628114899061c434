/* ENVELOPE and BODYSTRUCTURE. */
#include "mail/imap.h"

#include "mail/address.h"
#include "mail/header.h"
#include "mail/lex.h"

/* The fields of an envelope, in the order of RFC 3501 7.4.2. */
enum field {
	DATE,
	SUBJECT,
	FROM,
	SENDER,
	REPLY_TO,
	TO,
	CC,
	BCC,
	IN_REPLY_TO,
	MESSAGE_ID,
	FIELDS
};

static const struct span names[FIELDS] = { SPAN("Date"), SPAN("Subject"),
	SPAN("From"), SPAN("Sender"), SPAN("Reply-To"), SPAN("To"), SPAN("Cc"),
	SPAN("Bcc"), SPAN("In-Reply-To"), SPAN("Message-ID") };

struct envelope {
	struct span fields[FIELDS]; /* from the first of the name to the end
	                               of the header */
	size_t count[FIELDS];
	struct arena *arena;
	struct buf *out;
};

static bool
is_quotable(struct span s)
{
	if (s.n > IMAP_QUOTED)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\r' || c == '\n' || c == '\0' || c > 0x7f)
			return false;
	}
	return true;
}

static int
add_literal(struct span s, struct buf *out)
{
	size_t nul = 0;

	for (size_t i = 0; i < s.n; i++)
		nul += s.p[i] == '\0';
	if (buf_addf(out, "{%zu}\r\n", s.n - nul) == -1)
		return -1;
	while (s.n > 0) {
		if (buf_add_span(out, span_take(&s, '\0')) == -1)
			return -1;
	}
	return 0;
}

int
imap_string(struct span s, struct buf *out)
{
	char *to;
	size_t n = 0;

	if (!is_quotable(s))
		return add_literal(s, out);
	if ((to = buf_room(out, 2 * s.n + 2)) == NULL)
		return -1;
	to[n++] = '"';
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			to[n++] = '\\';
		to[n++] = s.p[i];
	}
	to[n++] = '"';
	out->n += n;
	return 0;
}

int
imap_nstring(struct span s, struct buf *out)
{
	if (s.p == NULL)
		return buf_add_str(out, "NIL");
	return imap_string(s, out);
}

/* The line ends go (RFC 5322 2.2.3); a tab that a line was folded with was
 * a space before, and clients show it as it comes.  A bare CR is no line end
 * to us and one to others: it becomes a space. */
int
imap_nstring_folded(struct span value, struct buf *out)
{
	struct buf b = buf_new(MIME_HEADER);
	int r;

	if (value.p == NULL)
		return imap_nstring(value, out);
	value = span_trim(value);
	if (span_find(value, '\n') == value.n &&
	    span_find(value, '\r') == value.n)
		return imap_string(value, out);
	value = span_head(value, MIME_HEADER);
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c == '\n' || (c == '\r' && span_at(value, i + 1) == '\n'))
			continue;
		if (c == '\r' || (c == '\t' && i > 0 && value.p[i - 1] == '\n'))
			c = ' ';
		(void)buf_add_byte(&b, c); /* there is room */
	}
	r = imap_string(buf_span(&b), out);
	buf_free(&b);
	return r;
}

/* Strings with a space between and before them. */
static int
add_strings(struct buf *out, const struct span *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && buf_add_byte(out, ' ') == -1)
			return -1;
		if (imap_nstring(s[i], out) == -1)
			return -1;
	}
	return 0;
}

static int
add_address(const struct address *adr, struct buf *out)
{
	struct span parts[] = { adr->name, adr->route, adr->mailbox,
		adr->host };

	if (buf_add_byte(out, '(') == -1 ||
	    add_strings(out, parts, sizeof parts / sizeof *parts) == -1)
		return -1;
	return buf_add_byte(out, ')');
}

/* The addresses of one field; *n counts them. */
static int
add_field_addresses(struct envelope *e, struct span value, size_t *n)
{
	struct address_reader r = { .rest = value };
	struct address adr;
	int there = 1;

	while (*n < ADDRESS_LIMIT && there == 1) {
		struct arena_mark mark = arena_mark(e->arena);
		int failed;

		if ((there = address_next(&r, e->arena, &adr)) == -1)
			return -1;
		if (there == 0)
			return 0;
		failed = (*n)++ == 0 && buf_add_byte(e->out, '(') == -1;
		failed = failed || add_address(&adr, e->out) == -1;
		arena_release(e->arena, mark);
		if (failed)
			return -1;
	}
	return 0;
}

/*
 * All addresses of the fields of that name: were only the first or the last
 * shown, a message could show one sender here and another one elsewhere.
 */
static int
add_addresses(struct envelope *e, enum field field)
{
	struct span rest = e->fields[field];
	struct header_field f;
	size_t n = 0, seen = 0;

	while (seen < e->count[field] && header_next(&rest, &f)) {
		if (!span_eq_nocase(f.name, names[field]))
			continue;
		seen++;
		if (add_field_addresses(e, f.value, &n) == -1)
			return -1;
	}
	return n > 0 ? buf_add_byte(e->out, ')') : buf_add_str(e->out, "NIL");
}

/* Whether a field says anything: RFC 3501 7.4.2 wants From in the place of
 * an absent or empty Sender and Reply-To. */
static bool
has_addresses(const struct envelope *e, enum field field)
{
	struct span rest = e->fields[field];
	struct header_field f;
	size_t seen = 0;

	while (seen < e->count[field] && header_next(&rest, &f)) {
		if (!span_eq_nocase(f.name, names[field]))
			continue;
		seen++;
		lex_skip(&f.value);
		while (span_at(f.value, 0) == ',')
			f.value = span_skip(f.value, 1);
		if (f.value.n > 0)
			return true;
	}
	return false;
}

static int
add_field(struct envelope *e, enum field field)
{
	struct span rest = e->fields[field];
	struct header_field f;

	if (field >= FROM && field <= BCC) {
		if ((field == SENDER || field == REPLY_TO) &&
		    !has_addresses(e, field))
			field = FROM;
		return add_addresses(e, field);
	}
	if (e->count[field] == 0)
		return buf_add_str(e->out, "NIL");
	(void)header_next(&rest, &f); /* it is there */
	return imap_nstring_folded(f.value, e->out);
}

static void
find_fields(struct envelope *e, struct span header)
{
	struct span rest = header;
	struct header_field f;

	while (header_next(&rest, &f)) {
		for (int i = 0; i < FIELDS; i++) {
			if (!span_eq_nocase(f.name, names[i]))
				continue;
			if (e->count[i]++ > 0)
				break;
			e->fields[i] = span_of(f.whole.p,
			    (size_t)(header.p + header.n - f.whole.p));
			break;
		}
	}
}

int
imap_envelope(struct span header, struct arena *a, struct buf *out)
{
	struct envelope e = { .arena = a, .out = out };

	find_fields(&e, span_head(header, MIME_HEADER));
	for (int i = 0; i < FIELDS; i++) {
		if (buf_add_byte(out, i == 0 ? '(' : ' ') == -1 ||
		    add_field(&e, (enum field)i) == -1)
			return -1;
	}
	return buf_add_byte(out, ')');
}
