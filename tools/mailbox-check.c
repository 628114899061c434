/* postern mailbox check: what is wrong, without changing anything. */
#include "mailbox-check.h"
#include "names.h"

#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "store/folder.h"
#include "store/inspect.h"
#include "store/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	CHUNK = 32768,
	OTHERS_WRITE = 0022,
	STALE_S = 36 * 3600,
	SNAPSHOT_S = 3600 /* nobody writes one for that long */
};

/* A file of cur/ or new/ that may be a message. */
struct file {
	const char *path;
	struct span base;
	uint32_t uid;
};

struct id {
	uint64_t id;
	size_t i;
};

void
check_found(
    struct check *c, const char *kind, const char *file, const char *fmt, ...)
{
	char text[512], name[LOG_LINE];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	progress_hide(&c->t->progress);
	c->findings++;
	if (c->t->json) {
		putchar('{');
		mailbox_json("mailbox", span_str(c->name));
		putchar(',');
		mailbox_json("file", span_str(file));
		putchar(',');
		mailbox_json("finding", span_str(kind));
		putchar(',');
		mailbox_json("text", span_str(text));
		puts("}");
		return;
	}
	log_escape(span_str(file), name, sizeof name);
	printf("%s%s%s: %s\n", c->name, c->name[0] ? ": " : "", name, text);
}

void
check_failed(struct check *c, const char *what)
{
	progress_hide(&c->t->progress);
	err_warn_sys("%s: %s", c->name, what);
	c->failed = true;
}

/* inspect_found */
static void
found_damage(void *ctx, const char *file, const char *what)
{
	check_found(ctx, "damage", file, "%s", what);
}

/* Names have no sum of their own (STORE 4). */
static void
check_index_names(struct check *c)
{
	size_t bad = 0;

	for (size_t i = 0; c->m && i < c->m->n; i++)
		bad += mailbox_file(c->m, i)[0] == '\0';
	if (bad > 0)
		check_found(c, "damage", "postern.index",
		    "%zu file names are damaged", bad);
}

