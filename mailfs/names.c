/* File names of messages. */
#include "names.h"

#include "base/buf.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/word.h"
#include "text/date.h"
#include "text/utf8.h"

#include <errno.h>
#include <stdio.h>

enum {
	FIELD_SIZE = 65536, /* bytes of a field that are looked at */
	MARKS = 2           /* combining marks in a row */
};

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

int
names_init(struct names *n)
{
	n->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (n->locale == (locale_t)0)
		return -1;
	n->alnum = wctype_l("alnum", n->locale);
	n->mark = wctype_l("combining", n->locale);
	if (n->alnum != 0)
		return 0;
	errno = ENOTSUP;
	return -1;
}

void
names_id(uint64_t id, char out[NAMES_ID + 1])
{
	for (size_t i = NAMES_ID; i > 0; i--) {
		out[i - 1] = digits[id & 31];
		id >>= 5;
	}
	out[NAMES_ID] = '\0';
}

bool
names_parse_id(struct span s, uint64_t *id)
{
	*id = 0;
	if (s.n != NAMES_ID)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char *d = s.p[i] ? strchr(digits, s.p[i]) : NULL;

		if (d == NULL)
			return false;
		*id = *id << 5 | (uint64_t)(d - digits);
	}
	return true;
}

/* Letters that are drawn as nothing. */
static bool
is_blank_letter(uint32_t c)
{
	return c == 0x115f || c == 0x1160 || c == 0x3164 || c == 0xffa0 ||
	       c == 0x2800 || c == 0x034f || (c >= 0x17b4 && c <= 0x17b5) ||
	       (c >= 0x180b && c <= 0x180f) || (c >= 0xfe00 && c <= 0xfe0f) ||
	       c >= 0xe0000;
}

static bool
is_mark(const struct names *n, uint32_t c)
{
	return c >= 0x300 && n->mark != 0 &&
	       iswctype_l((wint_t)c, n->mark, n->locale);
}

static bool
is_inner(uint32_t c)
{
	return c < 0x80 && c != 0 && strchr("@.+=,", (int)c) != NULL;
}

static bool
is_letter(const struct names *n, uint32_t c)
{
	if (c < 0x80)
		return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		       (c >= 'a' && c <= 'z');
	return !utf8_is_control(c) && !utf8_is_format(c) &&
	       !is_blank_letter(c) && c != UTF8_BAD &&
	       (iswctype_l((wint_t)c, n->alnum, n->locale) || is_mark(n, c));
}

/* A field being made. */
struct field {
	char *out;
	size_t n, max;
	size_t marks;
	bool gap; /* something was left out since the last character */
};

static bool
put(struct field *f, struct span bytes)
{
	size_t dash = f->gap && f->n > 0;

	if (f->n + dash + bytes.n > f->max)
		return false;
	if (dash)
		f->out[f->n++] = '-';
	memcpy(f->out + f->n, bytes.p, bytes.n);
	f->n += bytes.n;
	f->gap = false;
	return true;
}

static bool
step(const struct names *n, struct field *f, struct span *text)
{
	struct span from = *text;
	bool valid;
	uint32_t c = utf8_take(text, &valid);
	bool mark = valid && is_mark(n, c);

	from.n -= text->n;
	f->marks = mark ? f->marks + 1 : 0;
	if (mark && (f->marks > MARKS || f->n == 0 || f->gap))
		return true;
	if (valid && (is_letter(n, c) || (is_inner(c) && f->n > 0)))
		return put(f, from);
	f->gap = true;
	return true;
}

void
names_clean(const struct names *n, struct span text, size_t max,
    const char *otherwise, char *out)
{
	struct field f = { .out = out, .max = max };

	text = span_head(text, FIELD_SIZE);
	while (text.n > 0 && step(n, &f, &text))
		;
	while (f.n > 0 && is_inner((unsigned char)out[f.n - 1]))
		f.n--;
	out[f.n] = '\0';
	if (f.n == 0)
		snprintf(out, max + 1, "%s", otherwise);
}

void
names_when(int64_t date, char out[NAMES_WHEN + 1])
{
	struct date d = date_civil(date, 0);

	snprintf(out, NAMES_WHEN + 1, "%04u-%02u-%02u_%02u%02u",
	    (unsigned)d.year % 10000, (unsigned)d.month % 100,
	    (unsigned)d.day % 100, (unsigned)d.hour % 100,
	    (unsigned)d.minute % 100);
}

void
names_make(const struct names *n, struct span from, struct span subject,
    int64_t date, uint64_t id, char out[NAMES_SIZE])
{
	char sender[NAMES_FROM + 1], title[NAMES_SUBJECT + 1];
	char text[NAMES_ID + 1];
	char when[NAMES_WHEN + 1];
	size_t room;

	names_when(date, when);
	names_clean(n, from, NAMES_FROM, "unknown", sender);
	/* Three separators, the id, a suffix of four. */
	room = NAMES_LONGEST - strlen(when) - strlen(sender) - 3 - NAMES_ID - 4;
	names_clean(n, subject, room < NAMES_SUBJECT ? room : NAMES_SUBJECT,
	    "no-subject", title);
	names_id(id, text);
	snprintf(
	    out, NAMES_SIZE, "%s_%.24s_%.64s.%s", when, sender, title, text);
}

void
names_stem(const struct names *n, struct span header, int64_t date, uint64_t id,
    char out[NAMES_SIZE])
{
	struct buf from = buf_new(FIELD_SIZE), subject = buf_new(FIELD_SIZE);
	struct header_field f;

	(void)address_sender(header, &from); /* cut is fine */
	if (header_get(header, "Subject", &f))
		(void)word_decode(span_head(f.value, FIELD_SIZE), &subject);
	names_make(n, buf_span(&from), buf_span(&subject), date, id, out);
	buf_free(&from);
	buf_free(&subject);
}
