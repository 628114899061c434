/* Messages into another mailbox: copies, moves, appends. */
#include "base/durable.h"
#include "base/io.h"
#include "store/cache.h"
#include "store/folder.h"
#include "store/quota.h"
#include "store/state.h"
#include "store/sum.h"
#include "store/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	UNSYNCED_S = 60, /* by then the kernel has written a file by itself */
	FEW = 16, /* moved messages */
	ONE_BY_ONE = 16, /* fsyncs, before one for all of them is better */
	NEAR_THE_END = 1000000
};

/* UIDs that are used up are renewed by a session that has all messages. */
static int
renew_uids(const struct account *a, struct span name)
{
	struct mailbox *m = mailbox_open(a, name, false);

	if (m)
		mailbox_close(m);
	return m ? 0 : -1;
}

int
target_begin(
    struct target *t, const struct account *a, struct span name, bool light)
{
	*t = (struct target){ .tmp = -1,
		.names = arena_new(SIZE_MAX / 2),
		.ids = buf_new(SIZE_MAX / 2) };
	t->m = view_open(a, name, true, light);
	if (t->m && t->m->uidnext > UINT32_MAX - NEAR_THE_END) {
		view_free(t->m);
		t->m = renew_uids(a, name) == 0
			   ? view_open(a, name, true, light)
			   : NULL;
	}
	if (t->m == NULL)
		return -1;
	t->tmp = folder_open(t->m->state->dir, "tmp");
	if (t->tmp != -1 && view_lock(t->m) == 0) {
		t->f = batch_begin();
		t->uid = t->m->uidnext;
		t->nkeywords = t->m->nkeywords;
		if (scan_stat(t->m, &t->before) == 0)
			return 0;
	}
	return -1;
}

/* A view without messages cannot write a snapshot; once in a while one that
 * has them is loaded for it.  The journal serves if that fails. */
static void
tend(const struct account *a, struct span name)
{
	struct mailbox *m = view_open(a, name, true, false);

	if (m == NULL)
		return;
	if (view_lock(m) == 0) {
		(void)index_write_if_due(m);
		view_unlock(m);
	}
	mailbox_close(m);
}

void
target_end(struct target *t, const struct account *a, struct span name)
{
	int error = errno;
	bool large = false;

	batch_free(&t->f);
	buf_free(&t->ids);
	arena_free(&t->names);
	if (t->tmp != -1)
		close(t->tmp);
	if (t->m) {
		const struct mailbox_state *s = t->m->state;

		large = index_is_due(s);
		if (s->locked)
			view_unlock(t->m);
		view_free(t->m);
	}
	if (large)
		tend(a, name);
	errno = error;
}

uint64_t
target_keyword(struct target *t, struct span keyword)
{
	size_t slot = view_keyword_slot(t->m, keyword);

	if (slot == SIZE_MAX)
		for (size_t i = t->m->nkeywords; i < t->nkeywords; i++)
			if (span_is_nocase(keyword, t->fresh[i]))
				slot = i;
	if (slot != SIZE_MAX)
		return UINT64_C(1) << slot;
	if (t->nkeywords == MAILBOX_KEYWORDS ||
	    span_copy(keyword, t->fresh[t->nkeywords], MAILBOX_KEYWORD) == -1)
		return 0;
	batch_keyword(&t->f, t->nkeywords, keyword);
	return UINT64_C(1) << t->nkeywords++;
}

static uint64_t
translate_keywords(
    struct target *t, const struct mailbox *from, uint64_t keywords)
{
	uint64_t out = 0;

	for (size_t i = 0; i < from->nkeywords; i++) {
		if (!(keywords >> i & 1))
			continue;
		if (t->keyword[i] == 0)
			t->keyword[i] =
			    target_keyword(t, span_str(from->keyword[i]));
		out |= t->keyword[i];
	}
	return out;
}

int
target_name(const char *base, const struct message *msg, char out[MAILDIR_NAME])
{
	char plain[MAILDIR_NAME * 2];
	int n = snprintf(plain, sizeof plain, "%s,S=%llu,W=%llu", base,
	    (unsigned long long)msg->size, (unsigned long long)msg->wire);

	if (n < 0 || n >= MAILDIR_NAME) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return maildir_rename(span_str(plain), msg->uid, msg->flags, out);
}

