/* Sequence sets (RFC 3501 9: sequence-set). */
#ifndef POSTERN_IMAP_SET_H
#define POSTERN_IMAP_SET_H

#include "parse.h"

enum {
	SET_STAR = 0 /* "*" until set_settle */
};

struct set_range {
	uint32_t lo, hi; /* both belong to it */
};

struct set {
	struct set_range *range; /* in the parser's arena */
	size_t n;
};

void set_parse(struct parse *p, struct set *out);

/* Gives "*" its value (0: there is nothing, and "*" alone names nothing),
 * then orders and joins the ranges. */
void set_settle(struct set *s, uint32_t star);

/* Whether a settled set holds v. */
bool set_has(const struct set *s, uint32_t v);

#endif
