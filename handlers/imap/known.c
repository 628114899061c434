/* What is known of messages without reading them. */
#include "known.h"

struct known
known_none(void)
{
	struct known k = { .maker = cache_maker() };

	cache_none(&k.cache);
	return k;
}

void
known_open(struct known *k, const struct mailbox *box)
{
	cache_open(&k->cache, box);
}

/* Lets go of the message; what was learned of it is kept. */
static void
leave(struct known *k)
{
	if (k->uid != 0 && k->learned)
		cache_put(&k->cache, k->key, &k->record);
	k->uid = 0;
	k->learned = false;
}

static void
turn_to(struct known *k, const struct message *m)
{
	if (k->uid == m->uid)
		return;
	leave(k);
	k->uid = m->uid;
	k->key = cache_key(m);
	cache_maker_reset(&k->maker);
	(void)cache_get(&k->cache, k->key, &k->record); /* or it is empty */
}

void
known_close(struct known *k, const struct mailbox *box)
{
	leave(k);
	cache_close(&k->cache, box);
	cache_maker_free(&k->maker);
	*k = known_none();
}

void
known_begin(struct known *k, size_t n)
{
	leave(k);
	cache_begin(&k->cache, n);
}

void
known_end(struct known *k)
{
	leave(k);
	cache_flush(&k->cache);
}

void
known_rest(struct known *k)
{
	leave(k);
	cache_rest(&k->cache);
	cache_maker_free(&k->maker);
}

struct span
known_part(struct known *k, const struct message *m, enum cache_part part)
{
	turn_to(k, m);
	return k->record.part[part];
}

static void
learned(struct known *k)
{
	cache_made(&k->maker, &k->record);
	k->learned = true;
}

void
known_learn_header(
    struct known *k, const struct message *m, struct shown *shown)
{
	struct span header;

	turn_to(k, m);
	if (k->record.part[CACHE_FROM].p || shown->size != m->size ||
	    shown->nul || shown_header(shown, &header) == -1)
		return;
	cache_make_header(&k->maker, header);
	learned(k);
}

void
known_learn_structure(
    struct known *k, const struct message *m, struct shown *shown)
{
	struct source source;

	turn_to(k, m);
	if (shown->size != m->size || shown->nul || shown->root == NULL)
		return;
	source = shown_source(shown);
	cache_make_structure(&k->maker, &source, shown->root);
	learned(k);
	known_learn_header(k, m, shown);
}
