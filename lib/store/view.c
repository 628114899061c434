/* The messages of a mailbox in memory. */
#include "base/err.h"
#include "store/state.h"
#include "store/sum.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	TIDY = 1 << 20, /* dead bytes of names that are not worth the work */
	LOOSE = 1 << 19,
	PAGE = 4096
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
		err_nomem(); /* it is the arena's only piece, and fits */
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
		.again_ms = -1,
		.light = light };
	w->s.vanished = buf_new(SIZE_MAX / 2);
	w->s.keywords = buf_new((size_t)MAILBOX_KEYWORDS * MAILBOX_KEYWORD);
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
	space_free(&s->table);
	space_free(&s->names);
	buf_free(&s->vanished);
	buf_free(&s->keywords);
	arena_free(&home);
}

void
view_take_table(struct mailbox *m, size_t n)
{
	const struct mailbox_state *s = m->state;

	m->msgs = (struct message *)(void *)(s->table.p + s->first);
	m->n = n;
}

void
view_clear(struct mailbox *m)
{
	struct mailbox_state *s = m->state;

	space_free(&s->table);
	space_free(&s->names);
	s->first = s->file_names = s->file_names_size = 0;
	s->names_used = s->names_dead = s->in_new = s->seen = 0;
	s->nlearned = 0;
	s->loose = s->loose_page = 0;
	s->vague = s->unmeasured = s->late = false;
	m->msgs = NULL;
	m->n = m->ngone = m->nchanged = m->nrecent = 0;
}

struct message *
view_edit(struct mailbox *m, size_t i)
{
	struct mailbox_state *s = m->state;

	return space_edit(
	    &s->table, s->first + i * sizeof *m->msgs, sizeof *m->msgs);
}

void
mailbox_told(struct mailbox *m, size_t i)
{
	if (!m->msgs[i].changed)
		return;
	view_edit(m, i)->changed = false;
	m->nchanged--;
}

void
mailbox_rest(struct mailbox *m)
{
	space_rest(&m->state->table);
}

static void
count_new(struct mailbox *m, const struct message *msg, bool in_new)
{
	if (msg->in_new && !msg->gone)
		m->state->in_new--;
	if (in_new && !msg->gone)
		m->state->in_new++;
}

/* A record that is written to takes its page with it. */
static void
touch(struct mailbox *m, size_t i)
{
	struct mailbox_state *s = m->state;
	size_t page = (s->first + i * sizeof *m->msgs) / PAGE + 1;

	if (page != s->loose_page)
		s->loose += PAGE;
	s->loose_page = page;
}

bool
view_is_loose(const struct mailbox *m)
{
	const struct mailbox_state *s = m->state;
	size_t all = m->n * sizeof *m->msgs;

	return (s->loose < all ? s->loose : all) + s->names_used > LOOSE;
}

void
view_recent(struct mailbox *m, size_t i, bool recent)
{
	m->nrecent -= m->msgs[i].recent;
	m->nrecent += recent;
	if (m->msgs[i].recent != recent)
		view_edit(m, i)->recent = recent;
}

/* Names in the index have no checksum: nothing is believed of them. */
const char *
view_file(const struct mailbox *m, size_t i)
{
	const struct mailbox_state *s = m->state;
	const struct message *msg = &m->msgs[i];
	const char *names = s->table.p + s->file_names;
	size_t size = s->file_names_size;

	if (msg->own_name) {
		names = s->names.p;
		size = s->names_used;
	}
	if (msg->name >= size || msg->name_size >= size - msg->name ||
	    names[msg->name + msg->name_size] != '\0')
		return "";
	return names + msg->name;
}

bool
view_is_mangled(const struct mailbox *m, size_t i)
{
	const struct message *msg = &m->msgs[i];
	struct maildir_name name;

	return !msg->own_name &&
	       (!maildir_parse(span_str(view_file(m, i)), &name) ||
		   sum_id(name.base) != msg->id);
}

const char *
mailbox_file(const struct mailbox *m, size_t i)
{
	return view_is_mangled(m, i) ? "" : view_file(m, i);
}

static void
drop_name(struct mailbox *m, const struct message *msg)
{
	if (msg->own_name)
		m->state->names_dead += msg->name_size + 1U;
}

/* Adds a name: where it begins, or SIZE_MAX. */
static size_t
keep_name(struct space *to, size_t *used, struct span name)
{
	char text[MAILDIR_NAME];
	size_t at = *used;

	/* It may lie in what moves now. */
	if (span_copy(name, text, sizeof text) == -1 ||
	    space_need(to, at + name.n + 1) == -1)
		return SIZE_MAX;
	memcpy(to->p + at, text, name.n + 1);
	*used += name.n + 1;
	return at;
}

int
view_set_name(struct mailbox *m, size_t i, struct span name, bool in_new)
{
	size_t at = keep_name(&m->state->names, &m->state->names_used, name);
	struct message *msg;

	if (at == SIZE_MAX)
		return -1;
	msg = view_edit(m, i);
	drop_name(m, msg);
	touch(m, i);
	msg->name = at;
	msg->name_size = (uint16_t)name.n;
	msg->own_name = true;
	msg->looked_up = false;
	msg->late = false;
	count_new(m, msg, in_new);
	msg->in_new = in_new;
	if (m->read_only)
		view_recent(m, i, in_new);
	return 0;
}

