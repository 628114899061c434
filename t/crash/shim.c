/*
 * Preloaded under a program: makes the n-th call of one function fail, or
 * do half of what it should.
 *
 * FAULT=NAME:N:ERRNO   ERRNO in decimal; 0: half of a read or write
 * FAULT=NAME:/N:ERRNO  every n-th call fails
 * FAULT_COUNT=FILE     the functions called are appended, a line each
 * CLOCK_AHEAD=SECONDS  what the wall clock is told to be
 * NETWORK=1            all file systems are NFS
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

static int calls, inside;

static void
note(const char *name)
{
	static ssize_t (*raw)(int, const void *, size_t);
	const char *file = getenv("FAULT_COUNT");
	static int fd = -1;

	if (file == NULL)
		return;
	inside = 1;
	if (raw == NULL)
		raw = (ssize_t (*)(int, const void *, size_t))dlsym(
		    RTLD_NEXT, "write");
	/* Before the jail: the first call comes long before it. */
	if (fd == -1)
		fd = fcntl(open(file, O_WRONLY | O_APPEND | O_CREAT, 0600),
		    F_DUPFD_CLOEXEC, 900);
	if (raw(fd, name, strlen(name)) > 0)
		raw(fd, "\n", 1);
	inside = 0;
}

/* 0: go on; 1: it fails, errno is set; 2: only half of it. */
static int
fault(const char *name)
{
	const char *f = getenv("FAULT");
	size_t n = strlen(name);

	if (inside)
		return 0;
	note(name);
	if (f == NULL || strncmp(f, name, n) != 0 || f[n] != ':')
		return 0;
	calls++;
	if (f[n + 1] == '/' ? calls % atoi(f + n + 2) != 0
			    : calls != atoi(f + n + 1))
		return 0;
	errno = atoi(strchr(f + n + 1, ':') + 1);
	return errno ? 1 : 2;
}

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

#define WRAP(ret, name, params, args)                                   \
	ret name params;                                                \
	ret name params                                                 \
	{                                                               \
		if (fault(#name) == 1)                                  \
			return -1;                                      \
		return REAL(ret(*) params, #name) args;                 \
	}

#define HALVED(ret, name, params, args, size)                           \
	ret name params;                                                \
	ret name params                                                 \
	{                                                               \
		int f = fault(#name);                                   \
		if (f == 1)                                             \
			return -1;                                      \
		if (f == 2 && size > 1)                                 \
			size /= 2;                                      \
		return REAL(ret(*) params, #name) args;                 \
	}

int
openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list a;

	va_start(a, flags);
	if (flags & O_CREAT)
		mode = va_arg(a, mode_t);
	va_end(a);
	if (fault("openat") == 1)
		return -1;
	return REAL(int (*)(int, const char *, int, ...), "openat")(
	    dir, path, flags, mode);
}

/* open and openat count as one. */
int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list a;

	va_start(a, flags);
	if (flags & O_CREAT)
		mode = va_arg(a, mode_t);
	va_end(a);
	return openat(AT_FDCWD, path, flags, mode);
}

WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, close, (int fd), (fd))
WRAP(int, renameat2, (int a, const char *b, int c, const char *d,
    unsigned e), (a, b, c, d, e))
WRAP(int, unlinkat, (int a, const char *b, int c), (a, b, c))
WRAP(int, mkdirat, (int a, const char *b, mode_t c), (a, b, c))
WRAP(int, fchmod, (int a, mode_t b), (a, b))
WRAP(int, fstat, (int a, struct stat *b), (a, b))
WRAP(int, stat, (const char *a, struct stat *b), (a, b))
WRAP(int, fstatat, (int a, const char *b, struct stat *c, int d),
    (a, b, c, d))
WRAP(int, futimens, (int a, const struct timespec b[2]), (a, b))
WRAP(off_t, lseek, (int a, off_t b, int c), (a, b, c))
WRAP(ssize_t, getrandom, (void *a, size_t b, unsigned c), (a, b, c))
HALVED(ssize_t, read, (int a, void *b, size_t n), (a, b, n), n)
HALVED(ssize_t, write, (int a, const void *b, size_t n), (a, b, n), n)
HALVED(ssize_t, pread, (int a, void *b, size_t n, off_t o), (a, b, n, o), n)
HALVED(ssize_t, pwrite, (int a, const void *b, size_t n, off_t o),
    (a, b, n, o), n)
WRAP(int, renameat, (int a, const char *b, int c, const char *d),
    (a, b, c, d))
WRAP(int, linkat, (int a, const char *b, int c, const char *d, int e),
    (a, b, c, d, e))
WRAP(int, ftruncate, (int a, off_t b), (a, b))
WRAP(int, fallocate, (int a, int b, off_t c, off_t d), (a, b, c, d))

int
clock_gettime(clockid_t id, struct timespec *t)
{
	const char *ahead = getenv("CLOCK_AHEAD");
	int r = REAL(int (*)(clockid_t, struct timespec *), "clock_gettime")(
	    id, t);

	if (id == CLOCK_REALTIME && ahead)
		t->tv_sec += atol(ahead);
	return r;
}

int
fstatfs(int fd, struct statfs *st)
{
	int r = REAL(int (*)(int, struct statfs *), "fstatfs")(fd, st);

	if (getenv("NETWORK"))
		st->f_type = 0x6969;
	return r;
}
