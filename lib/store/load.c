/* From the files to the view, and keeping up with them. */
#include "store/folder.h"
#include "store/lock.h"
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { TRIES = 16 };

static void
clear_view(struct mailbox *m)
{
	view_clear(m);
	m->state->vanished.n = 0;
	m->state->lost_count = 0;
	m->state->lost_digest = 0;
	m->nkeywords = 0;
	m->uidnext = 1;
	m->highestmodseq = 1;
	m->state->ahead = false;
	m->state->times = (struct scan_times){ 0 };
}

static void
begin_generation(struct mailbox *m, const struct journal_head *h)
{
	m->uidvalidity = h->uidvalidity;
	m->uidnext = h->uidnext;
	m->highestmodseq = h->modseq;
	m->state->mailbox_id = h->mailbox_id;
	m->state->generation = h->generation;
	m->state->base_count = h->count;
	m->state->base_digest = h->digest;
	m->state->vanished_floor = h->modseq;
}

int
view_load_pair(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	struct journal_head h;
	int index, r = journal_head_load(s->journal, &h);
	bool torn;

	clear_view(m);
	if (r <= 0)
		return r;
	index = index_load(m);
	if (index == -1)
		return errno == EBADMSG ? 0 : -1;
	if (index == 0) {
		if (h.count > 0)
			return 0;
		begin_generation(m, &h);
	}
	s->seed = h.seed;
	s->offset = JOURNAL_HEAD;
	if (index == 1 && s->generation == h.generation + 1) {
		s->generation = h.generation;
		s->ahead = true;
	} else if (s->generation != h.generation ||
		   m->uidvalidity != h.uidvalidity) {
		return 0;
	}
	if (journal_tail(m, &torn) == -1)
		return errno == EBADMSG ? 0 : -1;
	if (torn && (r = journal_is_damaged(m)) != 0)
		return r == 1 ? 0 : -1;
	mailbox_forget(m);
	return 1;
}

/* Takes the lock of the journal that has the name. */
static int
lock_current(struct mailbox *m)
{
	for (unsigned i = 0; i < TRIES; i++) {
		int r;

		if (lock_take(m->state->journal, MAILBOX_LOCK_MS) == -1)
			return -1;
		r = journal_is_current(m);
		if (r == 1)
			return 0;
		lock_drop(m->state->journal);
		if (r == -1 || journal_open(m) == -1)
			return -1;
	}
	errno = ETIMEDOUT;
	return -1;
}

/* What another one repairs while we wait for the lock is good for us. */
static int
load_or_repair(struct mailbox *m)
{
	int r, error;

	if (lock_current(m) == -1)
		return -1;
	m->state->locked = true;
	r = view_load_pair(m);
	if (r == 0)
		r = repair_view(m);
	error = errno;
	view_unlock(m);
	errno = error;
	return r == -1 ? -1 : 0;
}

/* A folder that cannot be written, without a good index and journal. */
static int
load_memory(struct mailbox *m, int error)
{
	clear_view(m);
	m->state->memory = true;
	m->state->memory_error = error;
	m->read_only = true;
	return repair_view(m);
}

static bool
is_full(int error)
{
	return error == ENOSPC || error == EDQUOT;
}

static void
print_id(struct mailbox *m)
{
	snprintf(m->mailbox_id, sizeof m->mailbox_id, "%016llx",
	    (unsigned long long)m->state->mailbox_id);
}

int
view_load(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	int r = 0;

	if (journal_open(m) == -1) {
		if (errno != ENOENT && errno != EROFS && errno != EACCES &&
		    errno != EPERM && !is_full(errno))
			return -1;
		r = load_memory(m, is_full(errno) ? errno : EROFS);
		print_id(m);
		return r;
	}
	m->read_only |= !s->writable;
	/* A pair can be torn apart by a new generation in between. */
	for (unsigned i = 0; i < 3; i++) {
		r = view_load_pair(m);
		if (r == -1)
			return -1;
		if (r == 1)
			break;
		if (journal_open(m) == -1)
			return -1;
	}
	if (r == 0)
		r = s->writable ? load_or_repair(m) : load_memory(m, EROFS);
	else
		r = 0;
	print_id(m);
	return r;
}

