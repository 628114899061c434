/*
 * Preloaded under a program: fsync says yes and does nothing.  The test of
 * power cuts must notice.
 *
 * NOSYNC=file for files, dir for folders, all for both.  syncfs is left out
 * with files, and with NOSYNC=fs it alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
is_left_out(int fd)
{
	const char *what = getenv("NOSYNC");
	struct stat st;

	if (what == NULL || fstat(fd, &st) == -1)
		return 0;
	return strcmp(what, "all") == 0 ||
	    strcmp(what, S_ISDIR(st.st_mode) ? "dir" : "file") == 0;
}

static int
really(const char *name, int fd)
{
	int (*call)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

	return is_left_out(fd) ? 0 : call(fd);
}

int
fsync(int fd)
{
	return really("fsync", fd);
}

int
fdatasync(int fd)
{
	return really("fdatasync", fd);
}

int
syncfs(int fd)
{
	int (*call)(int) = (int (*)(int))dlsym(RTLD_NEXT, "syncfs");
	const char *what = getenv("NOSYNC");

	return what && strcmp(what, "dir") != 0 ? 0 : call(fd);
}
