/* The one way to a file that survives a power cut. */
#include "base/durable.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int
durable_begin(struct durable *d, int dir, const char *name)
{
	d->dir = dir;
	d->fd = -1;
	d->settled = false;
	if (span_copy(span_str(name), d->name, sizeof d->name) == -1) {
		errno = ENAMETOOLONG;
		return -1;
	}
	d->fd = openat(dir, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return d->fd == -1 ? -1 : 0;
}

void
durable_abort(struct durable *d)
{
	int error = errno;

	if (d->fd != -1) {
		close(d->fd);
		unlinkat(d->dir, d->name, 0);
	}
	d->fd = -1;
	errno = error;
}

int
durable_sync(int dir)
{
	return fsync(dir);
}

/* As a move without RENAME_NOREPLACE: link refuses a name that is taken. */
static int
move_by_link(int from_dir, const char *from, int to_dir, const char *to)
{
	if (linkat(from_dir, from, to_dir, to, 0) == -1)
		return -1;
	return unlinkat(from_dir, from, 0);
}

int
durable_move(int from_dir, const char *from, int to_dir, const char *to)
{
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return move_by_link(from_dir, from, to_dir, to);
}

int
durable_rename(int from_dir, const char *from, int to_dir, const char *to)
{
	/* libc's renameat2 without flags is another call. */
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int
durable_settle(struct durable *d)
{
	if (!d->settled && fsync(d->fd) == -1)
		return -1;
	d->settled = true;
	return 0;
}

static int
sync_and_close(struct durable *d)
{
	int fd = d->fd, error;

	if (durable_settle(d) == 0) {
		d->fd = -1;
		return close(fd);
	}
	error = errno;
	d->fd = -1;
	close(fd);
	errno = error;
	return -1;
}

int
durable_publish(struct durable *d, int dir, const char *name)
{
	int error;

	if (sync_and_close(d) == 0 &&
	    durable_move(d->dir, d->name, dir, name) == 0)
		return 0;
	error = errno;
	unlinkat(d->dir, d->name, 0);
	errno = error;
	return -1;
}

/*
 * Where the last fsync fails the name may or may not be on the disk; it is
 * taken back, so that the sender's next try is not a duplicate.
 */
int
durable_commit(struct durable *d, int dir, const char *name)
{
	int error;

	if (durable_publish(d, dir, name) == -1)
		return -1;
	if (durable_sync(dir) == 0)
		return 0;
	error = errno;
	unlinkat(dir, name, 0);
	errno = error;
	return -1;
}

int
durable_replace(int dir, const char *name, struct span content, unsigned mode)
{
	struct durable d;
	char fresh[DURABLE_NAME];
	int n = snprintf(fresh, sizeof fresh, ".%s.new.%ld", name,
	    (long)getpid());

	if (n < 0 || (size_t)n >= sizeof fresh) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (unlinkat(dir, fresh, 0) == -1 && errno != ENOENT)
		return -1;
	if (durable_begin(&d, dir, fresh) == -1)
		return -1;
	if (fchmod(d.fd, mode) == -1 ||
	    io_write(d.fd, content.p, content.n) == -1) {
		durable_abort(&d);
		return -1;
	}
	if (sync_and_close(&d) == -1 ||
	    durable_rename(dir, fresh, dir, name) == -1) {
		int error = errno;

		unlinkat(dir, fresh, 0);
		errno = error;
		return -1;
	}
	return durable_sync(dir);
}
