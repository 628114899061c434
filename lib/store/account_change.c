/*
 * An account: mailboxes made, removed and renamed.
 *
 * All under the account's lock.  Every step is one rename or mkdir, and
 * after each of them all messages stand in a folder that the account lists
 * (but for those of a mailbox that is being deleted).
 */
#include "store/account.h"

#include "base/durable.h"
#include "store/folder.h"
#include "store/lock.h"
#include "store/mailbox.h"
#include "store/maildir.h"
#include "store/quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Where deleted folders wait for their removal; no mailbox has the name. */
static const char gone[] = "postern.gone.";

enum { TREE_DEPTH = 8 };

static void
close_keep(int fd)
{
	int error = errno;

	if (fd != -1)
		close(fd);
	errno = error;
}

/*
 * Empties the folder fd (and closes it), as far as it can: what stays is
 * tried again by the next change of the account.
 */
static void
empty_tree(int fd, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	if (dir == NULL) {
		close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		int sub;

		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 ||
		    unlinkat(dirfd(dir), e->d_name, 0) == 0 || depth == 0)
			continue;
		sub = folder_open(dirfd(dir), e->d_name);
		if (sub == -1)
			continue;
		empty_tree(sub, depth - 1);
		(void)unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

static void
remove_tree(int dir, const char *name)
{
	int fd = folder_open(dir, name);

	if (fd == -1)
		return;
	empty_tree(fd, TREE_DEPTH);
	(void)unlinkat(dir, name, AT_REMOVEDIR);
}

static void
sweep(const struct account *a)
{
	int fd = folder_open(a->dir, ".");
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (dir == NULL) {
		close_keep(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL)
		if (strncmp(e->d_name, gone, sizeof gone - 1) == 0)
			remove_tree(a->dir, e->d_name);
	closedir(dir);
}

/* Maildir++ marks subfolders, so that a delivery program finds the root. */
static int
mark_folder(const struct account *a, const char *folder)
{
	int dir = folder_open(a->dir, folder), fd;

	if (dir == -1)
		return -1;
	fd = openat(dir, "maildirfolder",
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	close_keep(fd);
	if (fd != -1 && durable_sync(dir) == -1)
		fd = -1;
	close_keep(dir);
	return fd == -1 ? -1 : 0;
}

static int
create_locked(const struct account *a, struct span name, const char *folder)
{
	int there = account_exists(a, name);

	if (there == 1)
		errno = EEXIST;
	if (there != 0)
		return -1;
	if (maildir_create(a->dir, folder) == -1)
		return -1;
	return mark_folder(a, folder);
}

int
account_create(const struct account *a, struct span name)
{
	char folder[MAILBOX_NAME * 3];
	int lock, r;

	if (account_folder(name, folder) == -1)
		return -1;
	lock = lock_account(a->dir);
	if (lock == -1)
		return -1;
	sweep(a);
	r = create_locked(a, name, folder);
	close_keep(lock);
	return r;
}

/* One rename takes the mailbox out of sight; the rest can wait. */
static int
delete_locked(const struct account *a, struct span name, const char *folder,
    uint64_t *bytes, uint64_t *n)
{
	char base[MAILDIR_BASE], away[MAILDIR_NAME];
	int there = account_exists(a, name), fd;

	if (there == 0)
		errno = ENOENT;
	if (there != 1 || maildir_base(base) == -1)
		return -1;
	snprintf(away, sizeof away, "%s%s", gone, base);
	if (durable_move(a->dir, folder, a->dir, away) == -1 ||
	    durable_sync(a->dir) == -1)
		return -1;
	fd = folder_open(a->dir, away);
	if (fd == -1 || quota_folder(fd, bytes, n) == -1)
		*bytes = *n = 0;
	close_keep(fd);
	remove_tree(a->dir, away);
	return 0;
}

int
account_delete(const struct account *a, struct span name)
{
	char folder[MAILBOX_NAME * 3];
	uint64_t bytes = 0, n = 0;
	int lock, r;

	if (account_folder(name, folder) == -1)
		return -1;
	if (strcmp(folder, ".") == 0) {
		errno = EBUSY;
		return -1;
	}
	lock = lock_account(a->dir);
	if (lock == -1)
		return -1;
	sweep(a);
	r = delete_locked(a, name, folder, &bytes, &n);
	close_keep(lock);
	if (r == 0)
		quota_give(a->dir, bytes, n);
	return r;
}

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

static int
move_targets(const struct account *a, const struct account_list *l,
    const char *from, const char *to)
{
	/* Children sort behind their parents, and go first: as long as the
	 * parent has its old name, the same RENAME can be tried again. */
	for (size_t i = l->n; i-- > 0;) {
		char old[MAILBOX_NAME * 3], fresh[MAILBOX_NAME * 3];

		if (!is_at_or_below(l->name[i], from))
			continue;
		if (account_folder(span_str(l->name[i]), old) == -1 ||
		    target(l->name[i], from, to, fresh) == -1 ||
		    durable_move(a->dir, old, a->dir, fresh) == -1)
			return -1;
	}
	return durable_sync(a->dir);
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
		r = move_targets(a, &l, from, to);
	account_list_free(&l);
	return r;
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

static int
move_all(const struct account *a, struct mailbox *inbox, struct span to)
{
	size_t n = inbox->n;
	struct buf which = buf_new(SIZE_MAX / 2), uids = which;
	size_t *w = (void *)buf_room(&which, n * sizeof *w);
	uint32_t *u = (void *)buf_room(&uids, n * sizeof *u), validity;
	int r;

	for (size_t i = 0; i < n; i++)
		w[i] = i;
	r = mailbox_move(inbox, w, n, a, to, u, &validity);
	buf_free(&which);
	buf_free(&uids);
	return r;
}

/* The messages are in the new mailbox before they leave INBOX. */
static int
rename_inbox(const struct account *a, struct span to)
{
	struct mailbox *inbox;
	int r, error;

	if (account_create(a, to) == -1)
		return -1;
	inbox = mailbox_open(a, span_str("INBOX"), false);
	if (inbox == NULL)
		return -1;
	r = inbox->n > 0 ? move_all(a, inbox, to) : 0;
	error = errno;
	mailbox_close(inbox);
	errno = error;
	return r;
}

int
account_rename(const struct account *a, struct span from, struct span to)
{
	char old[MAILBOX_NAME], fresh[MAILBOX_NAME];
	int lock, r;

	if (canonical(from, old) == -1 || canonical(to, fresh) == -1)
		return -1;
	if (strcmp(old, "INBOX") == 0)
		return rename_inbox(a, span_str(fresh));
	if (strcmp(old, fresh) != 0 && is_at_or_below(fresh, old)) {
		errno = EINVAL;
		return -1;
	}
	lock = lock_account(a->dir);
	if (lock == -1)
		return -1;
	sweep(a);
	r = rename_locked(a, old, fresh);
	close_keep(lock);
	return r;
}
