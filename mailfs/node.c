/* Node ids of the kernel. */
#include "node.h"

#include <errno.h>

#define BIT(n) (UINT64_C(1) << (n))
#define COUNT_MASK ((UINT32_C(1) << COUNT_BITS) - 1)

enum {
	NONE = UINT32_MAX,
	COUNT_BITS = 19, /* then the generation */
	GENERATION_BITS = 10
};

struct slot {
	struct node node;
	uint64_t lookups; /* 0: free */
	uint32_t count;   /* how often the slot was given out */
	uint32_t next;    /* of the chain, or of the free ones */
};

void
node_table_init(struct node_table *t, uint32_t generation)
{
	t->slots = buf_new(NODE_TABLE * sizeof(struct slot));
	t->count = generation % (1u << GENERATION_BITS) << COUNT_BITS;
	t->free = NONE;
	for (size_t i = 0; i < NODE_CHAINS; i++)
		t->chain[i] = NONE;
}

static struct slot *
slot(const struct node_table *t, uint32_t i)
{
	return (struct slot *)(void *)t->slots.p + i;
}

static uint32_t
nslots(const struct node_table *t)
{
	return (uint32_t)(t->slots.n / sizeof(struct slot));
}

static bool
same(const struct node *a, const struct node *b)
{
	return a->kind == b->kind && a->id == b->id && a->part == b->part &&
	       a->file == b->file;
}

static uint64_t
slot_id(const struct node_table *t, uint32_t i)
{
	return BIT(62) | (uint64_t)slot(t, i)->count << 32 | i;
}

static uint64_t
hash(const struct node *n)
{
	uint64_t h =
	    n->id ^ (uint64_t)n->part << 40 ^ (uint64_t)n->file << 8 ^ n->kind;

	h = (h ^ h >> 31) * UINT64_C(0x9e3779b97f4a7c15);
	return (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

static uint32_t *
chain(struct node_table *t, const struct node *n)
{
	return &t->chain[hash(n) >> 52 & (NODE_CHAINS - 1)];
}

static uint64_t
find_slot(struct node_table *t, const struct node *n)
{
	for (uint32_t i = *chain(t, n); i != NONE; i = slot(t, i)->next) {
		if (!same(&slot(t, i)->node, n))
			continue;
		slot(t, i)->lookups++;
		return slot_id(t, i);
	}
	return 0;
}

static uint64_t
new_slot(struct node_table *t, const struct node *n)
{
	uint32_t i = t->free;
	struct slot s = { .node = *n, .lookups = 1 };

	if (i == NONE) {
		i = nslots(t);
		if (buf_add(&t->slots, &s, sizeof s) == -1)
			return 0;
	} else {
		t->free = slot(t, i)->next;
	}
	s.count = t->count;
	/* Only the part below the generation goes round. */
	t->count = (t->count & ~COUNT_MASK) | ((t->count + 1) & COUNT_MASK);
	s.next = *chain(t, n);
	*chain(t, n) = i;
	*slot(t, i) = s;
	return slot_id(t, i);
}

static void
free_slot(struct node_table *t, uint32_t i)
{
	uint32_t *link = chain(t, &slot(t, i)->node);

	while (*link != i)
		link = &slot(t, *link)->next;
	*link = slot(t, i)->next;
	slot(t, i)->next = t->free;
	t->free = i;
}

uint64_t
node_inode(const struct node *n)
{
	if (n->kind == NODE_README)
		return 2;
	if (n->kind == NODE_FOLDER && n->id == 0 && n->tree == TREE_TEXT)
		return NODE_TOP;
	if (n->kind == NODE_FOLDER)
		return BIT(61) | n->id << 2 | n->tree;
	if (n->kind <= NODE_MESSAGE)
		return BIT(63) | n->id << 3 | (uint64_t)n->kind;
	/* Only to tell files apart: nothing is looked up by it. */
	return BIT(62) | hash(n) >> 2;
}

uint64_t
node_id(struct node_table *t, const struct node *n)
{
	uint64_t id;

	if (n->kind <= NODE_MESSAGE)
		return node_inode(n);
	id = find_slot(t, n);
	return id ? id : new_slot(t, n);
}

static int
get_slot(const struct node_table *t, uint64_t ino, struct node *out)
{
	uint32_t i = (uint32_t)(ino & UINT32_MAX);

	if (i >= nslots(t) || slot(t, i)->lookups == 0 ||
	    slot_id(t, i) != ino) {
		errno = ESTALE;
		return -1;
	}
	*out = slot(t, i)->node;
	return 0;
}

int
node_get(const struct node_table *t, uint64_t ino, struct node *out)
{
	*out = (struct node){ .kind = NODE_FOLDER };
	if (ino & BIT(63)) {
		out->kind = (enum node_kind)(ino & 7);
		out->id = ino << 1 >> 4;
		if (out->kind >= NODE_TEXT && out->kind <= NODE_MESSAGE)
			return 0;
		errno = ESTALE;
		return -1;
	}
	if (ino & BIT(62))
		return get_slot(t, ino, out);
	out->id = (ino & (BIT(61) - 1)) >> 2;
	out->tree = (enum tree_kind)(ino & 3);
	if (ino & BIT(61) && out->tree <= TREE_MSG)
		return 0;
	*out = (struct node){ .kind = NODE_FOLDER };
	if (ino == 2)
		out->kind = NODE_README;
	if (ino == 2 || ino == NODE_TOP)
		return 0;
	errno = ESTALE;
	return -1;
}

void
node_forget(struct node_table *t, uint64_t ino, uint64_t lookups)
{
	struct node n;
	struct slot *s;

	if (ino & BIT(63) || !(ino & BIT(62)) || get_slot(t, ino, &n) == -1)
		return;
	s = slot(t, (uint32_t)(ino & UINT32_MAX));
	s->lookups -= lookups < s->lookups ? lookups : s->lookups;
	if (s->lookups > 0)
		return;
	free_slot(t, (uint32_t)(ino & UINT32_MAX));
}
