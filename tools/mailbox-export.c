/* postern mailbox export */
#include "mailbox.h"

#include "base/err.h"
#include "base/io.h"
#include "base/out.h"
#include "mail/mbox.h"
#include "store/folder.h"
#include "store/mailbox.h"
#include "text/date.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CHUNK = 65536,
	LETTERS = 26 /* keywords that a Maildir has room for */
};

enum kind { MBOX, MAILDIR, EML };

struct export
{
	enum kind kind;
	const char *to;
	bool all, unseen, flagged;
	int64_t since;
	/* mbox */
	struct out out;
	struct durable file;
	char room[CHUNK];
	/* the folder that messages go into; its cur for a Maildir */
	int dir, cur;
	struct account target;
	/* of one mailbox */
	struct mailbox *m;
	uint64_t messages, bytes;
	bool letters_full;
};

/* One message that is being read. */
struct reading {
	int fd;
	uint64_t size;
	char chunk[CHUNK];
};

static int
read_chunk(struct reading *r, struct span *bytes)
{
	ssize_t n = io_read_full(r->fd, r->chunk, sizeof r->chunk);

	*bytes = span_of(r->chunk, n > 0 ? (size_t)n : 0);
	return n > 0 ? 1 : (int)n;
}

static bool
ends_line(const struct reading *r)
{
	char last = '\n';

	return r->size == 0 ||
	       (pread(r->fd, &last, 1, (off_t)r->size - 1) == 1 &&
		   last == '\n');
}

static void
keyword_list(const struct mailbox *m, uint64_t keywords, struct buf *out)
{
	for (size_t k = 0; k < m->nkeywords; k++) {
		if (!(keywords >> k & 1))
			continue;
		if (out->n > 0)
			(void)buf_add_byte(out, ' ');
		(void)buf_add_str(out, m->keyword[k]);
	}
}

static int
to_mbox(struct export *e, const struct message *msg, struct reading *r)
{
	struct buf keywords = buf_new(MBOX_KEYWORDS);
	struct mbox_writer w;
	struct span bytes;
	int got;

	keyword_list(e->m, msg->keywords, &keywords);
	mbox_begin(&w, &e->out, msg->date, msg->flags, buf_span(&keywords),
	    ends_line(r));
	buf_free(&keywords);
	while ((got = read_chunk(r, &bytes)) == 1)
		mbox_write(&w, bytes);
	mbox_end(&w);
	if (e->out.error) {
		errno = e->out.error;
		return -1;
	}
	return got;
}

/* The letters of flags, as in a Maildir's name, then those of keywords. */
static int
maildir_file(struct export *e, const struct maildir_draft *d,
    const struct message *msg, char out[MAILDIR_NAME])
{
	char plain[MAILDIR_NAME * 2];
	size_t n;

	snprintf(plain, sizeof plain, "%s,S=%llu,W=%llu", d->base,
	    (unsigned long long)d->size, (unsigned long long)d->wire);
	if (maildir_rename(span_str(plain), 0, msg->flags, out) == -1)
		return -1;
	n = strlen(out);
	for (size_t k = 0; k < e->m->nkeywords; k++) {
		if (!(msg->keywords >> k & 1))
			continue;
		e->letters_full |= k >= LETTERS;
		if (k < LETTERS && n + 1 < MAILDIR_NAME)
			out[n++] = (char)('a' + k);
	}
	out[n] = '\0';
	return 0;
}

static int
to_maildir(struct export *e, const struct message *msg, struct reading *r)
{
	struct maildir_draft d;
	char name[MAILDIR_NAME];
	struct span bytes;
	int got = -1;

	if (maildir_begin(&d, e->dir) == -1)
		return -1;
	d.raw = true;
	while ((got = read_chunk(r, &bytes)) == 1)
		if (maildir_write(&d, bytes) == -1) {
			got = -1;
			break;
		}
	if (got == 0)
		got = maildir_finish(&d, msg->date);
	if (got == 0)
		got = maildir_file(e, &d, msg, name);
	if (got == 0)
		got = durable_move(d.file.dir, d.file.name, e->cur, name);
	if (got == 0) {
		close(d.file.fd);
		d.file.fd = -1;
	}
	maildir_abort(&d);
	return got;
}

