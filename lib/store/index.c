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

enum {
	PIECE = 262144,
	TIGHTEN_RATE = 262144, /* bytes of index in a second, */
	TIGHTEN_S = 60,        /* not more often than that, */
	TIGHTEN_MS = 2000      /* looked at by one session */
};

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

/*
 * The file on its way: in pieces, so that a large mailbox is not in memory
 * twice, and the disk has work from the first piece on.
 */
struct pieces {
	int fd;
	struct buf b;
	size_t summed; /* bytes of b that are in the sum */
	uint32_t sum;
	int error; /* the first one */
};

static void
sum_up(struct pieces *p)
{
	p->sum = sum_crc(p->sum, span_skip(buf_span(&p->b), p->summed));
	p->summed = p->b.n;
}

/* Of what was added since the last question. */
static uint32_t
take_sum(struct pieces *p)
{
	uint32_t sum;

	sum_up(p);
	sum = p->sum;
	p->sum = 0;
	return sum;
}

static void
flush(struct pieces *p)
{
	sum_up(p);
	if (p->error == 0 && io_write(p->fd, p->b.p, p->b.n) == -1)
		p->error = errno;
	buf_reset(&p->b);
	p->summed = 0;
}

static void
add(struct pieces *p, const void *bytes, size_t n)
{
	(void)buf_add(&p->b, bytes, n);
	if (p->b.n < PIECE)
		return;
	flush(p);
	(void)sync_file_range(p->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static void
add_zeros(struct pieces *p, size_t n)
{
	static const char zeros[INDEX_HEAD];

	add(p, zeros, n);
}

static void
write_front(const struct mailbox *m, const struct vanished *v, size_t n,
    struct pieces *out)
{
	for (size_t i = 0; i < m->nkeywords; i++) {
		size_t length = strlen(m->keyword[i]);

		add(out, m->keyword[i], length);
		add_zeros(out, INDEX_KEYWORD - length);
	}
	for (size_t i = 0; i < n; i++) {
		char gone[INDEX_GONE] = { 0 };

		put32(gone, v[i].uid);
		put64(gone + 8, v[i].modseq);
		add(out, gone, sizeof gone);
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

static uint16_t
name_size(const struct mailbox *m, size_t i)
{
	return view_file(m, i)[0] == '\0' ? 0 : m->msgs[i].name_size;
}

static uint64_t
write_names(const struct mailbox *m, struct pieces *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (m->msgs[i].gone)
			continue;
		add(out, view_file(m, i), name_size(m, i) + 1U);
		n += name_size(m, i) + 1U;
	}
	return n;
}

static void
write_records(const struct mailbox *m, struct pieces *out)
{
	uint64_t at = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct message msg = m->msgs[i];
		char record[INDEX_RECORD];

		if (msg.gone)
			continue;
		msg.name_size = name_size(m, i);
		msg.name = at;
		at += msg.name_size + 1U;
		index_put_record(&msg, record);
		add(out, record, sizeof record);
	}
}

/* All but the head, which knows the sums; its place stays free. */
static void
write_body(struct mailbox *m, struct index_head *h, struct pieces *out)
{
	const struct mailbox_state *s = m->state;
	const struct vanished *v =
	    (const struct vanished *)(const void *)s->vanished.p;
	size_t n = s->vanished.n / sizeof *v;

	h->nkeywords = (uint32_t)m->nkeywords;
	h->floor = s->vanished_floor;
	if (n > VANISHED) {
		v += n - VANISHED;
		h->floor = v[-1].modseq;
		n = VANISHED;
	}
	h->nvanished = (uint32_t)n;
	add_zeros(out, INDEX_HEAD);
	(void)take_sum(out);
	write_front(m, v, n, out);
	h->sum_front = take_sum(out);
	h->names = write_names(m, out);
	add_zeros(out, (size_t)(index_first(h) - INDEX_HEAD - h->names) -
	        index_front(h));
	(void)take_sum(out);
	write_records(m, out);
	h->sum_records = take_sum(out);
	flush(out);
}

/* A new file under its temporary name. */
static int
create(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == -1 && errno != ENOENT)
		return -1;
	return openat(dir, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* It is written, or failed with an error: on the disk, or gone. */
static int
settle(int dir, const char *name, int fd, int error)
{
	if (error == 0 && fsync(fd) == 0)
		return fd;
	error = error ? error : errno;
	close(fd);
	unlinkat(dir, name, 0);
	errno = error;
	return -1;
}

static int
put_index(struct mailbox *m, const struct journal_head *j)
{
	struct index_head h = { .j = *j };
	struct pieces p = { .fd = create(m->state->dir, fresh_index),
		.b = buf_new(SIZE_MAX / 2) };
	char head[INDEX_HEAD];

	if (p.fd == -1)
		return -1;
	write_body(m, &h, &p);
	write_head(m, &h, head);
	if (p.error == 0 && (lseek(p.fd, 0, SEEK_SET) == -1 ||
	        io_write(p.fd, head, sizeof head) == -1))
		p.error = errno;
	buf_free(&p.b);
	m->state->index_size = index_size_of(&h);
	return settle(m->state->dir, fresh_index, p.fd, p.error);
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
	int dir = m->state->dir, fd = create(dir, fresh_journal);
	char head[JOURNAL_HEAD];

	if (fd == -1)
		return -1;
	journal_head_write(head, j);
	fd = settle(dir, fresh_journal, fd,
	    io_write(fd, head, sizeof head) == -1 ? errno : 0);
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
	int journal = put_journal(m, &j), index = -1, error;

	if (journal == -1)
		return -1;
	index = put_index(m, &j);
	if (index == -1) {
		error = errno;
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

/*
 * A session may live for weeks with a copy of nearly all, so it is worth a
 * snapshot before the journal is long enough for one; but all sessions of
 * the mailbox together do not write more than so many bytes in a second.
 */
static bool
is_old(const struct mailbox_state *s)
{
	struct stat st;
	int64_t now, wait;
	uint32_t usec;

	if (fstatat(s->dir, INDEX_NAME, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT;
	io_wall(&now, &usec);
	wait = st.st_size / TIGHTEN_RATE;
	if (wait < TIGHTEN_S)
		wait = TIGHTEN_S;
	return st.st_mtime > now || now - st.st_mtime >= wait;
}

void
index_tighten(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	int64_t now_ms = io_now_ms();
	int error = errno;

	if (!view_is_loose(m) || m->ngone || m->nchanged || !s->writable ||
	    s->memory || s->stale || now_ms < s->share_ms)
		return;
	s->share_ms = now_ms + TIGHTEN_MS;
	index_share(m);
	if (view_is_loose(m) && is_old(s) && view_lock(m) == 0) {
		if (view_is_loose(m) && index_write(m) == -1)
			s->share_ms = now_ms + TIGHTEN_S * 1000; /* disk full */
		view_unlock(m);
	}
	errno = error;
}

int
index_write_if_due(struct mailbox *m)
{
	return index_is_due(m->state) && m->state->writable ? index_write(m)
							    : 0;
}
