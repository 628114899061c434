/* Giving memory back. */
#include "base/rest.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	STACK = 262144, /* how far down it may have been */
	NEAR = 1024,    /* of it, for the calls below */
	HEAD = 2 * sizeof(size_t), /* of a block of malloc's */
	PROBE = 2048    /* bytes: none that malloc keeps by its size */
};

/* From p to where a page begins. */
static size_t
to_page(const char *p, size_t page)
{
	return (page - (uintptr_t)p % page) % page;
}

char *
rest_page(char *p)
{
	return p + to_page(p, REST_PAGE);
}

void
rest_forget(char *p, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t skip = to_page(p, page);

	if (n >= skip + page)
		(void)madvise(p + skip, (n - skip) / page * page,
		    MADV_DONTNEED);
}

#ifdef POSTERN_SANITIZE
static void
rest_stack(void)
{
}

static void
rest_heap(void)
{
}
#else
/* Where it never was, nothing is mapped, which is no matter. */
static void
rest_stack(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t from = here - STACK;
	char *p;

	memcpy(&p, &from, sizeof p);
	rest_forget(p, STACK - NEAR);
}

/*
 * The pages of what is free at the end of the heap.  It stays ours: where the
 * heap ends the C library notes on a page that is shared until then.  A block
 * that no other free one is large enough for comes from there, and shows
 * whether it lies where it is believed to.
 */
static bool
rest_end(void)
{
	struct mallinfo2 m = mallinfo2();
	size_t n = m.fordblks - m.keepcost + 1;
	char *end = sbrk(0), *p = malloc(n > PROBE ? n : PROBE);
	uintptr_t at = (uintptr_t)p - HEAD;

	free(p);
	if (p == NULL || at + m.keepcost != (uintptr_t)end)
		return false;
	rest_forget(end - m.keepcost + HEAD, m.keepcost - HEAD);
	return true;
}

static void
rest_heap(void)
{
	(void)malloc_trim(SIZE_MAX / 2);
	if (!rest_end())
		(void)malloc_trim(0);
}
#endif

void
rest(void)
{
	rest_heap();
	rest_stack();
}