/* What the fresh view knows of a message that we have, too. */
static int
merge_message(
    struct mailbox *m, size_t i, const struct mailbox *other, size_t k)
{
	const struct message *fresh = &other->msgs[k];

	if (view_set_name(m, i, span_str(mailbox_file(other, k)),
		fresh->in_new) == -1)
		return -1;
	view_edit(m, i)->late = fresh->late;
	m->state->late |= fresh->late;
	/* After a repair one modseq may stand for two states. */
	if (m->msgs[i].modseq != fresh->modseq ||
	    m->msgs[i].flags != fresh->flags ||
	    m->msgs[i].keywords != fresh->keywords)
		view_flags(m, i, fresh->flags, fresh->keywords, fresh->modseq);
	return 0;
}

static int
merge_messages(struct mailbox *m, const struct mailbox *fresh)
{
	size_t known = m->n, i = 0, k;

	for (k = 0; k < fresh->n && i < known; k++) {
		while (i < known && m->msgs[i].uid < fresh->msgs[k].uid) {
			if (!m->msgs[i].gone)
				view_gone(m, i, fresh->highestmodseq);
			i++;
		}
		if (i == known || m->msgs[i].uid != fresh->msgs[k].uid)
			break;
		if (!m->msgs[i].gone &&
		    merge_message(m, i, fresh, k) == -1)
			return -1;
		i++;
	}
	for (; i < known; i++)
		if (!m->msgs[i].gone)
			view_gone(m, i, fresh->highestmodseq);
	for (; k < fresh->n; k++)
		if (view_add(m, &fresh->msgs[k],
			span_str(mailbox_file(fresh, k))) == -1)
			return -1;
	return 0;
}

/* m goes on where the fresh view stands; its own journal goes with it. */
static void
merge_head(struct mailbox *m, struct mailbox *fresh)
{
	struct mailbox_state *s = m->state, *f = fresh->state;
	int journal = s->journal;

	m->uidnext = fresh->uidnext;
	m->highestmodseq = fresh->highestmodseq;
	m->nkeywords = fresh->nkeywords;
	buf_reset(&s->keywords);
	(void)buf_add(&s->keywords, fresh->keyword,
	    fresh->nkeywords * sizeof *fresh->keyword);
	m->keyword = (void *)s->keywords.p;
	s->journal = f->journal;
	f->journal = journal;
	s->writable = f->writable;
	s->ahead = f->ahead;
	s->generation = f->generation;
	s->offset = f->offset;
	s->seed = f->seed;
	s->index_size = f->index_size;
	s->base_digest = f->base_digest;
	s->base_count = f->base_count;
	s->vanished_floor = f->vanished_floor;
	s->times = f->times;
	buf_reset(&s->vanished);
	buf_add_span(&s->vanished, buf_span(&f->vanished));
}

/* A second descriptor, where there was no error before. */
static int
again(int fd, int *error)
{
	int r = *error ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (r == -1 && *error == 0)
		*error = errno;
	return r;
}

/* A mailbox is there as long as its cur is (STORE 1). */
static bool
is_deleted(const struct mailbox_state *s)
{
	struct stat st;

	return fstatat(s->dir, "cur", &st, AT_SYMLINK_NOFOLLOW) == -1 &&
	       errno == ENOENT;
}

/*
 * Under the lock: 0, or -1 with EBADMSG for what a reload may mend.
 *
 * Whoever folded the journal may have died between the two renames, while we
 * had the mailbox open: then the index has all of this journal, and what was
 * added to it would be read by nobody.
 */
static int
settle_locked(struct mailbox *m)
{
	bool torn;
	int newer;

	if (journal_tail(m, &torn) == -1)
		return -1;
	if (m->state->ahead)
		return index_finish(m);
	newer = index_is_newer(m);
	if (newer == 1)
		errno = EBADMSG;
	if (newer != 0)
		return -1;
	return torn ? journal_cut(m) : 0;
}

/*
 * Somebody put back an older index and journal: what they do not know of was
 * told already, and its numbers must not be given again.
 */
