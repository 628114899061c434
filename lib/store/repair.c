/*
 * A view from the folder and whatever is left of index and journal.
 *
 * UIDVALIDITY stays only where it is proven that every UID still names the
 * message that it named: the index is gone, the journal is whole, and the
 * files' own `,U=' make up exactly the set that the journal's head says; or
 * nothing was ever lost, as the first opening died between its two renames.
 *
 * Where there never was an index or a journal, those of another server are
 * taken over (adopt.h).
 */
#include "base/durable.h"
#include "base/io.h"
#include "store/adopt.h"
#include "store/folder.h"
#include "store/lock.h"
#include "store/state.h"
#include "store/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { HINT_MOST = 0x7fffffff, MODSEQ_GAP = 1000000 };

struct repair {
	struct mailbox *m;
	struct scan s;
	struct journal_head h;
	bool head, index; /* which of the two could be read */
	bool whole;       /* the journal was read to its end */
	bool proven;
	struct adopted a;
};

static void
forget_all(struct mailbox *m)
{
	view_clear(m);
	buf_reset(&m->state->vanished);
	m->nkeywords = 0;
	m->uidnext = 1;
}

static void
read_journal(struct repair *r)
{
	struct mailbox *m = r->m;
	struct mailbox_state *s = m->state;
	bool torn;

	if (!r->index) {
		m->uidvalidity = r->h.uidvalidity;
		m->uidnext = r->h.uidnext;
		m->highestmodseq = r->h.modseq;
		s->mailbox_id = r->h.mailbox_id;
		s->generation = r->h.generation;
	} else if (s->generation != r->h.generation) {
		return;
	}
	s->seed = r->h.seed;
	s->offset = JOURNAL_HEAD;
	r->whole = journal_tail(m, &torn) == 0 &&
		   (!torn || journal_is_damaged(m) == 0);
	mailbox_forget(m);
}

/* There is a journal, and nothing was ever written to it. */
static bool
is_unwritten(const struct repair *r)
{
	struct stat st;

	return r->m->state->journal != -1 &&
	    fstat(r->m->state->journal, &st) == 0 && st.st_size == 0;
}

/*
 * The index has its name already, its journal not yet: nobody was told of
 * anything, and nothing is missing.
 */
static void
take_unfinished(struct repair *r)
{
	const struct mailbox *m = r->m;

	if (!r->index || !is_unwritten(r) ||
	    index_unfinished(m, &r->h) != 1)
		return;
	r->proven = r->h.generation == m->state->generation &&
	    r->h.uidvalidity == m->uidvalidity &&
	    r->h.mailbox_id == m->state->mailbox_id &&
	    r->h.uidnext == m->uidnext &&
	    r->h.digest == m->state->base_digest;
	m->state->adopting = r->proven;
}

/* A folder that we never had open may be another server's. */
static int
take_over(struct repair *r)
{
	struct mailbox *m = r->m;

	r->a = (struct adopted){ .keywords = kwlist_new() };
	if (r->index || r->head || !is_unwritten(r))
		return 0;
	if (adopt_read(m->state->dir, &r->a) == -1)
		return -1;
	for (size_t i = 0; i < r->a.keywords.n; i++)
		if (view_keyword(m, i, span_str(r->a.keywords.name[i])) == -1)
			return -1;
	if (r->a.from == NULL)
		return 0;
	m->state->adopting = true;
	m->uidnext = r->a.uids.uidnext;
	return 0;
}

static int
salvage(struct repair *r)
{
	struct mailbox *m = r->m;
	int index = index_load(m);

	if (index == -1 && errno != EBADMSG)
		return -1;
	r->index = index == 1;
	if (!r->index)
		forget_all(m);
	r->head = m->state->journal != -1 &&
		  journal_head_load(m->state->journal, &r->h) == 1;
	if (r->head)
		read_journal(r);
	if (r->head && m->uidvalidity < r->h.uidvalidity)
		m->uidvalidity = r->h.uidvalidity;
	if (r->head && m->state->generation < r->h.generation)
		m->state->generation = r->h.generation;
	take_unfinished(r);
	return 0;
}

/*
 * Where frames are lost, copies that died between their two steps may be in
 * them: what has the name of one and is whole is a message.  (None is under
 * way, as we have the lock.)
 */