int
view_add(struct mailbox *m, const struct message *msg, struct span name)
{
	struct mailbox_state *s = m->state;
	bool in_new = msg->in_new;
	struct message *to;

	if (space_need(&s->table, s->first + (m->n + 1) * sizeof *msg) == -1)
		return -1;
	view_take_table(m, m->n + 1);
	to = view_edit(m, m->n - 1);
	*to = *msg;
	s->vague |= msg->vague;
	s->unmeasured |= msg->wire == 0 && msg->size > 0;
	to->own_name = false;
	to->learned = false;
	to->recent = false;
	to->in_new = false;
	if (view_set_name(m, m->n - 1, name, in_new) == 0) {
		to->late = msg->late;
		s->late |= msg->late;
		return 0;
	}
	m->n--;
	return -1;
}

void
view_flags(struct mailbox *m, size_t i, unsigned flags, uint64_t keywords,
    uint64_t modseq)
{
	struct message *msg = view_edit(m, i);

	if (m->state->marks && !msg->changed &&
	    (msg->flags != flags || msg->keywords != keywords)) {
		msg->changed = true;
		m->nchanged++;
	}
	if (!(flags & FLAG_SEEN) && i < m->state->seen)
		m->state->seen = i;
	touch(m, i);
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
	touch(m, i);
	view_edit(m, i)->gone = true;
	m->ngone++;
}

/* The last one, still without a name. */
static char *
add_keyword(struct mailbox *m)
{
	struct buf *b = &m->state->keywords;

	b->n = m->nkeywords * sizeof *m->keyword;
	(void)buf_room(b, sizeof *m->keyword); /* that many there can be */
	m->keyword = (void *)b->p;
	return m->keyword[m->nkeywords++];
}

/* The names of keywords that only a lost index knew. */
static void
name_lost_keywords(struct mailbox *m, size_t slots)
{
	while (m->nkeywords < slots) {
		size_t i = m->nkeywords;

		snprintf(add_keyword(m), MAILBOX_KEYWORD, "lost-%zu", i);
	}
}

int
view_keyword(struct mailbox *m, size_t slot, struct span name)
{
	if (m->state->repairing && slot < MAILBOX_KEYWORDS)
		name_lost_keywords(m, slot);
	if (slot >= MAILBOX_KEYWORDS || slot > m->nkeywords || name.n == 0 ||
	    name.n >= MAILBOX_KEYWORD || span_find(name, '\0') < name.n) {
		errno = EBADMSG;
		return -1;
	}
	if (slot == m->nkeywords)
		(void)add_keyword(m);
	return span_copy(name, m->keyword[slot], MAILBOX_KEYWORD);
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
	struct space fresh = { 0 };
	size_t used = 0;

	if (s->names_dead < TIDY || s->names_dead < s->names_used / 2 ||
	    space_need(&fresh, s->names_used - s->names_dead) == -1)
		return;
	for (size_t i = 0; i < m->n; i++) {
		struct message *msg;
		size_t at;

		if (!m->msgs[i].own_name)
			continue;
		msg = view_edit(m, i);
		at = keep_name(&fresh, &used, span_str(view_file(m, i)));
		msg->name = at;
		if (at == SIZE_MAX)
			msg->name_size = 0; /* to be looked up */
	}
	space_free(&s->names);
	s->names = fresh;
	s->names_used = used;
	s->names_dead = 0;
}

size_t
mailbox_first_unseen(struct mailbox *m)
{
	size_t i = m->state->seen;

	while (i < m->n && (m->msgs[i].flags & FLAG_SEEN))
		i++;
	m->state->seen = i;
	return i;
}

/* The longest run of messages that stay: from..to. */
static void
longest_run(const struct mailbox *m, size_t *from, size_t *to)
{
	size_t start = 0;

	*from = *to = 0;
	for (size_t i = 0; i <= m->n; i++) {
		if (i < m->n && !m->msgs[i].gone)
			continue;
		if (i - start > *to - *from) {
			*from = start;
			*to = i;
		}
		start = i + 1;
	}
}

static void
forget_marks(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	size_t before = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct message *msg = &m->msgs[i];

		if (!msg->gone)
			continue;
		m->nchanged -= msg->changed;
		m->nrecent -= msg->recent;
		s->nlearned -= msg->learned;
		before += i < s->seen;
		drop_name(m, msg);
	}
	s->seen -= before;
}

/* The longest run stays where it is, and shared with others; what stands
 * before it moves up to it, what stands behind it down. */
void
mailbox_forget(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	size_t from, to, first, end;

	if (m->ngone == 0)
		return;
	forget_marks(m);
	longest_run(m, &from, &to);
	first = from;
	for (size_t i = from; i-- > 0;)
		if (!m->msgs[i].gone)
			*view_edit(m, --first) = m->msgs[i];
	end = to;
	for (size_t i = to; i < m->n; i++)
		if (!m->msgs[i].gone)
			*view_edit(m, end++) = m->msgs[i];
	s->loose += (from - first + end - to) * sizeof *m->msgs;
	s->first += first * sizeof *m->msgs;
	view_take_table(m, end - first);
	m->ngone = 0;
}

static int
by_uid(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

static bool
is_sorted(const struct mailbox *m)
{
	for (size_t i = 1; i < m->n; i++)
		if (m->msgs[i].uid < m->msgs[i - 1].uid)
			return false;
	return true;
}

void
view_sort(struct mailbox *m)
{
	mailbox_forget(m);
	m->state->seen = 0;
	if (!is_sorted(m))
		qsort(space_edit(&m->state->table, m->state->first,
			  m->n * sizeof *m->msgs),
		    m->n, sizeof *m->msgs, by_uid);
}
