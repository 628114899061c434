/* Encoded words. */
#include "mail/word.h"

#include "mail/header.h"
#include "text/base64.h"
#include "text/charset.h"
#include "text/qp.h"

enum {
	CHARSET = 64 /* bytes of its name in a word */
};

struct word {
	struct span charset;
	char encoding; /* q or b */
	struct span text;
	size_t n; /* bytes of the whole word */
};

/*
 * Decoded bytes of neighbours in one charset are converted together: mail
 * programs cut words in the middle of characters, against RFC 2047 5.
 */
struct decoder {
	struct span charset;
	struct buf bytes;
	struct buf *out;
};

/* Takes the bytes before the next "?" of *s; false if there is none within
 * limit bytes or if they are none. */
static bool
take_part(struct span *s, size_t limit, struct span *part)
{
	size_t n = span_find(span_head(*s, limit), '?');

	if (n == 0 || n >= s->n || n >= limit)
		return false;
	*part = span_head(*s, n);
	*s = span_skip(*s, n + 1);
	return true;
}

/* The word at the front of s: "=?charset?q?text?=". */
static bool
parse(struct span s, struct word *w)
{
	struct span rest = span_skip(s, 2), encoding;
	size_t end;

	if (!span_starts(s, "=?") ||
	    !take_part(&rest, CHARSET, &w->charset) ||
	    !take_part(&rest, 2, &encoding))
		return false;
	w->charset = span_head(w->charset, span_find(w->charset, '*'));
	w->encoding = (char)(encoding.p[0] | 0x20);
	if (w->encoding != 'q' && w->encoding != 'b')
		return false;
	/* A raw "?" may not be in it, but is found in Q words. */
	end = span_find(rest, '?');
	while (end < rest.n && span_at(rest, end + 1) != '=' &&
	    w->encoding == 'q' && span_at(rest, end - 1) != '=')
		end += 1 + span_find(span_skip(rest, end + 1), '?');
	if (end >= rest.n || span_at(rest, end + 1) != '=')
		return false;
	w->text = span_head(rest, end);
	w->n = (size_t)(rest.p + end + 2 - s.p);
	return true;
}

/* Length of what stands before the next "=?" behind the first byte. */
static size_t
plain_length(struct span s)
{
	size_t n = 1;

	while (n < s.n) {
		n += span_find(span_skip(s, n), '=');
		if (span_at(s, n + 1) == '?')
			break;
		n++;
	}
	return n < s.n ? n : s.n;
}

/* Converts what was gathered; line ends and NUL do not come through. */
static int
flush(struct decoder *d)
{
	size_t start = d->out->n, n = start;
	int r = charset_to_utf8(d->charset, buf_span(&d->bytes), d->out);

	for (size_t i = start; i < d->out->n; i++) {
		char c = d->out->p[i];

		if (c != '\0' && c != '\r' && c != '\n')
			d->out->p[n++] = c;
	}
	d->out->n = n;
	buf_reset(&d->bytes);
	return r;
}

static int
add(struct decoder *d, struct span charset, const struct word *w,
    struct span plain)
{
	if (d->bytes.n > 0 && !span_eq_nocase(d->charset, charset) &&
	    flush(d) == -1)
		return -1;
	d->charset = charset;
	if (w == NULL)
		return buf_add_span(&d->bytes, plain);
	return w->encoding == 'q' ? qp_decode_word(w->text, &d->bytes) :
	    base64_decode_body(w->text, &d->bytes);
}

/* Passes over the blanks between two encoded words (RFC 2047 6.2). */
static void
skip_between(struct span *s)
{
	struct span look = *s;
	struct word w;

	while (span_at(look, 0) == ' ' || span_at(look, 0) == '\t')
		look = span_skip(look, 1);
	if (look.n < s->n && parse(look, &w))
		*s = look;
}

static int
decode(struct span s, struct decoder *d)
{
	struct span none = { NULL, 0 };
	struct word w;

	while (s.n > 0) {
		size_t n;

		if (parse(s, &w)) {
			if (add(d, w.charset, &w, none) == -1)
				return -1;
			s = span_skip(s, w.n);
			skip_between(&s);
			continue;
		}
		n = plain_length(s);
		if (add(d, none, NULL, span_head(s, n)) == -1)
			return -1;
		s = span_skip(s, n);
	}
	return flush(d);
}

int
word_decode(struct span value, struct buf *out)
{
	struct buf text = buf_new(value.n);
	struct decoder d = { .bytes = buf_new(value.n + 4), .out = out };
	int r = header_unfold(value, &text);

	if (r == 0)
		r = decode(buf_span(&text), &d);
	buf_free(&text);
	buf_free(&d.bytes);
	return r;
}
