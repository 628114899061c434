/* Modified UTF-7 of mailbox names (RFC 3501 5.1.3). */
#include "text/utf7.h"

#include "text/utf8.h"

/* Base64 with "," in the place of "/", without padding. */
static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

struct shift {
	uint32_t bits;
	unsigned n; /* bits not yet written */
};

static void
add_unit(struct buf *out, struct shift *sh, uint32_t unit)
{
	sh->bits = sh->bits << 16 | unit;
	sh->n += 16;
	while (sh->n >= 6) {
		sh->n -= 6;
		buf_add_byte(out, digits[sh->bits >> sh->n & 63]);
	}
	sh->bits &= 63;
}

static void
add_shifted(struct buf *out, struct shift *sh, uint32_t c)
{
	if (c < 0x10000) {
		add_unit(out, sh, c);
		return;
	}
	c -= 0x10000;
	add_unit(out, sh, 0xd800 | c >> 10);
	add_unit(out, sh, 0xdc00 | (c & 0x3ff));
}

static void
end_shift(struct buf *out, struct shift *sh)
{
	if (sh->n > 0)
		buf_add_byte(out, digits[sh->bits << (6 - sh->n) & 63]);
	buf_add_byte(out, '-');
	*sh = (struct shift){ 0 };
}

bool
utf7_encode(struct span utf8, struct buf *out)
{
	struct shift sh = { 0 };
	bool shifted = false, valid = true;

	while (utf8.n > 0) {
		uint32_t c = utf8_take(&utf8, &valid);
		bool direct = c >= 0x20 && c <= 0x7e;

		if (!valid)
			return false;
		if (direct && shifted)
			end_shift(out, &sh);
		if (!direct && !shifted)
			buf_add_byte(out, '&');
		shifted = !direct;
		if (shifted)
			add_shifted(out, &sh, c);
		else if (c == '&')
			buf_add_str(out, "&-");
		else
			buf_add_byte(out, (char)c);
	}
	if (shifted)
		end_shift(out, &sh);
	return !out->full;
}

/* One UTF-16 unit; a high surrogate is kept until its low one comes. */
static bool
take_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	if (*high) {
		uint32_t c = 0x10000 + ((*high & 0x3ff) << 10) + (unit & 0x3ff);

		if (unit < 0xdc00 || unit > 0xdfff)
			return false;
		*high = 0;
		return utf8_add(out, c) == 0;
	}
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return false;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return true;
	}
	return utf8_add(out, unit) == 0;
}

/* What stands between "&" and "-". */
static bool
decode_shifted(struct span s, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++) {
		const char *d = memchr(digits, s.p[i], sizeof digits - 1);

		if (d == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(d - digits);
		n += 6;
		if (n < 16)
			continue;
		n -= 16;
		if (!take_unit(out, bits >> n & 0xffff, &high))
			return false;
		bits &= (1U << n) - 1;
	}
	return high == 0;
}

static bool
decode(struct span s, struct buf *out)
{
	while (s.n > 0) {
		size_t end = span_find(s, '&');

		buf_add(out, s.p, end);
		s = span_skip(s, end);
		if (s.n == 0)
			break;
		s = span_skip(s, 1);
		end = span_find(s, '-');
		if (end == s.n)
			return false;
		if (end == 0)
			buf_add_byte(out, '&');
		else if (!decode_shifted(span_head(s, end), out))
			return false;
		s = span_skip(s, end + 1);
	}
	return !out->full;
}

/*
 * The canonical form is what utf7_encode makes of the result: encoded
 * ASCII, superfluous shifts and leftover bits all show as a difference.
 */
bool
utf7_decode(struct span utf7, struct buf *out)
{
	size_t before = out->n;
	struct buf again = buf_new(utf7.n + 1);
	bool good = decode(utf7, out);

	if (good) {
		struct span got = span_skip(buf_span(out), before);

		good =
		    utf7_encode(got, &again) && span_eq(buf_span(&again), utf7);
	}
	buf_free(&again);
	if (!good)
		out->n = before;
	return good;
}
