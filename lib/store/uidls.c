/* POP3 ids of other servers. */
#include "store/uidls.h"

#include "base/io.h"
#include "base/num.h"
#include "store/adopt.h"
#include "store/sum.h"

#include <errno.h>
#include <stdlib.h>

struct entry {
	uint64_t id;      /* sum_id of the base */
	const char *uidl; /* in the arena */
	size_t order;
};

struct uidls
uidls_new(void)
{
	return (struct uidls){ .entries = buf_new(SIZE_MAX / 2),
		.text = arena_new(SIZE_MAX / 2) };
}

void
uidls_free(struct uidls *u)
{
	buf_free(&u->entries);
	arena_free(&u->text);
}

static bool
is_id(struct span s)
{
	if (s.n == 0 || s.n > UIDLS_ID)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

static void
add(struct uidls *u, struct span file, struct span uidl)
{
	struct span base = span_take(&file, ':');
	struct entry e = { .order = u->entries.n };

	base = span_take(&base, ',');
	if (base.n == 0 || !is_id(uidl))
		return;
	e.id = sum_id(base);
	e.uidl = arena_copy(&u->text, uidl).p;
	if (e.uidl)
		(void)buf_add(&u->entries, &e, sizeof e);
}

/* `9 Pold-id W3 :1700000003.M1P1.h' */
static void
dovecot_line(struct uidls *u, struct span line)
{
	struct span uidl = span_of(NULL, 0);

	(void)span_take(&line, ' ');
	while (line.n > 0 && line.p[0] != ':') {
		struct span field = span_take(&line, ' ');

		if (span_starts(field, "P"))
			uidl = span_skip(field, 1);
	}
	add(u, span_skip(line, 1), uidl);
}

void
uidls_dovecot(struct uidls *u, struct span text)
{
	if (!span_starts(text, "3 "))
		return;
	(void)span_take(&text, '\n');
	while (text.n > 0)
		dovecot_line(u, span_take(&text, '\n'));
}

/* As Courier wrote names before it numbered messages. */
static void
courier_name(struct span file, struct buf *out)
{
	file = span_head(file, span_find(file, ':'));
	for (size_t i = 0; i < file.n; i++) {
		unsigned char c = (unsigned char)file.p[i];

		if (c <= ' ' || c > '~' || strchr("'\"+", c))
			buf_addf(out, "+%02X", c);
		else
			buf_add_byte(out, (char)c);
	}
}

/* Takes what stands behind the last space. */
static struct span
take_last(struct span *line)
{
	size_t at = span_rfind(*line, ' ');
	struct span last = span_skip(*line, at + 1);

	*line = span_head(*line, at);
	return last;
}

/* `NAME SIZE NUMBER:UIDVALIDITY:UTF8'; version 2 has no UTF8. */
static void
courier_line(struct uidls *u, struct span line)
{
	struct buf id = buf_new(MAILDIR_NAME * 3);
	struct span key = take_last(&line);
	uint32_t number, validity;

	(void)take_last(&line);
	if (num_parse_u32(span_take(&key, ':'), UINT32_MAX, &number) &&
	    num_parse_u32(span_take(&key, ':'), UINT32_MAX, &validity)) {
		if (number == 0)
			courier_name(line, &id);
		else if (validity == 0)
			buf_addf(&id, "UID%lu", (unsigned long)number);
		else
			buf_addf(&id, "UID%lu-%lu", (unsigned long)number,
			    (unsigned long)validity);
		add(u, line, buf_span(&id));
	}
	buf_free(&id);
}

void
uidls_courier(struct uidls *u, struct span text)
{
	if (!span_starts(text, "/2 ") && !span_starts(text, "/3 "))
		return;
	(void)span_take(&text, '\n');
	while (text.n > 0)
		courier_line(u, span_take(&text, '\n'));
}

static int
by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static struct entry *
entries(const struct uidls *u, size_t *n)
{
	*n = u->entries.n / sizeof(struct entry);
	return (struct entry *)(void *)u->entries.p;
}

void
uidls_finish(struct uidls *u)
{
	size_t n;
	struct entry *e = entries(u, &n);

	if (n == 0)
		return;
	qsort(e, n, sizeof *e, by_id);
	u->entries.n = sum_once(e, n, sizeof *e) * sizeof *e;
}

int
uidls_read(int dir, struct uidls *u)
{
	struct buf text;
	int r;

	*u = uidls_new();
	r = adopt_slurp(dir, "dovecot-uidlist", UIDLIST_SIZE, &text);
	if (r == 1)
		uidls_dovecot(u, buf_span(&text));
	buf_free(&text);
	if (r == -1)
		return -1;
	r = adopt_slurp(dir, "courierpop3dsizelist", UIDLIST_SIZE, &text);
	if (r == 1)
		uidls_courier(u, buf_span(&text));
	buf_free(&text);
	uidls_finish(u);
	return r == -1 ? -1 : 0;
}

const char *
uidls_find(const struct uidls *u, struct span base)
{
	size_t n;
	const struct entry *e = entries(u, &n);

	e = sum_find(e, n, sizeof *e, sum_id(base));
	return e ? e->uidl : NULL;
}
