/*
 * Memory that is freed all at once: one arena per command or per parsed
 * message.
 *
 * An arena has a limit; past it arena_alloc returns NULL with ENOBUFS, so
 * that input cannot make a process grow without end.  Out of memory below
 * the limit ends the process.
 */
#ifndef POSTERN_BASE_ARENA_H
#define POSTERN_BASE_ARENA_H

#include "base/span.h"

struct arena_block;

struct arena {
	struct arena_block *last;
	size_t used; /* bytes handed out since the last reset */
	size_t cap;
};

struct arena arena_new(size_t cap);
/* Everything handed out becomes invalid; one block is kept for next time. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

/* What was handed out since the mark becomes invalid. */
struct arena_mark {
	struct arena_block *last;
	size_t block_used, used;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_release(struct arena *a, struct arena_mark mark);

/* Zeroed memory for count items of size bytes, aligned for any type. */
void *arena_alloc(struct arena *a, size_t count, size_t size);
/* A copy of s with a NUL behind it; .p is NULL (ENOBUFS) past the limit. */
struct span arena_copy(struct arena *a, struct span s);

#endif
