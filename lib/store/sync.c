/* Keeping a mailbox in step with its folder. */
#include "base/durable.h"
#include "base/io.h"
#include "store/folder.h"
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	NEAR_THE_END = 1000000, /* UIDs left when all get new ones */
	SMALL = 2000, /* so many messages are looked over in a moment */
	MEND_MS = 60000, /* from one try of late names to the next */
	TMP_UNKNOWN = -2
};

/* A file that gets its name once the journal is on the disk. */
struct move {
	int from;
	const char *name;
	uint32_t uid;
};

/* One round: what was seen, what goes into the journal, what is moved. */
struct round {
	struct mailbox *m;
	struct scan s;
	struct batch f;
	struct buf moves; /* struct move */
	bool counts;
	bool mended; /* names */
};

static int
flush(struct round *r)
{
	r->counts |= r->f.counts;
	if (journal_append(r->m, &r->f, false) == -1)
		return -1;
	batch_free(&r->f);
	r->f = batch_begin();
	return 0;
}

static int
flush_if_large(struct round *r)
{
	return r->f.b.n > JOURNAL_BATCH ? flush(r) : 0;
}

/* The message has another name now: its flags are what the name says. */
static void
take_name(struct round *r, const struct sighting *at)
{
	const struct message *msg = &r->m->msgs[at->i];
	struct maildir_name name;

	if (!maildir_parse(span_str(at->name), &name))
		return;
	if (name.flags != msg->flags)
		batch_flags(&r->f, msg->uid, name.flags, msg->keywords);
	batch_name(&r->f, msg->uid, at->name, at->in_new);
}

static int
moved_one(struct round *r, const struct sighting *at)
{
	struct mailbox *m = r->m;
	const struct message *msg = &m->msgs[at->i];
	int dir = at->in_new ? m->state->fresh : m->state->cur;
	int here = read_exists(dir, at->name);

	if (here <= 0)
		return here;
	if (r->s.seen.p[at->i] == 2) {
		const char *name = mailbox_file(m, at->i);
		int old = read_exists(read_dir_of(m, msg), name);

		if (old == 1)
			scan_mend_double(
			    m, &r->s, at, read_dir_of(m, msg), name);
		if (old != 0)
			return old == -1 ? -1 : 0;
	}
	take_name(r, at);
	r->s.seen.p[at->i] = 3;
	return flush_if_large(r);
}

static int
moved(struct round *r)
{
	size_t n;
	const struct sighting *at = sightings(&r->s.moved, &n);

	for (size_t k = 0; k < n; k++) {
		if (r->s.seen.p[at[k].i] == 3) {
			r->s.dirty = true;
			continue;
		}
		if (moved_one(r, &at[k]) == -1)
			return -1;
	}
	return 0;
}