static int
by_id(const void *a, const void *b)
{
	const struct id *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void
index_ids(struct check *c)
{
	size_t n = c->m ? c->m->n : 0;

	for (size_t i = 0; i < n; i++) {
		struct id id = { c->m->msgs[i].id, i };

		(void)buf_add(&c->ids, &id, sizeof id);
		(void)buf_add_byte(&c->seen, 0);
	}
	if (n > 0)
		qsort(c->ids.p, n, sizeof(struct id), by_id);
}

/* The message with this base; NULL. */
static const struct message *
look_up(struct check *c, struct span base)
{
	const struct id key = { sum_id(base), 0 }, *at = NULL;

	if (c->ids.n > 0)
		at = bsearch(
		    &key, c->ids.p, c->ids.n / sizeof key, sizeof key, by_id);
	if (at == NULL)
		return NULL;
	c->seen.p[at->i] = 1;
	return &c->m->msgs[at->i];
}

struct content {
	uint64_t wire;
	size_t n; /* bytes of head */
	char head[CHUNK], rest[CHUNK];
};

static int
read_content(int fd, struct content *k)
{
	char *to = k->head, last = '\0';
	ssize_t n;

	k->wire = k->n = 0;
	while ((n = io_read_full(fd, to, CHUNK)) > 0) {
		k->wire += (uint64_t)n;
		for (ssize_t i = 0; i < n; i++) {
			k->wire += to[i] == '\n' && last != '\r';
			last = to[i];
		}
		if (to == k->head)
			k->n = (size_t)n;
		to = k->rest;
	}
	return n == -1 ? -1 : 0;
}

/* 1; 0: it is gone, or was told; -1 */
static int
look_inside(struct check *c, int dir, const char *file, const char *path,
    struct content *k)
{
	struct stat st;
	int fd = folder_file(dir, file, &st), r, error;

	if (fd == -1) {
		if (errno == ENOENT)
			return 0;
		check_found(c, "unreadable", path, "%s", strerror(errno));
		return 0;
	}
	r = read_content(fd, k);
	error = errno;
	close(fd);
	if (r == -1) {
		check_found(c, "unreadable", path, "%s", strerror(error));
		return 0;
	}
	if (!mailbox_is_mail(span_of(k->head, k->n)))
		check_found(c, "no-mail", path, "%s",
		    k->n ? "it does not begin with a header" : "it is empty");
	return 1;
}

static void
check_owner(struct check *c, const char *path, const struct stat *st)
{
	if (st->st_uid != geteuid())
		check_found(c, "owner", path, "belongs to uid %lu",
		    (unsigned long)st->st_uid);
	if (st->st_mode & OTHERS_WRITE)
		check_found(c, "mode", path, "others may write to it (%04o)",
		    (unsigned)st->st_mode & 07777);
}

static void
check_numbers(struct check *c, const char *path,
    const struct maildir_name *name, uint64_t size, uint64_t wire)
{
	if (name->size > 0 && name->size != size)
		check_found(c, "size", path, "S=%llu, but it has %llu bytes",
		    (unsigned long long)name->size, (unsigned long long)size);
	if (name->wire > 0 && wire > 0 && name->wire != wire)
		check_found(c, "size", path, "W=%llu, but it is %llu",
		    (unsigned long long)name->wire, (unsigned long long)wire);
}

/* Only what the index says of files that are still as it knows them. */
static void
check_index(struct check *c, const char *path, const struct maildir_name *name,
    uint64_t size, uint64_t wire)
{
	const struct message *msg = look_up(c, name->base);

	if (msg == NULL) {
		if (c->m && inspect_is_current(c->m))
			check_found(c, "index", path, "the index has it not");
		return;
	}
	if (name->uid > 0 && name->uid != msg->uid)
		check_found(c, "uid", path, "U=%lu, but the index says %lu",
		    (unsigned long)name->uid, (unsigned long)msg->uid);
	if (!msg->vague && (msg->size != size || (wire > 0 && msg->wire > 0 &&
						     msg->wire != wire)))
		check_found(c, "size", path,
		    "the index says %llu bytes and %llu with CRLF, but it has "
		    "%llu",
		    (unsigned long long)msg->size,
		    (unsigned long long)msg->wire, (unsigned long long)size);
}

static void
note_file(struct check *c, const char *path, const char *file,
    const struct maildir_name *name)
{
	struct span copy = arena_copy(&c->text, span_str(path));
	struct file f = { .path = copy.p, .uid = name->uid };

	if (copy.p == NULL)
		return;
	f.base = span_of(copy.p + copy.n - strlen(file), name->base.n);
	(void)buf_add(&c->files, &f, sizeof f);
}

static void
check_message(struct check *c, int dir, const char *file, const char *path,
    const struct stat *st)
{
	struct content *k;
	struct maildir_name name;
	uint64_t wire = 0;

	if (file[0] == '.' || !maildir_parse(span_str(file), &name)) {
		check_found(
		    c, "no-mail", path, "its name is none of a message");
		return;
	}
	if ((uint64_t)st->st_size > UINT32_MAX) {
		check_found(c, "no-mail", path, "longer than 4 GiB");
		return;
	}
	check_owner(c, path, st);
	if (!c->t->quick) {
		k = malloc(sizeof *k);
		if (k == NULL)
			err_nomem();
		if (look_inside(c, dir, file, path, k) == 1)
			wire = k->wire;
		free(k);
	}
	check_numbers(c, path, &name, (uint64_t)st->st_size, wire);
	check_index(c, path, &name, (uint64_t)st->st_size, wire);
	note_file(c, path, file, &name);
}

static void
check_entry(struct check *c, int dir, const char *sub, const char *file)
{
	char path[NAME_MAX + 8];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", sub, file);
	if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno != ENOENT) /* it moved meanwhile */
			check_failed(c, path);
		return;
	}
	if (strcmp(sub, "tmp") == 0) {
		int64_t now;
		uint32_t usec;

		io_wall(&now, &usec);
		if (st.st_ctime < now - STALE_S)
			check_found(c, "stale", path, "left over");
		return;
	}
	if (!S_ISREG(st.st_mode))
		check_found(c, "no-mail", path, "not a regular file");
	else
		check_message(c, dir, file, path, &st);
}

static void
check_sub(struct check *c, const char *sub)
{
	int dir = folder_open(c->dir, sub);
	struct names l;
	struct stat st;

	if (dir == -1 && errno == ENOENT) {
		check_found(c, "missing", sub, "the folder is not there");
		return;
	}
	if (dir == -1 || fstat(dir, &st) == -1) {
		check_found(c, "unreadable", sub, "%s", strerror(errno));
		return;
	}
	check_owner(c, sub, &st);
	if (names_read(dir, &l) == -1)
		check_failed(c, sub);
	for (size_t i = 0; i < l.n; i++) {
		progress_show(&c->t->progress, "%s: %s: %zu of %zu", c->name,
		    sub, i, l.n);
		check_entry(c, dir, sub, l.name[i]);
	}
	names_free(&l);
	close(dir);
}

