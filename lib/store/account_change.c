/*
 * An account: mailboxes made and removed.
 *
 * All under the account's lock.  Every step is one rename or mkdir, and
 * after each of them all messages stand in a folder that the account lists
 * (but for those of a mailbox that is being deleted).
 */
#include "store/account_inner.h"

#include "base/durable.h"
#include "base/io.h"
#include "store/folder.h"
#include "store/lock.h"
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

void
account_sweep(const struct account *a)
{
	DIR *dir = folder_list(a->dir, ".");
	struct dirent *e;

	if (dir == NULL)
		return;
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
	io_close(fd);
	if (fd != -1 && durable_sync(dir) == -1)
		fd = -1;
	io_close(dir);
	return fd == -1 ? -1 : 0;
}

/* What could not be made as a whole, unless somebody found it already. */
static void
take_back(const struct account *a, const char *folder)
{
	int error = errno, dir = folder_open(a->dir, folder);

	if (dir != -1 && unlinkat(dir, "new", AT_REMOVEDIR) == 0 &&
	    unlinkat(dir, "cur", AT_REMOVEDIR) == 0 &&
	    unlinkat(dir, "tmp", AT_REMOVEDIR) == 0) {
		(void)unlinkat(dir, "maildirfolder", 0);
		(void)unlinkat(a->dir, folder, AT_REMOVEDIR);
	}
	io_close(dir);
	errno = error;
}

static int
create_locked(const struct account *a, struct span name, const char *folder)
{
	int there = account_exists(a, name);

	if (there == 1)
		errno = EEXIST;
	if (there != 0)
		return -1;
	if (maildir_create(a->dir, folder) == 0 && mark_folder(a, folder) == 0)
		return 0;
	take_back(a, folder);
	return -1;
}

int
account_create(const struct account *a, struct span name)
{
	char folder[MAILBOX_NAME * 3];
	int lock, r;

	if (account_folder(name, folder) == -1)
		return -1;
	if (account_is_raw(name)) {
		errno = EINVAL;
		return -1;
	}
	account_settle(a);
	lock = lock_account(a->dir);
	if (lock == -1)
		return -1;
	account_sweep(a);
	r = create_locked(a, name, folder);
	io_close(lock);
	return r;
}

/* One rename takes the mailbox out of sight; the rest can wait. */
static int
delete_locked(const struct account *a, struct span name, const char *folder,
    uint64_t *bytes, uint64_t *n)
{
	char base[MAILDIR_BASE], away[MAILDIR_NAME];
	int there = account_exists(a, name), fd, error;

	if (there == 0)
		errno = ENOENT;
	if (there != 1 || maildir_base(base) == -1)
		return -1;
	snprintf(away, sizeof away, "%s%s", gone, base);
	if (durable_move(a->dir, folder, a->dir, away) == -1)
		return -1;
	if (durable_sync(a->dir) == -1) {
		/* Who is told no has it still. */
		error = errno;
		(void)durable_move(a->dir, away, a->dir, folder);
		errno = error;
		return -1;
	}
	fd = folder_open(a->dir, away);
	if (fd == -1 || quota_folder(fd, bytes, n) == -1)
		*bytes = *n = 0;
	/* For sessions that have it open: deleted, and not damaged. */
	if (fd != -1)
		(void)durable_rename(fd, "cur", fd, "cur.gone");
	io_close(fd);
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
	account_settle(a);
	lock = lock_account(a->dir);
	if (lock == -1)
		return -1;
	account_sweep(a);
	r = delete_locked(a, name, folder, &bytes, &n);
	io_close(lock);
	if (r == 0)
		quota_give(a->dir, bytes, n);
	return r;
}
