/*
 * The header of a message that streams by (LF line ends): how big it is,
 * which fields it has, and where it ends.
 */
#ifndef POSTERN_SMTP_HEADER_H
#define POSTERN_SMTP_HEADER_H

#include "base/span.h"

enum {
	HEADER_BYTES = 262144,
	HEADER_FIELDS = 1000,
	HEADER_HOPS = 100, /* Received fields, with ours */
	HEADER_NAME = 128  /* a longer word begins no field */
};

/* All zeros is the beginning of a message. */
struct header {
	enum { HEADER_AT_NAME, HEADER_IN_VALUE, HEADER_OVER } state;
	char name[HEADER_NAME]; /* held back until its colon is there */
	size_t n;
	size_t bytes, fields, hops;
	bool has_from, has_date, has_id;
	bool has_end; /* an empty line ended it */
};

/*
 * Takes bytes from *in and returns those that belong to the header; call it
 * until *in is empty or the state is HEADER_OVER.  Then the first name[n]
 * bytes and what is left of *in are the body; an empty line between the two
 * is taken, and given to neither.
 */
struct span header_take(struct header *h, struct span *in);

/* At the end of the text: what is still held back. */
struct span header_rest(const struct header *h);

/* The reply that refuses the header as far as it is known, or NULL. */
const char *header_wrong(const struct header *h);

#endif