static int
to_eml(struct export *e, const struct message *msg, struct reading *r)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
		{ .tv_sec = msg->date } };
	struct span bytes;
	char name[32];
	int fd, got;

	snprintf(name, sizeof name, "%010lu.eml", (unsigned long)msg->uid);
	fd = openat(e->dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	while ((got = read_chunk(r, &bytes)) == 1)
		if (io_write(fd, bytes.p, bytes.n) == -1) {
			got = -1;
			break;
		}
	if (got == 0)
		got = futimens(fd, times);
	return close(fd) == -1 ? -1 : got;
}

static bool
is_wanted(const struct export *e, const struct message *msg)
{
	return !(e->unseen && msg->flags & FLAG_SEEN) &&
	       !(e->flagged && !(msg->flags & FLAG_FLAGGED)) &&
	       msg->date >= e->since;
}

/* Messages that are expunged meanwhile are passed over. */
static int
export_message(struct export *e, size_t i, struct reading *r)
{
	static int (*const to[])(struct export *, const struct message *,
	    struct reading *) = { to_mbox, to_maildir, to_eml };
	int got;

	r->fd = mailbox_read(e->m, i, &r->size);
	if (r->fd == -1)
		return errno == ENOENT ? 0 : -1;
	got = to[e->kind](e, &e->m->msgs[i], r);
	io_close(r->fd);
	if (got == -1)
		return -1;
	e->messages++;
	e->bytes += r->size;
	return 0;
}

static int
export_messages(struct mailbox_tool *t, struct export *e, const char *name)
{
	struct reading *r = malloc(sizeof *r);
	int got = 0;

	if (r == NULL)
		err_nomem();
	for (size_t i = 0; i < e->m->n && got == 0; i++) {
		progress_show(&t->progress, "%s: %zu of %zu", name, i, e->m->n);
		if (is_wanted(e, &e->m->msgs[i]))
			got = export_message(e, i, r);
		if (got == -1)
			err_warn("%s: message with UID %lu: %s", name,
			    (unsigned long)e->m->msgs[i].uid, strerror(errno));
	}
	free(r);
	return got;
}

static void
report(struct mailbox_tool *t, const struct export *e, const char *name)
{
	FILE *to = strcmp(e->to, "-") == 0 ? stderr : stdout;

	progress_hide(&t->progress);
	if (t->json && to == stdout) {
		putchar('{');
		mailbox_json("mailbox", span_str(name));
		printf(",\"exported\":%llu,\"bytes\":%llu}\n",
		    (unsigned long long)e->messages,
		    (unsigned long long)e->bytes);
	} else {
		fprintf(to, "%s: %llu messages exported, %llu bytes\n", name,
		    (unsigned long long)e->messages,
		    (unsigned long long)e->bytes);
	}
	if (e->letters_full)
		err_warn("%s: a Maildir has room for %d keywords: the others "
			 "are left out",
		    name, LETTERS);
}

/* dovecot-keywords: what the letters mean. */
static int
write_letters(const struct export *e)
{
	struct buf b = buf_new(LETTERS * (MAILBOX_KEYWORD + 4));
	int r = 0;

	for (size_t k = 0; k < e->m->nkeywords && k < LETTERS; k++)
		(void)buf_addf(&b, "%zu %s\n", k, e->m->keyword[k]);
	if (b.n > 0)
		r = durable_replace(
		    e->dir, "dovecot-keywords", buf_span(&b), 0600);
	buf_free(&b);
	return r;
}

