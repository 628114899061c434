/* Lists of UIDs of other servers. */
#include "store/uidlist.h"

#include "base/num.h"
#include "store/state.h"
#include "store/sum.h"

#include <stdlib.h>

struct entry {
	uint64_t id; /* sum_id of the base */
	uint32_t uid;
};

static struct entry *
entries(const struct uidlist *l, size_t *n)
{
	*n = l->entries.n / sizeof(struct entry);
	return (struct entry *)(void *)l->entries.p;
}

/* `V1700000000' and the like: a key and its number. */
static void
head_field(struct uidlist *l, struct span field)
{
	struct span value = span_skip(field, 1);

	if (span_starts(field, "V"))
		(void)num_parse_u32(value, UINT32_MAX, &l->uidvalidity);
	else if (span_starts(field, "N"))
		(void)num_parse_u32(value, UINT32_MAX, &l->uidnext);
}

/* `3 V1700000000 N5001 G...', or `1 1700000000 5001'. */
static bool
parse_head(struct uidlist *l, struct span line, bool *keys)
{
	struct span version = span_take(&line, ' ');

	*keys = span_is(version, "3");
	if (*keys) {
		while (line.n > 0)
			head_field(l, span_take(&line, ' '));
	} else {
		if (!span_is(version, "1") ||
		    !num_parse_u32(
			span_take(&line, ' '), UINT32_MAX, &l->uidvalidity) ||
		    !num_parse_u32(span_trim(line), UINT32_MAX, &l->uidnext))
			return false;
	}
	return l->uidvalidity > 0 && l->uidnext > 0 &&
	       l->uidnext < UINT32_MAX - UID_GAP;
}

/* `12 W1030 S1000 :1700000000.M1P2.host,S=1000' or `12 1700000000....'.  The
 * head may be as old as the file: Dovecot adds lines, and leaves N as it was. */
static bool
parse_line(struct uidlist *l, struct span line, bool keys)
{
	struct entry e;
	struct span base;

	if (!num_parse_u32(span_take(&line, ' '), UINT32_MAX, &e.uid) ||
	    e.uid == 0 || e.uid >= UINT32_MAX - 2 * UID_GAP)
		return false;
	/* What stands before the file name in version 3, up to the colon. */
	while (keys && line.n > 0 && line.p[0] != ':')
		(void)span_take(&line, ' ');
	if (keys)
		line = span_skip(line, 1);
	base = span_take(&line, ':');
	base = span_take(&base, ',');
	if (base.n == 0 || base.n >= MAILDIR_NAME || base.p[0] == '.')
		return false;
	e.id = sum_id(base);
	return buf_add(&l->entries, &e, sizeof e) == 0;
}

static int
by_uid(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* Of two lines with one file the one with the greater UID comes first. */
static int
by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->uid < y->uid) - (x->uid > y->uid);
}

/* Whoever has a UID that another one has, too, cannot keep it. */
static void
drop_repeated(struct uidlist *l)
{
	size_t n, kept = 0;
	struct entry *e = entries(l, &n);

	if (n == 0)
		return;
	qsort(e, n, sizeof *e, by_uid);
	for (size_t i = 0; i < n; i++)
		if ((i == 0 || e[i - 1].uid != e[i].uid) &&
		    (i + 1 == n || e[i + 1].uid != e[i].uid))
			e[kept++] = e[i];
		else
			l->bad++;
	l->entries.n = kept * sizeof *e;
}

static void
settle(struct uidlist *l)
{
	size_t n;
	struct entry *e = entries(l, &n);

	for (size_t i = 0; i < n; i++)
		if (l->uidnext <= e[i].uid)
			l->uidnext = e[i].uid + 1;
	if (l->torn)
		l->uidnext += UIDLIST_TORN;
	drop_repeated(l);
	e = entries(l, &n);
	if (n == 0)
		return;
	qsort(e, n, sizeof *e, by_id);
	l->entries.n = sum_once(e, n, sizeof *e) * sizeof *e;
}

bool
uidlist_parse(struct span text, struct uidlist *l)
{
	bool keys;

	*l = (struct uidlist){ .entries = buf_new(SIZE_MAX / 2) };
	if (!parse_head(l, span_trim(span_take(&text, '\n')), &keys))
		return false;
	l->torn = text.n > 0 && text.p[text.n - 1] != '\n';
	while (text.n > 0) {
		struct span line = span_take(&text, '\n');

		/* A line without its end may lack a part of the name. */
		if (text.n == 0 && l->torn)
			break;
		if (!parse_line(l, line, keys))
			l->bad++;
	}
	settle(l);
	return true;
}

void
uidlist_free(struct uidlist *l)
{
	buf_free(&l->entries);
}

uint32_t
uidlist_find(const struct uidlist *l, struct span base)
{
	size_t n;
	const struct entry *e = entries(l, &n);

	e = sum_find(e, n, sizeof *e, sum_id(base));
	return e ? e->uid : 0;
}

size_t
uidlist_count(const struct uidlist *l)
{
	return l->entries.n / sizeof(struct entry);
}
