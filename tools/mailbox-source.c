/* Where imported messages come from. */
#include "mailbox-source.h"

#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 65536, LISTS = 1 << 26, NAMES = 1 << 30 };

struct file {
	const char *name;
	int dir;                /* which of dirs */
	uint64_t first, second; /* what they are sorted by */
};

/* MH: from first to last, these flags. */
struct sequence {
	uint64_t first, last;
	unsigned flags;
	bool unseen;
};

bool
source_kind(const char *name, enum source_kind *kind)
{
	static const char *const names[] = { "auto", "mbox", "mboxo", "maildir",
		"mh", "eml" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0) {
			*kind = (enum source_kind)i;
			return true;
		}
	return false;
}

static struct source *
begin(const char *name, enum source_kind kind)
{
	struct source *s = calloc(1, sizeof *s);

	if (s == NULL)
		err_nomem();
	s->kind = kind;
	s->name = name;
	s->fd = s->dirs[0] = s->dirs[1] = -1;
	s->files = buf_new(NAMES);
	s->piece = buf_new(PIECE);
	s->keywords = buf_new(MBOX_KEYWORDS);
	s->sequences = buf_new(LISTS);
	s->text = arena_new(NAMES);
	s->letters = kwlist_new();
	mbox_open(&s->mbox, NULL, NULL, false);
	return s;
}

void
source_close(struct source *s)
{
	int error = errno;

	if (s->fd > 0)
		close(s->fd);
	for (size_t i = 0; i < 2; i++)
		if (s->dirs[i] != -1)
			close(s->dirs[i]);
	mbox_close(&s->mbox);
	buf_free(&s->files);
	buf_free(&s->piece);
	buf_free(&s->keywords);
	buf_free(&s->sequences);
	arena_free(&s->text);
	kwlist_free(&s->letters);
	free(s);
	errno = error;
}

static ssize_t
read_some(const struct source *s, uint64_t at, char *p, size_t n)
{
	ssize_t got;

	do
		got = s->anywhere ? pread(s->fd, p, n, (off_t)(s->start + at))
				  : read(s->fd, p, n);
	while (got == -1 && errno == EINTR);
	return got;
}

/* mbox_read_fn */
static ssize_t
read_mbox(void *ctx, uint64_t at, char *p, size_t n)
{
	struct source *s = ctx;

	if (s->head.n == 0)
		return read_some(s, at, p, n);
	n = n < s->head.n ? n : s->head.n;
	memcpy(p, s->head.p, n);
	s->head = span_skip(s->head, n);
	return (ssize_t)n;
}

/* A file that can be read anywhere is not looked at twice. */
static int
look_at(struct source *s)
{
	size_t n = 0;
	ssize_t got = 1;

	while (n < sizeof s->looked && got > 0) {
		got = read_some(s, n, s->looked + n, sizeof s->looked - n);
		if (got == -1)
			return -1;
		n += (size_t)got;
	}
	s->head = span_of(s->looked, n);
	return 0;
}

static int
open_file(struct source *s, const struct stat *st)
{
	off_t start = S_ISREG(st->st_mode) ? lseek(s->fd, 0, SEEK_CUR) : -1;
	struct span rest;

	s->anywhere = start >= 0;
	s->start = s->anywhere ? (uint64_t)start : 0;
	if (s->anywhere && st->st_size > start)
		s->size = (uint64_t)(st->st_size - start);
	if (look_at(s) == -1)
		return -1;
	rest = s->head;
	while (span_at(rest, 0) == '\n' || span_starts(rest, "\r\n"))
		rest = span_skip(rest, 1);
	if (s->kind == SOURCE_AUTO)
		s->kind = rest.n == 0 || span_starts(rest, "From ")
			      ? SOURCE_MBOX
			      : SOURCE_EML;
	if (s->anywhere)
		s->head.n = 0;
	mbox_open(&s->mbox, read_mbox, s, s->anywhere);
	s->mbox.verbatim = s->kind == SOURCE_MBOXO;
	return 0;
}

static bool
is_number(struct span s)
{
	uint64_t n;

	return num_parse(s, INT64_MAX, &n);
}

static enum source_kind
kind_of_folder(int dir)
{
	enum source_kind kind = SOURCE_EML;
	DIR *d = fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 3));
	const struct dirent *e;
	struct stat st;

	if (fstatat(dir, "cur", &st, 0) == 0 && S_ISDIR(st.st_mode))
		kind = SOURCE_MAILDIR;
	while (d && kind == SOURCE_EML && (e = readdir(d)) != NULL)
		if (is_number(span_str(e->d_name)) ||
		    strcmp(e->d_name, ".mh_sequences") == 0)
			kind = SOURCE_MH;
	if (d) {
		rewinddir(d);
		closedir(d);
	}
	return kind;
}

