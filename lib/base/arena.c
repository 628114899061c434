/* Memory that is freed all at once. */
#include "base/arena.h"

#include "base/err.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

enum {
	FIRST = 1024, /* most never need more */
	BLOCK = 16384
};

struct arena_block {
	struct arena_block *before;
	size_t used, size;
	alignas(max_align_t) char bytes[];
};

struct arena
arena_new(size_t cap)
{
	return (struct arena){ .cap = cap };
}

void
arena_reset(struct arena *a)
{
	while (a->last && a->last->before) {
		struct arena_block *before = a->last->before;

		free(a->last);
		a->last = before;
	}
	if (a->last)
		a->last->used = 0;
	a->used = 0;
}

void
arena_free(struct arena *a)
{
	arena_reset(a);
	free(a->last);
	a->last = NULL;
}

struct arena_mark
arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->last, a->last ? a->last->used : 0,
		a->used };
}

void
arena_release(struct arena *a, struct arena_mark mark)
{
	while (a->last != mark.last) {
		struct arena_block *before = a->last->before;

		free(a->last);
		a->last = before;
	}
	if (a->last)
		a->last->used = mark.block_used;
	a->used = mark.used;
}

static void
add_block(struct arena *a, size_t need)
{
	size_t least = a->last ? BLOCK : a->cap < FIRST ? a->cap : FIRST;
	size_t size = need > least ? need : least;
	struct arena_block *b = malloc(sizeof *b + size);

	if (b == NULL)
		err_nomem();
	b->before = a->last;
	b->used = 0;
	b->size = size;
	a->last = b;
}

void *
arena_alloc(struct arena *a, size_t count, size_t size)
{
	size_t align = alignof(max_align_t), n;
	char *p;

	if (__builtin_mul_overflow(count, size, &n) || n > a->cap ||
	    a->used > a->cap - n) {
		errno = ENOBUFS;
		return NULL;
	}
	n = (n + align - 1) / align * align;
	if (a->last == NULL || a->last->size - a->last->used < n)
		add_block(a, n);
	p = a->last->bytes + a->last->used;
	a->last->used += n;
	a->used += n;
	memset(p, 0, n);
	return p;
}

struct span
arena_copy(struct arena *a, struct span s)
{
	char *p = arena_alloc(a, s.n + 1, 1);

	if (p == NULL)
		return span_of(NULL, 0);
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return span_of(p, s.n);
}
