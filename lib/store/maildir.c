/* Maildir file names, folders, and putting a message in. */
#include "store/maildir.h"

#include "base/io.h"
#include "base/num.h"
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DRAFT_BUFFER = 16384 };

static const char letters[] = "DFPRST";
static const unsigned bits[] = { FLAG_DRAFT, FLAG_FLAGGED, FLAG_PASSED,
	FLAG_ANSWERED, FLAG_SEEN, FLAG_DELETED };

static unsigned
flag_of(char letter)
{
	for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
		if (letter == letters[i])
			return bits[i];
	return 0;
}

/* `info' is what stands behind the colon. */
static void
parse_info(struct span info, struct maildir_name *out)
{
	size_t first = info.n, last = 0;

	if (!span_starts(info, "2,"))
		return;
	info = span_skip(info, 2);
	first = info.n;
	for (size_t i = 0; i < info.n; i++) {
		unsigned flag = flag_of(info.p[i]);

		out->flags |= flag;
		if (flag)
			continue;
		first = first == info.n ? i : first;
		last = i + 1;
	}
	if (first < last)
		out->others = span_of(info.p + first, last - first);
}

static void
parse_field(struct span field, struct maildir_name *out)
{
	struct span value = span_skip(field, 2);

	if (span_starts(field, "S="))
		(void)num_parse(value, INT64_MAX, &out->size);
	else if (span_starts(field, "W="))
		(void)num_parse(value, INT64_MAX, &out->wire);
	else if (span_starts(field, "U="))
		(void)num_parse_u32(value, UINT32_MAX, &out->uid);
}

bool
maildir_parse(struct span file, struct maildir_name *out)
{
	struct span fields;

	*out = (struct maildir_name){ 0 };
	if (file.n == 0 || file.n >= MAILDIR_NAME || file.p[0] == '.' ||
	    span_find(file, '/') < file.n || span_find(file, '\0') < file.n)
		return false;
	fields = span_take(&file, ':');
	out->base = span_take(&fields, ',');
	while (fields.n > 0)
		parse_field(span_take(&fields, ','), out);
	parse_info(file, out);
	return out->base.n > 0;
}

/* Letters in ASCII order, each once, as readers of Maildir expect. */
static size_t
flag_letters(unsigned flags, struct span others, char out[MAILDIR_NAME])
{
	size_t n = 0;

	if (others.n == 0) {
		for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
			if (flags & bits[i])
				out[n++] = letters[i];
		return n;
	}
	for (unsigned c = 1; c < 256; c++) {
		unsigned flag = flag_of((char)c);

		if (flag ? (flags & flag) != 0
			 : span_find(others, (char)c) < others.n)
			out[n++] = (char)c;
	}
	return n;
}

int
maildir_rename(
    struct span file, uint32_t uid, unsigned flags, char out[MAILDIR_NAME])
{
	struct maildir_name name;
	struct span fields;
	struct buf b = buf_new(MAILDIR_NAME - 1);
	char info[MAILDIR_NAME];
	int r = -1;

	errno = EINVAL;
	if (!maildir_parse(file, &name))
		return -1;
	fields = span_head(file, span_find(file, ':'));
	buf_add_span(&b, span_take(&fields, ','));
	while (fields.n > 0) {
		struct span field = span_take(&fields, ',');

		if (uid == 0 || !span_starts(field, "U=")) {
			buf_add_byte(&b, ',');
			buf_add_span(&b, field);
		}
	}
	if (uid > 0)
		buf_addf(&b, ",U=%lu", (unsigned long)uid);
	buf_add_str(&b, ":2,");
	buf_add(&b, info, flag_letters(flags, name.others, info));
	if (b.full)
		errno = ENAMETOOLONG;
	else
		r = span_copy(buf_span(&b), out, MAILDIR_NAME);
	buf_free(&b);
	return r;
}

/* 1 made, 0 was there, -1. */
static int
make_sub(int dir, const char *name)
{
	if (mkdirat(dir, name, 0700) == 0)
		return 1;
	return errno == EEXIST ? 0 : -1;
}

/* Who may write to the parent need not be able to open it. */
static int
sync_parent(int fd)
{
	int up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (up == -1)
		return errno == EACCES ? syncfs(fd) : -1;
	r = durable_sync(up);
	io_close(up);
	return r;
}

/* cur comes last: a folder without it is not there yet. */
static int
make_subs(int fd, bool fresh)
{
	static const char *const subs[] = { "tmp", "new", "cur" };
	int made = 0;

	for (size_t i = 0; i < sizeof subs / sizeof *subs; i++) {
		int r = make_sub(fd, subs[i]);

		if (r == -1)
			return -1;
		made |= r;
	}
	if (made && durable_sync(fd) == -1)
		return -1;
	return fresh ? sync_parent(fd) : 0;
}