static int
export_mailbox(struct mailbox_tool *t, struct export *e, const char *name)
{
	int r;

	e->messages = e->bytes = 0;
	e->letters_full = false;
	e->m = mailbox_open(&t->a, span_str(name), true);
	if (e->m == NULL) {
		err_warn_sys("%s", name);
		return EXIT_LATER;
	}
	r = export_messages(t, e, name);
	if (r == 0 && e->kind == MAILDIR && (r = write_letters(e)) == -1)
		err_warn_sys("%s", e->to);
	mailbox_close(e->m);
	return r == -1 ? EXIT_LATER : 0;
}

static int
fail(const struct export *e)
{
	err_warn_sys("%s", e->to);
	return errno == EEXIST || errno == ENOTEMPTY || errno == ENOENT
		   ? EXIT_NO
		   : EXIT_LATER;
}

/* A name beside the new file, and the folder both are in. */
static int
begin_file(const struct mailbox_tool *t, struct export *e,
    char final[DURABLE_NAME])
{
	const char *folder;
	char path[PATH_MAX], again[PATH_MAX], name[DURABLE_NAME + 32];
	struct stat st;
	int dir, n;

	if (span_copy(span_str(e->to), path, sizeof path) == -1 ||
	    span_copy(span_str(e->to), again, sizeof again) == -1 ||
	    span_copy(span_str(basename(again)), final, DURABLE_NAME) == -1)
		return -1;
	folder = dirname(path);
	mailbox_jail(t, folder, true);
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return -1;
	if (fstatat(dir, final, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	n = snprintf(name, sizeof name, ".%s.%ld", final, (long)getpid());
	if (n < 0 || n >= DURABLE_NAME) {
		errno = ENAMETOOLONG;
		return -1;
	}
	e->dir = dir;
	return durable_begin(&e->file, dir, name);
}

static int
export_file(struct mailbox_tool *t, struct export *e)
{
	char final[DURABLE_NAME];
	bool standard = strcmp(e->to, "-") == 0;
	int code;

	if (standard)
		mailbox_jail(t, NULL, false);
	else if (begin_file(t, e, final) == -1)
		return fail(e);
	e->out = out_fd(standard ? 1 : e->file.fd, e->room, sizeof e->room);
	code = export_mailbox(t, e, t->name);
	if (code == 0 && out_flush(&e->out) == -1)
		code = fail(e);
	if (code == 0 && !standard &&
	    durable_commit(&e->file, e->dir, final) == -1)
		code = fail(e);
	if (!standard)
		durable_abort(&e->file);
	if (code == 0)
		report(t, e, t->name);
	return code;
}

/* Just made, or empty: a descriptor, or -1. */
static int
new_folder(const struct mailbox_tool *t, const char *path)
{
	bool made = mkdir(path, 0700) == 0;
	int error = errno;
	const struct dirent *e;
	DIR *d;

	mailbox_jail(t, path, true);
	if (made)
		return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	errno = error;
	d = errno == EEXIST ? opendir(path) : NULL;
	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0) {
			closedir(d);
			errno = ENOTEMPTY;
			return -1;
		}
	closedir(d);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* All is written; one wait for the disk. */
static int
end_folder(const struct export *e, int dir)
{
	return syncfs(dir) == -1 ? fail(e) : 0;
}

static int
export_emls(struct mailbox_tool *t, struct export *e)
{
	int code;

	e->dir = new_folder(t, e->to);
	if (e->dir == -1)
		return fail(e);
	code = export_mailbox(t, e, t->name);
	if (code == 0)
		code = end_folder(e, e->dir);
	if (code == 0)
		report(t, e, t->name);
	return code;
}

/* mailbox_one: as the mailbox `as' of the new tree. */
static int
into_tree(
    struct mailbox_tool *t, struct export *e, const char *name, const char *as)
{
	int code = EXIT_LATER;

	if (strcmp(as, "INBOX") != 0 &&
	    account_create(&e->target, span_str(as)) == -1)
		return fail(e);
	e->dir = account_folder_open(&e->target, span_str(as));
	e->cur = e->dir == -1 ? -1 : folder_open(e->dir, "cur");
	if (e->cur == -1)
		code = fail(e);
	else
		code = export_mailbox(t, e, name);
	if (code == 0)
		report(t, e, name);
	if (e->cur != -1)
		close(e->cur);
	if (e->dir != -1)
		close(e->dir);
	return code;
}

static int
into_same_name(struct mailbox_tool *t, const char *name, void *ctx)
{
	return into_tree(t, ctx, name, name);
}

static int
export_tree(struct mailbox_tool *t, struct export *e)
{
	int dir = new_folder(t, e->to), code;

	if (dir == -1 || account_open(&e->target, e->to, true) == -1)
		return fail(e);
	if (e->all)
		code = mailbox_each(t, into_same_name, e);
	else
		code = into_tree(t, e, t->name, "INBOX");
	if (code == 0 && e->all && mailbox_subscribe(&t->a, &e->target) == -1)
		code = fail(e);
	if (code == 0)
		code = end_folder(e, dir);
	account_close(&e->target);
	close(dir);
	return code;
}

static int
export_any(struct mailbox_tool *t, void *ctx)
{
	struct export *e = ctx;

	if (t->name) {
		int r = account_exists(&t->a, span_str(t->name));

		if (r != 1) {
			err_warn("%s: no such mailbox", t->name);
			return EXIT_NO;
		}
	}
	if (e->kind == MBOX)
		return export_file(t, e);
	return e->kind == EML ? export_emls(t, e) : export_tree(t, e);
}

static void
set_kind(struct export *e, const char *name)
{
	static const char *const names[] = { "mbox", "maildir", "eml" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0) {
			e->kind = (enum kind)i;
			return;
		}
	err_die(EXIT_NEVER, "--format mbox, maildir or eml");
}

static void
set_since(struct export *e, const char *text)
{
	struct date d;

	if (!date_parse_imap_day(span_str(text), &d))
		err_die(EXIT_NEVER, "--since takes a day like 5-Jan-2026");
	e->since = date_seconds(&d);
}

static void
parse(struct mailbox_tool *t, struct export *e, int argc, char **argv)
{
	static const struct option options[] = { MAILBOX_OPTIONS,
		{ "format", required_argument, NULL, 'f' },
		{ "unseen", no_argument, NULL, 'u' },
		{ "flagged", no_argument, NULL, 'F' },
		{ "since", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 } };
	int o;

	while ((o = getopt_long(
		    argc, argv, MAILBOX_SHORT "R", options, NULL)) != -1) {
		if (o == 'f')
			set_kind(e, optarg);
		else if (o == 's')
			set_since(e, optarg);
		else if (o == 'R')
			e->all = true;
		else if (o == 'u')
			e->unseen = true;
		else if (o == 'F')
			e->flagged = true;
		else if (!mailbox_option(t, o, optarg))
			mailbox_usage("export");
	}
}

int
mailbox_export(struct conf *c, int argc, char **argv)
{
	struct mailbox_tool t = { .c = c };
	struct export *e = calloc(1, sizeof *e);
	int code;

	if (e == NULL)
		err_nomem();
	e->since = INT64_MIN;
	e->file.fd = e->dir = e->cur = -1;
	parse(&t, e, argc, argv);
	if (e->all)
		e->kind = MAILDIR;
	mailbox_user(&t, &argc, &argv);
	if (argc != (e->all ? 1 : 2))
		mailbox_usage("export");
	t.name = e->all ? NULL : argv[0];
	e->to = argv[argc - 1];
	if (e->kind != MBOX && strcmp(e->to, "-") == 0)
		err_die(EXIT_NEVER, "only an mbox can be written to standard "
				    "output");
	code = mailbox_as_owner(&t, export_any, e);
	free(e);
	return code;
}
