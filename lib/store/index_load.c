/* The index, read: a snapshot of the mailbox. */
#include "base/io.h"
#include "store/bytes.h"
#include "store/folder.h"
#include "store/index_file.h"
#include "store/sum.h"

#include <errno.h>
#include <unistd.h>

enum {
	BLOCK = 768, /* records that are looked at while they are in reach */
	RECENT = 512 /* marks, before a view of our own is as good */
};

static const unsigned KNOWN =
    FLAG_ALL | INDEX_VAGUE | INDEX_LATE | INDEX_IN_NEW;

static void
read_times(struct span in, struct scan_times *t)
{
	t->cur.tv_sec = (time_t)get64(in.p + 64);
	t->cur.tv_nsec = (long)get32(in.p + 72);
	t->fresh.tv_nsec = (long)get32(in.p + 76);
	t->fresh.tv_sec = (time_t)get64(in.p + 80);
	t->proven = (get32(in.p + 60) & INDEX_PROVEN) != 0;
}

static bool
read_head(struct span in, uint64_t size, struct index_head *h)
{
	if (in.n < INDEX_HEAD || memcmp(in.p, INDEX_MAGIC, 8) != 0 ||
	    get32(in.p + 8) != INDEX_FORMAT ||
	    get32(in.p + 12) != INDEX_HEAD ||
	    get32(in.p + 124) != sum_crc(0, span_head(in, INDEX_HEAD - 4)))
		return false;
	h->j.uidvalidity = get32(in.p + 16);
	h->j.uidnext = get32(in.p + 20);
	h->j.generation = get64(in.p + 24);
	h->j.mailbox_id = get64(in.p + 32);
	h->j.modseq = get64(in.p + 40);
	h->j.count = get32(in.p + 48);
	h->nkeywords = get32(in.p + 52);
	h->nvanished = get32(in.p + 56);
	h->names = get64(in.p + 88);
	h->j.digest = get64(in.p + 96);
	h->floor = get64(in.p + 104);
	h->sum_front = get32(in.p + 112);
	h->sum_records = get32(in.p + 116);
	return h->nkeywords <= MAILBOX_KEYWORDS && h->nvanished <= VANISHED &&
	       h->names <= size && h->j.uidvalidity > 0 && h->j.uidnext > 0 &&
	       h->j.modseq > 0 && h->j.modseq <= INT64_MAX &&
	       h->j.generation > 0 && size == index_size_of(h);
}

static int
damaged(void)
{
	errno = EBADMSG;
	return -1;
}

static int
take_front(struct mailbox *m, struct span in, const struct index_head *h)
{
	if (in.n < index_front(h) || sum_crc(0, in) != h->sum_front)
		return damaged();
	m->nkeywords = 0;
	for (size_t i = 0; i < h->nkeywords; i++) {
		size_t n = span_find(span_head(in, INDEX_KEYWORD), '\0');

		if (view_keyword(m, i, span_head(in, n)) == -1)
			return -1;
		in = span_skip(in, INDEX_KEYWORD);
	}
	for (size_t i = 0; i < h->nvanished; i++) {
		struct vanished v = { .uid = get32(in.p),
			.modseq = get64(in.p + 8) };

		(void)buf_add(&m->state->vanished, &v, sizeof v);
		in = span_skip(in, INDEX_GONE);
	}
	m->state->vanished_floor = h->floor;
	return 0;
}

static int
read_front(struct mailbox *m, int fd, const struct index_head *h)
{
	struct buf b = buf_new(SIZE_MAX / 2);
	size_t want = index_front(h);
	char *to = buf_room(&b, want + 1);
	ssize_t n = pread(fd, to, want, INDEX_HEAD);
	int r = n == -1 ? -1 : take_front(m, span_of(to, (size_t)n), h);

	buf_free(&b);
	return r;
}

