/* Decimal numbers in and out. */
#include "base/num.h"

bool
num_take(struct span *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		uint64_t digit = (uint64_t)(s->p[i] - '0');

		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, digit, &v) || v > max)
			return false;
	}
	if (i == 0)
		return false;
	*s = span_skip(*s, i);
	*out = v;
	return true;
}

bool
num_parse(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t v;

	if (!num_take(&s, max, &v) || s.n > 0)
		return false;
	*out = v;
	return true;
}

bool
num_parse_u32(struct span s, uint32_t max, uint32_t *out)
{
	uint64_t v;

	if (!num_parse(s, max, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

bool
num_parse_size(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t v, unit = 1;

	if (!num_take(&s, UINT64_MAX, &v) || s.n > 1)
		return false;
	if (s.n == 1) {
		if (s.p[0] == 'K')
			unit = 1024;
		else if (s.p[0] == 'M')
			unit = 1024 * 1024;
		else if (s.p[0] == 'G')
			unit = 1024 * 1024 * 1024;
		else
			return false;
	}
	if (__builtin_mul_overflow(v, unit, &v) || v > max)
		return false;
	*out = v;
	return true;
}

bool
num_parse_quota(struct span s, uint64_t *bytes, uint64_t *count)
{
	size_t comma = span_find(s, ',');
	uint64_t b, n = 0;

	if (!num_parse_size(span_head(s, comma), INT64_MAX, &b) ||
	    (comma < s.n &&
		!num_parse(span_skip(s, comma + 1), INT64_MAX, &n)))
		return false;
	*bytes = b;
	*count = n;
	return true;
}

size_t
num_text(uint64_t v, char out[NUM_TEXT])
{
	char digits[NUM_TEXT];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}
