/* The fields in which mbox files keep flags: for mbox.c only. */
#ifndef POSTERN_MAIL_MBOX_FIELDS_H
#define POSTERN_MAIL_MBOX_FIELDS_H

#include "base/buf.h"

#include <stdint.h>

struct mbox_fields {
	unsigned flags;
	bool internal, unended; /* see mbox.h */
	bool counted;           /* there is a Content-Length */
	uint64_t length;
};

/* Takes the fields of a header out of it. */
void mbox_fields_take(
    struct buf *header, struct buf *keywords, struct mbox_fields *f);

/* The three that the writer begins a message with: their length; 0: they
 * are not there. */
size_t mbox_fields_own(
    struct span text, bool crlf, struct buf *keywords, struct mbox_fields *f);

#endif
