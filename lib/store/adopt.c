/* A folder that another server kept. */
#include "store/adopt.h"

#include "base/durable.h"
#include "base/io.h"
#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char dovecot_uids[] = "dovecot-uidlist";
static const char courier_uids[] = "courierimapuiddb";
static const char dovecot_keywords[] = "dovecot-keywords";
static const char courier_keywords[] = "courierimapkeywords";

enum {
	CHANGED = 100000 /* messages with a file in courierimapkeywords */
};

static bool
may_pass(int error)
{
	return error == EIO || error == EMFILE || error == ENFILE ||
	       error == ENOMEM || error == EINTR || error == ESTALE;
}

int
adopt_slurp(int dir, const char *name, size_t cap, struct buf *text)
{
	int r;

	*text = buf_new(cap);
	r = io_slurp(dir, name, text);
	return r == -1 && !may_pass(errno) ? 0 : r;
}

/* When the list was last written; false: there is none. */
static bool
written(int dir, const char *name, struct timespec *at)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode))
		return false;
	*at = st.st_mtim;
	return true;
}

/* Where two servers kept the folder, the later one counts. */
static const char *
choose_list(int dir)
{
	struct timespec dovecot, courier;
	bool d = written(dir, dovecot_uids, &dovecot);
	bool c = written(dir, courier_uids, &courier);

	if (!d)
		return c ? courier_uids : NULL;
	if (!c || courier.tv_sec < dovecot.tv_sec ||
	    (courier.tv_sec == dovecot.tv_sec &&
		courier.tv_nsec <= dovecot.tv_nsec))
		return dovecot_uids;
	return courier_uids;
}

static int
read_uids(int dir, struct adopted *a)
{
	const char *list = choose_list(dir);
	struct buf text;
	int r;

	if (list == NULL)
		return 0;
	r = adopt_slurp(dir, list, UIDLIST_SIZE, &text);
	if (r == 1 && uidlist_parse(buf_span(&text), &a->uids))
		a->from = list;
	a->damaged = a->from == NULL;
	buf_free(&text);
	return r == -1 ? -1 : 0;
}

/* `NAME', or `.N.NAME' while it is being changed. */
static int
read_changed(int dir, const char *name, struct kwlist *k)
{
	struct span file = span_str(name);
	struct buf text;
	int r;

	if (span_starts(file, ".")) {
		file = span_skip(file, 1);
		(void)span_take(&file, '.');
	}
	if (file.n == 0 || name[0] == ':')
		return 0;
	r = adopt_slurp(
	    dir, name, MAILBOX_KEYWORDS * MAILBOX_KEYWORD * 4, &text);
	if (r == 1)
		kwlist_message(k, file, buf_span(&text));
	buf_free(&text);
	return r == -1 ? -1 : 0;
}

/* Those being changed first, so that the finished ones count. */
static int
read_all_changed(int dir, bool dots, struct kwlist *k)
{
	DIR *d = folder_list(dir, ".");
	const struct dirent *e;
	int r = 0;

	if (d == NULL)
		return -1;
	for (size_t n = 0; r == 0 && n < CHANGED && (e = readdir(d)) != NULL;
	     n++)
		if ((e->d_name[0] == '.') == dots)
			r = read_changed(dir, e->d_name, k);
	closedir(d);
	return r;
}

static int
read_courier_keywords(int dir, struct kwlist *k)
{
	int fd = folder_open(dir, courier_keywords), r;
	struct buf text;

	if (fd == -1)
		return may_pass(errno) ? -1 : 0;
	r = adopt_slurp(fd, ":list", KWLIST_SIZE, &text);
	if (r == 1)
		kwlist_list(k, buf_span(&text));
	buf_free(&text);
	if (r != -1)
		r = read_all_changed(fd, true, k);
	if (r != -1)
		r = read_all_changed(fd, false, k);
	io_close(fd);
	return r == -1 ? -1 : 0;
}

static int
read_keywords(int dir, struct kwlist *k)
{
	struct buf text;
	int r = adopt_slurp(dir, dovecot_keywords, KWLIST_SIZE, &text);

	if (r == 1)
		kwlist_letters(k, buf_span(&text));
	buf_free(&text);
	if (r == -1 || read_courier_keywords(dir, k) == -1)
		return -1;
	kwlist_finish(k);
	return 0;
}

int
adopt_read(int dir, struct adopted *a)
{
	struct timespec at;

	*a = (struct adopted){ .keywords = kwlist_new() };
	a->done = written(dir, ADOPT_MARK, &at);
	if (a->done)
		return 0;
	if (read_uids(dir, a) == -1)
		return -1;
	return read_keywords(dir, &a->keywords);
}

void
adopt_free(struct adopted *a)
{
	uidlist_free(&a->uids);
	kwlist_free(&a->keywords);
}

int
adopt_mark(int dir)
{
	const char *list = choose_list(dir);
	struct buf text = buf_new(64);
	int r;

	if (list == NULL)
		return 0;
	buf_add_str(&text, list);
	buf_add_byte(&text, '\n');
	r = durable_replace(dir, ADOPT_MARK, buf_span(&text), 0600);
	buf_free(&text);
	return r;
}