static int
catch_up(const struct mailbox *m, struct mailbox *fresh)
{
	int r;

	if (fresh->uidvalidity != m->uidvalidity || m->state->memory ||
	    !fresh->state->writable ||
	    (fresh->uidnext >= m->uidnext &&
		fresh->highestmodseq >= m->highestmodseq))
		return 0;
	if (lock_current(fresh) == -1)
		return -1;
	fresh->state->locked = true;
	/* The lock's journal may be another one by now. */
	r = view_load_pair(fresh);
	if (r == 0)
		errno = EBADMSG;
	r = r == 1 ? settle_locked(fresh) : -1;
	if (r == 0)
		r = journal_catch_up(fresh, m->uidnext, m->highestmodseq);
	view_unlock(fresh);
	return r;
}

static int
load_fresh(struct mailbox *m, struct mailbox *fresh)
{
	struct mailbox_state *s = m->state;

	if (view_load(fresh) == -1 || catch_up(m, fresh) == -1)
		return -1;
	s->stale = fresh->uidvalidity != m->uidvalidity ||
		   fresh->state->memory != s->memory;
	errno = ESTALE;
	return s->stale ? -1 : merge_messages(m, fresh);
}

/* Loads all anew and compares. */
static int
reload(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	struct mailbox *fresh;
	int r = -1, error = 0;

	if (is_deleted(s)) {
		errno = ENOENT;
		return -1;
	}
	fresh = view_make(
	    again(s->account, &error), again(s->dir, &error), s->light);
	fresh->state->cur = again(s->cur, &error);
	fresh->state->fresh = again(s->fresh, &error);
	fresh->read_only = m->read_only;
	errno = error;
	if (error == 0)
		r = load_fresh(m, fresh);
	if (r == 0)
		merge_head(m, fresh);
	error = errno;
	view_free(fresh);
	errno = error;
	return r;
}

/* The journal was replaced: by its next generation, if all is well. */
static int
next_generation(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	struct journal_head h;
	int r, fd;
	bool torn;

	/* All that the old one ever got. */
	if (journal_tail(m, &torn) == -1)
		return errno == EBADMSG ? reload(m) : -1;
	fd = openat(s->dir, JOURNAL_NAME,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? reload(m) : -1;
	r = journal_head_load(fd, &h);
	if (r == 1 && !torn && h.generation == s->generation + 1 &&
	    h.uidvalidity == m->uidvalidity && h.mailbox_id == s->mailbox_id &&
	    h.uidnext == m->uidnext && h.modseq == m->highestmodseq) {
		close(s->journal);
		s->journal = fd;
		s->generation = h.generation;
		s->seed = h.seed;
		s->offset = JOURNAL_HEAD;
		s->base_count = h.count;
		s->base_digest = h.digest;
		s->ahead = false;
		index_share(m);
		return 0;
	}
	close(fd);
	return r == -1 ? -1 : reload(m);
}

int
view_follow(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	bool torn;

	if (s->stale) {
		errno = ESTALE;
		return -1;
	}
	if (s->memory)
		return 0;
	for (unsigned i = 0; i < TRIES; i++) {
		int r = journal_tail(m, &torn);

		if (r == -1)
			return errno == EBADMSG ? reload(m) : -1;
		r = journal_is_current(m);
		if (r != 0)
			return r == 1 ? 0 : -1;
		if (next_generation(m) == -1)
			return -1;
	}
	errno = EBUSY;
	return -1;
}

int
view_lock(struct mailbox *m)
{
	struct mailbox_state *s = m->state;

	if (s->memory || !s->writable) {
		errno = s->memory ? s->memory_error : EROFS;
		return -1;
	}
	for (unsigned i = 0; i < TRIES; i++) {
		int r;

		if (view_follow(m) == -1 ||
		    lock_take(s->journal, MAILBOX_LOCK_MS) == -1)
			return -1;
		s->locked = true;
		r = journal_is_current(m);
		if (r == 1 && settle_locked(m) == 0)
			return 0;
		if (r == 1 && errno != EBADMSG)
			r = -1;
		view_unlock(m);
		if (r == -1 || (r == 1 && reload(m) == -1))
			return -1;
	}
	errno = EBUSY;
	return -1;
}

void
view_unlock(struct mailbox *m)
{
	int error = errno;

	m->state->locked = false;
	if (m->state->journal != -1)
		lock_drop(m->state->journal);
	errno = error;
}
