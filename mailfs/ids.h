/* Instance ids to places: a hash table in a buffer. */
#ifndef POSTERN_MAILFS_IDS_H
#define POSTERN_MAILFS_IDS_H

#include "base/buf.h"

#include <stdint.h>

struct id {
	uint64_t id; /* with uid 0: free, or 0 */
	uint32_t folder, uid;
};

/* used counts the slots that are not empty.  0, or -1 with errno. */
int ids_put(struct buf *table, size_t *used, const struct id *what);
/* Takes the id out, if it is still in that folder. */
void ids_drop(struct buf *table, uint64_t id, uint32_t folder);
/* 1, or 0: not there. */
int ids_get(const struct buf *table, uint64_t id, struct id *out);

#endif
