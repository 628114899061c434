/* Folders and files below an account. */
#include "store/folder.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * Names never hold a slash, so that O_NOFOLLOW keeps openat inside; a name
 * that slipped through is refused here.  openat2 would do it, too, but what a
 * jail cannot see is with which rights it makes files.
 */
static int
open_beneath(int dir, const char *name, int flags)
{
	if (strchr(name, '/') != NULL || strcmp(name, "..") == 0) {
		errno = EXDEV;
		return -1;
	}
	return openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW);
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
