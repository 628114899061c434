/* The quota of an account. */
#include "store/quota.h"

#include "base/buf.h"
#include "base/durable.h"
#include "base/io.h"
#include "base/num.h"
#include "store/folder.h"
#include "store/lock.h"
#include "store/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char file[] = "maildirsize";

enum {
	LINE = 48,
	LARGEST = 2147483647, /* a size in a name above that is a lie */
	COUNTS = 3,           /* while others change the folders */
	QUIET_S = 2,          /* a message is on its way no longer than that */
	TRIES = 4
};

/* What the file says. */
struct size_file {
	int fd; /* -1: not open */
	bool writable;
	bool good; /* it can be added to */
	bool there;
	struct quota_usage use;
	size_t lines; /* behind the first */
	int64_t changed_s;
	ino_t inode;
	off_t size;
};

/* ---- its text ---- */

void
quota_text(const struct quota_limits *l, char out[QUOTA_TEXT])
{
	(void)snprintf(out, QUOTA_TEXT, "%lluS,%lluC",
	    (unsigned long long)l->bytes, (unsigned long long)l->count);
}

/* Other kinds of limits, which nobody knows, are passed over. */
bool
quota_parse(struct span text, struct quota_limits *out)
{
	*out = (struct quota_limits){ 0 };
	while (text.n > 0) {
		struct span one = span_trim(span_take(&text, ','));
		uint64_t v;

		if (!num_take(&one, INT64_MAX, &v) || one.n != 1)
			continue;
		if (one.p[0] == 'S')
			out->bytes = v;
		else if (one.p[0] == 'C')
			out->count = v;
		else
			continue;
		out->known = true;
	}
	return out->known;
}

static bool
take_signed(struct span *s, int64_t *out)
{
	bool minus;
	uint64_t v;

	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t'))
		*s = span_skip(*s, 1);
	minus = s->n > 0 && s->p[0] == '-';
	if (minus)
		*s = span_skip(*s, 1);
	if (!num_take(s, INT64_MAX, &v))
		return false;
	*out = minus ? -(int64_t)v : (int64_t)v;
	return true;
}

/* The lines behind the first; false: they make no sense. */
static bool
add_lines(struct span text, struct size_file *f)
{
	int64_t bytes = 0, count = 0;

	while (text.n > 0) {
		struct span line = span_take(&text, '\n');
		int64_t b, n;

		if (!take_signed(&line, &b) || line.n == 0 ||
		    (line.p[0] != ' ' && line.p[0] != '\t') ||
		    !take_signed(&line, &n) || span_trim(line).n > 0 ||
		    __builtin_add_overflow(bytes, b, &bytes) ||
		    __builtin_add_overflow(count, n, &count))
			return false;
		f->lines++;
	}
	if (bytes < 0 || count < 0 || f->lines == 0)
		return false;
	f->use.bytes = (uint64_t)bytes;
	f->use.count = (uint64_t)count;
	return true;
}

static bool
same_limits(const struct quota_limits *a, const struct quota_limits *b)
{
	return a->bytes == b->bytes && a->count == b->count;
}

/* ---- the file ---- */

static void
size_close(struct size_file *f)
{
	int error = errno;

	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
	errno = error;
}

static int
size_open(int dir, struct size_file *f)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat st;

	*f = (struct size_file){ .writable = true };
	f->fd = openat(dir, file, O_RDWR | O_APPEND | flags);
	if (f->fd == -1 && (errno == EACCES || errno == EROFS)) {
		f->writable = false;
		f->fd = openat(dir, file, O_RDONLY | flags);
	}
	if (f->fd == -1)
		return errno == ENOENT || errno == ELOOP || errno == EISDIR
			   ? 0
			   : -1;
	if (fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode)) {
		f->there = true;
		f->good = st.st_size < QUOTA_FILE;
		f->changed_s = st.st_mtime;
		f->inode = st.st_ino;
		f->size = st.st_size;
		return 1;
	}
	size_close(f);
	return 0;
}

