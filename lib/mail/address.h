/* Address lists (RFC 5322 3.4), tolerant as real mail demands. */
#ifndef POSTERN_MAIL_ADDRESS_H
#define POSTERN_MAIL_ADDRESS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"

#include <stddef.h>

enum {
	ADDRESS_LIMIT = 10000 /* addresses read from one field */
};

/*
 * As IMAP's ENVELOPE wants it (RFC 3501 7.4.2): a group begins with an entry
 * whose host is absent and mailbox is the group's name, and ends with one
 * where both are absent.  Absent is .p == NULL.  What an address lacks
 * ("<>", "user") is present and empty.
 */
struct address {
	struct span name;    /* phrase or comment, unquoted, still encoded */
	struct span route;   /* "@a,@b" */
	struct span mailbox; /* local part, unquoted */
	struct span host;
};

/* The addresses of a field value, in the arena; *list is NULL if none.
 * Where the arena is too small the list is cut. */
size_t address_parse(struct span value, struct arena *a,
    struct address **list);

/* The same one by one: a reader starts as { value }. */
struct address_reader {
	struct span rest;
	bool in_group;
	bool must_end; /* the end of a group is due */
};

/* 1; 0 at the end; -1 with ENOBUFS.  The address lies in the arena and in
 * the value. */
int address_next(struct address_reader *r, struct arena *a,
    struct address *out);

/* Who a header says it is from, for a list of messages: the first address's
 * name, decoded, or its local part; empty if there is none.  0, or -1 where
 * out has no room (what fits is in it). */
int address_sender(struct span header, struct buf *out);

#endif