static int
copy_bytes(int from, int to)
{
	char chunk[32768];
	ssize_t n;

	while ((n = io_read_full(from, chunk, sizeof chunk)) > 0)
		if (io_write(to, chunk, (size_t)n) == -1)
			return -1;
	return (int)n;
}

/* Where no second name can be had: the bytes. */
static int
copy_file(struct target *t, int from, const struct stat *st, const char *name)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	struct durable d;

	if (durable_begin(&d, t->tmp, name) == -1)
		return -1;
	if (copy_bytes(from, d.fd) == -1 || futimens(d.fd, times) == -1 ||
	    fsync(d.fd) == -1) {
		durable_abort(&d);
		return -1;
	}
	return close(d.fd);
}

/* syncfs waits for all there is only on a file system of this machine. */
static bool
has_syncfs(int dir)
{
	struct statfs st;

	if (fstatfs(dir, &st) == -1)
		return false;
	return st.f_type == EXT4_SUPER_MAGIC || st.f_type == XFS_SUPER_MAGIC ||
	    st.f_type == BTRFS_SUPER_MAGIC;
}

/*
 * Other programs may have delivered it without an fsync.  For many of them
 * one syncfs, before the journal has the copies, does what an fsync of each
 * would.
 */
static bool
is_settled(struct target *t, const struct stat *st)
{
	int64_t now;
	uint32_t usec;

	io_wall(&now, &usec);
	if (st->st_mtime < now - UNSYNCED_S && st->st_ctime < now - UNSYNCED_S)
		return true;
	t->unsettled |= t->all_at_once;
	return t->all_at_once;
}

/* The name that we know, without opening the file: false where it takes more
 * than that. */
static bool
link_known(
    struct target *t, const struct mailbox *m, size_t i, const char *name)
{
	int dir = read_dir_of(m, &m->msgs[i]);
	const char *known = mailbox_file(m, i);
	struct stat st;

	return fstatat(dir, known, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && is_settled(t, &st) &&
	    linkat(dir, known, t->tmp, name, 0) == 0;
}

/* The message i as `name' in the target's tmp/. */
static int
put_link(struct target *t, struct mailbox *m, size_t i, const char *name)
{
	uint64_t size;
	struct stat st;
	int fd, r = -1;

	if (link_known(t, m, i, name))
		return 0;
	fd = mailbox_read(m, i, &size);

	if (fd == -1) {
		errno = errno == ENOENT ? EIDRM : errno;
		return -1;
	}
	if (fstat(fd, &st) == 0 && (is_settled(t, &st) || fsync(fd) == 0)) {
		r = linkat(read_dir_of(m, &m->msgs[i]), mailbox_file(m, i),
		    t->tmp, name, 0);
		if (r == -1 && errno != EEXIST && errno != ENOSPC &&
		    errno != EDQUOT)
			r = copy_file(t, fd, &st, name);
	}
	io_close(fd);
	return r;
}

static int
by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
sort_ids(struct target *t)
{
	for (size_t i = 0; i < t->m->n; i++) {
		uint64_t id = t->m->msgs[i].id;

		(void)buf_add(&t->ids, &id, sizeof id);
	}
	qsort(t->ids.p, t->m->n, sizeof(uint64_t), by_value);
}

static bool
has_id(const struct mailbox *m, uint64_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->msgs[i].id == id)
			return true;
	return false;
}

/* For a few messages a sort is not worth it. */
static bool
has_base(struct target *t, const struct message *msg)
{
	uint64_t id = msg->id;

	if (t->m->n == 0 || t->looks++ < FEW)
		return has_id(t->m, id);
	if (t->ids.n == 0)
		sort_ids(t);
	return bsearch(&id, t->ids.p, t->m->n, sizeof id, by_value) != NULL;
}

static int
choose_base(struct target *t, const struct mailbox *m, size_t i,
    bool keep, char base[MAILDIR_NAME])
{
	struct span own = scan_base(mailbox_file(m, i));

	if (!keep || own.n == 0 || own.n >= MAILDIR_BASE ||
	    has_base(t, &m->msgs[i]))
		return maildir_base(base);
	return span_copy(own, base, MAILDIR_NAME);
}

static int
source_gone(void)
{
	errno = errno == ENOENT ? EIDRM : errno;
	return -1;
}

/* The size of a source, which is not known yet of many new ones. */
static int
learn(struct mailbox *m, size_t i)
{
	errno = ENOENT;
	return m->msgs[i].gone || mailbox_learn(m, i) == -1 ? source_gone() : 0;
}

