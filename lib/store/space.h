/*
 * Memory that grows where it is: a range of addresses is set aside, and as
 * much of it as is needed can be used.  It may begin with a file, mapped
 * copy on write: what is never changed is shared by all processes that have
 * the file mapped, and is no memory of ours.
 *
 * The file must be one that is replaced and never cut off: bytes that are
 * missing end the process (SIGBUS).
 */
#ifndef POSTERN_STORE_SPACE_H
#define POSTERN_STORE_SPACE_H

#include "base/buf.h"

#include <stddef.h>

struct space {
	char *p;
	size_t reserved, usable;
	size_t file;    /* bytes at the front that are the file's, but for */
	struct buf own; /* a bit for each page of them: changed by us */
};

/* An empty space becomes one that begins with the file's size bytes: 0, or
 * -1 with errno. */
int space_map(struct space *s, int fd, size_t size);
/* At least n bytes can be used, those that were not there are zeros: 0, or
 * -1 with errno.  The space may lie elsewhere then. */
int space_need(struct space *s, size_t n);
/* For who writes to the n bytes at this place: where they are. */
void *space_edit(struct space *s, size_t at, size_t n);
/* The pages of the file that were not changed are not ours to keep, until
 * somebody reads them again. */
void space_rest(struct space *s);
void space_free(struct space *s);

#endif
