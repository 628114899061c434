/* Memory that grows where it is. */
#include "store/space.h"

#include "base/rest.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	STEP = 262144,
	BIT = REST_PAGE, /* bytes that are ours or the file's together */
	/* Addresses for what is added; they cost nothing. */
	RESERVE = sizeof(void *) > 4 ? 268435456 : 4194304
};

static size_t
whole_pages(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

/* The file's bytes, where the file system cannot map them. */
static int
read_whole(struct space *s, int fd, size_t size)
{
	size_t at = 0;

	if (mprotect(s->p, whole_pages(size), PROT_READ | PROT_WRITE) == -1)
		return -1;
	while (at < size) {
		ssize_t n = pread(fd, s->p + at, size - at, (off_t)at);

		if (n == -1)
			return -1;
		if (n == 0) {
			errno = EBADMSG;
			return -1;
		}
		at += (size_t)n;
	}
	return 0;
}

static int
reserve(struct space *s, size_t n)
{
	void *p;

	if (n > SIZE_MAX / 2 - RESERVE) {
		errno = ENOMEM;
		return -1;
	}
	n = whole_pages(n + RESERVE);
	p = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	    -1, 0);
	if (p == MAP_FAILED)
		return -1;
	*s = (struct space){ .p = p, .reserved = n };
	return 0;
}

int
space_map(struct space *s, int fd, size_t size)
{
	if (reserve(s, size) == -1)
		return -1;
	s->usable = whole_pages(size);
	if (mmap(s->p, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
		0) != MAP_FAILED)
		s->file = s->usable;
	else if (read_whole(s, fd, size) == -1) {
		int error = errno;

		space_free(s);
		errno = error;
		return -1;
	}
	return 0;
}

static int
move(struct space *s, size_t n)
{
	struct space larger;

	if (reserve(&larger, n > SIZE_MAX / 4 ? SIZE_MAX / 2 : n * 2) == -1)
		return -1;
	if (space_need(&larger, n) == -1) {
		space_free(&larger);
		return -1;
	}
	if (s->usable > 0)
		memcpy(larger.p, s->p, s->usable);
	space_free(s);
	*s = larger;
	return 0;
}

int
space_need(struct space *s, size_t n)
{
	size_t more;

	if (n <= s->usable)
		return 0;
	if (n > s->reserved)
		return move(s, n);
	more = whole_pages(n - s->usable);
	more = more > STEP ? more : STEP;
	if (more > s->reserved - s->usable)
		more = s->reserved - s->usable;
	if (mprotect(s->p + s->usable, more, PROT_READ | PROT_WRITE) == -1)
		return -1;
	s->usable += more;
	return 0;
}

static void
make_own(struct space *s)
{
	size_t n = s->file / BIT / 8 + 1;

	s->own = buf_new(n);
	memset(buf_room(&s->own, n), 0, n);
	s->own.n = n;
}

static bool
is_own(const struct space *s, size_t bit)
{
	return s->own.p && ((unsigned char)s->own.p[bit / 8] >> bit % 8 & 1);
}

void *
space_edit(struct space *s, size_t at, size_t n)
{
	if (at < s->file && s->own.p == NULL)
		make_own(s);
	for (size_t i = at / BIT; i * BIT < at + n && i * BIT < s->file; i++)
		s->own.p[i / 8] = (char)((unsigned char)s->own.p[i / 8] |
		                         1U << i % 8);
	return s->p + at;
}

void
space_rest(struct space *s)
{
	size_t bits = s->file / BIT, from = 0;

	for (size_t i = 0; i <= bits; i++) {
		if (i < bits && !is_own(s, i))
			continue;
		rest_forget(s->p + from * BIT, (i - from) * BIT);
		from = i + 1;
	}
}

void
space_free(struct space *s)
{
	if (s->p)
		(void)munmap(s->p, s->reserved);
	buf_free(&s->own);
	*s = (struct space){ 0 };
}
