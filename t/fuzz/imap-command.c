/*
 * IMAP's command grammar: tags, literals, FETCH, SEARCH, flags, sequence
 * sets and LIST patterns, on any bytes.
 *
 * Properties: nothing is read outside the input; a settled set is ordered
 * and agrees with the ranges that it was made of; a pattern matches as a
 * slow and obvious matcher says.
 */
#include <stdint.h>
#include <stdlib.h>

#include "../../handlers/imap/fetch.h"
#include "../../handlers/imap/match.h"
#include "../../handlers/imap/parse.h"
#include "../../handlers/imap/search.h"
#include "../../handlers/imap/set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ARENA = 16 << 20,
	PATTERN = 40, /* as much as the slow matcher is given */
	NAME = 60
};

static bool
in_ranges(const struct set_range *r, size_t n, uint32_t v, uint32_t star)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t a = r[i].lo == SET_STAR ? star : r[i].lo;
		uint32_t b = r[i].hi == SET_STAR ? star : r[i].hi;

		if ((a <= v && v <= b) || (b <= v && v <= a))
			return true;
	}
	return false;
}

static void
check_set(struct span text, struct arena *a)
{
	struct parse p = parse_of(text, a);
	struct set set;
	struct set_range *before;
	size_t n;

	set_parse(&p, &set);
	if (p.error)
		return;
	n = set.n;
	before = arena_alloc(a, n, sizeof *before);
	if (before == NULL)
		return;
	memcpy(before, set.range, n * sizeof *before);
	set_settle(&set, 7);
	for (size_t i = 0; i + 1 < set.n; i++)
		if (set.range[i].hi >= set.range[i + 1].lo)
			abort();
	for (uint32_t v = 1; v < 64; v++)
		if (set_has(&set, v) != in_ranges(before, n, v, 7))
			abort();
}

/* Positions of the name that the pattern so far can end at. */
static bool
matches_slowly(struct span pattern, struct span name)
{
	bool at[NAME + 1] = { true };

	for (size_t i = 0; i < pattern.n; i++) {
		char c = pattern.p[i];

		for (size_t j = 0; c == '*' && j < name.n; j++)
			at[j + 1] |= at[j];
		for (size_t j = 0; c == '%' && j < name.n; j++)
			at[j + 1] |= at[j] && name.p[j] != '/';
		if (c == '*' || c == '%')
			continue;
		for (size_t j = name.n; j > 0; j--)
			at[j] = at[j - 1] && name.p[j - 1] == c;
		at[0] = false;
	}
	return at[name.n];
}

/* Few different bytes, so that much matches. */
static void
check_pattern(struct span text)
{
	static const char patterns[] = "*%/ab*%a", names[] = "aab/abab";
	char pattern[PATTERN], name[NAME];
	size_t n = text.n / 2 < PATTERN ? text.n / 2 : PATTERN;
	size_t m = text.n - n < NAME ? text.n - n : NAME;

	for (size_t i = 0; i < n; i++)
		pattern[i] = patterns[(unsigned char)text.p[i] & 7];
	for (size_t i = 0; i < m; i++)
		name[i] = names[(unsigned char)text.p[n + i] & 7];
	if (match_name(span_of(pattern, n), span_of(name, m)) !=
	    matches_slowly(span_of(pattern, n), span_of(name, m)))
		abort();
}

static void
check_commands(struct span text, struct arena *a)
{
	struct parse p = parse_of(text, a);
	struct parse_flags flags;
	struct fetch fetch;
	enum search_charset charset;
	struct buf label = buf_new(1 << 20);
	uint64_t n;

	fetch_parse(&p, &fetch);
	for (size_t i = 0; parse_end(&p) && i < fetch.n; i++)
		fetch_label(&fetch.item[i], &label);
	buf_free(&label);
	p = parse_of(text, a);
	if (search_parse(&p, &charset) == NULL && p.error == NULL)
		abort();
	p = parse_of(text, a);
	parse_flag_list(&p, true, &flags);
	p = parse_of(text, a);
	parse_tag(&p);
	parse_space(&p);
	parse_astring(&p);
	parse_space(&p);
	parse_pattern(&p);
	parse_space(&p);
	parse_nstring(&p);
	(void)parse_literal(text, &n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct arena a = arena_new(ARENA);

	check_commands(text, &a);
	check_set(text, &a);
	check_pattern(text);
	arena_free(&a);
	return 0;
}
