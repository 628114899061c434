/* Address lists (RFC 5322 3.4), tolerant as real mail demands. */
#ifndef POSTERN_MAIL_ADDRESS_H
#define POSTERN_MAIL_ADDRESS_H

#include "base/arena.h"
#include "base/span.h"

#include <stddef.h>

enum {
	ADDRESS_LIMIT = 10000 /* addresses read from one field */
};

/*
 * As IMAP's ENVELOPE wants it (RFC 3501 7.4.2): a group begins with an entry
 * whose host is absent and mailbox is the group's name, and ends with one
 * where both are absent.  Absent is .p == NULL.
 */
struct address {
	struct span name;    /* phrase, unquoted, still encoded */
	struct span route;
	struct span mailbox;
	struct span host;
};

/* The addresses of a field value, in the arena; *list is NULL if none. */
size_t address_parse(struct span value, struct arena *a,
    struct address **list);

#endif