static int
by_base(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	size_t n = x->base.n < y->base.n ? x->base.n : y->base.n;
	int r = memcmp(x->base.p, y->base.p, n);

	if (r == 0)
		r = (x->base.n > y->base.n) - (x->base.n < y->base.n);
	return r ? r : strcmp(x->path, y->path);
}

static int
by_uid(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

static void
check_doubles(struct check *c)
{
	struct file *f = (struct file *)(void *)c->files.p;
	size_t n = c->files.n / sizeof *f;

	if (n < 2)
		return;
	qsort(f, n, sizeof *f, by_base);
	for (size_t i = 1; i < n; i++)
		if (span_eq(f[i - 1].base, f[i].base))
			check_found(c, "double", f[i].path,
			    "the same message's name as %s", f[i - 1].path);
	qsort(f, n, sizeof *f, by_uid);
	for (size_t i = 1; i < n; i++)
		if (f[i].uid > 0 && f[i].uid == f[i - 1].uid)
			check_found(c, "uid", f[i].path, "the same U= as %s",
			    f[i - 1].path);
}

/* What the index has and the folder has not. */
static void
check_missing(struct check *c)
{
	for (size_t i = 0; c->m && i < c->m->n; i++)
		if (!c->seen.p[i] && inspect_is_current(c->m))
			check_found(c, "index", mailbox_file(c->m, i),
			    "the file of UID %lu is not there",
			    (unsigned long)c->m->msgs[i].uid);
}

static void
check_remnant(struct check *c, const char *file)
{
	struct span s = span_str(file);
	struct stat st;
	int64_t now;
	uint32_t usec;

	if (span_starts(s, "postern.journal.bad-") ||
	    span_starts(s, "postern.index.bad-")) {
		check_found(c, "quarantine", file,
		    "kept when it was found damaged; it is of no use");
		return;
	}
	if (!span_starts(s, "postern.") || !span_ends(s, ".new") ||
	    fstatat(c->dir, file, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return;
	io_wall(&now, &usec);
	if (st.st_ctime < now - SNAPSHOT_S)
		check_found(c, "stale", file, "left over");
}

static void
check_remnants(struct check *c)
{
	struct names l;

	if (names_read(c->dir, &l) == -1)
		check_failed(c, "folder");
	for (size_t i = 0; i < l.n; i++)
		check_remnant(c, l.name[i]);
	names_free(&l);
}

static void
check_folder(struct check *c)
{
	static const char *const subs[] = { "cur", "new", "tmp" };
	struct stat st;
	bool unknown;

	if (fstat(c->dir, &st) == 0)
		check_owner(c, ".", &st);
	check_remnants(c);
	c->m = inspect_open(
	    &c->t->a, span_str(c->name), found_damage, c, &unknown);
	if (unknown)
		check_failed(c, "index");
	if (inspect_cache(c->dir, found_damage, c) == -1)
		check_failed(c, "postern.cache");
	check_index_names(c);
	index_ids(c);
	for (size_t i = 0; i < sizeof subs / sizeof *subs; i++)
		check_sub(c, subs[i]);
	check_doubles(c);
	check_missing(c);
	inspect_close(c->m);
}

static struct check
check_begin(struct mailbox_tool *t, const char *name)
{
	return (struct check){ .t = t,
		.name = name,
		.dir = -1,
		.ids = buf_new(SIZE_MAX / 2),
		.seen = buf_new(SIZE_MAX / 2),
		.files = buf_new(SIZE_MAX / 2),
		.text = arena_new(SIZE_MAX / 2) };
}

/* The exit code; more findings are only more. */
static int
check_end(struct check *c)
{
	buf_free(&c->ids);
	buf_free(&c->seen);
	buf_free(&c->files);
	arena_free(&c->text);
	if (c->dir != -1)
		close(c->dir);
	return c->failed ? EXIT_LATER : c->findings > 0 ? EXIT_NO : 0;
}

static int
check_one(struct mailbox_tool *t, const char *name, void *ctx)
{
	struct check c = check_begin(t, name);

	(void)ctx;
	c.dir = account_folder_open(&t->a, span_str(name));
	if (c.dir == -1)
		check_failed(&c, "open");
	else
		check_folder(&c);
	return check_end(&c);
}

static int
check_account(struct mailbox_tool *t)
{
	struct check c = check_begin(t, "");

	check_of_account(&c);
	return check_end(&c);
}

int
mailbox_check(struct conf *c, int argc, char **argv)
{
	return mailbox_some(c, argc, argv, check_one, check_account);
}