/* A line without its end is what a full disk left of one. */
static int
size_load(const struct account *a, struct size_file *f)
{
	char room[QUOTA_FILE];
	struct quota_limits said;
	struct span text;
	ssize_t n = 0;
	int r = size_open(a->dir, f);

	if (r == -1)
		return -1;
	if (r == 1)
		n = pread(f->fd, room, sizeof room, 0);
	if (n == -1) {
		size_close(f);
		return -1;
	}
	text = span_of(room, (size_t)n);
	f->good &= span_ends(text, "\n");
	(void)quota_parse(span_take(&text, '\n'), &said);
	f->use.limits = a->limits.known ? a->limits : said;
	f->good = f->good && same_limits(&f->use.limits, &said) &&
		  add_lines(text, f);
	return 0;
}

static bool
has_limits(const struct quota_usage *u)
{
	return u->limits.bytes > 0 || u->limits.count > 0;
}

static bool
fits(const struct quota_usage *u, uint64_t bytes, uint64_t n)
{
	const struct quota_limits *l = &u->limits;

	return (l->bytes == 0 ||
		   (u->bytes <= l->bytes && bytes <= l->bytes - u->bytes)) &&
	       (l->count == 0 ||
		   (u->count <= l->count && n <= l->count - u->count));
}

/*
 * Maildir++: "full" is believed of a file that was just counted, only.  But
 * a count does not see messages whose lines are there already and that are
 * still on their way.
 */
static bool
is_stale(const struct size_file *f)
{
	int64_t now;
	uint32_t usec;

	io_wall(&now, &usec);
	return (f->lines > 1 && f->changed_s < now - QUIET_S) ||
	       f->changed_s < now - QUOTA_OLD_S || f->changed_s > now;
}

/* ---- counting all ---- */

struct count {
	uint64_t bytes, n;
	uint64_t digest; /* of the folders' times */
	bool times_only;
};

static void
count_file(int dir, const char *name, struct count *c)
{
	struct maildir_name parsed;
	struct stat st;
	uint64_t size;

	if (!maildir_parse(span_str(name), &parsed))
		return;
	size = parsed.size;
	if (size == 0 || size > LARGEST) {
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
		    !S_ISREG(st.st_mode))
			return;
		size = (uint64_t)st.st_size;
	}
	c->bytes += size;
	c->n++;
}

/* No folder, or one that is not ours; it must not be in the way of all
 * mail. */
static bool
is_passed_over(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP ||
	       error == EACCES;
}

/* A folder's cur or new. */
static int
count_sub(int folder, const char *sub, struct count *c)
{
	int fd = folder_open(folder, sub), error;
	DIR *dir;
	struct dirent *e;
	struct stat st;

	if (fd == -1)
		return is_passed_over(errno) ? 0 : -1;
	dir = fstat(fd, &st) == 0 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	c->digest += ((uint64_t)st.st_mtim.tv_sec * 1000000000 +
			 (uint64_t)st.st_mtim.tv_nsec) ^
		     (uint64_t)st.st_ino << 20;
	errno = 0;
	while (!c->times_only && (e = readdir(dir)) != NULL) {
		count_file(fd, e->d_name, c);
		errno = 0;
	}
	error = errno;
	closedir(dir);
	errno = error;
	return error ? -1 : 0;
}

static int
count_folder(int parent, const char *name, struct count *c)
{
	int fd = folder_open(parent, name), r;

	if (fd == -1)
		return is_passed_over(errno) ? 0 : -1;
	r = count_sub(fd, "new", c);
	if (r == 0)
		r = count_sub(fd, "cur", c);
	io_close(fd);
	return r;
}

int
quota_folder(int dir, uint64_t *bytes, uint64_t *n)
{
	struct count c = { 0 };
	int r = count_folder(dir, ".", &c);

	*bytes = c.bytes;
	*n = c.n;
	return r;
}

