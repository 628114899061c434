/* The journal: its head, its tail, and what is added to it. */
#include "base/durable.h"
#include "base/io.h"
#include "store/bytes.h"
#include "store/folder.h"
#include "store/state.h"
#include "store/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char magic[] = "PSTNJRN1";

enum {
	FORMAT = 1,
	WINDOW = 262144,
	ALIGN = 8,
	/* After a cut, numbers that may have been in the lost part are passed
	 * over. */
	CUT_GAP = 16
};

void
journal_head_write(char out[JOURNAL_HEAD], struct journal_head *h)
{
	memset(out, 0, JOURNAL_HEAD);
	memcpy(out, magic, 8);
	put32(out + 8, FORMAT);
	put32(out + 12, JOURNAL_HEAD);
	put64(out + 16, h->generation);
	put64(out + 24, h->mailbox_id);
	put32(out + 32, h->uidvalidity);
	put32(out + 36, h->uidnext);
	put64(out + 40, h->modseq);
	put64(out + 48, h->digest);
	put32(out + 56, h->count);
	h->seed = sum_crc(0, span_of(out, JOURNAL_HEAD - 4));
	put32(out + 60, h->seed);
}

bool
journal_head_read(struct span in, struct journal_head *h)
{
	if (in.n < JOURNAL_HEAD || memcmp(in.p, magic, 8) != 0 ||
	    get32(in.p + 8) != FORMAT || get32(in.p + 12) != JOURNAL_HEAD)
		return false;
	h->generation = get64(in.p + 16);
	h->mailbox_id = get64(in.p + 24);
	h->uidvalidity = get32(in.p + 32);
	h->uidnext = get32(in.p + 36);
	h->modseq = get64(in.p + 40);
	h->digest = get64(in.p + 48);
	h->count = get32(in.p + 56);
	h->seed = get32(in.p + 60);
	return h->seed == sum_crc(0, span_head(in, JOURNAL_HEAD - 4)) &&
	       h->uidvalidity > 0 && h->uidnext > 0 && h->generation > 0 &&
	       h->modseq > 0 && h->modseq <= INT64_MAX;
}

int
journal_head_load(int fd, struct journal_head *h)
{
	char head[JOURNAL_HEAD];
	ssize_t n = pread(fd, head, sizeof head, 0);

	if (n == -1)
		return -1;
	return journal_head_read(span_of(head, (size_t)n), h) ? 1 : 0;
}

