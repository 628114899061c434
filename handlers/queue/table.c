/* The messages that qsend knows of: a hash and a binary heap. */
#include "table.h"

#include "base/err.h"

enum {
	FIRST_BUCKETS = 256
};

/* So much memory is far more than any queue; past it there is none. */
static const size_t CAP = (size_t)1 << 36;

struct table
table_new(void)
{
	return (struct table){ .entries = buf_new(CAP), .heap = buf_new(CAP),
		.buckets = buf_new(CAP), .free = TABLE_NONE };
}

struct entry *
table_entry(const struct table *t, uint32_t i)
{
	return (struct entry *)(void *)t->entries.p + i;
}

static uint32_t *
heap(const struct table *t)
{
	return (uint32_t *)(void *)t->heap.p;
}

static uint32_t *
bucket(const struct table *t, const char *id)
{
	uint32_t h = 2166136261u;

	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * 16777619u;
	return (uint32_t *)(void *)t->buckets.p + h % t->nbuckets;
}

static void
grow_buckets(struct table *t)
{
	uint32_t n = t->nbuckets ? t->nbuckets * 2 : FIRST_BUCKETS;
	uint32_t count = (uint32_t)(t->entries.n / sizeof(struct entry));

	buf_reset(&t->buckets);
	if (buf_room(&t->buckets, n * sizeof(uint32_t)) == NULL)
		err_nomem();
	memset(t->buckets.p, 0xff, n * sizeof(uint32_t));
	t->nbuckets = n;
	for (uint32_t i = 0; i < count; i++) {
		struct entry *e = table_entry(t, i);
		uint32_t *b;

		if (!e->used)
			continue;
		b = bucket(t, e->id);
		e->next = *b;
		*b = i;
	}
}

static uint32_t
new_entry(struct table *t)
{
	static const struct entry empty;
	uint32_t i = t->free;

	if (i != TABLE_NONE) {
		t->free = table_entry(t, i)->next;
		return i;
	}
	i = (uint32_t)(t->entries.n / sizeof empty);
	if (buf_add(&t->entries, &empty, sizeof empty) == -1)
		err_nomem();
	return i;
}

uint32_t
table_find(const struct table *t, const char *id)
{
	uint32_t i;

	if (t->nbuckets == 0)
		return TABLE_NONE;
	for (i = *bucket(t, id); i != TABLE_NONE; i = table_entry(t, i)->next)
		if (strcmp(table_entry(t, i)->id, id) == 0)
			break;
	return i;
}

uint32_t
table_add(struct table *t, const char *id, int64_t due_ms)
{
	struct entry *e;
	uint32_t i, *b;

	if (table_find(t, id) != TABLE_NONE)
		return TABLE_NONE;
	if (t->n >= t->nbuckets)
		grow_buckets(t);
	i = new_entry(t);
	e = table_entry(t, i);
	*e = (struct entry){ .used = true, .at = TABLE_NONE,
		.dest = TABLE_NONE };
	memcpy(e->id, id, sizeof e->id);
	b = bucket(t, id);
	e->next = *b;
	*b = i;
	t->n++;
	table_schedule(t, i, due_ms, false);
	return i;
}

/* ---- the heap: the parent of place i is (i - 1) / 2 ---- */

static bool
before(const struct table *t, uint32_t a, uint32_t b)
{
	const struct entry *x = table_entry(t, a), *y = table_entry(t, b);

	if (x->due_ms != y->due_ms)
		return x->due_ms < y->due_ms;
	return memcmp(x->id, y->id, sizeof x->id) < 0;
}

static void
put(struct table *t, uint32_t place, uint32_t i)
{
	heap(t)[place] = i;
	table_entry(t, i)->at = place;
}

static void
rise(struct table *t, uint32_t place)
{
	uint32_t i = heap(t)[place];

	while (place > 0 && before(t, i, heap(t)[(place - 1) / 2])) {
		put(t, place, heap(t)[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(t, place, i);
}

static void
sink(struct table *t, uint32_t place)
{
	uint32_t i = heap(t)[place];

	for (;;) {
		uint32_t child = place * 2 + 1;

		if (child >= t->nheap)
			break;
		if (child + 1 < t->nheap &&
		    before(t, heap(t)[child + 1], heap(t)[child]))
			child++;
		if (!before(t, heap(t)[child], i))
			break;
		put(t, place, heap(t)[child]);
		place = child;
	}
	put(t, place, i);
}

static void
leave(struct table *t, uint32_t i)
{
	struct entry *e = table_entry(t, i);
	uint32_t place = e->at, last;

	if (place == TABLE_NONE)
		return;
	t->nwaits -= e->waits;
	e->at = TABLE_NONE;
	last = heap(t)[--t->nheap];
	t->heap.n -= sizeof last;
	if (last == i)
		return;
	put(t, place, last);
	rise(t, place);
	sink(t, table_entry(t, last)->at);
}

void
table_schedule(struct table *t, uint32_t i, int64_t due_ms, bool waits)
{
	struct entry *e;

	leave(t, i);
	e = table_entry(t, i);
	e->due_ms = due_ms;
	e->waits = waits;
	t->nwaits += waits;
	if (buf_add(&t->heap, &i, sizeof i) == -1)
		err_nomem();
	e->at = t->nheap++;
	rise(t, e->at);
}

uint32_t
table_take(struct table *t, int64_t now_ms)
{
	uint32_t i;

	if (t->nheap == 0)
		return TABLE_NONE;
	i = heap(t)[0];
	if (table_entry(t, i)->due_ms > now_ms)
		return TABLE_NONE;
	leave(t, i);
	return i;
}

int64_t
table_next(const struct table *t)
{
	return t->nheap ? table_entry(t, heap(t)[0])->due_ms : -1;
}

void
table_remove(struct table *t, uint32_t i)
{
	struct entry *e = table_entry(t, i);
	uint32_t *p = bucket(t, e->id);

	leave(t, i);
	while (*p != i)
		p = &table_entry(t, *p)->next;
	*p = e->next;
	*e = (struct entry){ .next = t->free };
	t->free = i;
	t->n--;
}
