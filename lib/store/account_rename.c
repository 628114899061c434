/*
 * An account: mailboxes renamed.
 *
 * Of one folder it is one rename.  Where more belongs to it, a record of
 * what is to be done is durable before the first step, and goes after the
 * last: whoever finds one, and nobody at it, does the rest.
 */
#include "store/account_inner.h"

#include "base/durable.h"
#include "base/io.h"
#include "store/folder.h"
#include "store/lock.h"
#include "store/mailbox.h"
#include "store/maildir.h"
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Two lines: the folder that gets another name ("." for INBOX), and it. */
static const char record[] = "postern.rename";

enum { RECORD = 1024 };

/* ---- the record ---- */

/* Locked as long as its descriptor is open; -1 with errno. */
static int
record_write(const struct account *a, const char *from, const char *to)
{
	char base[MAILDIR_BASE], text[RECORD];
	int tmp = folder_open(a->dir, "tmp"), fd = -1;
	int n = snprintf(text, sizeof text, "%s\n%s\n", from, to);
	struct durable d = { .fd = -1 };

	if (tmp == -1)
		return -1;
	if (n > 0 && (size_t)n < sizeof text && maildir_base(base) == 0 &&
	    durable_begin(&d, tmp, base) == 0) {
		fd = d.fd;
		if (io_write(fd, text, (size_t)n) == -1 ||
		    lock_take(fd, 0) == -1 || fsync(fd) == -1 ||
		    durable_move(tmp, base, a->dir, record) == -1) {
			durable_abort(&d);
			fd = -1;
		} else if (durable_sync(a->dir) == -1) {
			io_close(fd);
			fd = -1;
		}
	}
	io_close(tmp);
	if (fd == -1 && errno == EEXIST)
		errno = ETIMEDOUT; /* another rename is not over */
	return fd;
}

/* All is done. */
static int
record_end(const struct account *a, int fd)
{
	int r = unlinkat(a->dir, record, 0);

	if (r == 0)
		r = durable_sync(a->dir);
	io_close(fd);
	return r;
}

/* The record of a rename that nobody is at, locked, or -1. */
static int
record_find(const struct account *a, char text[RECORD])
{
	int fd = openat(a->dir, record,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd == -1)
		return -1;
	if (lock_take(fd, 0) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0 &&
	    S_ISREG(st.st_mode)) {
		n = io_read_full(fd, text, RECORD - 1);
		text[n > 0 ? n : 0] = '\0';
		return fd;
	}
	close(fd);
	return -1;
}

/* ---- a tree ---- */

/* Is `name' the mailbox `of' or below it? */
static bool
is_at_or_below(const char *name, const char *of)
{
	size_t n = strlen(of);

	return strncmp(name, of, n) == 0 && (name[n] == '\0' || name[n] == '/');
}

/* The new folder of the mailbox `name', which is `from' or below it. */
static int
target(const char *name, const char *from, const char *to,
    char folder[MAILBOX_NAME * 3])
{
	char fresh[MAILBOX_NAME];
	int n = snprintf(fresh, sizeof fresh, "%s%s", to, name + strlen(from));

	if (n < 0 || (size_t)n >= sizeof fresh) {
		errno = EINVAL;
		return -1;
	}
	return account_folder(span_str(fresh), folder);
}

/* A folder whose making was cut off: without a cur it is no mailbox.  What
 * is not empty stays. */
static void
clear_stub(const struct account *a, const char *folder)
{
	int fd = folder_open(a->dir, folder);
	struct stat st;

	if (fd == -1)
		return;
	if (fstatat(fd, "cur", &st, AT_SYMLINK_NOFOLLOW) == -1 &&
	    errno == ENOENT) {
		(void)unlinkat(fd, "tmp", AT_REMOVEDIR);
		(void)unlinkat(fd, "new", AT_REMOVEDIR);
		(void)unlinkat(a->dir, folder, AT_REMOVEDIR);
	}
	close(fd);
}

static int
check_targets(const struct account *a, const struct account_list *l,
    const char *from, const char *to)
{
	size_t found = 0;

	for (size_t i = 0; i < l->n; i++) {
		char folder[MAILBOX_NAME * 3];
		struct stat st;

		if (!is_at_or_below(l->name[i], from))
			continue;
		found++;
		if (target(l->name[i], from, to, folder) == -1)
			return -1;
		clear_stub(a, folder);
		if (fstatat(a->dir, folder, &st, AT_SYMLINK_NOFOLLOW) == 0)
			errno = EEXIST;
		if (errno != ENOENT)
			return -1;
	}
	errno = ENOENT;
	return found > 0 ? 0 : -1;
}

