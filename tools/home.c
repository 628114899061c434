/* The folder of a new mailbox. */
#include "home.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens name in dir, making it first; closes dir. */
static int
step(int dir, const char *name, mode_t mode, bool *made)
{
	int fd, error;

	*made = mkdirat(dir, name, mode) == 0;
	fd = *made || errno == EEXIST
	    ? openat(dir, name,
		  O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
	    : -1;
	error = errno;
	if (fd != -1 && *made &&
	    (fchmod(fd, mode) == -1 || fsync(dir) == -1)) {
		error = errno;
		close(fd);
		fd = -1;
	}
	close(dir);
	errno = error;
	return fd;
}

/* Down to the last folder of rel from the root; parents are public. */
static int
descend(const char *root, struct span rel, bool *made)
{
	int dir = open(root[0] ? root : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[256];

	*made = false;
	while (dir != -1 && rel.n > 0) {
		struct span part = span_take(&rel, '/');

		if (part.n == 0)
			continue;
		if (span_is(part, ".") || span_is(part, "..") ||
		    span_copy(part, name, sizeof name) == -1) {
			close(dir);
			errno = EINVAL;
			return -1;
		}
		dir = step(dir, name, rel.n > 0 ? 0755 : 0700, made);
	}
	return dir;
}

static int
fill(int dir, const struct users_record *u, bool made)
{
	static const char *const names[] = { "cur", "new", "tmp" };
	struct stat st;

	if (made && fchown(dir, u->uid, u->gid) == -1)
		return -1;
	if (fstat(dir, &st) == -1)
		return -1;
	if (st.st_uid != u->uid) {
		errno = EPERM;
		return -1;
	}
	for (size_t i = 0; i < 3; i++) {
		if (mkdirat(dir, names[i], 0700) == -1) {
			if (errno == EEXIST)
				continue;
			return -1;
		}
		if (fchownat(dir, names[i], u->uid, u->gid,
			AT_SYMLINK_NOFOLLOW) == -1)
			return -1;
	}
	return fsync(dir);
}

int
home_make(const struct conf *c, const struct users_record *u)
{
	bool made;
	int dir = descend(c->root, span_str(u->maildir), &made);
	int r;

	if (dir == -1)
		return -1;
	r = fill(dir, u, made);
	io_close(dir);
	return r;
}
