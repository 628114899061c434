/* Flags, keywords and expunges of a session's own. */
#include "base/durable.h"
#include "base/io.h"
#include "store/folder.h"
#include "store/quota.h"
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	LOOKS = 3,       /* before a message counts as gone */
	LOOKS_MOST = 100 /* in a batch */
};

/* One batch under the lock. */
struct change {
	struct mailbox *m;
	struct batch f;
	struct scan_times before;
	unsigned looks;      /* how often all names were looked up */
	uint64_t freed, gone; /* bytes and messages that were removed */
	bool in_cur, in_new; /* folders that were changed */
};

/*
 * The times that the folder has after our own change stand for the view
 * only where nobody else had changed it before; a change of others between
 * our two looks is found because ours is not proven.
 */
void
change_times(
    struct mailbox *m, struct batch *f, const struct scan_times *before)
{
	struct scan_times after;

	if (scan_same(before, &m->state->times) && scan_stat(m, &after) == 0)
		batch_times(f, &after);
}

static int
begin(struct change *c, struct mailbox *m)
{
	*c = (struct change){ .m = m };
	if (m->read_only) {
		errno = EROFS;
		return -1;
	}
	if (view_lock(m) == -1)
		return -1;
	if (scan_stat(m, &c->before) == -1) {
		view_unlock(m);
		return -1;
	}
	c->f = batch_begin();
	return 0;
}

/* The journal first: on a journaling file system its commit holds the
 * renames, too, and the folders cost nothing more. */
static int
end(struct change *c, int result)
{
	struct mailbox *m = c->m;
	bool marks = m->state->marks;
	int error = errno;

	if (c->in_cur || c->in_new)
		change_times(m, &c->f, &c->before);
	m->state->marks = false;
	if (journal_append(m, &c->f, true) == -1 ||
	    (c->in_cur && durable_sync(m->state->cur) == -1) ||
	    (c->in_new && durable_sync(m->state->fresh) == -1)) {
		result = -1;
		error = errno;
	}
	m->state->marks = marks;
	batch_free(&c->f);
	view_unlock(m);
	errno = error;
	return result;
}

static unsigned
changed_flags(unsigned old, enum flag_op op, unsigned flags)
{
	if (op == FLAGS_ADD)
		return old | flags;
	return op == FLAGS_REMOVE ? old & ~flags : flags;
}

static uint64_t
changed_keywords(uint64_t old, enum flag_op op, uint64_t keywords)
{
	if (op == FLAGS_ADD)
		return old | keywords;
	return op == FLAGS_REMOVE ? old & ~keywords : keywords;
}

/* Looks for where everything is, until the message is found: 0, or -1 with
 * ENOENT (it is gone), EAGAIN (others rename too much), or another. */
static int
look(struct change *c, size_t i)
{
	bool seen = false;

	for (unsigned k = 0; !seen; k++) {
		errno = k == LOOKS ? ENOENT : EAGAIN;
		if (k == LOOKS || c->looks++ == LOOKS_MOST ||
		    read_names(c->m, i, &seen) == -1)
			return -1;
	}
	return 0;
}

/* Gives the file the name that goes with its flags. */
static int
rename_file(struct change *c, size_t i, unsigned flags, char name[MAILDIR_NAME])
{
	const struct message *msg = &c->m->msgs[i];
	const char *old = mailbox_file(c->m, i);

	if (old[0] == '\0') {
		errno = ENOENT; /* to be looked up */
		return -1;
	}
	if (maildir_rename(span_str(old), msg->in_new ? msg->uid : 0,
		flags, name) == -1)
		return -1;
	if (!msg->in_new && strcmp(name, old) == 0)
		return read_exists(c->m->state->cur, name) == 1 ? 0 : -1;
	if (durable_move(read_dir_of(c->m, msg), old, c->m->state->cur,
		name) == -1)
		return -1;
	c->in_cur = true;
	c->in_new |= msg->in_new;
	return 0;
}

static void
mark_changed(struct mailbox *m, size_t i)
{
	m->nchanged += !m->msgs[i].changed;
	view_edit(m, i)->changed = true;
}

struct wish {
	enum flag_op op;
	unsigned flags;
	uint64_t keywords;
};

