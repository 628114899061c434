/*
 * A mailbox's own files, looked at without changing any: what a session
 * would find damaged, and what the index says.
 */
#ifndef POSTERN_STORE_INSPECT_H
#define POSTERN_STORE_INSPECT_H

#include "store/mailbox.h"

/* Something is wrong with a file of the mailbox's folder. */
typedef void inspect_found(void *ctx, const char *file, const char *what);

/*
 * The mailbox as index and journal say, for reading only: it must not be
 * synced or changed.  NULL: there is none, since they are damaged (that was
 * told), or were never made.  What is being written at this moment is no
 * damage: so it may take a moment.  *failed is set, with errno, where it cannot
 * be known.  Freed by inspect_close.
 */
struct mailbox *inspect_open(const struct account *a, struct span name,
    inspect_found *found, void *ctx, bool *failed);
void inspect_close(struct mailbox *m);

/* By the head of the journal alone; 0 where it cannot be known. */
uint32_t inspect_uidvalidity(const struct account *a, struct span name);

/* Would a session believe the view without reading the folder? */
bool inspect_is_current(const struct mailbox *m);

/* The cache in a mailbox's folder, all of it: 0, or -1 with errno. */
int inspect_cache(int dir, inspect_found *found, void *ctx);

#endif
