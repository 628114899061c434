/*
 * A stretch of bytes that somebody else owns: a pointer and a length.
 *
 * All input travels in spans.  A NUL byte has no meaning in one, and nothing
 * here allocates or keeps a pointer.  Case-insensitive functions fold ASCII
 * only, as the protocols do.
 */
#ifndef POSTERN_BASE_SPAN_H
#define POSTERN_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

/* The span of a string literal, usable in static tables. */
#define SPAN(lit) { (lit), sizeof(lit) - 1 }

static inline struct span
span_of(const char *p, size_t n)
{
	return (struct span){ p, n };
}

/* The span of a C string; NULL gives the empty span. */
static inline struct span
span_str(const char *s)
{
	return (struct span){ s, s ? strlen(s) : 0 };
}

/* The byte at i as 0..255, or -1 past the end. */
static inline int
span_at(struct span s, size_t i)
{
	return i < s.n ? (unsigned char)s.p[i] : -1;
}

/* All but the first n bytes (nothing if there are not so many). */
static inline struct span
span_skip(struct span s, size_t n)
{
	n = n < s.n ? n : s.n;
	return (struct span){ s.n ? s.p + n : s.p, s.n - n };
}

/* The first n bytes, or all if there are not so many. */
static inline struct span
span_head(struct span s, size_t n)
{
	return (struct span){ s.p, n < s.n ? n : s.n };
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool span_eq_nocase(struct span a, struct span b);

/* Against a C string: exactly, and without regard to ASCII case. */
static inline bool
span_is(struct span s, const char *str)
{
	return span_eq(s, span_str(str));
}
static inline bool
span_is_nocase(struct span s, const char *str)
{
	struct span want = span_str(str);

	return s.n == want.n && span_eq_nocase(s, want);
}
/* The same for both of two that are equal so.  Not seeded: whoever chooses the
 * spans chooses which of them meet. */
uint64_t span_hash_nocase(struct span s);
bool span_starts_nocase(struct span s, const char *prefix);
bool span_ends(struct span s, const char *suffix);

static inline bool
span_starts(struct span s, const char *prefix)
{
	struct span want = span_str(prefix);

	return s.n >= want.n && span_eq(span_head(s, want.n), want);
}

/* Position of the first byte c, or s.n where there is none. */
static inline size_t
span_find(struct span s, char c)
{
	const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

	return hit ? (size_t)(hit - s.p) : s.n;
}

/* Position of the last byte c, or s.n where there is none. */
size_t span_rfind(struct span s, char c);

/*
 * Takes the bytes before the first c from *s and c itself, and returns
 * them.  Without a c the whole is taken.
 */
static inline struct span
span_take(struct span *s, char c)
{
	size_t at = span_find(*s, c);
	struct span head = span_head(*s, at);

	*s = span_skip(*s, at < s->n ? at + 1 : at);
	return head;
}

/* Without blanks (space, tab, CR, LF) at both ends. */
struct span span_trim(struct span s);

/*
 * Copies s and a NUL into out[size].  0, or -1 with errno EMSGSIZE when it
 * does not fit or EINVAL when s holds a NUL; out is then the empty string.
 */
int span_copy(struct span s, char *out, size_t size);

#endif