/*
 * Children sort behind their parents, and go first: as long as the parent
 * has its old name, the same RENAME can be tried again.  back: what was moved
 * goes back, in the other order.
 */
static int
move_targets(const struct account *a, const struct account_list *l,
    const char *from, const char *to, bool back)
{
	int r = 0;

	for (size_t k = 0; k < l->n; k++) {
		const char *name = l->name[back ? k : l->n - 1 - k];
		char old[MAILBOX_NAME * 3], fresh[MAILBOX_NAME * 3];

		if (!is_at_or_below(name, from))
			continue;
		if (account_folder(span_str(name), old) == -1 ||
		    target(name, from, to, fresh) == -1)
			r = -1;
		else if (durable_move(a->dir, back ? fresh : old, a->dir,
			     back ? old : fresh) == -1 &&
			 !back)
			return -1;
	}
	return r == -1 ? -1 : durable_sync(a->dir);
}

static size_t
count_tree(const struct account_list *l, const char *from)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += is_at_or_below(l->name[i], from);
	return n;
}

/* All of it, or none. */
static int
move_tree(const struct account *a, const struct account_list *l,
    const char *from, const char *to)
{
	char old[MAILBOX_NAME * 3], fresh[MAILBOX_NAME * 3];
	int fd, error;

	if (count_tree(l, from) == 1)
		return move_targets(a, l, from, to, false);
	if (account_folder(span_str(from), old) == -1 ||
	    account_folder(span_str(to), fresh) == -1)
		return -1;
	fd = record_write(a, old, fresh);
	if (fd == -1)
		return -1;
	if (move_targets(a, l, from, to, false) == 0)
		return record_end(a, fd);
	error = errno;
	if (move_targets(a, l, from, to, true) == 0)
		(void)record_end(a, fd);
	else
		close(fd); /* the next one completes it */
	errno = error;
	return -1;
}

/* What still has its old name goes, where its new one is free. */
static int
finish_tree(const struct account *a, const char *from, const char *to)
{
	int lock = lock_account(a->dir), r = -1;
	struct account_list l;

	if (lock == -1)
		return -1;
	if (account_list(a, &l) == 0) {
		r = 0;
		for (size_t i = l.n; r == 0 && i-- > 0;) {
			char old[MAILBOX_NAME * 3], fresh[MAILBOX_NAME * 3];

			if (!is_at_or_below(l.name[i], from))
				continue;
			if (account_folder(span_str(l.name[i]), old) == -1 ||
			    target(l.name[i], from, to, fresh) == -1)
				continue;
			clear_stub(a, fresh);
			r = durable_move(a->dir, old, a->dir, fresh);
			if (r == -1 && (errno == EEXIST || errno == ENOENT))
				r = 0;
		}
		account_list_free(&l);
	}
	if (r == 0)
		r = durable_sync(a->dir);
	io_close(lock);
	return r;
}

static int
rename_locked(const struct account *a, const char *from, const char *to)
{
	struct account_list l;
	int r, there = account_exists(a, span_str(to));

	if (there == 1)
		errno = EEXIST;
	if (there != 0 || account_list(a, &l) == -1)
		return -1;
	r = check_targets(a, &l, from, to);
	if (r == 0)
		r = move_tree(a, &l, from, to);
	account_list_free(&l);
	return r;
}

/* ---- INBOX ---- */

static int
move_all(const struct account *a, struct mailbox *inbox, struct span to)
{
	size_t n = inbox->n;
	struct buf which = buf_new(SIZE_MAX / 2), uids = which;
	size_t *w = (void *)buf_room(&which, n * sizeof *w);
	uint32_t *u = (void *)buf_room(&uids, n * sizeof *u), validity;
	int r = -1;

	for (size_t i = 0; w && i < n; i++)
		w[i] = i;
	if (w && u)
		r = mailbox_move(inbox, w, n, a, to, u, &validity);
	buf_free(&which);
	buf_free(&uids);
	return r;
}

/* The messages are in the new mailbox before they leave INBOX; a record
 * says which of the two they belong to. */
