/* The index: a snapshot of the mailbox, replaced as a whole. */
#include "base/durable.h"
#include "base/io.h"
#include "store/adopt.h"
#include "store/bytes.h"
#include "store/folder.h"
#include "store/lock.h"
#include "store/state.h"
#include "store/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char magic[] = "PSTNIDX1";

enum {
	FORMAT = 1,
	HEAD = 128,
	KEYWORD = 64,
	GONE = 16,
	RECORD = 64,
	BIT_PROVEN = 1,
	RECORD_IN_NEW = 0x8000 /* in a record's flags */
};

static const char fresh_index[] = "postern.index.new";
static const char fresh_journal[] = "postern.journal.new";

struct head {
	struct journal_head j; /* as the journal of the generation begins */
	uint32_t nkeywords, nvanished;
	uint64_t names, floor;
	uint32_t sum_front, sum_back;
};

static size_t
front_size(const struct head *h)
{
	return (size_t)h->nkeywords * KEYWORD + (size_t)h->nvanished * GONE;
}

static uint64_t
back_size(const struct head *h)
{
	return (uint64_t)h->j.count * RECORD + h->names;
}

static void
read_times(struct span in, struct scan_times *t)
{
	t->cur.tv_sec = (time_t)get64(in.p + 64);
	t->cur.tv_nsec = (long)get32(in.p + 72);
	t->fresh.tv_nsec = (long)get32(in.p + 76);
	t->fresh.tv_sec = (time_t)get64(in.p + 80);
	t->proven = (get32(in.p + 60) & BIT_PROVEN) != 0;
}

static bool
read_head(struct span in, uint64_t size, struct head *h)
{
	if (in.n < HEAD || memcmp(in.p, magic, 8) != 0 ||
	    get32(in.p + 8) != FORMAT || get32(in.p + 12) != HEAD ||
	    get32(in.p + 124) != sum_crc(0, span_head(in, HEAD - 4)))
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
	h->sum_back = get32(in.p + 116);
	return h->nkeywords <= MAILBOX_KEYWORDS && h->nvanished <= VANISHED &&
	       h->names <= size && h->j.uidvalidity > 0 && h->j.uidnext > 0 &&
	       h->j.modseq > 0 && h->j.modseq <= INT64_MAX &&
	       h->j.generation > 0 &&
	       size == HEAD + front_size(h) + back_size(h);
}

static int
damaged(void)
{
	errno = EBADMSG;
	return -1;
}

static int
read_front(struct mailbox *m, struct span in, const struct head *h)
{
	if (in.n < front_size(h) ||
	    sum_crc(0, span_head(in, front_size(h))) != h->sum_front)
		return damaged();
	m->nkeywords = 0;
	for (size_t i = 0; i < h->nkeywords; i++) {
		size_t n = span_find(span_head(in, KEYWORD), '\0');

		if (view_keyword(m, i, span_head(in, n)) == -1)
			return -1;
		in = span_skip(in, KEYWORD);
	}
	for (size_t i = 0; i < h->nvanished; i++) {
		struct vanished v = { .uid = get32(in.p),
			.modseq = get64(in.p + 8) };

		(void)buf_add(&m->state->vanished, &v, sizeof v);
		in = span_skip(in, GONE);
	}
	m->state->vanished_floor = h->floor;
	return 0;
}

static int
read_record(struct mailbox *m, const char *p, struct span names, uint32_t *last)
{
	struct message msg = { .uid = get32(p) };
	unsigned flags = get16(p + 4);
	uint64_t at = get64(p + 56);
	size_t n = get16(p + 6);
	struct maildir_name parsed;
	struct span name;

	msg.flags = flags & FLAG_ALL;
	msg.in_new = (flags & RECORD_IN_NEW) != 0;
	msg.keywords = get64(p + 8);
	msg.modseq = get64(p + 16);
	msg.id = get64(p + 24);
	msg.date = (int64_t)get64(p + 32);
	msg.size = get64(p + 40);
	msg.wire = get64(p + 48);
	if (at > names.n || n > names.n - at || msg.uid <= *last)
		return damaged();
	name = span_of(names.p + at, n);
	if (!maildir_parse(name, &parsed))
		return damaged();
	*last = msg.uid;
	return view_add(m, &msg, name);
}

static int
read_back(struct mailbox *m, struct span in, const struct head *h)
{
	struct span names = span_skip(in, (size_t)h->j.count * RECORD);
	uint32_t last = 0;

	if (in.n != back_size(h) || sum_crc(0, in) != h->sum_back)
		return damaged();
	for (size_t i = 0; i < h->j.count; i++)
		if (read_record(m, in.p + i * RECORD, names, &last) == -1)
			return -1;
	return last < h->j.uidnext ? 0 : damaged();
}

