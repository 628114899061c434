/* The cache as its writers see it: appended to, cut, written anew. */
#include "store/cache_file.h"
#include "store/lock.h"
#include "base/durable.h"
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int
cache_file_open(int dir, bool create, struct stat *st)
{
	static const int how = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = openat(dir, CACHE_NAME, O_RDWR | how | (create ? O_CREAT : 0),
	    0600);

	if (fd == -1 && !create && (errno == EACCES || errno == EROFS))
		fd = openat(dir, CACHE_NAME, O_RDONLY | how);
	if (fd == -1)
		return -1;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	close(fd);
	return -1;
}

/* Does the name still belong to the file that was locked? */
static bool
is_current(const struct cache *c, struct stat *st)
{
	return fstatat(c->dir, CACHE_NAME, st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st->st_mode) && st->st_ino == c->inode;
}

/* 1: locked, *size is the file's; 0: it is another one now; -1. */
static int
try_lock(struct cache *c, bool create, uint64_t *size)
{
	struct stat st;

	if (c->fd == -1) {
		c->fd = cache_file_open(c->dir, create, &st);
		if (c->fd == -1)
			return -1;
		c->inode = st.st_ino;
	}
	if (lock_take(c->fd, CACHE_WAIT_MS) == -1)
		return -1;
	*size = 0;
	if (!is_current(c, &st)) {
		bool reading = c->reading;

		cache_forget(c); /* and with it the lock */
		c->reading = reading;
		return 0;
	}
	*size = (uint64_t)st.st_size;
	return 1;
}

static bool
lock(struct cache *c, bool create, uint64_t *size)
{
	int r = try_lock(c, create, size);

	return r == 1 || (r == 0 && try_lock(c, create, size) == 1);
}

/* Is the last record good?  Then so, as far as can be told without reading
 * all, are those before it. */
static bool
ends_well(struct cache *c, uint64_t size)
{
	size_t n = size < CACHE_TAIL ? (size_t)size : CACHE_TAIL;
	struct span s;
	bool good;

	if (size == 0)
		return true;
	if (size < CACHE_FILE_HEAD || size % 8 != 0)
		return false;
	buf_reset(&c->window);
	good = cache_look(c, 0, CACHE_FILE_HEAD, &s) && cache_is_file_head(s);
	if (!good || size == CACHE_FILE_HEAD)
		return good;
	if (!cache_look(c, size - n, n, &s))
		return false;
	if (cache_last(s) > 0)
		return true;
	n = size < CACHE_RECORD ? (size_t)size : CACHE_RECORD;
	return cache_look(c, size - n, n, &s) && cache_last(s) > 0;
}

/* Under the lock: the end of what is good; the rest is cut off. */
static bool
find_end(struct cache *c, uint64_t *size)
{
	if (!c->reading && ends_well(c, *size))
		return true;
	if (*size < c->end) {
		c->used = 0;
		buf_free(&c->table);
		c->end = c->records = 0;
	}
	cache_pass(c, *size);
	if (c->end == *size)
		return true;
	*size = c->end;
	return ftruncate(c->fd, (off_t)c->end) == 0;
}

/* One write: 0, or -1 and nothing of it is there. */
static int
append(struct cache *c, uint64_t size, struct span bytes)
{
	ssize_t n;

	do
		n = pwrite(c->fd, bytes.p, bytes.n, (off_t)size);
	while (n == -1 && errno == EINTR);
	if (n == (ssize_t)bytes.n)
		return 0;
	if (n > 0 && ftruncate(c->fd, (off_t)size) == -1)
		return -1; /* the next one does it */
	return -1;
}

