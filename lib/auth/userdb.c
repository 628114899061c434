/* Changing the text databases, and compiling them. */
#include "auth/userdb.h"

#include "base/durable.h"
#include "base/io.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int
take_lock(int dir)
{
	struct flock l = { .l_type = F_WRLCK };
	int64_t deadline = io_now_ms() + USERDB_LOCK_MS;
	int fd = openat(dir, ".lock",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd == -1)
		return -1;
	while (fcntl(fd, F_SETLK, &l) == -1) {
		struct timespec tick = { .tv_nsec = 20000000 };

		if ((errno != EACCES && errno != EAGAIN && errno != EINTR) ||
		    io_now_ms() > deadline) {
			int error = errno == EACCES || errno == EAGAIN
			    ? ETIMEDOUT
			    : errno;

			close(fd);
			errno = error;
			return -1;
		}
		nanosleep(&tick, NULL);
	}
	return fd;
}

int
userdb_open(struct userdb *db, const struct conf *c, const char *name,
    const struct userdb *with)
{
	char path[PATH_MAX];

	*db = (struct userdb){ .dir = -1, .lock = -1, .name = name,
		.mode = strcmp(name, "secrets") == 0 ? 0600 : 0644,
		.text = buf_new(USERDB_SIZE) };
	if (conf_path(c, "etc/postern", path) == -1)
		return -1;
	db->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (db->dir == -1)
		return -1;
	if (with == NULL)
		db->lock = take_lock(db->dir);
	if ((with == NULL && db->lock == -1) ||
	    io_slurp(db->dir, name, &db->text) == -1) {
		int error = errno;

		userdb_close(db);
		errno = error;
		return -1;
	}
	return 0;
}

void
userdb_close(struct userdb *db)
{
	buf_wipe(&db->text);
	if (db->lock != -1)
		close(db->lock);
	if (db->dir != -1)
		close(db->dir);
	db->dir = db->lock = -1;
}

static size_t
first_blank(struct span s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] != ' ' && s.p[i] != '\t')
		i++;
	return i;
}

/* A line's key and value; false for a comment or a blank line. */
static bool
split(struct span line, struct span *key, struct span *value)
{
	size_t at;

	line = span_trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return false;
	at = first_blank(line);
	*key = span_head(line, at);
	*value = span_trim(span_skip(line, at));
	return true;
}

bool
userdb_next(struct span *rest, struct span *key, struct span *value)
{
	while (rest->n > 0)
		if (split(span_take(rest, '\n'), key, value))
			return true;
	return false;
}

/* The line of key: its place in the text and its length with line end. */
static bool
locate(const struct userdb *db, struct span want, size_t *at, size_t *n,
    struct span *value)
{
	struct span rest = buf_span(&db->text);

	while (rest.n > 0) {
		const char *begin = rest.p;
		struct span key, line = span_take(&rest, '\n');

		if (!split(line, &key, value) || !span_eq(key, want))
			continue;
		*at = (size_t)(begin - db->text.p);
		*n = (size_t)(rest.p - begin);
		return true;
	}
	return false;
}

int
userdb_get(const struct userdb *db, struct span key, struct span *value)
{
	size_t at, n;

	return locate(db, key, &at, &n, value);
}

int
userdb_remove(struct userdb *db, struct span key)
{
	struct span value;
	size_t at, n;

	if (!locate(db, key, &at, &n, &value))
		return 0;
	memmove(db->text.p + at, db->text.p + at + n, db->text.n - at - n);
	db->text.n -= n;
	return 1;
}

static bool
is_line(struct span s)
{
	return s.n > 0 && span_find(s, '\n') == s.n &&
	    span_find(s, '\0') == s.n;
}

int
userdb_set(struct userdb *db, struct span key, struct span value)
{
	struct buf *t = &db->text, tail = buf_new(USERDB_SIZE);
	struct span old;
	size_t at = t->n, n = 0;
	int r;

	if (!is_line(key) || !is_line(value) || first_blank(key) < key.n ||
	    key.p[0] == '#') {
		errno = EINVAL;
		return -1;
	}
	if (!locate(db, key, &at, &n, &old)) {
		if (t->n > 0 && t->p[t->n - 1] != '\n' &&
		    buf_add_byte(t, '\n') == -1)
			return -1;
		at = t->n;
	}
	r = buf_add_span(&tail, span_skip(buf_span(t), at + n));
	t->n = at;
	if (r == 0 && buf_add_span(t, key) == 0 && buf_add_byte(t, ' ') == 0 &&
	    buf_add_span(t, value) == 0 && buf_add_byte(t, '\n') == 0)
		r = buf_add_span(t, buf_span(&tail));
	else
		r = -1;
	buf_wipe(&tail);
	return r;
}

static int
add_records(struct userdb *db, struct cdb_make *make)
{
	struct span rest = buf_span(&db->text), key, value;

	for (db->bad_line = 1; rest.n > 0; db->bad_line++) {
		int r;

		if (!split(span_take(&rest, '\n'), &key, &value))
			continue;
		if (value.n == 0) {
			errno = EINVAL;
			return -1;
		}
		r = cdb_make_put(make, key.p, (unsigned)key.n, value.p,
		    (unsigned)value.n, CDB_PUT_INSERT);
		if (r == 1)
			errno = EINVAL;
		if (r != 0)
			return -1;
	}
	db->bad_line = 0;
	return 0;
}

/* A cdb of the text, under the unfinished name, safe on disk. */
static int
compile(struct userdb *db, const char *fresh)
{
	struct cdb_make make;
	struct durable d;

	if (unlinkat(db->dir, fresh, 0) == -1 && errno != ENOENT)
		return -1;
	if (durable_begin(&d, db->dir, fresh) == -1)
		return -1;
	if (fchmod(d.fd, db->mode) == -1 ||
	    cdb_make_start(&make, d.fd) == -1 ||
	    add_records(db, &make) == -1 || cdb_make_finish(&make) == -1 ||
	    fsync(d.fd) == -1) {
		durable_abort(&d);
		return -1;
	}
	return close(d.fd);
}

/*
 * A bad line changes nothing.  After a crash between the two renames the
 * text is ahead of its cdb, and the next commit compiles it.
 */
int
userdb_commit(struct userdb *db)
{
	bool secret = strcmp(db->name, "secrets") == 0;
	const char *fresh = secret ? ".secrets.cdb.new" : ".users.cdb.new";
	const char *name = secret ? "secrets.cdb" : "users.cdb";

	if (compile(db, fresh) == -1)
		return -1;
	if (durable_replace(db->dir, db->name, buf_span(&db->text),
		db->mode) == -1 ||
	    renameat(db->dir, fresh, db->dir, name) == -1) {
		int error = errno;

		unlinkat(db->dir, fresh, 0);
		errno = error;
		return -1;
	}
	return durable_sync(db->dir);
}
