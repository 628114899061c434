/* The index: a snapshot of the mailbox, replaced as a whole. */
#include "base/durable.h"
#include "base/io.h"
#include "store/adopt.h"
#include "store/bytes.h"
#include "store/index_file.h"
#include "store/lock.h"
#include "store/state.h"
#include "store/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char fresh_index[] = "postern.index.new";
static const char fresh_journal[] = "postern.journal.new";

void
index_put_record(const struct message *msg, char out[INDEX_RECORD])
{
	put32(out, msg->uid);
	put16(out + 4,
	    (uint16_t)(msg->flags | (msg->in_new ? INDEX_IN_NEW : 0U) |
		       (msg->vague ? INDEX_VAGUE : 0U) |
		       (msg->late ? INDEX_LATE : 0U)));
	put16(out + 6, msg->name_size);
	put64(out + 8, msg->keywords);
	put64(out + 16, msg->modseq);
	put64(out + 24, msg->id);
	put64(out + 32, (uint64_t)msg->date);
	put32(out + 40, msg->size);
	put32(out + 44, msg->saved);
	put64(out + 48, msg->wire);
	put64(out + 56, msg->name);
}

static void
write_front(const struct mailbox *m, const struct vanished *v, size_t n,
    struct buf *out)
{
	static const char zeros[INDEX_KEYWORD];

	for (size_t i = 0; i < m->nkeywords; i++) {
		size_t length = strlen(m->keyword[i]);

		buf_add(out, m->keyword[i], length);
		buf_add(out, zeros, INDEX_KEYWORD - length);
	}
	for (size_t i = 0; i < n; i++) {
		char gone[INDEX_GONE] = { 0 };

		put32(gone, v[i].uid);
		put64(gone + 8, v[i].modseq);
		buf_add(out, gone, sizeof gone);
	}
}

static void
write_head(const struct mailbox *m, const struct index_head *h, char *p)
{
	const struct scan_times *t = &m->state->times;

	memset(p, 0, INDEX_HEAD);
	memcpy(p, INDEX_MAGIC, 8);
	put32(p + 8, INDEX_FORMAT);
	put32(p + 12, INDEX_HEAD);
	put32(p + 16, h->j.uidvalidity);
	put32(p + 20, h->j.uidnext);
	put64(p + 24, h->j.generation);
	put64(p + 32, h->j.mailbox_id);
	put64(p + 40, h->j.modseq);
	put32(p + 48, h->j.count);
	put32(p + 52, h->nkeywords);
	put32(p + 56, h->nvanished);
	put32(p + 60, t->proven ? INDEX_PROVEN : 0);
	put64(p + 64, (uint64_t)t->cur.tv_sec);
	put32(p + 72, (uint32_t)t->cur.tv_nsec);
	put32(p + 76, (uint32_t)t->fresh.tv_nsec);
	put64(p + 80, (uint64_t)t->fresh.tv_sec);
	put64(p + 88, h->names);
	put64(p + 96, h->j.digest);
	put64(p + 104, h->floor);
	put32(p + 112, h->sum_front);
	put32(p + 116, h->sum_records);
	put32(p + 124, sum_crc(0, span_of(p, INDEX_HEAD - 4)));
}

/* The names, each with a NUL; then the records, which say where they are. */
static void
write_messages(const struct mailbox *m, char *names, char *records)
{
	size_t at = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct message msg = m->msgs[i];
		const char *name = view_file(m, i);

		if (msg.gone)
			continue;
		msg.name_size = (uint16_t)strlen(name);
		msg.name = at;
		memcpy(names + at, name, msg.name_size + 1U);
		at += msg.name_size + 1U;
		index_put_record(&msg, records);
		records += INDEX_RECORD;
	}
}

static uint64_t
names_size(const struct mailbox *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		if (!m->msgs[i].gone)
			n += strlen(view_file(m, i)) + 1;
	return n;
}

static void
build(struct mailbox *m, struct journal_head *j, struct buf *out)
{
	struct buf front = buf_new(SIZE_MAX / 2);
	const struct mailbox_state *s = m->state;
	const struct vanished *v =
	    (const struct vanished *)(const void *)s->vanished.p;
	size_t nv = s->vanished.n / sizeof *v, size, first;
	struct index_head h = { .j = *j,
		.nkeywords = (uint32_t)m->nkeywords,
		.names = names_size(m),
		.floor = s->vanished_floor };
	char *p;

	if (nv > VANISHED) {
		v += nv - VANISHED;
		h.floor = v[-1].modseq;
		nv = VANISHED;
	}
	h.nvanished = (uint32_t)nv;
	write_front(m, v, nv, &front);
	size = (size_t)index_size_of(&h);
	first = (size_t)index_first(&h);
	p = buf_room(out, size); /* there is no limit to it */
	out->n = size;
	memcpy(p + INDEX_HEAD, front.p ? front.p : "", front.n);
	memset(p + first - (INDEX_RECORD - 1), 0, INDEX_RECORD - 1);
	write_messages(m, p + INDEX_HEAD + front.n, p + first);
	h.sum_front = sum_crc(0, buf_span(&front));
	h.sum_records = sum_crc(0, span_of(p + first, size - first));
	write_head(m, &h, p);
	buf_free(&front);
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

	if (durable_rename(s->dir, fresh_journal, s->dir, JOURNAL_NAME) == -1) {
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
	s->ahead = durable_rename(s->dir, fresh_index, s->dir, INDEX_NAME) == 0;
	/* From the second rename on the UIDs are out. */
	if (!s->ahead || durable_sync(s->dir) == -1 ||
	    (s->adopting && adopt_mark(s->dir) == -1)) {
		error = errno;
		close(journal);
		errno = error;
		return -1;
	}
	s->folded = true;
	if (take_journal(m, journal, &j) == -1)
		return -1;
	facts_kept(m);
	index_share(m);
	return 0;
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

bool
index_is_due(const struct mailbox_state *s)
{
	return s->offset >= JOURNAL_LEAST &&
	       s->offset >= s->index_size / JOURNAL_PART;
}

int
index_write_if_due(struct mailbox *m)
{
	return index_is_due(m->state) && m->state->writable ? index_write(m)
							    : 0;
}
