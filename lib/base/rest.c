/* Giving memory back. */
#include "base/rest.h"

#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	STACK = 262144, /* how far down it may have been */
	NEAR = 1024     /* of it, for the calls below */
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
#endif

void
rest(void)
{
	(void)malloc_trim(0);
	rest_stack();
}
