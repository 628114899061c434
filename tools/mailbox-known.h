/* Which messages a mailbox has already: how often each, by Message-ID (or,
 * without one, the header) and size. */
#ifndef POSTERN_TOOLS_MAILBOX_KNOWN_H
#define POSTERN_TOOLS_MAILBOX_KNOWN_H

#include "base/buf.h"
#include "mailbox.h"

enum {
	KNOWN_HEADER = 65536 /* bytes of a message that are looked at */
};

struct known {
	struct buf table;
	size_t used;
};

/* Reads the headers of the whole mailbox: 0, or -1 with errno. */
int known_read(struct known *k, struct mailbox_tool *t, const char *name);
void known_free(struct known *k);

/* A message by its beginning and its size as stored: is there one like it?
 * Each answers for one. */
bool known_take(struct known *k, struct span head, uint64_t size);

#endif