struct message
index_get_record(const char in[INDEX_RECORD])
{
	unsigned bits = get16(in + 4);

	return (struct message){ .uid = get32(in),
		.flags = bits & FLAG_ALL,
		.in_new = (bits & INDEX_IN_NEW) != 0,
		.vague = (bits & INDEX_VAGUE) != 0,
		.late = (bits & INDEX_LATE) != 0,
		.name_size = get16(in + 6),
		.keywords = get64(in + 8),
		.modseq = get64(in + 16),
		.id = get64(in + 24),
		.date = (int64_t)get64(in + 32),
		.size = get32(in + 40),
		.saved = get32(in + 44),
		.wire = get64(in + 48),
		.name = get64(in + 56) };
}

/* What the records are, taken together. */
struct look {
	uint32_t sum, last;
	bool disorder; /* UIDs do not grow */
	unsigned bits; /* all that any record has */
	bool unmeasured;
	size_t in_new, n;
	size_t seen; /* no record before this one is unseen */
};

static void
look_at(struct look *l, const char *p)
{
	uint32_t uid = get32(p);
	unsigned bits = get16(p + 4);

	l->disorder |= uid <= l->last;
	l->last = uid;
	l->bits |= bits;
	l->unmeasured |= get64(p + 48) == 0 && get32(p + 40) > 0;
	l->in_new += (bits & INDEX_IN_NEW) != 0;
	l->seen += l->seen == l->n && (bits & FLAG_SEEN);
	l->n++;
}

/* Every byte is read once. */
static int
look_over(const char *p, const struct index_head *h, struct look *l)
{
	*l = (struct look){ 0 };
	for (size_t left = h->j.count; left > 0;) {
		size_t n = left < BLOCK ? left : BLOCK;

		l->sum = sum_crc(l->sum, span_of(p, n * INDEX_RECORD));
		for (size_t i = 0; i < n; i++, p += INDEX_RECORD)
			look_at(l, p);
		left -= n;
	}
	if (l->sum != h->sum_records || (l->bits & ~KNOWN) || l->disorder ||
	    l->last >= h->j.uidnext)
		return damaged();
	return 0;
}

/* Records are used as they lie in the file, where numbers are ours. */
static void
convert(char *p, size_t n)
{
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	for (size_t i = 0; i < n; i++, p += INDEX_RECORD) {
		struct message msg = index_get_record(p);

		memcpy(p, &msg, sizeof msg);
	}
#else
	(void)p;
	(void)n;
#endif
}

/* The records, mapped and looked over. */
static int
map_records(
    int fd, const struct index_head *h, struct space *table, struct look *l)
{
	size_t first = (size_t)index_first(h);

	*table = (struct space){ 0 };
	if (space_map(table, fd, (size_t)index_size_of(h)) == -1)
		return -1;
	if (look_over(table->p + first, h, l) == -1) {
		space_free(table);
		return damaged();
	}
	convert(table->p + first, h->j.count);
	return 0;
}

static void
take_records(struct mailbox *m, const struct index_head *h,
    const struct space *table, const struct look *l)
{
	struct mailbox_state *s = m->state;

	view_clear(m);
	s->table = *table;
	s->file_names = INDEX_HEAD + index_front(h);
	s->file_names_size = (size_t)h->names;
	s->first = (size_t)index_first(h);
	s->in_new = l->in_new;
	s->seen = l->seen;
	s->vague = (l->bits & INDEX_VAGUE) != 0;
	s->late = (l->bits & INDEX_LATE) != 0;
	s->unmeasured = l->unmeasured;
	view_take_table(m, h->j.count);
}

static int
read_records(struct mailbox *m, int fd, const struct index_head *h)
{
	struct space table;
	struct look l;

	if (map_records(fd, h, &table, &l) == -1)
		return -1;
	take_records(m, h, &table, &l);
	if (!m->read_only || l.in_new == 0)
		return 0;
	for (size_t i = 0; i < m->n; i++)
		if (m->msgs[i].in_new)
			view_recent(m, i, true);
	return 0;
}

static void
take_head(struct mailbox *m, const struct index_head *h, struct span head)
{
	m->uidvalidity = h->j.uidvalidity;
	m->uidnext = h->j.uidnext;
	m->highestmodseq = h->j.modseq;
	m->state->generation = h->j.generation;
	m->state->mailbox_id = h->j.mailbox_id;
	m->state->base_digest = h->j.digest;
	m->state->base_count = h->j.count;
	read_times(head, &m->state->times);
}