static void
write_pending(struct cache *c, uint64_t size)
{
	struct buf first = buf_new(CACHE_FILE_HEAD + c->pending.cap);
	struct span bytes = buf_span(&c->pending);

	if (size == 0) {
		char head[CACHE_FILE_HEAD];

		cache_file_head(head);
		(void)buf_add(&first, head, sizeof head); /* it has room */
		(void)buf_add_span(&first, bytes);
		bytes = buf_span(&first);
	}
	if (size > CACHE_FILE - bytes.n || append(c, size, bytes) == -1)
		c->closed = true;
	else if (c->reading)
		cache_pass(c, size + bytes.n);
	buf_free(&first);
}

void
cache_flush(struct cache *c)
{
	uint64_t size;

	if (c->pending.n == 0)
		return;
	if (c->dir != -1 && !c->closed && lock(c, true, &size)) {
		if (find_end(c, &size))
			write_pending(c, size);
		if (c->fd != -1)
			lock_drop(c->fd);
	}
	buf_reset(&c->pending);
}

void
cache_add(struct cache *c, struct cache_key key, const struct cache_record *r)
{
	if (c->dir == -1 || c->closed)
		return;
	if (!cache_encode(key, r, &c->pending))
		return;
	if (c->pending.n >= CACHE_BATCH)
		cache_flush(c);
}

void
cache_put(struct cache *c, struct cache_key key, const struct cache_record *r)
{
	if (c->reading)
		cache_add(c, key, r);
}

/* Records that are the present ones of messages, in their order. */
static uint64_t
count_live(const struct cache *c, const struct mailbox *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += !m->msgs[i].gone && cache_place(c, m->msgs[i].id) != 0;
	return n;
}

static int
write_out(int fd, struct buf *out)
{
	size_t done = 0;

	while (done < out->n) {
		ssize_t n = write(fd, out->p + done, out->n - done);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	buf_reset(out);
	return 0;
}

/* The bytes of a message's record as they are: 0, or -1. */
static int
carry(struct cache *c, struct cache_key key, int fd, struct buf *out)
{
	struct cache_record r;

	if (!cache_get(c, key, &r))
		return 0;
	if (!cache_encode(key, &r, out)) /* it has room */
		return -1;
	return out->n < CACHE_BATCH ? 0 : write_out(fd, out);
}

static int
write_live(struct cache *c, const struct mailbox *m, int fd)
{
	struct buf out = buf_new(CACHE_BATCH + CACHE_RECORD);
	char head[CACHE_FILE_HEAD];
	int r = 0;

	cache_file_head(head);
	(void)buf_add(&out, head, sizeof head);
	for (size_t i = 0; i < m->n && r == 0; i++)
		if (!m->msgs[i].gone)
			r = carry(c, cache_key(&m->msgs[i]), fd, &out);
	if (r == 0)
		r = write_out(fd, &out);
	buf_free(&out);
	return r;
}

/* Under the lock of the old one.  Who holds the old one open reads on. */
static void
renew(struct cache *c, const struct mailbox *m)
{
	int fd = openat(c->dir, CACHE_NEW,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd == -1)
		return;
	r = write_live(c, m, fd);
	if (close(fd) == -1 || r == -1 ||
	    durable_rename(c->dir, CACHE_NEW, c->dir, CACHE_NAME) == -1)
		(void)unlinkat(c->dir, CACHE_NEW, 0);
}

void
cache_tidy(struct cache *c, const struct mailbox *m)
{
	uint64_t size;

	/* What is vague may have a record that is not found yet. */
	if (m->state->vague || !c->reading || c->closed || c->fd == -1 ||
	    c->records <= CACHE_SPARE + 2 * count_live(c, m))
		return;
	if (!lock(c, false, &size))
		return;
	if (find_end(c, &size) &&
	    c->records > CACHE_SPARE + 2 * count_live(c, m))
		renew(c, m);
	cache_forget(c);
}

void
cache_trim(const struct mailbox *m)
{
	struct cache c;
	int error = errno;

	cache_open(&c, m);
	cache_begin(&c, SIZE_MAX);
	cache_close(&c, m);
	errno = error;
}
