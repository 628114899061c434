/* Whole files, apart from the rest of io.h: buffers know formats, and front,
 * which has rights, links none. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int
io_slurp_fd(int fd, struct buf *out)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	for (;;) {
		char chunk[8192];
		ssize_t n = io_read_full(fd, chunk, sizeof chunk);

		if (n <= 0)
			return n == 0 ? 0 : -1;
		if (buf_add(out, chunk, (size_t)n) == -1) {
			errno = EFBIG;
			return -1;
		}
	}
}

int
io_slurp(int dir, const char *name, struct buf *out)
{
	int fd = openat(dir, name,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	r = io_slurp_fd(fd, out);
	io_close(fd);
	return r == -1 ? -1 : 1;
}
