/* Keywords of other servers. */
#include "store/kwlist.h"

#include "base/num.h"
#include "store/state.h"
#include "store/sum.h"

#include <stdlib.h>

struct mark {
	uint64_t id, bits;
	size_t order; /* later ones count */
	bool passed;
};

struct kwlist
kwlist_new(void)
{
	struct kwlist k = { .marks = buf_new(SIZE_MAX / 2) };

	memset(k.letter, KWLIST_NONE, sizeof k.letter);
	return k;
}

void
kwlist_free(struct kwlist *k)
{
	buf_free(&k->marks);
}

unsigned
kwlist_slot(struct kwlist *k, struct span name)
{
	k->any = true;
	if (span_is_nocase(name, "$Forwarded"))
		return KWLIST_PASSED;
	for (size_t i = 0; i < k->n; i++)
		if (span_is_nocase(name, k->name[i]))
			return (unsigned)i;
	if (!mailbox_is_keyword(name) || k->n == MAILBOX_KEYWORDS ||
	    span_copy(name, k->name[k->n], MAILBOX_KEYWORD) == -1) {
		k->refused++;
		return KWLIST_NONE;
	}
	return (unsigned)k->n++;
}

void
kwlist_letters(struct kwlist *k, struct span text)
{
	while (text.n > 0) {
		struct span line = span_take(&text, '\n');
		uint32_t letter;

		if (num_parse_u32(
			span_take(&line, ' '), KWLIST_LETTERS - 1, &letter))
			k->letter[letter] =
			    (unsigned char)kwlist_slot(k, span_trim(line));
	}
}

static void
set_mark(struct mark *m, unsigned slot)
{
	if (slot < MAILBOX_KEYWORDS)
		m->bits |= UINT64_C(1) << slot;
	m->passed |= slot == KWLIST_PASSED;
}

static void
add_mark(struct kwlist *k, struct span file, struct mark *m)
{
	struct span base = span_take(&file, ':');

	base = span_take(&base, ',');
	if (base.n == 0)
		return;
	m->id = sum_id(base);
	m->order = k->marks.n;
	(void)buf_add(&k->marks, m, sizeof *m);
}

/* `FILE:0 3 5': keywords by their place in the list above. */
static void
list_line(
    struct kwlist *k, struct span line, const unsigned char *slots, size_t n)
{
	size_t colon = span_rfind(line, ':');
	struct span file = span_head(line, colon);
	struct mark m = { 0 };
	uint32_t place;

	line = span_skip(line, colon + 1);
	while (line.n > 0)
		if (num_parse_u32(span_take(&line, ' '), UINT32_MAX, &place) &&
		    place < n)
			set_mark(&m, slots[place]);
	add_mark(k, file, &m);
}

void
kwlist_list(struct kwlist *k, struct span text)
{
	unsigned char slots[MAILBOX_KEYWORDS * 2];
	size_t n = 0;

	while (text.n > 0) {
		struct span line = span_take(&text, '\n');
		unsigned slot;

		if (line.n == 0)
			break;
		slot = kwlist_slot(k, line);
		if (n < sizeof slots)
			slots[n++] = (unsigned char)slot;
	}
	while (text.n > 0)
		list_line(k, span_take(&text, '\n'), slots, n);
}

void
kwlist_message(struct kwlist *k, struct span file, struct span text)
{
	struct mark m = { 0 };

	while (text.n > 0) {
		struct span line = span_take(&text, '\n');

		if (line.n > 0)
			set_mark(&m, kwlist_slot(k, line));
	}
	add_mark(k, file, &m);
}

static int
by_id(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->order < y->order) - (x->order > y->order);
}

void
kwlist_finish(struct kwlist *k)
{
	struct mark *m = (void *)k->marks.p;
	size_t n = k->marks.n / sizeof *m, kept = 0;

	if (n == 0)
		return;
	qsort(m, n, sizeof *m, by_id);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || m[kept - 1].id != m[i].id)
			m[kept++] = m[i];
	k->marks.n = kept * sizeof *m;
}

static const struct mark *
find_mark(const struct kwlist *k, struct span base)
{
	const struct mark *m = (const void *)k->marks.p;
	uint64_t id = sum_id(base);

	for (size_t low = 0, high = k->marks.n / sizeof *m; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (m[middle].id == id)
			return &m[middle];
		if (m[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

uint64_t
kwlist_of(const struct kwlist *k, struct span file, bool *passed)
{
	struct maildir_name name;
	struct mark all = { 0 };
	const struct mark *m;

	*passed = false;
	if (!k->any || !maildir_parse(file, &name))
		return 0;
	for (size_t i = 0; i < name.others.n; i++) {
		char c = name.others.p[i];

		if (c >= 'a' && c <= 'z')
			set_mark(&all, k->letter[c - 'a']);
	}
	m = find_mark(k, name.base);
	*passed = all.passed || (m && m->passed);
	return all.bits | (m ? m->bits : 0);
}