int
sync_open_tmp(const struct mailbox *m)
{
	int tmp = folder_open(m->state->dir, "tmp");

	if (tmp != -1 || errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return tmp;
	return TMP_UNKNOWN;
}

/* What cannot be moved now stays where it is; only a file that is not there
 * is gone. */
bool
sync_finish_copy(const struct mailbox *m, int tmp, size_t i)
{
	const char *name = mailbox_file(m, i);
	int cur = m->state->cur;

	if (tmp == TMP_UNKNOWN)
		return true;
	if (tmp == -1 || name[0] == '\0')
		return false;
	if (!m->state->locked)
		return read_exists(tmp, name) != 0 ||
		       read_exists(cur, name) != 0;
	return durable_move(tmp, name, cur, name) == 0 || errno != ENOENT;
}

static int
missing(struct round *r)
{
	struct mailbox *m = r->m;
	int tmp, result = 0;

	if (r->s.missing == 0 || r->s.unsure)
		return 0;
	tmp = sync_open_tmp(m);
	for (size_t i = 0; result == 0 && i < m->n; i++) {
		if (m->msgs[i].gone || r->s.seen.p[i] != 0)
			continue;
		if (sync_finish_copy(m, tmp, i)) {
			r->s.dirty = true;
			continue;
		}
		batch_gone(&r->f, &m->msgs[i]);
		result = flush_if_large(r);
	}
	if (tmp >= 0)
		close(tmp);
	return result;
}

static void
plan_move(struct round *r, int from, const char *name, uint32_t uid)
{
	struct move mv = { .from = from, .uid = uid };

	mv.name = arena_copy(&r->s.text, span_str(name)).p;
	(void)buf_add(&r->moves, &mv, sizeof mv);
}

/* The name of a message in cur/: with its UID, where there is room. */
static void
name_in_cur(
    const char *name, uint32_t uid, unsigned flags, char out[MAILDIR_NAME])
{
	if (maildir_rename(span_str(name), uid, flags, out) == -1)
		(void)span_copy(span_str(name), out, MAILDIR_NAME);
}

/* What others (STATUS, EXAMINE) gave UIDs to and left in new/. */
static int
leave_new(struct round *r)
{
	struct mailbox *m = r->m;

	if (m->read_only || m->state->in_new == 0)
		return 0;
	for (size_t i = 0; i < m->n; i++) {
		const struct message *msg = &m->msgs[i];
		const char *old = mailbox_file(m, i);
		char name[MAILDIR_NAME];

		if (msg->gone || !msg->in_new || msg->late || old[0] == '\0')
			continue;
		name_in_cur(old, msg->uid, msg->flags, name);
		plan_move(r, m->state->fresh, old, msg->uid);
		batch_name(&r->f, msg->uid, name, false);
		if (flush_if_large(r) == -1)
			return -1;
	}
	return 0;
}

static void
fresh_one(struct round *r, struct sighting *at)
{
	struct mailbox *m = r->m;
	struct maildir_name parsed;
	char name[MAILDIR_NAME];
	const char *to = at->name;
	int from = at->in_new ? m->state->fresh : m->state->cur;
	bool wrong = maildir_parse(span_str(at->name), &parsed) &&
		     parsed.uid > 0 && parsed.uid != at->msg.uid;

	if (!m->read_only && (at->in_new || wrong)) {
		name_in_cur(at->name, at->msg.uid, at->msg.flags, name);
		to = name;
		at->msg.in_new = false;
		plan_move(r, from, at->name, at->msg.uid);
	}
	batch_new(&r->f, &at->msg, to);
}

static bool
is_older(const struct mailbox *m, const struct sighting *at,
    const struct timespec *than)
{
	struct stat st;

	return fstatat(at->in_new ? m->state->fresh : m->state->cur, at->name,
		   &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_ctim.tv_sec < than->tv_sec ||
		   (st.st_ctim.tv_sec == than->tv_sec &&
		       st.st_ctim.tv_nsec < than->tv_nsec));
}

/*
 * Where index and journal were put back from a backup, files have UIDs in
 * their names that the journal knows nothing of, although it was written
 * later than they got them.  (A file that somebody moves here gets its name
 * after that.)  Of UIDs that were given since, and of expunged messages, no
 * trace may be left; they are passed over.
 */
static void
pass_over_lost(struct round *r, const struct sighting *at, size_t n)
{
	struct mailbox *m = r->m;
	uint32_t next = m->uidnext;
	struct maildir_name name;
	struct stat st;

	if (next > UINT32_MAX / 2 || m->state->memory ||
	    fstat(m->state->journal, &st) == -1)
		return;
	for (size_t k = 0; k < n; k++)
		if (maildir_parse(span_str(at[k].name), &name) &&
		    name.uid >= next && name.uid - m->uidnext < UID_GAP &&
		    is_older(m, &at[k], &st.st_ctim))
			next = name.uid + 1;
	if (next == m->uidnext)
		return;
	batch_uidnext(&r->f, next + LOST_UIDS);
	r->f.gap = LOST_MODSEQS;
}

static int
fresh(struct round *r)
{
	struct mailbox *m = r->m;
	size_t n;
	struct sighting *at;
	uint32_t uid;

	/* In a folder that we cannot write, UIDs are not ours to give. */
	if (!m->state->writable && !m->state->memory)
		return 0;
	if (scan_fill(m, &r->s) == -1)
		return -1;
	at = sightings(&r->s.fresh, &n);
	pass_over_lost(r, at, n);
	if (r->f.gap > 0 && flush(r) == -1)
		return -1;
	uid = m->uidnext;
	for (size_t k = 0; k < n; k++) {
		at[k].msg.uid = uid++;
		fresh_one(r, &at[k]);
		if (flush_if_large(r) == -1)
			return -1;
	}
	return 0;
}

/* Whose first session we are. */
static void
mark_recent(struct round *r, const struct move *mv)
{
	size_t i = view_at(r->m, mv->uid);

	if (i != SIZE_MAX && mv->from == r->m->state->fresh)
		view_recent(r->m, i, true);
}

/*
 * The journal knows the names already, so that nothing is lost when we die
 * here: the files are found by their bases.
 */
static void
carry_out(struct round *r)
{
	struct mailbox *m = r->m;
	const struct move *mv = (const void *)r->moves.p;
	size_t n = r->moves.n / sizeof *mv;

	for (size_t k = 0; k < n; k++) {
		size_t i = view_at(m, mv[k].uid);

		mark_recent(r, &mv[k]);
		if (i == SIZE_MAX || durable_move(mv[k].from, mv[k].name,
					 m->state->cur, mailbox_file(m, i)) == -1)
			r->s.dirty = true;
	}
}

/*
 * Flags that the journal alone has, as the disk was full, come into the
 * file's name.  That is on the disk before the journal believes it: else a
 * power cut would leave a name that takes the flags back.
 */
static void
mend_name(struct round *r, size_t i)
{
	struct mailbox *m = r->m;
	const struct message *msg = &m->msgs[i];
	const char *old = mailbox_file(m, i);
	char name[MAILDIR_NAME];

	if (maildir_rename(span_str(old), msg->in_new ? msg->uid : 0,
		msg->flags, name) == -1 ||
	    durable_move(read_dir_of(m, msg), old, m->state->cur, name) == -1)
		return;
	r->mended = true;
	batch_name(&r->f, msg->uid, name, false);
}

static int
mend_names(struct round *r)
{
	struct mailbox *m = r->m;
	bool left = false;

	if (!m->state->late || m->read_only || !m->state->locked)
		return 0;
	m->state->mend_ms = io_now_ms() + MEND_MS;
	for (size_t i = 0; i < m->n; i++)
		if (m->msgs[i].late && !m->msgs[i].gone)
			mend_name(r, i);
	if (r->mended && durable_sync(m->state->cur) == -1)
		return -1;
	if (flush(r) == -1)
		return -1;
	for (size_t i = 0; i < m->n; i++)
		left |= m->msgs[i].late && !m->msgs[i].gone;
	m->state->late = left;
	return 0;
}

static int
record_times(struct round *r, const struct scan_times *before)
{
	struct scan_times t = r->s.times;

	if (r->s.dirty) {
		r->m->state->times.proven = false;
		/* A busy folder gets still; what cannot be done is tried
		 * more and more seldom. */
		r->m->state->dirty_rounds =
		    r->s.unsure ? 0 : r->m->state->dirty_rounds + 1;
		return 0;
	}
	r->m->state->dirty_rounds = 0;
	if (r->moves.n > 0 || r->mended) {
		if (!scan_same(before, &r->s.times))
			return 0;
		if (scan_stat(r->m, &t) == -1)
			return -1;
	}
	if (scan_same(&t, &r->m->state->times) &&
	    t.proven == r->m->state->times.proven)
		return 0;
	batch_times(&r->f, &t);
	return flush(r);
}

static int
take_in(struct round *r)
{
	struct scan_times before;

	if (scan_folder(r->m, &r->s, true) == -1 || moved(r) == -1 ||
	    missing(r) == -1 || flush(r) == -1 || leave_new(r) == -1 ||
	    fresh(r) == -1 || flush(r) == -1)
		return -1;
	if (r->counts && journal_sync(r->m) == -1)
		return -1;
	if (scan_stat(r->m, &before) == -1)
		return -1;
	carry_out(r);
	if (mend_names(r) == -1)
		return -1;
	return record_times(r, &before);
}

static int
one_round(struct mailbox *m)
{
	struct round r = {
		.m = m, .f = batch_begin(), .moves = buf_new(SIZE_MAX / 2)
	};
	int result, error;

	if (m->uidnext > UINT32_MAX - NEAR_THE_END && m->state->writable)
		return repair_renumber(m);
	result = take_in(&r);
	error = errno;
	/* What is in the view will be told, whatever came then. */
	if (result == -1 && r.counts && !m->state->stale)
		(void)journal_sync(m);
	batch_free(&r.f);
	scan_free(&r.s);
	buf_free(&r.moves);
	errno = error;
	return result;
}

/* 1 the folder is to be read; 0; -1. */
static int
is_due(struct mailbox *m)
{
	const struct mailbox_state *s = m->state;
	struct scan_times now;

	if (scan_stat(m, &now) == -1)
		return -1;
	if (m->uidnext > UINT32_MAX - NEAR_THE_END && s->writable)
		return 1; /* to get others */
	if (!scan_same(&now, &s->times) || (s->in_new > 0 && !m->read_only))
		return 1;
	if (s->late && !m->read_only && io_now_ms() >= s->mend_ms)
		return 1;
	if (s->times.proven)
		return 0;
	/* Each change of our own would cost a large folder a reading now; it
	 * is enough to do it when the clock has ticked. */
	return !s->marks || m->n < SMALL || !scan_is_young(m, &now);
}

static int
sync_locked(struct mailbox *m)
{
	int r, error;

	if (view_lock(m) == -1)
		return -1;
	r = is_due(m);
	if (r == 1)
		r = one_round(m);
	/* The journal serves as it is, should this fail. */
	if (r == 0)
		(void)index_write_if_due(m);
	error = errno;
	view_unlock(m);
	errno = error;
	return r;
}

/* The disk failed, and nothing that the view has since may be told. */
static int
dead(const struct mailbox *m)
{
	if (m->state->stale && m->state->marks)
		errno = ESTALE;
	return -1;
}

int
mailbox_sync(struct mailbox *m)
{
	int r;

	watch_drain(m);
	if (view_follow(m) == -1)
		return dead(m);
	r = is_due(m);
	if (r == 1)
		r = m->state->writable ? sync_locked(m) : one_round(m);
	/* On a full disk nothing new gets a UID; but what is known can still
	 * be read and, most of all, removed. */
	if (r == -1 && (errno == ENOSPC || errno == EDQUOT))
		r = m->state->stale ? -1 : 0;
	if (r == 0 && !m->state->times.proven)
		watch_again(m);
	if (r == 0 && !m->state->may_be_vague)
		facts_learn_all(m);
	facts_keep(m, false);
	if (r == 0 && m->state->marks)
		index_tighten(m);
	view_tidy(m);
	return r == -1 ? dead(m) : r;
}