/* The numbers at the front of a Maildir's name: when it arrived. */
static void
arrival(struct span name, struct file *f)
{
	if (num_take(&name, INT64_MAX, &f->first) && span_starts(name, ".M")) {
		name = span_skip(name, 2);
		(void)num_take(&name, INT64_MAX, &f->second);
	}
}

static bool
is_ours(const struct source *s, struct span name, struct file *f)
{
	struct maildir_name parsed;

	if (s->kind == SOURCE_MH)
		return num_parse(name, INT64_MAX, &f->first);
	if (s->kind == SOURCE_EML)
		return name.p[0] != '.' &&
		       (span_ends(name, ".eml") || span_ends(name, ".EML"));
	arrival(name, f);
	return maildir_parse(name, &parsed);
}

static int
add_files(struct source *s, int which)
{
	int fd =
		openat(s->dirs[which], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    error;
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (d == NULL)
		return -1;
	while (errno = 0, (e = readdir(d)) != NULL) {
		struct file f = { .dir = which };

		if (!is_ours(s, span_str(e->d_name), &f))
			continue;
		f.name = arena_copy(&s->text, span_str(e->d_name)).p;
		if (f.name == NULL || buf_add(&s->files, &f, sizeof f) == -1)
			break;
	}
	error = errno;
	closedir(d);
	errno = error;
	return error ? -1 : 0;
}

static int
by_order(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->second != y->second)
		return x->second < y->second ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int
open_maildir(struct source *s, int dir)
{
	struct buf text = buf_new(KWLIST_SIZE);

	s->dirs[0] = folder_open(dir, "cur");
	s->dirs[1] = folder_open(dir, "new");
	if (io_slurp(dir, "dovecot-keywords", &text) == 1)
		kwlist_letters(&s->letters, buf_span(&text));
	kwlist_finish(&s->letters);
	buf_free(&text);
	close(dir);
	if (s->dirs[0] == -1 || add_files(s, 0) == -1)
		return -1;
	return s->dirs[1] == -1 && errno == ENOENT ? 0 : add_files(s, 1);
}

/* "unseen: 1-3 7" */
static void
add_sequence(struct source *s, struct span line)
{
	struct sequence q = { 0 };
	struct span name = span_trim(span_take(&line, ':'));

	q.unseen = span_is_nocase(name, "unseen");
	q.flags = span_is_nocase(name, "flagged")   ? FLAG_FLAGGED
		  : span_is_nocase(name, "replied") ? FLAG_ANSWERED
						    : 0;
	while (line.n > 0) {
		struct span range = span_take(&line, ' ');
		struct span first = span_take(&range, '-');

		if (!num_parse(first, INT64_MAX, &q.first))
			continue;
		q.last = q.first;
		if (range.n == 0 || num_parse(range, INT64_MAX, &q.last))
			(void)buf_add(&s->sequences, &q, sizeof q);
	}
}

static void
read_sequences(struct source *s)
{
	struct buf text = buf_new(LISTS);
	struct span rest;

	if (io_slurp(s->dirs[0], ".mh_sequences", &text) == 1) {
		rest = buf_span(&text);
		while (rest.n > 0)
			add_sequence(s, span_trim(span_take(&rest, '\n')));
	}
	buf_free(&text);
}

static int
open_folder(struct source *s, int dir)
{
	size_t n;
	int r;

	if (s->kind == SOURCE_AUTO)
		s->kind = kind_of_folder(dir);
	if (s->kind == SOURCE_MAILDIR) {
		r = open_maildir(s, dir);
	} else if (s->kind == SOURCE_MH || s->kind == SOURCE_EML) {
		s->dirs[0] = dir;
		if (s->kind == SOURCE_MH)
			read_sequences(s);
		r = add_files(s, 0);
	} else {
		close(dir);
		errno = EISDIR;
		return -1;
	}
	n = s->files.n / sizeof(struct file);
	if (n > 0)
		qsort(s->files.p, n, sizeof(struct file), by_order);
	s->size = n;
	return r;
}

static struct source *
opened(struct source *s, int r)
{
	if (r == 0)
		return s;
	source_close(s);
	return NULL;
}

struct source *
source_open_dir(const char *name, int dir, enum source_kind kind)
{
	struct source *s = begin(name, kind);

	return opened(s, open_folder(s, dir));
}

int
source_fd(const char *path)
{
	return strcmp(path, "-") == 0
		   ? 0
		   : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
}

struct source *
source_open(const char *path, int fd, enum source_kind kind)
{
	struct source *s = begin(path, kind);
	struct stat st;

	if (fstat(fd, &st) == -1)
		return opened(s, -1);
	if (S_ISDIR(st.st_mode))
		return opened(s, open_folder(s, fd));
	s->fd = fd;
	if (kind == SOURCE_MAILDIR || kind == SOURCE_MH) {
		errno = ENOTDIR;
		return opened(s, -1);
	}
	return opened(s, open_file(s, &st));
}

static bool
is_folder(const struct source *s)
{
	return s->dirs[0] != -1;
}

static void
add_keyword(struct source *s, const char *name)
{
	if (s->keywords.n > 0)
		(void)buf_add_byte(&s->keywords, ' ');
	(void)buf_add_str(&s->keywords, name);
}

static void
maildir_flags(struct source *s, const struct file *f, struct source_message *m)
{
	struct maildir_name name;
	uint64_t keywords;
	bool passed;

	if (maildir_parse(span_str(f->name), &name))
		m->flags = name.flags;
	keywords = kwlist_of(&s->letters, span_str(f->name), &passed);
	m->flags |= passed ? FLAG_PASSED : 0;
	for (size_t i = 0; i < s->letters.n; i++)
		if (keywords >> i & 1)
			add_keyword(s, s->letters.name[i]);
}

static void
mh_flags(const struct source *s, const struct file *f, struct source_message *m)
{
	const struct sequence *q = (const void *)s->sequences.p;
	bool unseen = false;

	for (size_t i = 0; i < s->sequences.n / sizeof *q; i++) {
		if (f->first < q[i].first || f->first > q[i].last)
			continue;
		m->flags |= q[i].flags;
		unseen |= q[i].unseen;
	}
	m->flags |= unseen ? 0 : FLAG_SEEN;
}

static int
open_message(struct source *s, const struct file *f, struct source_message *m)
{
	struct stat st;

	if (s->fd != -1)
		close(s->fd);
	s->fd = folder_file(s->dirs[f->dir], f->name, &st);
	if (s->fd == -1)
		return -1;
	s->anywhere = false;
	m->date = st.st_mtime;
	return 0;
}

/* Whether a message's lines end in CRLF, by its first piece. */
static bool
has_crlf(struct span piece)
{
	size_t n = span_find(piece, '\n');

	return n > 0 && n < piece.n && piece.p[n - 1] == '\r';
}

static int
fill_piece(struct source *s)
{
	char *p;
	ssize_t n;

	buf_reset(&s->piece);
	if (s->head.n > 0) {
		(void)buf_add_span(&s->piece, s->head);
		s->head.n = 0;
		return 0;
	}
	p = buf_room(&s->piece, PIECE);
	n = read_some(s, s->start, p, PIECE);
	if (n == -1)
		return -1;
	s->piece.n = (size_t)n;
	return 0;
}

static int
next_file(struct source *s, struct source_message *m)
{
	const struct file *f = (const void *)s->files.p;

	if (s->at == s->files.n / sizeof *f)
		return 0;
	f += s->at++;
	log_escape(span_str(f->name), m->where, sizeof m->where);
	buf_reset(&s->keywords);
	if (open_message(s, f, m) == -1)
		return -1;
	if (s->kind == SOURCE_MAILDIR)
		maildir_flags(s, f, m);
	else if (s->kind == SOURCE_MH)
		mh_flags(s, f, m);
	m->keywords = buf_span(&s->keywords);
	if (fill_piece(s) == -1)
		return -1;
	s->first_piece = true;
	m->raw = s->kind == SOURCE_MAILDIR || !has_crlf(buf_span(&s->piece));
	return 1;
}

/* A file with nothing but one message. */
static int
next_single(struct source *s, struct source_message *m)
{
	struct stat st;

	if (s->at++ > 0)
		return 0;
	if (fstat(s->fd, &st) == -1)
		return -1;
	m->date = S_ISREG(st.st_mode) ? st.st_mtime : -1;
	if (s->anywhere && lseek(s->fd, (off_t)s->start, SEEK_SET) == -1)
		return -1;
	s->anywhere = false;
	if (fill_piece(s) == -1)
		return -1;
	s->first_piece = true;
	m->raw = !has_crlf(buf_span(&s->piece));
	return 1;
}

static int
next_in_mbox(struct source *s, struct source_message *m)
{
	struct mbox_message b;
	int r = mbox_next(&s->mbox, &b);

	snprintf(
	    m->where, sizeof m->where, "byte %llu", (unsigned long long)b.at);
	m->date = b.date;
	m->raw = !b.crlf;
	m->trusted = b.own;
	m->internal = b.internal;
	m->flags = b.flags;
	m->keywords = b.keywords;
	return r;
}

int
source_next(struct source *s, struct source_message *m)
{
	*m = (struct source_message){ .date = -1 };
	snprintf(m->where, sizeof m->where, "%s", s->name);
	if (is_folder(s))
		return next_file(s, m);
	return s->kind == SOURCE_EML ? next_single(s, m) : next_in_mbox(s, m);
}

int
source_read(struct source *s, struct span *bytes)
{
	if (!is_folder(s) && s->kind != SOURCE_EML)
		return mbox_read(&s->mbox, bytes);
	if (!s->first_piece && fill_piece(s) == -1)
		return -1;
	s->first_piece = false;
	*bytes = buf_span(&s->piece);
	return bytes->n > 0;
}

uint64_t
source_position(const struct source *s)
{
	return is_folder(s) ? s->at : s->mbox.at;
}
