/* Base64. */
#include "text/base64.h"

#include <stdint.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "abcdefghijklmnopqrstuvwxyz0123456789+/";

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

static unsigned char
byte_at(struct span s, size_t i)
{
	return i < s.n ? (unsigned char)s.p[i] : 0;
}

int
base64_encode(struct span s, struct buf *out)
{
	char *to;
	size_t n;

	if (__builtin_mul_overflow(s.n / 3 + (s.n % 3 != 0), 4, &n))
		n = SIZE_MAX;
	if ((to = buf_room(out, n)) == NULL)
		return -1;
	for (size_t i = 0; i < s.n; i += 3) {
		uint32_t v = (uint32_t)byte_at(s, i) << 16 |
		    (uint32_t)byte_at(s, i + 1) << 8 | byte_at(s, i + 2);

		*to++ = letters[v >> 18];
		*to++ = letters[v >> 12 & 63];
		*to++ = letters[v >> 6 & 63];
		*to++ = letters[v & 63];
	}
	if (s.n % 3 > 0)
		to[-1] = '=';
	if (s.n % 3 == 1)
		to[-2] = '=';
	out->n += n;
	return 0;
}

/* Length of the padding of s, or -1 where s cannot be whole base64. */
static int
padding(struct span s)
{
	if (s.n % 4 != 0)
		return -1;
	if (s.n == 0 || s.p[s.n - 1] != '=')
		return 0;
	return s.p[s.n - 2] == '=' ? 2 : 1;
}

bool
base64_decode(struct span s, struct buf *out)
{
	int pad = padding(s);
	uint32_t bits = 0;
	size_t n, have = 0;
	char *to;

	if (pad == -1)
		return false;
	s.n -= (size_t)pad;
	n = s.n / 4 * 3 + (pad > 0 ? 3 - (size_t)pad : 0);
	if ((to = buf_room(out, n)) == NULL)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int v = value_of(s.p[i]);

		if (v == -1)
			return false;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			*to++ = (char)(bits >> have & 0xff);
		}
	}
	/* Bits left over must be zero: one spelling for each value. */
	if ((bits & ((1U << have) - 1)) != 0)
		return false;
	out->n += n;
	return true;
}

/*
 * A pad ends a quantum, not the text: bodies that were joined from pieces
 * go on behind it.
 */
int
base64_decode_body(struct span s, struct buf *out)
{
	uint32_t bits = 0;
	size_t have = 0;
	const char *start;
	char *to;

	if ((to = buf_room(out, s.n / 4 * 3 + 3)) == NULL)
		return -1;
	start = to;
	for (size_t i = 0; i < s.n; i++) {
		int v = value_of(s.p[i]);

		if (s.p[i] == '=')
			have = 0;
		if (v == -1)
			continue;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			*to++ = (char)(bits >> have & 0xff);
		}
	}
	out->n += (size_t)(to - start);
	return 0;
}

size_t
base64_body_length(struct span s)
{
	size_t have = 0, n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '=')
			have = 0;
		if (value_of(s.p[i]) == -1)
			continue;
		have += 6;
		if (have >= 8) {
			have -= 8;
			n++;
		}
	}
	return n;
}