/* The whole; or for a light view no more than the front. */
static int
load_fd(struct mailbox *m, int fd, uint64_t size)
{
	char head[INDEX_HEAD];
	struct index_head h = { 0 };
	ssize_t n = pread(fd, head, sizeof head, 0);
	struct span in = span_of(head, n > 0 ? (size_t)n : 0);

	if (n == -1)
		return -1;
	if (!read_head(in, size, &h))
		return damaged();
	if (read_front(m, fd, &h) == -1 ||
	    (!m->state->light && read_records(m, fd, &h) == -1))
		return -1;
	take_head(m, &h, in);
	return 0;
}

int
index_load(struct mailbox *m)
{
	struct stat st;
	int fd = folder_file(m->state->dir, INDEX_NAME, &st);
	int r;

	m->state->index_size = 0;
	if (fd == -1)
		return errno == ENOENT                     ? 0
		       : errno == EINVAL || errno == ELOOP ? damaged()
							   : -1;
	r = load_fd(m, fd, (uint64_t)st.st_size);
	m->state->index_size = (uint64_t)st.st_size;
	io_close(fd);
	return r == -1 ? -1 : 1;
}

/* The index in the folder: 1; 0: there is none that is good; -1.  With *fd
 * for who wants more of it. */
static int
peek(const struct mailbox *m, struct index_head *h, int *fd)
{
	char bytes[INDEX_HEAD];
	struct stat st;
	ssize_t n;

	*fd = folder_file(m->state->dir, INDEX_NAME, &st);
	if (*fd == -1)
		return errno == ENOENT || errno == EINVAL || errno == ELOOP
			   ? 0
			   : -1;
	n = pread(*fd, bytes, sizeof bytes, 0);
	if (n == -1)
		return -1;
	return read_head(
	    span_of(bytes, (size_t)n), (uint64_t)st.st_size, h);
}

int
index_is_newer(const struct mailbox *m)
{
	struct index_head h;
	int fd, r = peek(m, &h, &fd), error = errno;

	if (fd != -1)
		close(fd);
	errno = error;
	return r == 1 ? h.j.generation > m->state->generation : r;
}

static bool
is_same(const struct message *a, const struct message *b)
{
	return a->uid == b->uid && a->flags == b->flags &&
	       a->in_new == b->in_new && a->late == b->late &&
	       a->keywords == b->keywords &&
	       a->modseq == b->modseq && a->id == b->id;
}

/* Does the snapshot say just what the view says? */
static bool
is_view(const struct mailbox *m, const struct index_head *h,
    const struct message *of)
{
	if (h->j.generation != m->state->generation ||
	    h->j.uidvalidity != m->uidvalidity ||
	    h->j.mailbox_id != m->state->mailbox_id ||
	    h->j.modseq != m->highestmodseq || h->j.uidnext != m->uidnext ||
	    h->j.count != m->n)
		return false;
	for (size_t i = 0; of && i < m->n; i++)
		if (!is_same(&of[i], &m->msgs[i]))
			return false;
	return true;
}

/* Marks of the session go along, where they are few. */
static void
take_share(struct mailbox *m, const struct index_head *h,
    const struct space *table, const struct look *l)
{
	size_t recent[RECENT], n = 0;

	for (size_t i = 0; n < m->nrecent && i < m->n; i++)
		if (m->msgs[i].recent)
			recent[n++] = i;
	take_records(m, h, table, l);
	for (size_t k = 0; k < n; k++)
		view_recent(m, recent[k], true);
	m->state->index_size = index_size_of(h);
}

void
index_share(struct mailbox *m)
{
	const struct mailbox_state *s = m->state;
	struct index_head h;
	struct space table;
	struct look l;
	int fd;

	if (s->light || s->memory || m->ngone || m->nchanged ||
	    m->nrecent > RECENT || s->nlearned)
		return;
	if (peek(m, &h, &fd) == 1 && is_view(m, &h, NULL) &&
	    map_records(fd, &h, &table, &l) == 0) {
		if (is_view(m, &h,
			(const void *)(table.p + index_first(&h))))
			take_share(m, &h, &table, &l);
		else
			space_free(&table);
	}
	if (fd != -1)
		close(fd);
}
