/* Reading the compiled databases (https://cr.yp.to/cdb/cdb.txt). */
#include "auth/cdbfile.h"

#include "base/buf.h"

#include <cdb.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PAIR = 8,          /* two numbers: what all of the file is made of */
	TABLES = 256,
	HEAD = TABLES * PAIR,
	SLOTS = 512        /* read at a time */
};

struct pair {
	uint32_t a, b;
};

static bool
read_at(int fd, void *to, size_t n, uint64_t at)
{
	char *p = to;

	while (n > 0) {
		ssize_t r = pread(fd, p, n, (off_t)at);

		if (r == -1 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		p += r;
		n -= (size_t)r;
		at += (uint64_t)r;
	}
	return true;
}

static struct pair
unpack(const unsigned char p[PAIR])
{
	return (struct pair){ cdb_unpack(p), cdb_unpack(p + PAIR / 2) };
}

static bool
read_pair(int fd, uint64_t at, struct pair *out)
{
	unsigned char bytes[PAIR];

	if (!read_at(fd, bytes, sizeof bytes, at))
		return false;
	*out = unpack(bytes);
	return true;
}

/* Whether the record at a place has a key with this hash. */
static bool
has_hash(int fd, uint32_t at, uint32_t hash)
{
	struct buf key = buf_new(CDBFILE_KEY);
	struct pair lengths;
	char *room = NULL;
	bool r;

	if (read_pair(fd, at, &lengths))
		room = buf_room(&key, lengths.a);
	r = room && read_at(fd, room, lengths.a, (uint64_t)at + PAIR) &&
	    cdb_hash(room, lengths.a) == hash;
	buf_free(&key);
	return r;
}

/* A table, as it is while its slots are looked at. */
struct table {
	int fd;
	uint32_t hash; /* of the key that was not found */
	uint64_t size; /* of the file */
	uint32_t used;
};

/* Every slot is empty, or names a record that may belong there. */
static bool
is_slot(struct table *t, struct pair slot)
{
	if (slot.b == 0)
		return slot.a == 0;
	t->used++;
	return slot.b >= HEAD && slot.b + (uint64_t)PAIR <= t->size &&
	    slot.a % TABLES == t->hash % TABLES;
}

/* Whether all that the search passed over are other keys: one of them may be
 * this one, with a bit that has changed. */
static bool
are_others(const struct table *t, struct pair head)
{
	struct pair slot;

	for (uint32_t i = 0; i < head.b; i++) {
		uint32_t n = (uint32_t)(((uint64_t)(t->hash / TABLES) + i) %
					head.b);

		if (!read_pair(t->fd, head.a + n * (uint64_t)PAIR, &slot))
			return false;
		if (slot.b == 0)
			return true;
		if (!has_hash(t->fd, slot.b, slot.a))
			return false;
	}
	return true;
}

/* Where the table is; its end is where the next one begins, or the file ends.
 * One without slots has a place, too. */
static bool
find_table(const struct table *t, struct pair *head)
{
	uint32_t number = t->hash % TABLES;
	struct pair next = { .a = (uint32_t)t->size };

	return read_pair(t->fd, number * PAIR, head) &&
	    (number + 1 == TABLES ||
		read_pair(t->fd, (number + 1) * PAIR, &next)) &&
	    head->a >= HEAD && head->b <= CDBFILE_SLOTS &&
	    head->a + head->b * (uint64_t)PAIR == next.a && next.a <= t->size;
}

/*
 * Whether the table in which the key was not found is whole: half of its
 * slots are used, always.  Records are read only where the search came by:
 * nobody is to see by the time that a name is not there.
 */
static bool
is_whole(int fd, uint32_t hash)
{
	struct table t = { .fd = fd, .hash = hash };
	unsigned char slots[SLOTS * PAIR];
	struct pair head;
	struct stat st;

	if (fstat(fd, &st) == -1)
		return false;
	t.size = (uint64_t)st.st_size;
	if (!find_table(&t, &head))
		return false;
	for (uint32_t i = 0; i < head.b;) {
		uint32_t n = head.b - i < SLOTS ? head.b - i : SLOTS;

		if (!read_at(fd, slots, (size_t)n * PAIR,
			head.a + i * (uint64_t)PAIR))
			return false;
		for (uint32_t k = 0; k < n; k++)
			if (!is_slot(&t, unpack(slots + (size_t)k * PAIR)))
				return false;
		i += n;
	}
	return t.used * 2 == head.b && are_others(&t, head);
}

static bool
is_key(int fd, uint64_t at, struct span key, bool *same)
{
	char piece[256];

	*same = true;
	while (key.n > 0 && *same) {
		size_t n = key.n < sizeof piece ? key.n : sizeof piece;

		if (!read_at(fd, piece, n, at))
			return false;
		*same = memcmp(piece, key.p, n) == 0;
		key = span_skip(key, n);
		at += n;
	}
	return true;
}

/* Where a value is. */
struct place {
	uint64_t at;
	uint32_t n;
};

/* As cdb_seek, at places: processes may share the descriptor's offset.
 * 1, 0 or -1. */
static int
find(int fd, struct span key, uint32_t hash, struct place *value)
{
	struct pair table, slot, lengths;
	bool same;

	if (!read_pair(fd, hash % TABLES * PAIR, &table))
		return -1;
	for (uint32_t i = 0; i < table.b; i++) {
		uint32_t n = (uint32_t)(((uint64_t)(hash / TABLES) + i) %
					table.b);

		if (!read_pair(fd, table.a + n * (uint64_t)PAIR, &slot))
			return -1;
		if (slot.b == 0)
			return 0;
		if (slot.a != hash)
			continue;
		if (!read_pair(fd, slot.b, &lengths))
			return -1;
		if (lengths.a != key.n)
			continue;
		value->at = (uint64_t)slot.b + PAIR;
		if (!is_key(fd, value->at, key, &same))
			return -1;
		value->at += lengths.a;
		value->n = lengths.b;
		if (same)
			return 1;
	}
	return 0;
}

int
cdbfile_get(int fd, struct span key, char *value, size_t size, size_t *n)
{
	uint32_t hash = cdb_hash(key.p, (unsigned)key.n);
	struct place found;
	int r = find(fd, key, hash, &found);

	if (r == 0)
		return is_whole(fd, hash) ? 0 : -1;
	if (r == -1 || found.n > size || !read_at(fd, value, found.n, found.at))
		return -1;
	*n = found.n;
	return 1;
}