/*
 * Another program may have renamed the file since we last looked: then its
 * flags are those of its present name, and the session does not know them.
 * It may do so again before we are done.
 */
static int
store_renamed(struct change *c, size_t i, const struct wish *w, unsigned *flags,
    char name[MAILDIR_NAME])
{
	const struct message *msg = &c->m->msgs[i];
	struct maildir_name parsed;
	int r;

	do {
		if (look(c, i) == -1 ||
		    !maildir_parse(span_str(mailbox_file(c->m, i)), &parsed))
			return -1;
		if (parsed.flags != msg->flags)
			mark_changed(c->m, i);
		*flags = changed_flags(parsed.flags, w->op, w->flags);
		r = rename_file(c, i, *flags, name);
	} while (r == -1 && errno == ENOENT);
	return r;
}

/* The flags that the file has: those of a name that was looked up are not
 * in the journal yet. */
static unsigned
present_flags(const struct mailbox *m, size_t i)
{
	const struct message *msg = &m->msgs[i];
	struct maildir_name parsed;

	if (msg->looked_up &&
	    maildir_parse(span_str(mailbox_file(m, i)), &parsed))
		return parsed.flags;
	return msg->flags;
}

/*
 * A longer name may need a block for the folder.  On a full disk the journal
 * alone has the flags, so that messages can be marked and removed there, too;
 * the name follows (sync.c).
 */
static bool
is_full(int r)
{
	return r == -1 && (errno == ENOSPC || errno == EDQUOT);
}

static void
store_late(struct change *c, size_t i, unsigned flags, uint64_t keywords)
{
	const struct message *msg = &c->m->msgs[i];

	if (msg->looked_up)
		batch_name(
		    &c->f, msg->uid, mailbox_file(c->m, i), msg->in_new);
	batch_late_flags(&c->f, msg->uid, flags, keywords);
}

/* A name that was looked up may be old by now, with all that it says. */
static int
check_name(struct change *c, size_t i)
{
	const struct message *msg = &c->m->msgs[i];

	if (msg->gone || !msg->looked_up)
		return 0;
	switch (read_exists(read_dir_of(c->m, msg), mailbox_file(c->m, i))) {
	case 1:
		return 0;
	case 0:
		return look(c, i);
	default:
		return -1;
	}
}

static int
store_flags(struct change *c, size_t i, const struct wish *w)
{
	const struct message *msg = &c->m->msgs[i];
	unsigned old = present_flags(c->m, i);
	unsigned flags = changed_flags(old, w->op, w->flags);
	uint64_t keywords = changed_keywords(msg->keywords, w->op, w->keywords);
	char name[MAILDIR_NAME];
	int r = 0;

	if (msg->gone || (flags == old && keywords == msg->keywords))
		return 0;
	if (old != msg->flags)
		mark_changed(c->m, i);
	if (flags != old) {
		r = rename_file(c, i, flags, name);
		if (r == -1 && errno == ENOENT)
			r = store_renamed(c, i, w, &flags, name);
		if (is_full(r)) {
			store_late(c, i, flags, keywords);
			return 0;
		}
		if (r == -1)
			return -1;
	}
	batch_flags(&c->f, msg->uid, flags, keywords);
	/* Mostly the name follows from the one before, and the flags. */
	if (flags != old && (msg->looked_up || msg->in_new))
		batch_name(&c->f, msg->uid, name, false);
	else if (flags == old && msg->looked_up)
		batch_name(
		    &c->f, msg->uid, mailbox_file(c->m, i), msg->in_new);
	return 0;
}

/* Of one that is gone the next sync says so. */
static int
store_one(struct change *c, size_t i, const struct wish *w)
{
	if (check_name(c, i) == 0 && store_flags(c, i, w) == 0)
		return 0;
	return errno == ENOENT ? 0 : -1;
}

int
mailbox_store(struct mailbox *m, const size_t *which, size_t n, enum flag_op op,
    unsigned flags, uint64_t keywords)
{
	const struct wish w = { op, flags & FLAG_ALL, keywords };
	struct change c;
	int r = 0;

	if (begin(&c, m) == -1)
		return -1;
	for (size_t k = 0; r == 0 && k < n; k++)
		r = store_one(&c, which[k], &w);
	return end(&c, r);
}

