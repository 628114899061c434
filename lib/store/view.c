/* The messages of a mailbox in memory. */
#include "store/state.h"
#include "store/sum.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	TIDY = 1 << 20 /* dead bytes of names that are not worth the work */
};

struct whole {
	struct mailbox m;
	struct mailbox_state s;
};

struct mailbox *
view_make(int account, int folder, bool light)
{
	struct arena home = arena_new(sizeof(struct whole));
	struct whole *w = arena_alloc(&home, 1, sizeof *w);

	if (w == NULL)
		return NULL;
	w->m.state = &w->s;
	w->m.uidnext = 1;
	w->m.highestmodseq = 1;
	w->s = (struct mailbox_state){ .home = home,
		.account = account,
		.dir = folder,
		.cur = -1,
		.fresh = -1,
		.journal = -1,
		.watch = -1,
		.inotify = -1,
		.timer = -1,
		.light = light };
	w->s.msgs = buf_new(SIZE_MAX / 2);
	w->s.vanished = buf_new(SIZE_MAX / 2);
	w->s.names = arena_new(SIZE_MAX / 2);
	return &w->m;
}

static void
close_open(int fd)
{
	if (fd != -1)
		close(fd);
}

void
view_free(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	struct arena home = s->home;

	watch_close(m);
	close_open(s->journal);
	close_open(s->cur);
	close_open(s->fresh);
	close_open(s->dir);
	close_open(s->account);
	buf_free(&s->msgs);
	buf_free(&s->vanished);
	arena_free(&s->names);
	arena_free(&home);
}

static void
set_table(struct mailbox *m)
{
	m->msgs = (struct message *)(void *)m->state->msgs.p;
	m->n = m->state->msgs.n / sizeof *m->msgs;
}

static void
count_new(struct mailbox *m, const struct message *msg, bool in_new)
{
	if (msg->in_new && !msg->gone)
		m->state->in_new--;
	if (in_new && !msg->gone)
		m->state->in_new++;
}

const char *
mailbox_file(const struct mailbox *m, size_t i)
{
	return (const char *)(uintptr_t)m->msgs[i].name;
}

static void
drop_name(struct mailbox *m, const struct message *msg)
{
	if (msg->own_name)
		m->state->names_dead += msg->name_size + 1U;
}

int
view_set_name(struct mailbox *m, size_t i, struct span name, bool in_new)
{
	struct message *msg = &m->msgs[i];
	struct span copy = arena_copy(&m->state->names, name);

	if (copy.p == NULL)
		return -1;
	drop_name(m, msg);
	msg->name = (uintptr_t)copy.p;
	msg->name_size = (uint16_t)copy.n;
	msg->own_name = true;
	msg->looked_up = false;
	count_new(m, msg, in_new);
	msg->in_new = in_new;
	if (m->read_only)
		msg->recent = in_new;
	return 0;
}

int
view_add(struct mailbox *m, const struct message *msg, struct span name)
{
	bool in_new = msg->in_new;

	if (buf_add(&m->state->msgs, msg, sizeof *msg) == -1)
		return -1;
	set_table(m);
	m->msgs[m->n - 1].own_name = false;
	m->msgs[m->n - 1].in_new = false;
	return view_set_name(m, m->n - 1, name, in_new);
}

void
view_flags(struct mailbox *m, size_t i, unsigned flags, uint64_t keywords,
    uint64_t modseq)
{
	struct message *msg = &m->msgs[i];

	if (m->state->marks && !msg->changed &&
	    (msg->flags != flags || msg->keywords != keywords)) {
		msg->changed = true;
		m->nchanged++;
	}
	msg->flags = flags & FLAG_ALL;
	msg->keywords = keywords;
	msg->modseq = modseq;
}

void
view_gone(struct mailbox *m, size_t i, uint64_t modseq)
{
	struct vanished v = { .uid = m->msgs[i].uid, .modseq = modseq };

	(void)buf_add(&m->state->vanished, &v, sizeof v);
	count_new(m, &m->msgs[i], false);
	m->msgs[i].gone = true;
	m->ngone++;
}

/* The names of keywords that only a lost index knew. */
static void
name_lost_keywords(struct mailbox *m, size_t slots)
{
	for (; m->nkeywords < slots; m->nkeywords++)
		snprintf(m->keyword[m->nkeywords], MAILBOX_KEYWORD, "lost-%zu",
		    m->nkeywords);
}

int
view_keyword(struct mailbox *m, size_t slot, struct span name)
{
	if (m->state->repairing && slot < MAILBOX_KEYWORDS)
		name_lost_keywords(m, slot);
	if (slot >= MAILBOX_KEYWORDS || slot > m->nkeywords || name.n == 0 ||
	    span_copy(name, m->keyword[slot], MAILBOX_KEYWORD) == -1) {
		errno = EBADMSG;
		return -1;
	}
	if (slot == m->nkeywords)
		m->nkeywords++;
	return 0;
}

size_t
mailbox_find(const struct mailbox *m, uint32_t uid)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->msgs[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t
view_at(const struct mailbox *m, uint32_t uid)
{
	size_t i = mailbox_find(m, uid);

	if (i < m->n && m->msgs[i].uid == uid && !m->msgs[i].gone)
		return i;
	return SIZE_MAX;
}

uint64_t
view_digest(const struct mailbox *m, uint32_t *count)
{
	uint64_t sum = 0;

	*count = 0;
	for (size_t i = 0; i < m->n; i++) {
		if (m->msgs[i].gone)
			continue;
		sum += sum_message(m->msgs[i].uid, m->msgs[i].id);
		++*count;
	}
	return sum;
}

/* Gives back the names that nobody uses any more. */
void
view_tidy(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	struct arena fresh;

	if (s->names_dead < TIDY || s->names_dead < s->names.used / 2)
		return;
	fresh = arena_new(SIZE_MAX / 2);
	for (size_t i = 0; i < m->n; i++)
		if (m->msgs[i].own_name)
			m->msgs[i].name = (uintptr_t)arena_copy(
			    &fresh, span_str(mailbox_file(m, i)))
					      .p;
	arena_free(&s->names);
	s->names = fresh;
	s->names_dead = 0;
}

void
mailbox_forget(struct mailbox *m)
{
	size_t kept = 0;

	if (m->ngone == 0)
		return;
	for (size_t i = 0; i < m->n; i++) {
		struct message *msg = &m->msgs[i];

		if (!msg->gone) {
			m->msgs[kept++] = *msg;
			continue;
		}
		m->nchanged -= msg->changed;
		drop_name(m, msg);
	}
	m->state->msgs.n = kept * sizeof *m->msgs;
	m->ngone = 0;
	set_table(m);
}

static int
by_uid(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

void
view_sort(struct mailbox *m)
{
	mailbox_forget(m);
	if (m->n > 0)
		qsort(m->msgs, m->n, sizeof *m->msgs, by_uid);
}