static int
open_regular(int dir, int flags)
{
	int fd = openat(dir, JOURNAL_NAME,
	    flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	int error = EINVAL;
	struct stat st;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		error = errno;
	else if (S_ISREG(st.st_mode))
		return fd;
	close(fd);
	errno = error;
	return -1;
}

int
journal_open(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	int fd = open_regular(s->dir, O_RDWR | O_CREAT);

	s->writable = fd != -1;
	if (fd == -1 && (errno == EACCES || errno == EROFS || errno == EPERM))
		fd = open_regular(s->dir, O_RDONLY);
	if (fd == -1)
		return -1;
	if (s->journal != -1)
		close(s->journal);
	s->journal = fd;
	return 0;
}

int
journal_is_current(const struct mailbox *m)
{
	struct stat mine, named;

	if (fstatat(m->state->dir, JOURNAL_NAME, &named, AT_SYMLINK_NOFOLLOW) ==
	    -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(m->state->journal, &mine) == -1)
		return -1;
	return mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

/* The file from `at' on, as much of it as was read. */
struct window {
	int fd;
	uint64_t at, size; /* size: of the file */
	struct buf b;
};

/* At least n bytes (where the file has them) from offset on. */
static int
window_show(struct window *w, uint64_t offset, size_t n, struct span *out)
{
	size_t most = n > WINDOW ? n : WINDOW;
	char *to;
	ssize_t got;

	if (offset >= w->at && offset + n <= w->at + w->b.n) {
		*out = span_skip(buf_span(&w->b), (size_t)(offset - w->at));
		return 0;
	}
	if (most > w->size - offset)
		most = (size_t)(w->size - offset);
	buf_reset(&w->b);
	to = buf_room(&w->b, most);
	if (to == NULL)
		return -1;
	got = pread(w->fd, to, most, (off_t)offset);
	if (got == -1)
		return -1;
	w->b.n = (size_t)got;
	w->at = offset;
	*out = buf_span(&w->b);
	return 0;
}

/* The frame at offset: its length; 0: none that is good; -1. */
static ssize_t
window_frame(
    struct window *w, uint64_t offset, uint32_t seed, struct span *frame)
{
	size_t n;

	if (window_show(w, offset, JOURNAL_FRAME, frame) == -1)
		return -1;
	if (frame->n < JOURNAL_FRAME)
		return 0;
	n = get32(frame->p);
	if (n > JOURNAL_FRAME_MAX || n > w->size - offset)
		return 0;
	if (n > frame->n && window_show(w, offset, n, frame) == -1)
		return -1;
	n = batch_check(*frame, seed);
	*frame = span_head(*frame, n);
	return (ssize_t)n;
}

static int
window_begin(struct window *w, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	*w = (struct window){ .fd = fd,
		.size = (uint64_t)st.st_size,
		.b = buf_new(JOURNAL_FRAME_MAX) };
	return 0;
}

/*
 * Frames of others may not be on the disk yet; nobody may be told of a UID
 * that a power cut takes back, so that the reader waits for the disk too.
 * Who only adds messages waits after that, and tells of nothing else.
 */
static int
settle(struct mailbox *m, uint64_t modseq_before)
{
	if (m->highestmodseq == modseq_before || m->state->light)
		return 0;
	if (fdatasync(m->state->journal) == 0 || errno == EROFS ||
	    errno == EINVAL)
		return 0;
	m->state->stale = true; /* the kernel says so only once */
	return -1;
}

int
journal_tail(struct mailbox *m, bool *torn)
{
	struct mailbox_state *s = m->state;
	uint64_t modseq = m->highestmodseq;
	struct window w;
	struct span frame;
	ssize_t n = 0;
	int r = 0, error;

	*torn = false;
	if (s->ahead)
		return 0;
	if (window_begin(&w, s->journal) == -1)
		return -1;
	if (w.size < s->offset) {
		errno = EBADMSG;
		return -1;
	}
	while (r == 0 && s->offset < w.size) {
		n = window_frame(&w, s->offset, s->seed, &frame);
		if (n <= 0)
			break;
		r = batch_apply(m, frame);
		s->offset += (uint64_t)n;
	}
	*torn = n == 0 && s->offset < w.size;
	error = errno;
	buf_free(&w.b);
	errno = error;
	if (r == -1 || n == -1)
		return -1;
	return settle(m, modseq);
}

int
journal_is_damaged(const struct mailbox *m)
{
	struct window w;
	struct span frame;
	ssize_t n = 0;
	uint64_t at = m->state->offset + ALIGN;

	if (window_begin(&w, m->state->journal) == -1)
		return -1;
	for (; n == 0 && at + JOURNAL_FRAME <= w.size; at += ALIGN)
		n = window_frame(&w, at, m->state->seed, &frame);
	buf_free(&w.b);
	return n == 0 ? 0 : n > 0 ? 1 : -1;
}

/*
 * The end of the journal was being written when its writer died: what is
 * there was never told to anybody, as far as we can know.  In case it was
 * (a bad block looks the same), numbers that may have been in it are not
 * given again: the gap here, and the hints in file names (sync.c).
 */
int
journal_cut(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	int behind = journal_is_damaged(m);
	struct batch f;
	int r;

	if (behind == 1)
		errno = EBADMSG;
	if (behind != 0)
		return -1;
	if (ftruncate(s->journal, (off_t)s->offset) == -1)
		return -1;
	f = batch_begin();
	f.counts = true;
	f.gap = CUT_GAP;
	batch_uidnext(&f, read_uid_hint(m));
	r = journal_append(m, &f, true);
	batch_free(&f);
	return r;
}

/* A full disk must not keep anybody from removing messages: room for the
 * flags and the end of many belongs to the journal already (where the file
 * system can do it). */
void
journal_reserve(const struct mailbox *m)
{
	uint64_t n = m->n > m->state->base_count ? m->n : m->state->base_count;
	uint64_t bytes = JOURNAL_RESERVE + n * JOURNAL_RESERVE_EACH;

	if (bytes > JOURNAL_RESERVE_MAX)
		bytes = JOURNAL_RESERVE_MAX;
	(void)fallocate(m->state->journal, FALLOC_FL_KEEP_SIZE,
	    (off_t)m->state->offset, (off_t)bytes);
}

static int
write_frame(const struct mailbox_state *s, struct span bytes)
{
	while (bytes.n > 0) {
		uint64_t at = s->offset; /* for the first piece */
		ssize_t n = pwrite(s->journal, bytes.p, bytes.n, (off_t)at);

		if (n == (ssize_t)bytes.n)
			break;
		if (n >= 0)
			errno = ENOSPC;
		if (n == -1 && errno == EINTR)
			continue;
		return -1;
	}
	return 0;
}

int
journal_append(struct mailbox *m, struct batch *f, bool durable)
{
	struct mailbox_state *s = m->state;
	uint64_t modseq = m->highestmodseq + f->gap + (f->counts ? 1 : 0);
	struct span bytes;

	if (f->n == 0)
		return 0;
	if (!s->writable)
		modseq = m->highestmodseq;
	bytes = batch_end(f, modseq, s->seed);
	if (bytes.p == NULL) {
		errno = EFBIG;
		return -1;
	}
	if (s->writable) {
		if (write_frame(s, bytes) == -1) {
			int error = errno;

			/* Should this fail, it is a torn end like any. */
			(void)!ftruncate(s->journal, (off_t)s->offset);
			journal_reserve(m);
			errno = error;
			return -1;
		}
		s->offset += bytes.n;
		journal_reserve(m);
	}
	if (batch_apply(m, bytes) == -1)
		return -1;
	/* Others may have read it: it stays, whatever the disk says. */
	return durable ? journal_sync(m) : 0;
}

int
journal_catch_up(struct mailbox *m, uint32_t uidnext, uint64_t modseq)
{
	struct batch f = batch_begin();
	int r;

	f.counts = true;
	if (modseq > m->highestmodseq)
		f.gap = (uint32_t)(modseq - m->highestmodseq);
	batch_uidnext(&f, uidnext > m->uidnext ? uidnext : m->uidnext);
	r = journal_append(m, &f, true);
	batch_free(&f);
	return r;
}

int
journal_sync(struct mailbox *m)
{
	if (!m->state->writable || fdatasync(m->state->journal) == 0)
		return 0;
	m->state->stale = true;
	return -1;
}