/* All folders, whatever their names: "." is INBOX. */
static int
count_all(int maildir, struct count *c)
{
	DIR *dir = folder_list(maildir, ".");
	struct dirent *e;
	int error;

	if (dir == NULL)
		return -1;
	while (errno = 0, (e = readdir(dir)) != NULL)
		if (e->d_name[0] == '.' && strcmp(e->d_name, "..") != 0 &&
		    count_folder(maildir, e->d_name, c) == -1)
			break;
	error = errno;
	closedir(dir);
	errno = error;
	return error ? -1 : 0;
}

/* tmp/ is swept, so that what a crash leaves there goes. */
static int
size_write(int maildir, const struct quota_usage *u)
{
	char base[MAILDIR_BASE], text[QUOTA_TEXT + LINE], limits[QUOTA_TEXT];
	struct durable d = { .fd = -1 };
	int tmp = folder_open(maildir, "tmp"), n, r = -1, error;

	quota_text(&u->limits, limits);
	n = snprintf(text, sizeof text, "%s\n%llu %llu\n", limits,
	    (unsigned long long)u->bytes, (unsigned long long)u->count);
	if (tmp != -1 && maildir_base(base) == 0 &&
	    durable_begin(&d, tmp, base) == 0) {
		if (io_write(d.fd, text, (size_t)n) == 0 && fsync(d.fd) == 0)
			r = durable_rename(tmp, base, maildir, file);
		error = errno;
		if (r == 0)
			close(d.fd);
		else
			durable_abort(&d);
		errno = error;
	}
	io_close(tmp);
	return r;
}

