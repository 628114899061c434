/* UTF-8, character by character. */
#include "text/utf8.h"

/* How many bytes follow, and the least character that needs them all. */
static size_t
tail_length(unsigned char first, uint32_t *c, uint32_t *least)
{
	if (first >= 0xc2 && first <= 0xdf) {
		*c = first & 0x1f;
		*least = 0x80;
		return 1;
	}
	if (first >= 0xe0 && first <= 0xef) {
		*c = first & 0x0f;
		*least = 0x800;
		return 2;
	}
	if (first >= 0xf0 && first <= 0xf4) {
		*c = first & 0x07;
		*least = 0x10000;
		return 3;
	}
	return 0;
}

uint32_t
utf8_take(struct span *s, bool *valid)
{
	unsigned char first = (unsigned char)s->p[0];
	uint32_t c = 0, least = 0;
	size_t n, i;

	*valid = true;
	if (first < 0x80) {
		*s = span_skip(*s, 1);
		return first;
	}
	n = tail_length(first, &c, &least);
	for (i = 1; i <= n; i++) {
		int b = span_at(*s, i);

		if (b < 0x80 || b > 0xbf)
			break;
		c = c << 6 | (uint32_t)(b & 0x3f);
	}
	if (n > 0 && i > n && c >= least && c <= 0x10ffff &&
	    (c < 0xd800 || c > 0xdfff)) {
		*s = span_skip(*s, n + 1);
		return c;
	}
	*s = span_skip(*s, 1);
	*valid = false;
	return UTF8_BAD;
}

bool
utf8_valid(struct span s)
{
	bool valid = true;

	while (s.n > 0 && valid)
		(void)utf8_take(&s, &valid);
	return valid;
}

int
utf8_add(struct buf *b, uint32_t c)
{
	char t[4];

	if (c < 0x80)
		return buf_add_byte(b, (char)c);
	if (c < 0x800) {
		t[0] = (char)(0xc0 | c >> 6);
		t[1] = (char)(0x80 | (c & 0x3f));
		return buf_add(b, t, 2);
	}
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = UTF8_BAD;
	if (c < 0x10000) {
		t[0] = (char)(0xe0 | c >> 12);
		t[1] = (char)(0x80 | (c >> 6 & 0x3f));
		t[2] = (char)(0x80 | (c & 0x3f));
		return buf_add(b, t, 3);
	}
	t[0] = (char)(0xf0 | c >> 18);
	t[1] = (char)(0x80 | (c >> 12 & 0x3f));
	t[2] = (char)(0x80 | (c >> 6 & 0x3f));
	t[3] = (char)(0x80 | (c & 0x3f));
	return buf_add(b, t, 4);
}

bool
utf8_is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/*
 * Class Cf of Unicode 15, the separators U+2028 and U+2029, the invisible
 * fillers, and the whole block of tags, assigned or not.
 */
static const struct {
	uint32_t first, last;
} formats[] = {
	{ 0xad, 0xad },
	{ 0x34f, 0x34f },
	{ 0x600, 0x605 },
	{ 0x61c, 0x61c },
	{ 0x6dd, 0x6dd },
	{ 0x70f, 0x70f },
	{ 0x890, 0x891 },
	{ 0x8e2, 0x8e2 },
	{ 0x115f, 0x1160 },
	{ 0x17b4, 0x17b5 },
	{ 0x180e, 0x180e },
	{ 0x200b, 0x200f },
	{ 0x2028, 0x202e },
	{ 0x2060, 0x206f },
	{ 0x3164, 0x3164 },
	{ 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 },
	{ 0xfff0, 0xfffb },
	{ 0x110bd, 0x110bd },
	{ 0x110cd, 0x110cd },
	{ 0x13430, 0x1343f },
	{ 0x1bca0, 0x1bca3 },
	{ 0x1d173, 0x1d17a },
	{ 0xe0000, 0xe00ff },
	{ 0xe01f0, 0xe0fff },
};

bool
utf8_is_format(uint32_t c)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (c >= formats[i].first && c <= formats[i].last)
			return true;
	return false;
}