static void
take_head(struct mailbox *m, const struct head *h, struct span head)
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
	struct head h = { 0 };
	struct buf b = buf_new(SIZE_MAX / 2);
	struct span in;
	size_t want = size;
	char *to;
	ssize_t n;
	int r = -1;

	if (m->state->light && want > HEAD +
					  (size_t)MAILBOX_KEYWORDS * KEYWORD +
					  (size_t)VANISHED * GONE)
		want = HEAD + (size_t)MAILBOX_KEYWORDS * KEYWORD +
		       (size_t)VANISHED * GONE;
	to = buf_room(&b, want);
	if (to == NULL)
		return -1;
	n = io_read_full(fd, to, want);
	in = span_of(to, n > 0 ? (size_t)n : 0);
	if (n >= 0 && !read_head(in, size, &h))
		r = damaged();
	else if (n >= 0)
		r = read_front(m, span_skip(in, HEAD), &h);
	if (r == 0 && !m->state->light)
		r = read_back(m, span_skip(in, HEAD + front_size(&h)), &h);
	if (r == 0)
		take_head(m, &h, in);
	buf_free(&b);
	return r;
}

int
index_load(struct mailbox *m)
{
	struct stat st;
	int fd = folder_file(m->state->dir, INDEX_NAME, &st);
	int r, error;

	m->state->index_size = 0;
	if (fd == -1)
		return errno == ENOENT                     ? 0
		       : errno == EINVAL || errno == ELOOP ? damaged()
							   : -1;
	r = load_fd(m, fd, (uint64_t)st.st_size);
	m->state->index_size = (uint64_t)st.st_size;
	error = errno;
	close(fd);
	errno = error;
	return r == -1 ? -1 : 1;
}

int
index_is_newer(const struct mailbox *m)
{
	char bytes[HEAD];
	struct head h;
	struct stat st;
	int fd = folder_file(m->state->dir, INDEX_NAME, &st), error;
	ssize_t n;

	if (fd == -1)
		return errno == ENOENT || errno == EINVAL || errno == ELOOP
			   ? 0
			   : -1;
	n = pread(fd, bytes, sizeof bytes, 0);
	error = errno;
	close(fd);
	errno = error;
	if (n == -1)
		return -1;
	return read_head(span_of(bytes, (size_t)n), (uint64_t)st.st_size, &h) &&
	       h.j.generation > m->state->generation;
}

static void
write_front(const struct mailbox *m, const struct vanished *v, size_t n,
    struct buf *out)
{
	static const char zeros[KEYWORD];

	for (size_t i = 0; i < m->nkeywords; i++) {
		size_t length = strlen(m->keyword[i]);

		buf_add(out, m->keyword[i], length);
		buf_add(out, zeros, KEYWORD - length);
	}
	for (size_t i = 0; i < n; i++) {
		char gone[GONE] = { 0 };

		put32(gone, v[i].uid);
		put64(gone + 8, v[i].modseq);
		buf_add(out, gone, sizeof gone);
	}
}

static void
write_record(const struct mailbox *m, size_t i, struct buf *records,
    struct buf *names)
{
	const struct message *msg = &m->msgs[i];
	char r[RECORD];
	const char *name = mailbox_file(m, i);
	size_t n = strlen(name);

	put32(r, msg->uid);
	put16(
	    r + 4, (uint16_t)(msg->flags | (msg->in_new ? RECORD_IN_NEW : 0U)));
	put16(r + 6, (uint16_t)n);
	put64(r + 8, msg->keywords);
	put64(r + 16, msg->modseq);
	put64(r + 24, msg->id);
	put64(r + 32, (uint64_t)msg->date);
	put64(r + 40, msg->size);
	put64(r + 48, msg->wire);
	put64(r + 56, names->n);
	buf_add(records, r, sizeof r);
	buf_add(names, name, n);
}

static void
write_head(const struct mailbox *m, struct head *h, struct buf *out)
{
	const struct scan_times *t = &m->state->times;
	char p[HEAD] = { 0 };

	memcpy(p, magic, 8);
	put32(p + 8, FORMAT);
	put32(p + 12, HEAD);
	put32(p + 16, h->j.uidvalidity);
	put32(p + 20, h->j.uidnext);
	put64(p + 24, h->j.generation);
	put64(p + 32, h->j.mailbox_id);
	put64(p + 40, h->j.modseq);
	put32(p + 48, h->j.count);
	put32(p + 52, h->nkeywords);
	put32(p + 56, h->nvanished);
	put32(p + 60, t->proven ? BIT_PROVEN : 0);
	put64(p + 64, (uint64_t)t->cur.tv_sec);
	put32(p + 72, (uint32_t)t->cur.tv_nsec);
	put32(p + 76, (uint32_t)t->fresh.tv_nsec);
	put64(p + 80, (uint64_t)t->fresh.tv_sec);
	put64(p + 88, h->names);
	put64(p + 96, h->j.digest);
	put64(p + 104, h->floor);
	put32(p + 112, h->sum_front);
	put32(p + 116, h->sum_back);
	put32(p + 124, sum_crc(0, span_of(p, HEAD - 4)));
	buf_add(out, p, sizeof p);
}

