/* Which messages a mailbox has already. */
#include "mailbox-known.h"

#include "base/io.h"
#include "mail/header.h"
#include "store/mailbox.h"
#include "store/sum.h"

#include <errno.h>
#include <unistd.h>

enum { FIRST_SLOTS = 1024 };

struct slot {
	uint64_t key; /* 0: free */
	uint64_t times;
};

static struct slot *
slot_of(const struct buf *table, uint64_t key)
{
	size_t n = table->n / sizeof(struct slot), i = key & (n - 1);
	struct slot *s = (struct slot *)(void *)table->p;

	while (s[i].key != 0 && s[i].key != key)
		i = (i + 1) & (n - 1);
	return &s[i];
}

static struct buf
make_table(size_t slots)
{
	struct buf table = buf_new(SIZE_MAX / 2);

	memset(buf_room(&table, slots * sizeof(struct slot)), 0,
	    slots * sizeof(struct slot));
	table.n = slots * sizeof(struct slot);
	return table;
}

static void
add(struct known *k, uint64_t key)
{
	size_t n = k->table.n / sizeof(struct slot);
	const struct slot *old = (const void *)k->table.p;
	struct slot *s;

	if (k->used * 4 >= n * 3) {
		struct buf larger = make_table(n * 2);

		for (size_t i = 0; i < n; i++)
			if (old[i].key != 0)
				*slot_of(&larger, old[i].key) = old[i];
		buf_free(&k->table);
		k->table = larger;
	}
	s = slot_of(&k->table, key);
	k->used += s->key == 0;
	s->key = key;
	s->times++;
}

/* CRs make no difference: they are not stored. */
static void
add_lines(struct buf *b, struct span s)
{
	while (s.n > 0) {
		struct span line = span_take(&s, '\n');

		if (span_ends(line, "\r"))
			line.n--;
		(void)buf_add_span(b, line);
		(void)buf_add_byte(b, '\n');
	}
}

static uint64_t
key_of(struct span head, uint64_t size)
{
	struct buf b = buf_new(KNOWN_HEADER + 64);
	struct header_field f;
	uint64_t key;

	head = span_head(head, KNOWN_HEADER);
	(void)buf_addf(&b, "%llu ", (unsigned long long)size);
	if (header_get(head, "Message-ID", &f))
		(void)buf_add_span(&b, span_trim(f.value));
	else
		add_lines(&b, span_head(head, header_length(head)));
	key = sum_id(buf_span(&b));
	buf_free(&b);
	return key;
}

bool
known_take(struct known *k, struct span head, uint64_t size)
{
	struct slot *s = slot_of(&k->table, key_of(head, size));

	if (s->key == 0 || s->times == 0)
		return false;
	s->times--;
	return true;
}

/* 1; 0: it is gone; -1. */
static int
read_one(struct known *k, struct mailbox *m, size_t i, struct buf *head)
{
	uint64_t size;
	int fd = mailbox_read(m, i, &size);
	ssize_t n;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	buf_reset(head);
	n = io_read_full(fd, buf_room(head, KNOWN_HEADER), KNOWN_HEADER);
	close(fd);
	if (n == -1)
		return -1;
	add(k, key_of(span_of(head->p, (size_t)n), size));
	return 1;
}

int
known_read(struct known *k, struct mailbox_tool *t, const char *name)
{
	struct mailbox *m = mailbox_open(&t->a, span_str(name), true);
	struct buf head = buf_new(KNOWN_HEADER);
	int r = 0;

	*k = (struct known){ .table = make_table(FIRST_SLOTS) };
	if (m == NULL)
		return errno == ENOENT ? 0 : -1;
	for (size_t i = 0; i < m->n && r != -1; i++) {
		progress_show(&t->progress, "%s: %zu of %zu", name, i, m->n);
		r = read_one(k, m, i, &head);
	}
	buf_free(&head);
	mailbox_close(m);
	return r == -1 ? -1 : 0;
}

void
known_free(struct known *k)
{
	buf_free(&k->table);
}