static int
rename_inbox(const struct account *a, struct span to)
{
	char folder[MAILBOX_NAME * 3];
	struct mailbox *inbox;
	int r = 0, fd;

	if (account_create(a, to) == -1 || account_folder(to, folder) == -1)
		return -1;
	inbox = mailbox_open(a, span_str("INBOX"), false);
	if (inbox == NULL)
		return -1;
	if (inbox->n > 0) {
		fd = record_write(a, ".", folder);
		r = fd == -1 ? -1 : move_all(a, inbox, to);
		if (r == 0)
			(void)record_end(a, fd); /* or the next one does */
		else
			io_close(fd);
	}
	r = r == -1 ? -errno : 0;
	mailbox_close(inbox);
	errno = -r;
	return r == 0 ? 0 : -1;
}

static int
by_id(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* A move keeps the id; the same message is in both. */
static int
drop_moved(struct mailbox *inbox, const struct mailbox *to)
{
	struct buf ids = buf_new(SIZE_MAX / 2), which = ids;
	size_t n = 0, *w;
	int r = 0;

	(void)buf_add(&ids, to->msgs, to->n * sizeof *to->msgs);
	w = (void *)buf_room(&which, (inbox->n + 1) * sizeof *w);
	if (ids.p)
		qsort(ids.p, to->n, sizeof *to->msgs, by_id);
	for (size_t i = 0; w && ids.p && i < inbox->n; i++) {
		const struct message *m = bsearch(&inbox->msgs[i], ids.p,
		    to->n, sizeof *to->msgs, by_id);

		if (m && m->size == inbox->msgs[i].size)
			w[n++] = i;
	}
	if (n > 0)
		r = expunge_moved(inbox, w, n);
	buf_free(&ids);
	buf_free(&which);
	return r;
}

static int
finish_inbox(const struct account *a, const char *to)
{
	struct mailbox *inbox = mailbox_open(a, span_str("INBOX"), false);
	struct mailbox *there = mailbox_open(a, span_str(to), true);
	int r = inbox ? 0 : -1;

	if (there == NULL && errno != ENOENT)
		r = -1;
	if (r == 0 && there)
		r = drop_moved(inbox, there);
	mailbox_close(inbox);
	mailbox_close(there);
	return r;
}

/* ---- both ---- */

/* A record that makes no sense is nobody's. */
static int
finish(const struct account *a, struct span text)
{
	struct span first = span_take(&text, '\n');
	struct span second = span_take(&text, '\n');
	char from[MAILBOX_NAME], to[MAILBOX_NAME];

	if (!account_name(first, from) || !account_name(second, to) ||
	    strcmp(to, "INBOX") == 0 || text.n > 0)
		return 0;
	if (strcmp(from, "INBOX") == 0)
		return finish_inbox(a, to);
	return is_at_or_below(to, from) ? 0 : finish_tree(a, from, to);
}

void
account_settle(const struct account *a)
{
	int error = errno, fd = -1;
	char text[RECORD];
	struct stat st;

	if (fstatat(a->dir, record, &st, AT_SYMLINK_NOFOLLOW) == 0)
		fd = record_find(a, text);
	if (fd != -1 && finish(a, span_str(text)) == 0)
		(void)record_end(a, fd);
	else if (fd != -1)
		close(fd);
	errno = error;
}

/* The spelling that account_list gives. */
static int
canonical(struct span name, char out[MAILBOX_NAME])
{
	char folder[MAILBOX_NAME * 3];

	if (account_folder(name, folder) == -1)
		return -1;
	if (account_name(span_str(folder), out))
		return 0;
	errno = EINVAL;
	return -1;
}

int
account_rename(const struct account *a, struct span from, struct span to)
{
	char old[MAILBOX_NAME], fresh[MAILBOX_NAME];
	int lock, r;

	if (canonical(from, old) == -1 || canonical(to, fresh) == -1)
		return -1;
	account_settle(a);
	if (strcmp(old, "INBOX") == 0)
		return rename_inbox(a, span_str(fresh));
	if (account_is_raw(span_str(fresh)) ||
	    (strcmp(old, fresh) != 0 && is_at_or_below(fresh, old))) {
		errno = EINVAL;
		return -1;
	}
	lock = lock_account(a->dir);
	if (lock == -1)
		return -1;
	account_sweep(a);
	r = rename_locked(a, old, fresh);
	io_close(lock);
	return r;
}
