/* The messages that qsend knows of: by id, and by when they are due. */
#ifndef POSTERN_QUEUE_TABLE_H
#define POSTERN_QUEUE_TABLE_H

#include "base/buf.h"
#include "queue/queue.h"

#include <stdbool.h>
#include <stdint.h>

#define TABLE_NONE UINT32_MAX

/* One message, some 64 bytes: a queue of a million is no trouble. */
struct entry {
	char id[QUEUE_ID];
	bool used;
	bool waits;     /* for a busy destination, not for a time */
	int64_t due_ms; /* monotonic */
	uint32_t at;    /* place in the heap; TABLE_NONE: is being worked on */
	uint32_t next;  /* of its bucket, or of the free ones */
	uint32_t dest;  /* the destination that it waits for, */
	uint32_t born;  /* and which */
};

struct table {
	struct buf entries, heap, buckets;
	uint32_t n, free; /* n: all that are used */
	uint32_t nheap, nbuckets, nwaits;
};

struct table table_new(void);

/*
 * Adds a message, due at that time: its entry, which stays valid until
 * table_remove; TABLE_NONE when it was known already.
 */
uint32_t table_add(struct table *t, const char *id, int64_t due_ms);
uint32_t table_find(const struct table *t, const char *id);
void table_remove(struct table *t, uint32_t i);
/* Valid until the next table_add. */
struct entry *table_entry(const struct table *t, uint32_t i);

/* Puts it (back) in line. */
void table_schedule(struct table *t, uint32_t i, int64_t due_ms, bool waits);
/* Takes the first one out of the line if it is due by now. */
uint32_t table_take(struct table *t, int64_t now_ms);
/* When the first one is due: -1 if there is none. */
int64_t table_next(const struct table *t);

#endif