/* Copies before it can be seen: linked in tmp/, noted in the frame. */
static int
prepare(struct target *t, struct mailbox *m, size_t i, bool keep, char **name)
{
	struct message msg;
	char base[MAILDIR_NAME], full[MAILDIR_NAME];
	struct span copy;

	errno = ENOENT;
	if (m->msgs[i].gone || mailbox_measure(m, i) == -1)
		return source_gone();
	msg = m->msgs[i];
	msg.uid = t->uid;
	msg.in_new = false;
	msg.saved = facts_now();
	msg.keywords = translate_keywords(t, m, msg.keywords);
	if (choose_base(t, m, i, keep, base) == -1 ||
	    target_name(base, &msg, full) == -1 || put_link(t, m, i, full) == -1)
		return -1;
	msg.id = sum_id(span_str(base));
	copy = arena_copy(&t->names, span_str(full));
	batch_new(&t->f, &msg, full);
	memcpy(name, &copy.p, sizeof *name);
	t->uid++;
	return 0;
}

static void
drop_links(struct target *t, char *const *names, size_t n)
{
	int error = errno;

	for (size_t k = 0; k < n; k++)
		(void)unlinkat(t->tmp, names[k], 0);
	errno = error;
}

/*
 * Committed: whoever scans next finishes what we cannot.  But other
 * programs cannot see it in tmp/, so that a failure is undone if it can be.
 */
static int
undo(struct target *t, char *const *names, size_t n, uint32_t first)
{
	struct batch f = batch_begin();
	int error = errno, r;

	for (size_t k = 0; k < n; k++) {
		struct message msg = { .uid = first + (uint32_t)k,
			.id = sum_id(scan_base(names[k])) };

		batch_gone(&f, &msg);
	}
	r = journal_append(t->m, &f, true);
	batch_free(&f);
	if (r == -1 && !t->m->state->stale)
		return 0;
	drop_links(t, names, n);
	for (size_t k = 0; k < n; k++)
		(void)unlinkat(t->m->state->cur, names[k], 0);
	errno = error;
	return -1;
}

static int
publish(struct target *t, char *const *names, size_t n, uint32_t first)
{
	struct batch f;

	for (size_t k = 0; k < n; k++)
		if (durable_move(
			t->tmp, names[k], t->m->state->cur, names[k]) == -1)
			return undo(t, names, n, first);
	if (durable_sync(t->m->state->cur) == -1)
		return undo(t, names, n, first);
	f = batch_begin();
	t->m->state->times = t->known;
	change_times(t->m, &f, &t->before);
	(void)journal_append(t->m, &f, false);
	batch_free(&f);
	return 0;
}

int
target_commit(
    struct target *t, char *const *names, size_t k, size_t n, uint32_t first)
{
	/* Until they are in cur/, whoever opens the mailbox reads the folder;
	 * cur/ itself does not say yet that there is anything to be found. */
	static const struct scan_times never;

	t->known = t->m->state->times;
	batch_times(&t->f, &never);
	if (k == n && (!t->unsettled || syncfs(t->tmp) == 0) &&
	    durable_sync(t->tmp) == 0 &&
	    journal_append(t->m, &t->f, true) == 0)
		return publish(t, names, n, first);
	drop_links(t, names, k);
	return -1;
}

/* names has room for n. */
static int
copy_locked(struct target *t, struct mailbox *m, const size_t *which, size_t n,
    bool keep, char **names)
{
	uint32_t first = t->uid;
	size_t k;

	t->all_at_once = n > ONE_BY_ONE && has_syncfs(t->tmp);
	for (k = 0; k < n; k++)
		if (prepare(t, m, which[k], keep, &names[k]) == -1)
			break;
	return target_commit(t, names, k, n, first);
}

static int
copy_all(struct mailbox *m, const size_t *which, size_t n,
    const struct account *a, struct span to, bool keep, uint32_t *uids,
    uint32_t *uidvalidity)
{
	struct buf names = buf_new(SIZE_MAX / 2);
	char *room = buf_room(&names, n * sizeof(char *));
	struct target t;
	int r = target_begin(&t, a, to, !keep);

	if (r == 0) {
		*uidvalidity = t.m->uidvalidity;
		for (size_t k = 0; k < n; k++)
			uids[k] = t.uid + (uint32_t)k;
		r = copy_locked(&t, m, which, n, keep, (char **)(void *)room);
	}
	if (r == 0) {
		view_unlock(t.m);
		cache_copied(m, which, n, t.m->state->dir,
		    (char **)(void *)room);
	}
	target_end(&t, a, to);
	buf_free(&names);
	return r;
}