static void
build(struct mailbox *m, struct journal_head *j, struct buf *out)
{
	struct buf front = buf_new(SIZE_MAX / 2), back = front, names = front;
	const struct mailbox_state *s = m->state;
	const struct vanished *v =
	    (const struct vanished *)(const void *)s->vanished.p;
	size_t nv = s->vanished.n / sizeof *v;
	struct head h = { .j = *j,
		.nkeywords = (uint32_t)m->nkeywords,
		.floor = s->vanished_floor };

	if (nv > VANISHED) {
		v += nv - VANISHED;
		h.floor = v[-1].modseq;
		nv = VANISHED;
	}
	h.nvanished = (uint32_t)nv;
	write_front(m, v, nv, &front);
	for (size_t i = 0; i < m->n; i++)
		if (!m->msgs[i].gone)
			write_record(m, i, &back, &names);
	h.names = names.n;
	buf_add_span(&back, buf_span(&names));
	h.sum_front = sum_crc(0, buf_span(&front));
	h.sum_back = sum_crc(0, buf_span(&back));
	write_head(m, &h, out);
	buf_add_span(out, buf_span(&front));
	buf_add_span(out, buf_span(&back));
	buf_free(&front);
	buf_free(&back);
	buf_free(&names);
}

/* A new file, on the disk, under its temporary name: a descriptor. */
static int
put_file(int dir, const char *name, struct span bytes)
{
	int fd, error;

	if (unlinkat(dir, name, 0) == -1 && errno != ENOENT)
		return -1;
	fd = openat(dir, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (io_write(fd, bytes.p, bytes.n) == 0 && fsync(fd) == 0)
		return fd;
	error = errno;
	close(fd);
	unlinkat(dir, name, 0);
	errno = error;
	return -1;
}

static struct journal_head
next_head(const struct mailbox *m)
{
	struct journal_head j = { .uidvalidity = m->uidvalidity,
		.generation = m->state->generation + 1,
		.mailbox_id = m->state->mailbox_id,
		.uidnext = m->uidnext,
		.modseq = m->highestmodseq };

	j.digest = view_digest(m, &j.count);
	return j;
}

/*
 * The new journal is locked before anybody can see it, so that the lock is
 * never free in between.
 */
static int
put_journal(struct mailbox *m, struct journal_head *j)
{
	char head[JOURNAL_HEAD];
	int fd;

	journal_head_write(head, j);
	fd = put_file(m->state->dir, fresh_journal, span_of(head, sizeof head));
	if (fd != -1 && lock_take(fd, 0) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
take_journal(struct mailbox *m, int fd, const struct journal_head *j)
{
	struct mailbox_state *s = m->state;

	if (renameat(s->dir, fresh_journal, s->dir, JOURNAL_NAME) == -1) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	close(s->journal);
	s->journal = fd;
	s->generation = j->generation;
	s->seed = j->seed;
	s->offset = JOURNAL_HEAD;
	s->ahead = false;
	journal_reserve(m);
	return durable_sync(s->dir);
}

/*
 * Index first: an index of generation g + 1 holds all of journal g, so that
 * a crash before the second rename leaves a pair that index_finish mends.
 */
int
index_write(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	struct journal_head j = next_head(m);
	struct buf b = buf_new(SIZE_MAX / 2);
	int journal = put_journal(m, &j), index = -1, error;

	if (journal != -1) {
		build(m, &j, &b);
		index = put_file(s->dir, fresh_index, buf_span(&b));
	}
	error = errno;
	s->index_size = b.n;
	buf_free(&b);
	if (index == -1) {
		if (journal != -1)
			close(journal);
		errno = error;
		return -1;
	}
	close(index);
	s->base_digest = j.digest;
	s->base_count = j.count;
	s->ahead = renameat(s->dir, fresh_index, s->dir, INDEX_NAME) == 0;
	/* From the second rename on the UIDs are out. */
	if (!s->ahead || durable_sync(s->dir) == -1 ||
	    (s->adopting && adopt_mark(s->dir) == -1)) {
		error = errno;
		close(journal);
		errno = error;
		return -1;
	}
	return take_journal(m, journal, &j);
}

int
index_unfinished(const struct mailbox *m, struct journal_head *h)
{
	int fd = openat(m->state->dir, fresh_journal,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd == -1)
		return 0;
	r = journal_head_load(fd, h);
	close(fd);
	return r;
}

int
index_finish(struct mailbox *m)
{
	struct journal_head j = { .uidvalidity = m->uidvalidity,
		.generation = m->state->generation + 1,
		.mailbox_id = m->state->mailbox_id,
		.uidnext = m->uidnext,
		.modseq = m->highestmodseq,
		.digest = m->state->base_digest,
		.count = m->state->base_count };
	int fd = put_journal(m, &j);

	return fd == -1 ? -1 : take_journal(m, fd, &j);
}

int
index_write_if_due(struct mailbox *m)
{
	const struct mailbox_state *s = m->state;
	uint64_t least =
	    s->index_size > JOURNAL_LEAST ? s->index_size : JOURNAL_LEAST;

	if (s->offset < least || !s->writable)
		return 0;
	return index_write(m);
}
