/* postern-adopt: messages that Dovecot compressed or encrypted. */
#include "adopt.h"
#include "names.h"

#include "base/io.h"
#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct found {
	size_t n;
	char example[MAILBOX_NAME];
};

static bool
starts_packed(struct span s)
{
	static const struct {
		unsigned char n;
		char magic[12];
	} known[] = {
		{ 2, "\x1f\x8b" }, /* gzip */
		{ 3, "BZh" },      /* bzip2 */
		{ 6, "\xfd"
		     "7zXZ" },             /* xz, with its NUL */
		{ 4, "\x28\xb5\x2f\xfd" }, /* zstd */
		{ 11, "Dovecot-LZ4" },     /* lz4 */
		{ 9, "CRYPTED\003\007" },  /* mail_crypt */
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (s.n >= known[i].n &&
		    memcmp(s.p, known[i].magic, known[i].n) == 0)
			return true;
	return false;
}

/* The S= of its name is the size of the message, and not that of the file. */
static bool
is_packed(int dir, const char *file)
{
	struct maildir_name name;
	struct stat st;
	char start[16];
	ssize_t n;
	int fd;

	if (!maildir_parse(span_str(file), &name) || name.size == 0 ||
	    fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    (uint64_t)st.st_size == name.size)
		return false;
	fd = folder_file(dir, file, &st);
	if (fd == -1)
		return false;
	n = io_read_full(fd, start, sizeof start);
	close(fd);
	return n > 0 && starts_packed(span_of(start, (size_t)n));
}

static void
look_through(int dir, const char *name, const char *sub, struct found *f)
{
	DIR *d = folder_list(dir, sub);
	const struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (is_packed(dirfd(d), e->d_name) && f->n++ == 0)
			snprintf(f->example, sizeof f->example,
			    "%.300s/%s/%.300s", name, sub, e->d_name);
	closedir(d);
}

static void
look_into(struct job *j, const char *name, struct found *f)
{
	int fd = folder_open(j->a.dir, name);

	if (fd == -1)
		return;
	look_through(fd, name, "cur", f);
	look_through(fd, name, "new", f);
	close(fd);
}

bool
adopt_packed(struct job *j, char why[ADOPT_NOTE])
{
	struct found f = { 0 };
	char example[MAILBOX_NAME];
	struct names l;

	look_into(j, ".", &f);
	if (names_read(j->a.dir, &l) == 0)
		for (size_t i = 0; i < l.n; i++)
			if (l.name[i][0] == '.')
				look_into(j, l.name[i], &f);
	names_free(&l);
	if (f.n == 0)
		return false;
	print_name(span_str(f.example), example, sizeof example);
	snprintf(why, ADOPT_NOTE,
	    "%zu messages are compressed or encrypted by Dovecot (%.150s); "
	    "to write them as they are while Dovecot runs: "
	    "doveadm -o plugin/zlib_save= -o maildir_copy_with_hardlinks=no "
	    "backup -u USER maildir:NEWDIR",
	    f.n, example);
	return true;
}