/* A copy that was cut off has its file in tmp/ still. */
static int
unlink_unfinished(const struct mailbox *m, const char *name)
{
	int tmp = folder_open(m->state->dir, "tmp"), r;

	if (tmp == -1)
		return -1;
	r = unlinkat(tmp, name, 0);
	io_close(tmp);
	return r;
}

static int
unlink_file(struct change *c, size_t i)
{
	const struct message *msg = &c->m->msgs[i];
	const char *name = mailbox_file(c->m, i);
	int dir = read_dir_of(c->m, msg);
	uint64_t size = msg->size;
	struct stat st;

	if (msg->vague && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		size = (uint64_t)st.st_size;
	if (unlinkat(dir, name, 0) == -1)
		return -1;
	c->freed += size;
	if (msg->in_new)
		c->in_new = true;
	else
		c->in_cur = true;
	return 0;
}

/*
 * A file that is not found may be one that another program renames all the
 * time: were it journaled as gone, it would come back as a new message.  The
 * next sync finds out.
 */
static int
expunge_one(struct change *c, size_t i)
{
	const struct message *msg = &c->m->msgs[i];
	int r;

	if (msg->gone)
		return 0;
	r = unlink_file(c, i);
	if (r == -1 && errno == ENOENT) {
		r = unlink_unfinished(c->m, mailbox_file(c->m, i));
		c->freed += r == 0 ? msg->size : 0;
	}
	while (r == -1 && errno == ENOENT && look(c, i) == 0)
		r = unlink_file(c, i);
	if (r == -1)
		return errno == ENOENT || errno == EAGAIN ? 0 : -1;
	batch_gone(&c->f, msg);
	c->gone++;
	return 0;
}

static int
expunge(struct mailbox *m, const size_t *which, size_t n, bool moved)
{
	struct change c;
	int r = 0;

	if (begin(&c, m) == -1)
		return -1;
	for (size_t k = 0; r == 0 && k < n; k++)
		r = expunge_one(&c, which[k]);
	r = end(&c, r);
	if (!moved)
		quota_give(m->state->account, c.freed, c.gone);
	return r;
}

int
mailbox_expunge(struct mailbox *m, const size_t *which, size_t n)
{
	return expunge(m, which, n, false);
}

int
expunge_moved(struct mailbox *m, const size_t *which, size_t n)
{
	return expunge(m, which, n, true);
}

/* An atom of RFC 3501 9, so that it can be sent as a flag. */
bool
mailbox_is_keyword(struct span s)
{
	if (s.n == 0 || s.n >= MAILBOX_KEYWORD)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' ||
		    strchr("(){%*\"\\]", s.p[i]))
			return false;
	return true;
}

size_t
view_keyword_slot(const struct mailbox *m, struct span keyword)
{
	for (size_t i = 0; i < m->nkeywords; i++)
		if (span_is_nocase(keyword, m->keyword[i]))
			return i;
	return SIZE_MAX;
}

static int
add_keyword(struct mailbox *m, struct span keyword, uint64_t *bit)
{
	struct change c;
	size_t slot;
	int r;

	if (begin(&c, m) == -1)
		return -1;
	slot = view_keyword_slot(m, keyword);
	if (slot == SIZE_MAX && m->nkeywords < MAILBOX_KEYWORDS) {
		slot = m->nkeywords;
		batch_keyword(&c.f, slot, keyword);
	}
	errno = ENOSPC;
	r = end(&c, slot == SIZE_MAX ? -1 : 0);
	if (r == 0)
		*bit = UINT64_C(1) << slot;
	return r;
}

int
mailbox_keyword(
    struct mailbox *m, struct span keyword, bool create, uint64_t *bit)
{
	size_t slot = view_keyword_slot(m, keyword);

	if (slot != SIZE_MAX) {
		*bit = UINT64_C(1) << slot;
		return 1;
	}
	if (!create)
		return 0;
	if (!mailbox_is_keyword(keyword)) {
		errno = EINVAL;
		return -1;
	}
	return add_keyword(m, keyword, bit) == -1 ? -1 : 1;
}
