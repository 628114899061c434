/* Folders and files below an account. */
#include "store/folder.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Names never hold a slash, so that O_NOFOLLOW alone keeps openat inside;
 * openat2 is a second wall against a name that slipped through.
 */
static int
open_beneath(int dir, const char *name, int flags)
{
	struct open_how how = { .flags =
				    (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof how);

	if (fd == -1 && (errno == ENOSYS || errno == EPERM))
		return openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW);
	return (int)fd;
}

int
folder_open(int parent, const char *name)
{
	return open_beneath(parent, name, O_RDONLY | O_DIRECTORY);
}

DIR *
folder_list(int parent, const char *name)
{
	int fd = folder_open(parent, name);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);

	if (dir == NULL)
		io_close(fd);
	return dir;
}

int
folder_file(int dir, const char *name, struct stat *st)
{
	int fd = open_beneath(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	int error = EINVAL;

	if (fd == -1)
		return -1;
	if (fstat(fd, st) == -1)
		error = errno;
	else if (S_ISREG(st->st_mode))
		return fd;
	close(fd);
	errno = error;
	return -1;
}
