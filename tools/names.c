/* The names in a folder. */
#include "names.h"

#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int
compare(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static int
read_entries(DIR *d, struct names *l)
{
	const struct dirent *e;

	while (errno = 0, (e = readdir(d)) != NULL) {
		struct span copy;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		copy = arena_copy(&l->text, span_str(e->d_name));
		if (copy.p == NULL ||
		    buf_add(&l->table, &copy.p, sizeof copy.p) == -1)
			return -1;
	}
	return errno == 0 ? 0 : -1;
}

int
names_read(int dir, struct names *l)
{
	DIR *d = folder_list(dir, ".");
	int r, error;

	*l = (struct names){ .table = buf_new(NAMES_SIZE),
		.text = arena_new(NAMES_SIZE) };
	if (d == NULL)
		return -1;
	r = read_entries(d, l);
	error = errno;
	closedir(d);
	errno = error;
	l->name = (char **)(void *)l->table.p;
	l->n = l->table.n / sizeof *l->name;
	if (l->n > 0)
		qsort(l->name, l->n, sizeof *l->name, compare);
	return r;
}

void
names_free(struct names *l)
{
	buf_free(&l->table);
	arena_free(&l->text);
	l->name = NULL;
	l->n = 0;
}

bool
names_folder(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

bool
names_below(int dir, const char *above, const char *name)
{
	int fd = openat(dir, above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	bool there;

	if (fd == -1)
		return false;
	there = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	close(fd);
	return there;
}
