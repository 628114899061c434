/* Stretches of bytes. */
#include "base/span.h"

#include <errno.h>
#include <strings.h>

static int
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

bool
span_eq_nocase(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

uint64_t
span_hash_nocase(struct span s)
{
	uint64_t h = 1469598103934665603u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)lower(s.p[i])) * 1099511628211u;
	return h ^ h >> 32;
}

bool
span_starts_nocase(struct span s, const char *prefix)
{
	struct span want = span_str(prefix);

	return s.n >= want.n && span_eq_nocase(span_head(s, want.n), want);
}

bool
span_ends(struct span s, const char *suffix)
{
	struct span want = span_str(suffix);

	return s.n >= want.n && span_eq(span_skip(s, s.n - want.n), want);
}

size_t
span_rfind(struct span s, char c)
{
	const char *hit = s.n ? memrchr(s.p, c, s.n) : NULL;

	return hit ? (size_t)(hit - s.p) : s.n;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_skip(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

int
span_copy(struct span s, char *out, size_t size)
{
	bool fits = s.n < size;

	if (size > 0)
		out[0] = '\0';
	if (!fits || span_find(s, '\0') < s.n) {
		errno = fits ? EINVAL : EMSGSIZE;
		return -1;
	}
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}
