/*
 * A disk that remembers in which order it was written.
 *
 *   recorder IMAGE LOG MOUNTPOINT
 *
 * Mounts a folder with two files.  `disk' is the image, to be given to a loop
 * device; `mark' takes lines that stand in the log between the disk's writes.
 * Every write goes into the image at once, and with every flush and mark into
 * the log, so that a reader of the log can make any disk that a power cut may
 * have left.
 *
 * The log is records of 16 bytes, in the machine's byte order: type (4),
 * length (4), offset (8), then that many bytes.  Types: 1 write, 2 flush,
 * 3 mark.
 *
 * Runs as root, for t/crash/power.py; exits with 0 when it is unmounted, 111
 * if it could not begin.
 */
#define FUSE_USE_VERSION 31
#include <fuse.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"

enum record_type {
	RECORD_WRITE = 1,
	RECORD_FLUSH = 2,
	RECORD_MARK = 3
};

struct record {
	uint32_t type, length;
	uint64_t offset;
};

struct recorder {
	int image, log;
	off_t size;
};

static struct recorder *
recorder(void)
{
	return fuse_get_context()->private_data;
}

static int
put(enum record_type type, off_t offset, const char *bytes, size_t n)
{
	struct record r = { type, (uint32_t)n, (uint64_t)offset };
	int log = recorder()->log;

	if (io_write(log, (const char *)&r, sizeof r) == -1 ||
	    io_write(log, bytes, n) == -1)
		return -errno;
	return (int)n;
}

static int
get_attributes(const char *path, struct stat *st, struct fuse_file_info *f)
{
	memset(st, 0, sizeof *st);
	st->st_nlink = 1;
	st->st_mode = S_IFREG | 0600;
	if (strcmp(path, "/") == 0)
		st->st_mode = S_IFDIR | 0700;
	else if (strcmp(path, "/disk") == 0)
		st->st_size = recorder()->size;
	else if (strcmp(path, "/mark") != 0)
		return -ENOENT;
	return 0;
}

/* Nothing may wait in the kernel: what it has told the loop device to be
 * written is what the log must have. */
static int
open_file(const char *path, struct fuse_file_info *f)
{
	f->direct_io = 1;
	return 0;
}

static int
read_file(const char *path, char *to, size_t n, off_t at,
    struct fuse_file_info *f)
{
	ssize_t got = 0;

	if (strcmp(path, "/disk") == 0)
		got = pread(recorder()->image, to, n, at);
	return got == -1 ? -errno : (int)got;
}

static int
write_file(const char *path, const char *from, size_t n, off_t at,
    struct fuse_file_info *f)
{
	ssize_t put_there;

	if (strcmp(path, "/mark") == 0)
		return put(RECORD_MARK, 0, from, n);
	put_there = pwrite(recorder()->image, from, n, at);
	if (put_there == -1)
		return -errno;
	return put(RECORD_WRITE, at, from, (size_t)put_there);
}

static int
sync_file(const char *path, int data_only, struct fuse_file_info *f)
{
	if (strcmp(path, "/disk") == 0)
		return put(RECORD_FLUSH, 0, NULL, 0);
	return 0;
}

static int
truncate_file(const char *path, off_t size, struct fuse_file_info *f)
{
	return 0;
}

static const struct fuse_operations operations = {
	.getattr = get_attributes,
	.open = open_file,
	.read = read_file,
	.write = write_file,
	.fsync = sync_file,
	.truncate = truncate_file,
};

int
main(int argc, char **argv)
{
	struct recorder r;
	/* One thread, so that there is one order. */
	char *args[] = { argv[0], (char[]){ "-s" }, (char[]){ "-f" },
		argc == 4 ? argv[3] : NULL, NULL };

	err_program("recorder");
	if (argc != 4)
		err_die(EXIT_NEVER, "usage: recorder image log mountpoint");
	r.image = open(argv[1], O_RDWR | O_CLOEXEC);
	if (r.image == -1 || (r.size = lseek(r.image, 0, SEEK_END)) == -1)
		err_die_sys(EXIT_LATER, "%s", argv[1]);
	r.log = open(argv[2],
	    O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (r.log == -1)
		err_die_sys(EXIT_LATER, "%s", argv[2]);
	return fuse_main(4, args, &operations, &r) == 0 ? 0 : EXIT_LATER;
}