static void
rescue_copies(const struct repair *r)
{
	const struct mailbox_state *s = r->m->state;
	DIR *dir;
	struct dirent *e;

	if (r->whole || r->proven || !s->locked ||
	    (!r->index && is_unwritten(r)))
		return;
	dir = folder_list(s->dir, "tmp");
	while (dir && (e = readdir(dir))) {
		struct maildir_name name;
		struct stat st;

		if (maildir_parse(span_str(e->d_name), &name) &&
		    name.uid > 0 && name.size > 0 &&
		    fstatat(dirfd(dir), e->d_name, &st,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && (uint64_t)st.st_size == name.size)
			(void)durable_move(
			    dirfd(dir), e->d_name, s->cur, e->d_name);
	}
	if (dir)
		closedir(dir);
}

/* The journal's own messages are known by their bases and not fresh. */
static void
prove(struct repair *r)
{
	uint64_t digest = r->m->state->lost_digest;
	uint64_t count = r->m->state->lost_count;
	size_t n;
	const struct sighting *at = sightings(&r->s.fresh, &n);

	if (r->index || !r->head || !r->whole)
		return;
	for (size_t i = 0; i < n; i++) {
		uint32_t uid = at[i].hint;

		if (uid == 0 || uid >= r->h.uidnext)
			continue;
		digest += sum_message(uid, at[i].msg.id);
		count++;
	}
	r->proven = count == r->h.count && digest == r->h.digest;
}

static bool
is_taken(const struct buf *uids, uint32_t uid)
{
	const uint32_t *at = (const void *)uids->p;

	for (size_t low = 0, high = uids->n / sizeof *at; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (at[middle] == uid)
			return true;
		if (at[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static int
by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Hints that more than one file has. */
static struct buf
repeated_hints(const struct sighting *at, size_t n)
{
	struct buf all = buf_new(SIZE_MAX / 2);
	uint32_t *uid;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t hint = at[i].hint;

		if (hint > 0)
			(void)buf_add(&all, &hint, sizeof hint);
	}
	n = all.n / sizeof *uid;
	if (n == 0)
		return all;
	uid = (uint32_t *)(void *)all.p;
	qsort(uid, n, sizeof *uid, by_value);
	for (size_t i = 1; i < n; i++)
		if (uid[i] == uid[i - 1])
			uid[kept++] = uid[i];
	all.n = kept * sizeof *uid;
	return all;
}

static bool
may_keep(const struct repair *r, const struct buf *repeated, uint32_t hint)
{
	if (hint == 0 || hint > HINT_MOST || is_taken(repeated, hint))
		return false;
	if (r->proven)
		return !r->index && hint < r->h.uidnext;
	return view_at(r->m, hint) == SIZE_MAX;
}

/* The UID of a file that no index knows; 0: any new one. */
static uint32_t
uid_of(const struct repair *r, const struct buf *repeated,
    const struct sighting *at)
{
	uint32_t hint = at->hint;

	if (r->a.from)
		return uidlist_find(&r->a.uids, scan_base(at->name));
	return may_keep(r, repeated, hint) ? hint : 0;
}

/* Keywords of another server; what it calls $Forwarded is a flag of ours,
 * and flags are in the name. */
static void
take_keywords(struct repair *r, struct sighting *at)
{
	const struct mailbox *m = r->m;
	int dir = at->in_new ? m->state->fresh : m->state->cur;
	char name[MAILDIR_NAME];
	bool passed;

	at->msg.keywords =
	    kwlist_of(&r->a.keywords, span_str(at->name), &passed);
	if (!passed || at->msg.flags & FLAG_PASSED)
		return;
	if (maildir_rename(span_str(at->name), 0,
	        at->msg.flags | FLAG_PASSED, name) == -1 ||
	    durable_move(dir, at->name, m->state->cur, name) == -1)
		return;
	at->msg.flags |= FLAG_PASSED;
	at->msg.in_new = at->in_new = false;
	at->name = arena_copy(&r->s.text, span_str(name)).p;
}

/* First those that keep their UID, then the others behind all UIDs. */
static int
adopt(struct repair *r)
{
	struct mailbox *m = r->m;
	size_t n, old = m->n;
	struct sighting *at = sightings(&r->s.fresh, &n);
	struct buf repeated = repeated_hints(at, n);

	for (size_t i = 0; i < n; i++) {
		at[i].msg.uid = uid_of(r, &repeated, &at[i]);
		if (m->uidnext <= at[i].msg.uid)
			m->uidnext = at[i].msg.uid + 1;
	}
	for (size_t i = 0; i < n; i++) {
		if (at[i].msg.uid == 0)
			at[i].msg.uid = m->uidnext++;
		at[i].msg.modseq = m->highestmodseq;
		take_keywords(r, &at[i]);
		if (view_add(m, &at[i].msg, span_str(at[i].name)) == -1)
			break;
	}
	buf_free(&repeated);
	return m->n == old + n ? 0 : -1;
}

/* As in a sync: a copy that died is in tmp/ still. */
static void
compare_missing(struct repair *r)
{
	struct mailbox *m = r->m;
	int tmp = sync_open_tmp(m);

	for (size_t i = 0; i < m->n; i++) {
		if (r->s.seen.p[i] != 0)
			continue;
		if (sync_finish_copy(m, tmp, i))
			r->s.dirty = true;
		else
			view_gone(m, i, m->highestmodseq);
	}
	if (tmp >= 0)
		close(tmp);
}

/* What was saved, as the folder shows it. */
static int
compare(struct repair *r)
{
	struct mailbox *m = r->m;
	size_t n;
	const struct sighting *at = sightings(&r->s.moved, &n);

	for (size_t k = 0; k < n; k++) {
		struct maildir_name name;

		if (r->s.seen.p[at[k].i] == 2 ||
		    !maildir_parse(span_str(at[k].name), &name))
			continue;
		if (view_set_name(
			m, at[k].i, span_str(at[k].name), at[k].in_new) == -1)
			return -1;
		view_flags(m, at[k].i, name.flags, m->msgs[at[k].i].keywords,
		    m->highestmodseq);
	}
	if (!r->s.unsure)
		compare_missing(r);
	return 0;
}

static int
choose_numbers(struct repair *r)
{
	struct mailbox *m = r->m;
	struct mailbox_state *s = m->state;
	const struct scan_times *t = &r->s.times;

	if (r->proven)
		m->highestmodseq++;
	else if (r->head || r->index)
		m->highestmodseq += MODSEQ_GAP;
	if (s->mailbox_id == 0 &&
	    getrandom(&s->mailbox_id, sizeof s->mailbox_id, 0) == -1)
		return -1;
	if (r->proven)
		return 0;
	if (s->memory) {
		int64_t sec = t->cur.tv_sec > t->fresh.tv_sec ? t->cur.tv_sec
							      : t->fresh.tv_sec;

		/* Nobody else's: what is given for good is the time, too. */
		m->uidvalidity = (uint32_t)sec ^ UINT32_C(1) << 31;
		if (m->uidvalidity == 0)
			m->uidvalidity = 1;
		return 0;
	}
	if (r->a.from) {
		m->uidvalidity = r->a.uids.uidvalidity;
		return lock_uidvalidity_past(s->account, m->uidvalidity);
	}
	m->uidvalidity = lock_uidvalidity(s->account, m->uidvalidity);
	return m->uidvalidity > 0 ? 0 : -1;
}

/* A second name for what was found damaged, for whoever wants to know. */
static void
keep_aside(const struct mailbox *m, const char *name)
{
	char aside[64];
	struct stat st;
	int64_t sec;
	uint32_t usec;

	if (fstatat(m->state->dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    st.st_size == 0)
		return;
	io_wall(&sec, &usec);
	snprintf(aside, sizeof aside, "%s.bad-%lld.%06lu", name, (long long)sec,
	    (unsigned long)usec);
	(void)!linkat(m->state->dir, name, m->state->dir, aside, 0);
}

static int
rebuild(struct repair *r)
{
	static const struct scan_times never;
	struct mailbox *m = r->m;

	if (salvage(r) == -1 || take_over(r) == -1)
		return -1;
	rescue_copies(r);
	if (scan_folder(m, &r->s, true) == -1 || scan_fill(m, &r->s) == -1)
		return -1;
	prove(r);
	if (choose_numbers(r) == -1 || compare(r) == -1 || adopt(r) == -1)
		return -1;
	view_sort(m);
	m->state->times = r->s.dirty ? never : r->s.times;
	if (m->state->memory)
		return 0;
	if (!r->proven)
		keep_aside(m, JOURNAL_NAME);
	if (!r->index)
		keep_aside(m, INDEX_NAME);
	return index_write(m);
}

int
repair_view(struct mailbox *m)
{
	struct repair r = { .m = m };
	int result, error;
	bool light = m->state->light;

	m->state->light = false;
	m->state->repairing = true;
	result = rebuild(&r);
	m->state->repairing = false;
	m->state->adopting = false;
	m->state->light = light;
	error = errno;
	scan_free(&r.s);
	adopt_free(&r.a);
	errno = error;
	return result;
}

/* UIDs are used up: all messages get new ones, in the order they have. */
int
repair_renumber(struct mailbox *m)
{
	uint32_t value = lock_uidvalidity(m->state->account, m->uidvalidity);

	if (value == 0)
		return -1;
	mailbox_forget(m);
	m->uidvalidity = value;
	m->uidnext = 1;
	for (size_t i = 0; i < m->n; i++)
		view_edit(m, i)->uid = m->uidnext++;
	m->state->stale = true;
	if (index_write(m) == -1)
		return -1;
	errno = ESTALE;
	return -1;
}
