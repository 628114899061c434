/* Records of the cache as bytes: pure functions. */
#include "store/bytes.h"
#include "store/cache.h"
#include "store/sum.h"

enum {
	FORMAT = 1,
	PART = 8,   /* head of a part */
	TAIL = 8,   /* a record's length again, for who comes from behind */
	NAMES = 7   /* parts that are header fields */
};

static const char magic[8] = "PSTNCCH1";

/* A part's kind is its place here, from 1 on. */
static const unsigned char versions[CACHE_PARTS] = {
	[CACHE_ENVELOPE] = 2,
	[CACHE_BODY] = 2,
	[CACHE_BODYSTRUCTURE] = 2,
	[CACHE_FROM] = 1,
	[CACHE_TO] = 1,
	[CACHE_CC] = 1,
	[CACHE_SUBJECT] = 1,
	[CACHE_MESSAGE_ID] = 1,
	[CACHE_IN_REPLY_TO] = 1,
	[CACHE_REFERENCES] = 1,
	[CACHE_DATE] = 1,
	[CACHE_SENDER] = 1,
	[CACHE_TEXT] = 1,
};

void
cache_file_head(char out[CACHE_FILE_HEAD])
{
	memcpy(out, magic, sizeof magic);
	put32(out + 8, FORMAT);
	put32(out + 12, sum_crc(0, span_of(out, 12)));
}

bool
cache_is_file_head(struct span s)
{
	char want[CACHE_FILE_HEAD];

	cache_file_head(want);
	return s.n == sizeof want && memcmp(s.p, want, sizeof want) == 0;
}

static size_t
whole_length(const struct cache_record *r)
{
	size_t n = CACHE_HEAD + TAIL;

	for (size_t i = 0; i < CACHE_PARTS; i++)
		if (r->part[i].p)
			n += PART + r->part[i].n;
	return (n + 7) & ~(size_t)7;
}

static void
add_part(struct buf *out, size_t i, struct span bytes)
{
	char head[PART] = { (char)(i + 1), (char)versions[i] };

	put32(head + 4, (uint32_t)bytes.n);
	(void)buf_add(out, head, sizeof head); /* full is sticky */
	(void)buf_add_span(out, bytes);
}

static void
put_head(char *p, struct cache_key key, size_t n)
{
	put32(p, (uint32_t)n);
	put64(p + 8, key.id);
	put64(p + 16, key.size);
	put64(p + 24, (uint64_t)key.date);
	put32(p + 32, sum_crc(0, span_of(p + CACHE_HEAD, n - CACHE_HEAD)));
	put32(p + 36, 0);
	put32(p + 4, sum_crc(sum_crc(0, span_of(p, 4)),
	    span_of(p + 8, CACHE_HEAD - 8)));
}

bool
cache_encode(struct cache_key key, const struct cache_record *r,
    struct buf *out)
{
	static const char zeros[CACHE_HEAD];
	size_t n = whole_length(r), start = out->n;

	if (n > CACHE_RECORD || buf_room(out, n) == NULL)
		return false;
	(void)buf_add(out, zeros, CACHE_HEAD);
	for (size_t i = 0; i < CACHE_PARTS; i++)
		if (r->part[i].p)
			add_part(out, i, r->part[i]);
	(void)buf_add(out, zeros, n - (out->n - start));
	put32(out->p + out->n - 4, (uint32_t)n);
	put_head(out->p + start, key, n);
	return true;
}

size_t
cache_head(struct span s, struct cache_key *key)
{
	size_t n;

	if (s.n < CACHE_HEAD ||
	    get32(s.p + 4) != sum_crc(sum_crc(0, span_head(s, 4)),
	        span_of(s.p + 8, CACHE_HEAD - 8)))
		return 0;
	n = get32(s.p);
	if (n < CACHE_HEAD + TAIL || n > CACHE_RECORD || n % 8 != 0)
		return 0;
	*key = (struct cache_key){ get64(s.p + 8), get64(s.p + 16),
		(int64_t)get64(s.p + 24) };
	return n;
}

static bool
is_whole(struct span s)
{
	struct cache_key key;

	return s.n > 0 && cache_head(s, &key) == s.n &&
	    get32(s.p + 32) == sum_crc(0, span_skip(s, CACHE_HEAD)) &&
	    get32(s.p + s.n - 4) == s.n;
}

size_t
cache_last(struct span s)
{
	size_t n = s.n >= 4 ? get32(s.p + s.n - 4) : 0;

	return n <= s.n && is_whole(span_skip(s, s.n - n)) ? n : 0;
}

/* Parts of kinds or versions that are not ours are passed over. */
static void
take_part(struct span head, struct span bytes, struct cache_record *out)
{
	size_t i = (size_t)(unsigned char)head.p[0] - 1;

	if (i < CACHE_PARTS && (unsigned char)head.p[1] == versions[i])
		out->part[i] = bytes;
}

/* Zeros end the parts: no kind is 0. */
bool
cache_decode(struct span s, struct cache_record *out)
{
	*out = (struct cache_record){ 0 };
	if (!is_whole(s))
		return false;
	s = span_skip(span_head(s, s.n - TAIL), CACHE_HEAD);
	while (s.n >= PART && s.p[0] != 0) {
		struct span head = span_head(s, PART);
		size_t n = get32(s.p + 4);

		s = span_skip(s, PART);
		if (n > s.n)
			return false;
		take_part(head, span_head(s, n), out);
		s = span_skip(s, n);
	}
	return true;
}

bool
cache_date(const struct cache_record *r, bool *known, int64_t *seconds,
    int *zone)
{
	struct span s = r->part[CACHE_DATE];

	*known = s.p && (s.n == 0 || s.n == 12);
	if (!*known || s.n == 0)
		return false;
	*seconds = (int64_t)get64(s.p);
	*zone = (int32_t)get32(s.p + 8);
	return true;
}

bool
cache_number(const struct cache_record *r, enum cache_part part, uint32_t *n)
{
	struct span s = r->part[part];

	if (s.p == NULL || s.n != 4)
		return false;
	*n = get32(s.p);
	return true;
}

enum cache_part
cache_field(struct span name)
{
	static const struct span names[NAMES] = { SPAN("From"), SPAN("To"),
		SPAN("Cc"), SPAN("Subject"), SPAN("Message-ID"),
		SPAN("In-Reply-To"), SPAN("References") };

	for (size_t i = 0; i < NAMES; i++)
		if (span_eq_nocase(name, names[i]))
			return (enum cache_part)(CACHE_FROM + i);
	return CACHE_PARTS;
}
