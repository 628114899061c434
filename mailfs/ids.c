/* Instance ids to places. */
#include "ids.h"

enum {
	FIRST = 1024, /* slots; always a power of two */
	CAP = 1 << 30 /* bytes of a table */
};

static size_t
slots(const struct buf *table)
{
	return table->n / sizeof(struct id);
}

/* Ids are random, but who copies a mailbox may have chosen them. */
static size_t
hash(uint64_t id)
{
	id ^= id >> 32;
	id *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(id >> 20);
}

/* The slot of id, or the empty one where it would be. */
static struct id *
slot(const struct buf *table, uint64_t id)
{
	struct id *all = (struct id *)(void *)table->p;
	size_t mask = slots(table) - 1, at = hash(id) & mask;

	while (all[at].id != id && all[at].id != 0)
		at = (at + 1) & mask;
	return &all[at];
}

static int
grow(struct buf *table, size_t *used)
{
	struct buf old = *table;
	struct id *all = (struct id *)(void *)old.p;
	size_t n = FIRST, live = 0;
	char *p;

	for (size_t i = 0; i < slots(&old); i++)
		live += all[i].uid != 0;
	while (n < live * 4)
		n *= 2;

	*table = buf_new(CAP);
	p = buf_room(table, n * sizeof(struct id));
	if (p == NULL) {
		*table = old;
		return -1;
	}
	memset(p, 0, n * sizeof(struct id));
	table->n = n * sizeof(struct id);
	*used = 0;
	for (size_t i = 0; i < slots(&old); i++) {
		if (all[i].uid == 0)
			continue;
		*slot(table, all[i].id) = all[i];
		(*used)++;
	}
	buf_free(&old);
	return 0;
}

int
ids_put(struct buf *table, size_t *used, const struct id *what)
{
	struct id *s;

	if (*used * 2 >= slots(table) && grow(table, used) == -1)
		return -1;
	s = slot(table, what->id);
	if (s->id == 0)
		(*used)++;
	*s = *what;
	return 0;
}

void
ids_drop(struct buf *table, uint64_t id, uint32_t folder)
{
	struct id *s;

	if (slots(table) == 0)
		return;
	s = slot(table, id);
	if (s->id == id && s->folder == folder)
		s->uid = 0;
}

int
ids_get(const struct buf *table, uint64_t id, struct id *out)
{
	struct id *s;

	if (slots(table) == 0 || id == 0)
		return 0;
	s = slot(table, id);
	if (s->id != id || s->uid == 0)
		return 0;
	*out = *s;
	return 1;
}
