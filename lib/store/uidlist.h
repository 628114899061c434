/*
 * The lists in which Dovecot and Courier keep which file has which UID:
 * dovecot-uidlist (versions 1 and 3) and courierimapuiddb.
 *
 * Lists are read as far as they make sense: a line that does not is passed
 * over, and so are all lines with a UID that stands there twice.
 */
#ifndef POSTERN_STORE_UIDLIST_H
#define POSTERN_STORE_UIDLIST_H

#include "base/buf.h"
#include "base/span.h"

enum {
	UIDLIST_SIZE = 1 << 28, /* bytes of a list */
	UIDLIST_TORN = 1000     /* UIDs passed over where its end is missing */
};

struct uidlist {
	uint32_t uidvalidity, uidnext; /* uidnext is above all UIDs */
	size_t bad;                    /* lines that were passed over */
	bool torn;                     /* the last line has no end */
	struct buf entries;
};

/* False where the head makes no sense.  Freed by uidlist_free in any case;
 * text is not kept. */
bool uidlist_parse(struct span text, struct uidlist *l);
void uidlist_free(struct uidlist *l);

/* The UID of the file with this base; 0: it is not in the list. */
uint32_t uidlist_find(const struct uidlist *l, struct span base);
size_t uidlist_count(const struct uidlist *l);

#endif