/* The quota counts a hard link like a copy. */
int
mailbox_copy(struct mailbox *m, const size_t *which, size_t n,
    const struct account *a, struct span to, uint32_t *uids,
    uint32_t *uidvalidity)
{
	uint64_t bytes = 0;
	int r;

	for (size_t k = 0; k < n; k++) {
		if (learn(m, which[k]) == -1)
			return -1;
		bytes += m->msgs[which[k]].size;
	}
	if (quota_take(a, bytes, n) == -1)
		return -1;
	r = copy_all(m, which, n, a, to, false, uids, uidvalidity);
	if (r == -1)
		quota_give(a->dir, bytes, n);
	return r;
}

int
mailbox_move(struct mailbox *m, const size_t *which, size_t n,
    const struct account *a, struct span to, uint32_t *uids,
    uint32_t *uidvalidity)
{
	if (m->read_only || !m->state->writable) {
		errno = EROFS;
		return -1;
	}
	if (copy_all(m, which, n, a, to, true, uids, uidvalidity) == -1)
		return -1;
	return expunge_moved(m, which, n);
}

/* Readers of the journal wait for the disk before they tell of the message;
 * we do so without the lock, so that one wait is good for many writers. */
static int
append_locked(struct target *t, struct maildir_draft *d, struct message *msg,
    char name[MAILDIR_NAME])
{
	struct mailbox *m = t->m;
	int error;

	if (target_name(d->base, msg, name) == -1 ||
	    durable_publish(&d->file, m->state->cur, name) == -1)
		return -1;
	msg->id = sum_id(span_str(d->base));
	batch_new(&t->f, msg, name);
	change_times(m, &t->f, &t->before);
	if (journal_append(m, &t->f, false) == 0)
		return 0;
	error = errno;
	unlinkat(m->state->cur, name, 0);
	errno = error;
	return -1;
}

/* Where the disk fails, the file goes: the next scan finds that. */
static int
append_settle(struct target *t, const char *name)
{
	int error;

	if (journal_sync(t->m) == 0 && durable_sync(t->m->state->cur) == 0)
		return 0;
	error = errno;
	unlinkat(t->m->state->cur, name, 0);
	errno = error;
	return -1;
}

int
target_message(
    struct message *msg, const struct maildir_draft *d, unsigned flags)
{
	struct stat st;

	if (fstat(d->file.fd, &st) == -1)
		return -1;
	*msg = (struct message){ .flags = flags & FLAG_ALL,
		.date = st.st_mtime,
		.size = facts_size(d->size),
		.saved = facts_now(),
		.wire = d->wire };
	return 0;
}

int
mailbox_append(const struct account *a, struct span name,
    struct maildir_draft *d, unsigned flags, const struct span *keywords,
    size_t nkeywords, int64_t date, uint32_t *uid, uint32_t *uidvalidity)
{
	struct target t = { .tmp = -1 };
	int peek = cache_peek(d), r = -1;
	char file[MAILDIR_NAME];
	struct message msg;
	bool taken = maildir_finish(d, date) == 0 &&
		     quota_take(a, d->size, 1) == 0;

	/* Most of the wait for the disk comes before the lock. */
	if (taken && durable_settle(&d->file) == 0 &&
	    target_message(&msg, d, flags) == 0 &&
	    target_begin(&t, a, name, true) == 0) {
		for (size_t i = 0; i < nkeywords; i++)
			msg.keywords |= target_keyword(&t, keywords[i]);
		*uid = msg.uid = t.uid;
		*uidvalidity = t.m->uidvalidity;
		r = append_locked(&t, d, &msg, file);
		view_unlock(t.m);
	}
	if (r == 0)
		r = append_settle(&t, file);
	if (r == 0)
		cache_arrived(t.m->state->dir, peek, d->base);
	else {
		if (peek != -1)
			close(peek);
		if (taken)
			quota_give(a->dir, d->size, 1);
	}
	target_end(&t, a, name);
	maildir_abort(d);
	return r;
}