int
maildir_create(int parent, const char *dir)
{
	int fresh = make_sub(parent, dir), fd, r;

	if (fresh == -1)
		return -1;
	fd = openat(
	    parent, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	r = make_subs(fd, fresh == 1);
	io_close(fd);
	return r;
}

int
maildir_base(char out[MAILDIR_BASE])
{
	char host[65];
	int64_t sec;
	uint32_t usec;
	uint64_t random;
	int n;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return -1;
	io_wall(&sec, &usec);
	n = snprintf(out, MAILDIR_BASE, "%lld.M%luP%ldR%016llx.%.64s",
	    (long long)sec, (unsigned long)usec, (long)getpid(),
	    (unsigned long long)random, io_hostname(host, sizeof host));
	return n > 0 ? 0 : -1;
}

int
maildir_begin(struct maildir_draft *d, int maildir)
{
	int tmp;

	*d = (struct maildir_draft){ .maildir = maildir };
	d->file.fd = d->file.dir = -1;
	d->out = buf_new(DRAFT_BUFFER);
	if (maildir_base(d->base) == -1)
		return -1;
	tmp = folder_open(maildir, "tmp");
	if (tmp == -1)
		return -1;
	if (durable_begin(&d->file, tmp, d->base) == 0)
		return 0;
	maildir_abort(d);
	return -1;
}

static int
flush(struct maildir_draft *d)
{
	if (io_write(d->file.fd, d->out.p, d->out.n) == -1)
		return -1;
	buf_reset(&d->out);
	return 0;
}

/* Bytes without a CR in front that may belong to a CRLF. */
static int
add(struct maildir_draft *d, struct span s)
{
	while (s.n > 0) {
		struct span part = span_head(s, DRAFT_BUFFER - d->out.n);

		buf_add_span(&d->out, part);
		s = span_skip(s, part.n);
		d->size += part.n;
		d->wire += part.n;
		if (d->out.n == DRAFT_BUFFER && flush(d) == -1)
			return -1;
	}
	return 0;
}

static int
add_line_end(struct maildir_draft *d)
{
	/* CR CR LF is stored as CR LF, which goes out as it is. */
	if (!d->cr_stored)
		d->wire++;
	d->cr_stored = false;
	return add(d, span_of("\n", 1));
}

/* What comes before the next CR or LF. */
static int
add_text(struct maildir_draft *d, struct span *s)
{
	size_t n = 0;

	while (n < s->n && s->p[n] != '\r' && s->p[n] != '\n')
		n++;
	if (n > 0)
		d->cr_stored = false;
	if (add(d, span_head(*s, n)) == -1)
		return -1;
	*s = span_skip(*s, n);
	return 0;
}

static int
add_pending_cr(struct maildir_draft *d)
{
	if (!d->after_cr)
		return 0;
	d->after_cr = false;
	d->cr_stored = true;
	return add(d, span_of("\r", 1));
}

/* A line, or a part of one, as it is. */
static int
add_raw(struct maildir_draft *d, struct span *s)
{
	struct span text = span_head(*s, span_find(*s, '\n'));

	*s = span_skip(*s, text.n);
	if (text.n == 0) {
		*s = span_skip(*s, 1);
		return add_line_end(d);
	}
	d->cr_stored = text.p[text.n - 1] == '\r';
	return add(d, text);
}

int
maildir_write(struct maildir_draft *d, struct span s)
{
	while (s.n > 0) {
		int r;

		if (d->raw) {
			r = add_raw(d, &s);
		} else if (s.p[0] == '\n') {
			d->after_cr = false;
			r = add_line_end(d);
			s = span_skip(s, 1);
		} else if (s.p[0] == '\r') {
			r = add_pending_cr(d);
			d->after_cr = true;
			s = span_skip(s, 1);
		} else {
			r = add_pending_cr(d);
			if (r == 0)
				r = add_text(d, &s);
		}
		if (r == -1)
			return -1;
	}
	return 0;
}

int
maildir_finish(struct maildir_draft *d, int64_t date)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_NOW },
		{ .tv_nsec = UTIME_NOW } };

	if (add_pending_cr(d) == -1 || flush(d) == -1)
		return -1;
	if (date < 0)
		return 0;
	t[1] = (struct timespec){ .tv_sec = date };
	return futimens(d->file.fd, t);
}

int
maildir_commit(struct maildir_draft *d, int64_t date, char name[MAILDIR_NAME])
{
	int to = -1, error, r = -1;

	if (maildir_finish(d, date) == 0)
		to = folder_open(d->maildir, "new");
	if (to != -1) {
		snprintf(name, MAILDIR_NAME, "%s,S=%llu,W=%llu", d->base,
		    (unsigned long long)d->size, (unsigned long long)d->wire);
		r = durable_commit(&d->file, to, name);
	}
	error = errno;
	if (to != -1)
		close(to);
	maildir_abort(d);
	errno = error;
	return r;
}

void
maildir_abort(struct maildir_draft *d)
{
	int error = errno;

	durable_abort(&d->file);
	if (d->file.dir != -1)
		close(d->file.dir);
	d->file.dir = -1;
	buf_free(&d->out);
	errno = error;
}
