/* Status, X-Status, X-Keywords, and what Mozilla has instead. */
#include "mail/mbox_fields.h"

#include "base/num.h"
#include "mail/header.h"
#include "mail/mbox.h"

enum {
	MOZILLA_READ = 1,
	MOZILLA_REPLIED = 2,
	MOZILLA_MARKED = 4,
	MOZILLA_EXPUNGED = 8,
	MOZILLA_FORWARDED = 0x1000
};

typedef void take_fn(
    struct mbox_fields *f, struct buf *keywords, struct span value);

static bool
has(struct span value, char letter)
{
	return span_find(value, letter) < value.n;
}

static void
take_status(struct mbox_fields *f, struct buf *keywords, struct span value)
{
	(void)keywords;
	f->flags |= has(value, 'R') ? MBOX_SEEN : 0;
}

static void
take_x_status(struct mbox_fields *f, struct buf *keywords, struct span value)
{
	(void)keywords;
	f->flags |= (has(value, 'A') ? MBOX_ANSWERED : 0U) |
		    (has(value, 'F') ? MBOX_FLAGGED : 0U) |
		    (has(value, 'D') ? MBOX_DELETED : 0U) |
		    (has(value, 'T') ? MBOX_DRAFT : 0U);
	f->unended = has(value, 'n');
}

/* One more; what there is no room for is left out. */
static void
add_keyword(struct mbox_fields *f, struct buf *keywords, struct span word)
{
	if (span_is_nocase(word, "$Forwarded")) {
		f->flags |= MBOX_PASSED;
		return;
	}
	if (word.n == 0 || keywords->n + word.n + 1 > keywords->cap)
		return;
	if (keywords->n > 0)
		(void)buf_add_byte(keywords, ' ');
	(void)buf_add_span(keywords, word);
}

static void
take_keywords(struct mbox_fields *f, struct buf *keywords, struct span value)
{
	while (value.n > 0) {
		size_t n = 0;

		while (n < value.n && value.p[n] > ' ' && value.p[n] != ',')
			n++;
		add_keyword(f, keywords, span_head(value, n));
		value = span_skip(value, n + 1);
	}
}

static int
hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
take_mozilla(struct mbox_fields *f, struct buf *keywords, struct span value)
{
	unsigned bits = 0;

	(void)keywords;
	value = span_head(span_trim(value), 4);
	for (size_t i = 0; i < value.n; i++) {
		int digit = hex_digit(span_at(value, i));

		if (digit == -1)
			return;
		bits = bits << 4 | (unsigned)digit;
	}
	f->flags |= (bits & MOZILLA_READ ? MBOX_SEEN : 0U) |
		    (bits & MOZILLA_REPLIED ? MBOX_ANSWERED : 0U) |
		    (bits & MOZILLA_MARKED ? MBOX_FLAGGED : 0U) |
		    (bits & MOZILLA_EXPUNGED ? MBOX_DELETED : 0U) |
		    (bits & MOZILLA_FORWARDED ? MBOX_PASSED : 0U);
}

static void
take_nothing(struct mbox_fields *f, struct buf *keywords, struct span value)
{
	(void)f;
	(void)keywords;
	(void)value;
}

static const struct {
	const char *name;
	take_fn *take;
} fields[] = {
	{ "Status", take_status },
	{ "X-Status", take_x_status },
	{ "X-Keywords", take_keywords },
	{ "X-Mozilla-Status", take_mozilla },
	{ "X-Mozilla-Status2", take_nothing },
	{ "X-Mozilla-Keys", take_keywords },
};

enum { OWN = 3 }; /* so many of them are the writer's */

static bool
take_field(
    struct mbox_fields *f, struct buf *keywords, const struct header_field *h)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (span_is_nocase(h->name, fields[i].name)) {
			fields[i].take(f, keywords, h->value);
			return true;
		}
	return false;
}

static void
look_at(struct mbox_fields *f, const struct header_field *h, bool *data)
{
	if (span_is_nocase(h->name, "Content-Length"))
		f->counted =
		    num_parse(span_trim(h->value), INT64_MAX, &f->length);
	else if (span_is_nocase(h->name, "X-IMAP"))
		*data = true;
	else if (span_is_nocase(h->name, "Subject"))
		f->internal = span_starts(
		    span_trim(h->value), "DON'T DELETE THIS MESSAGE");
}

void
mbox_fields_take(
    struct buf *header, struct buf *keywords, struct mbox_fields *f)
{
	struct span rest = buf_span(header);
	const char *end = rest.p + rest.n, *from = rest.p;
	struct header_field h;
	bool data = false;
	size_t kept = 0;

	while (header_next(&rest, &h)) {
		if (!take_field(f, keywords, &h)) {
			look_at(f, &h, &data);
			continue;
		}
		memmove(header->p + kept, from, (size_t)(h.whole.p - from));
		kept += (size_t)(h.whole.p - from);
		from = h.whole.p + h.whole.n;
	}
	if (header->n > 0)
		memmove(header->p + kept, from, (size_t)(end - from));
	header->n = kept + (size_t)(end - from);
	f->internal &= data;
	f->unended = false;
}

/* One line of the writer's: false where it is another. */
static bool
take_line(struct span *text, bool crlf, const char *name, struct span *value)
{
	size_t n = span_find(*text, '\n');

	*value = span_head(*text, n);
	if (n == text->n || !span_starts(*value, name))
		return false;
	*text = span_skip(*text, n + 1);
	if (crlf && span_ends(*value, "\r"))
		value->n--;
	*value = span_skip(*value, strlen(name));
	if (!span_starts(*value, ": "))
		return false;
	*value = span_skip(*value, 2);
	return true;
}

size_t
mbox_fields_own(
    struct span text, bool crlf, struct buf *keywords, struct mbox_fields *f)
{
	struct span rest = text, value[OWN];

	for (size_t i = 0; i < OWN; i++)
		if (!take_line(&rest, crlf, fields[i].name, &value[i]))
			return 0;
	for (size_t i = 0; i < OWN; i++)
		fields[i].take(f, keywords, value[i]);
	return text.n - rest.n;
}