/* Did anybody add a line, or replace the file, since f was read? */
static bool
is_same(int maildir, const struct size_file *f)
{
	struct stat st;

	if (fstatat(maildir, file, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return !f->there;
	return f->there && st.st_ino == f->inode && st.st_size == f->size;
}

/*
 * What changes meanwhile may be in the new file, and its line in the old
 * one, or the other way round: so it is counted again until the folders
 * stood still, a few times.  Where the file cannot be written the count is
 * good all the same.
 */
static int
count_and_write(const struct account *a, struct size_file *f)
{
	struct quota_usage use = f->use;

	for (unsigned i = 0; i < COUNTS; i++) {
		struct count c = { 0 }, again = { .times_only = true };

		if (count_all(a->dir, &c) == -1)
			return -1;
		use.bytes = c.bytes;
		use.count = c.n;
		if (i + 1 < COUNTS && !is_same(a->dir, f)) {
			size_close(f);
			if (size_load(a, f) == -1)
				return -1;
			continue;
		}
		if (size_write(a->dir, &use) == -1 ||
		    count_all(a->dir, &again) == -1 ||
		    again.digest == c.digest)
			break;
	}
	size_close(f);
	if (size_load(a, f) == 0 && f->good)
		return 0;
	/* It could not be written. */
	size_close(f);
	f->use = use;
	return 0;
}

/* Of all that find the file no good at the same moment one counts. */
static int
recount(const struct account *a, struct size_file *f)
{
	ino_t before = f->there ? f->inode : 0;
	int lock = lock_account(a->dir), r;

	size_close(f);
	r = size_load(a, f);
	if (r == 0 && (!f->good || f->inode == before))
		r = count_and_write(a, f);
	io_close(lock);
	return r;
}

/* ---- lines ---- */

/* One write, which O_APPEND puts behind all others: where it ended, or -1. */
static off_t
add_line(const struct size_file *f, uint64_t bytes, uint64_t n, bool minus)
{
	const char *sign = minus ? "-" : "";
	char line[LINE];
	int size = snprintf(line, sizeof line, "%s%llu %s%llu\n", sign,
	    (unsigned long long)bytes, sign, (unsigned long long)n);
	ssize_t r;

	do
		r = write(f->fd, line, (size_t)size);
	while (r == -1 && errno == EINTR);
	return r == size ? lseek(f->fd, 0, SEEK_CUR) : -1;
}

/* Does the file still have its name? */
static bool
is_current(int maildir, const struct size_file *f)
{
	struct stat mine, now;

	return fstat(f->fd, &mine) == 0 &&
	       fstatat(maildir, file, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mine.st_ino == now.st_ino && mine.st_dev == now.st_dev;
}

/* All lines up to `end' are within the limits. */
static bool
is_within(const struct size_file *f, off_t end)
{
	char room[QUOTA_FILE + LINE];
	struct size_file now = { .use.limits = f->use.limits };
	struct span text;
	ssize_t n;

	if (end > (off_t)sizeof room)
		return true; /* hundreds at once: the next one counts all */
	n = pread(f->fd, room, (size_t)end, 0);
	if (n != end)
		return true;
	text = span_of(room, (size_t)n);
	(void)span_take(&text, '\n');
	return !add_lines(text, &now) || fits(&now.use, 0, 0);
}

/* 1; 0: the file was replaced meanwhile; -1: others were quicker. */
static int
note(const struct account *a, const struct size_file *f, uint64_t bytes,
    uint64_t n)
{
	off_t end = f->writable ? add_line(f, bytes, n, false) : -1;

	if (end == -1)
		return 1; /* cannot be noted; what was read allows it */
	if (!is_current(a->dir, f))
		return 0;
	if (is_within(f, end))
		return 1;
	(void)add_line(f, bytes, n, true);
	errno = EDQUOT;
	return -1;
}

/* The file, counted anew where it is no good or says "full" without being
 * fresh. */
static int
size_get(const struct account *a, uint64_t bytes, uint64_t n,
    struct size_file *f)
{
	if (size_load(a, f) == -1)
		return -1;
	if (!has_limits(&f->use) ||
	    (f->good && (fits(&f->use, bytes, n) || !is_stale(f))))
		return 0;
	return recount(a, f);
}

static int
ask(const struct account *a, uint64_t bytes, uint64_t n, bool take)
{
	struct size_file f;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < TRIES; i++) {
		struct quota_usage u;

		if (size_get(a, bytes, n, &f) == -1)
			return -1;
		u = f.use;
		r = 1;
		if (has_limits(&u) && !fits(&u, bytes, n)) {
			errno = EDQUOT;
			r = -1;
		} else if (has_limits(&u) && take && f.fd != -1) {
			r = note(a, &f, bytes, n);
		}
		size_close(&f);
	}
	return r == -1 ? -1 : 0;
}

int
quota_look(const struct account *a, uint64_t bytes, uint64_t n)
{
	return ask(a, bytes, n, false);
}

int
quota_take(const struct account *a, uint64_t bytes, uint64_t n)
{
	return ask(a, bytes, n, true);
}

int
quota_read(const struct account *a, struct quota_usage *out)
{
	struct size_file f;

	if (size_get(a, 0, 0, &f) == -1)
		return -1;
	*out = f.use;
	size_close(&f);
	return has_limits(out) ? 1 : 0;
}

int
quota_recount(const struct account *a, struct quota_usage *out)
{
	struct size_file f;

	if (size_load(a, &f) == -1 ||
	    (has_limits(&f.use) && recount(a, &f) == -1))
		return -1;
	*out = f.use;
	size_close(&f);
	return has_limits(out) ? 1 : 0;
}

/* Where nothing reads the file it must not grow for ever. */
void
quota_give(int maildir, uint64_t bytes, uint64_t n)
{
	const struct account a = { .dir = maildir };
	struct size_file f;
	int error = errno;

	if (n > 0 && size_load(&a, &f) == 0 && f.there) {
		if (!f.good && has_limits(&f.use))
			(void)recount(&a, &f);
		else if (f.good && f.writable)
			(void)add_line(&f, bytes, n, true);
		size_close(&f);
	}
	errno = error;
}
