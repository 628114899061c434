/* The cache as its readers see it: where records are, and their bytes. */
#include "store/cache.h"

#include "store/cache_file.h"
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	NEAR = 8192,     /* bytes read where one record is asked for */
	WINDOW = 131072, /* and where the next ones will be, too */
	FIRST_SLOTS = 1024,
	UNIT = 8 /* records begin at multiples of it */
};

/* The id in two halves, so that no space is lost; at 0 is a free one. */
struct slot {
	uint32_t low, high, at;
};

static struct slot *
slots(const struct buf *table, size_t *n)
{
	*n = table->n / sizeof(struct slot);
	return (struct slot *)(void *)table->p;
}

/* The slot that holds the id, or the one that is free for it. */
static struct slot *
slot_of(const struct buf *table, uint64_t id)
{
	size_t n, i;
	struct slot *s = slots(table, &n);

	for (i = id & (n - 1);; i = (i + 1) & (n - 1))
		if (s[i].at == 0 || (s[i].low == (uint32_t)id &&
		        s[i].high == (uint32_t)(id >> 32)))
			return &s[i];
}

static void
make_room(struct cache *c)
{
	struct buf old = c->table;
	size_t n, k, size;
	struct slot *s = slots(&old, &n);

	if (c->used * 8 < n * 7)
		return;
	size = n == 0 ? FIRST_SLOTS : n * 2;
	c->table = buf_new(SIZE_MAX / 2);
	memset(buf_room(&c->table, size * sizeof *s), 0, size * sizeof *s);
	c->table.n = size * sizeof *s;
	for (k = 0; k < n; k++)
		if (s[k].at != 0)
			*slot_of(&c->table, (uint64_t)s[k].high << 32 |
			        s[k].low) = s[k];
	buf_free(&old);
}

static void
note(struct cache *c, uint64_t id, uint64_t at)
{
	struct slot *s;

	make_room(c);
	s = slot_of(&c->table, id);
	c->used += s->at == 0;
	*s = (struct slot){ (uint32_t)id, (uint32_t)(id >> 32),
		(uint32_t)(at / UNIT) };
}

uint64_t
cache_place(const struct cache *c, uint64_t id)
{
	return c->table.n > 0 ? (uint64_t)slot_of(&c->table, id)->at * UNIT : 0;
}

static void
read_window(struct cache *c, uint64_t at, size_t n)
{
	char *p;

	buf_reset(&c->window);
	c->window_at = at;
	p = buf_room(&c->window, n);
	while (c->window.n < n) {
		ssize_t r = pread(c->fd, p + c->window.n, n - c->window.n,
		    (off_t)(at + c->window.n));

		if (r == -1 && errno == EINTR)
			continue;
		if (r <= 0)
			return;
		c->window.n += (size_t)r;
	}
}

bool
cache_look(struct cache *c, uint64_t at, size_t n, struct span *out)
{
	uint64_t end = c->window_at + c->window.n;
	bool onwards = c->window.n > 0 && at >= c->window_at &&
	    at < end + NEAR;

	if (at < c->window_at || at + n > end)
		read_window(c, at, onwards ? WINDOW : n > NEAR ? n : NEAR);
	*out = span_skip(buf_span(&c->window), (size_t)(at - c->window_at));
	if (out->n < n)
		return false;
	*out = span_head(*out, n);
	return true;
}

void
cache_pass(struct cache *c, uint64_t size)
{
	struct span s;

	/* What was read of the end before may have been half written. */
	buf_reset(&c->window);
	if (c->end == 0) {
		if (size < CACHE_FILE_HEAD ||
		    !cache_look(c, 0, CACHE_FILE_HEAD, &s) ||
		    !cache_is_file_head(s))
			return;
		c->end = CACHE_FILE_HEAD;
	}
	while (size - c->end >= CACHE_HEAD &&
	    cache_look(c, c->end, CACHE_HEAD, &s)) {
		struct cache_key key;
		size_t n = cache_head(s, &key);

		if (n == 0 || n > size - c->end)
			break;
		note(c, key.id, c->end);
		c->end += n;
		c->records++;
	}
}

void
cache_forget(struct cache *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	buf_free(&c->table);
	buf_free(&c->window);
	c->used = 0;
	c->reading = false;
	c->inode = c->end = c->records = c->window_at = 0;
}

/* The open file, and how long it is: false where there is none. */
static bool
refresh(struct cache *c, uint64_t *size)
{
	struct stat st;

	if (c->dir == -1 ||
	    fstatat(c->dir, CACHE_NAME, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode)) {
		cache_forget(c);
		return false;
	}
	*size = (uint64_t)st.st_size;
	if (c->fd != -1 && c->inode == st.st_ino && *size >= c->end)
		return true;
	cache_forget(c);
	c->fd = cache_file_open(c->dir, false, &st);
	if (c->fd == -1)
		return false;
	c->inode = st.st_ino;
	*size = (uint64_t)st.st_size;
	return true;
}

void
cache_begin(struct cache *c, size_t n)
{
	uint64_t size = 0, cost;

	if (c->dir == -1 || c->closed)
		return;
	if (!refresh(c, &size)) {
		c->reading = true; /* there is nothing to read */
		return;
	}
	cost = n < CACHE_FILE / CACHE_COST ? n * (uint64_t)CACHE_COST
	                                   : CACHE_FILE;
	c->spared += cost;
	if (!c->reading && c->spared < size)
		return;
	c->reading = true;
	c->spared = 0;
	if (size > c->end)
		cache_pass(c, size);
}

bool
cache_get(struct cache *c, struct cache_key key, struct cache_record *out)
{
	uint64_t at = c->reading ? cache_place(c, key.id) : 0;
	struct cache_key found;
	struct span s;
	size_t n;

	*out = (struct cache_record){ 0 };
	if (at == 0 || c->fd == -1 || !cache_look(c, at, CACHE_HEAD, &s))
		return false;
	n = cache_head(s, &found);
	if (n == 0 || found.id != key.id || found.size != key.size ||
	    found.date != key.date || !cache_look(c, at, n, &s))
		return false;
	return cache_decode(s, out);
}

void
cache_none(struct cache *c)
{
	*c = (struct cache){ .dir = -1, .fd = -1,
		.table = buf_new(SIZE_MAX / 2),
		.window = buf_new(WINDOW + CACHE_RECORD),
		.pending = buf_new(CACHE_BATCH + CACHE_RECORD) };
}

void
cache_open_dir(struct cache *c, int dir)
{
	cache_none(c);
	c->dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
}

void
cache_open(struct cache *c, const struct mailbox *m)
{
	cache_open_dir(c, m->state->dir);
}

void
cache_rest(struct cache *c)
{
	cache_flush(c);
	cache_forget(c);
	buf_free(&c->pending);
}

void
cache_close(struct cache *c, const struct mailbox *m)
{
	if (c->dir == -1)
		return;
	cache_flush(c);
	if (m)
		cache_tidy(c, m);
	cache_rest(c);
	close(c->dir);
	cache_none(c);
}
