/* postern mailbox import */
#include "mailbox.h"

#include "mailbox-known.h"
#include "mailbox-source.h"

#include "base/err.h"
#include "store/mailbox.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BATCH = 128,           /* messages that are made durable together */
	BATCH_BYTES = 1 << 24, /* or so many bytes */
	WORDS = BATCH * MBOX_KEYWORDS
};

struct import {
	enum source_kind kind;
	const char *into, *from; /* as they were typed */
	bool all, skip_known, any;
};

/* One mailbox that is being filled. */
struct filling {
	struct mailbox_tool *t;
	const struct import *options;
	struct source *s;
	const char *name;
	int dir; /* the mailbox's Maildir */
	struct known known;
	struct mailbox_draft drafts[BATCH];
	struct span keywords[BATCH][MAILBOX_KEYWORDS];
	size_t n;
	uint64_t bytes; /* of these */
	struct arena words;
	struct buf head;
	struct source_message message;
	uint64_t imported, skipped, refused;
	char safe[320]; /* the last message that is safe */
	char last[320]; /* of the batch */
};

static int
flush(struct filling *f)
{
	uint32_t uid, uidvalidity;
	size_t n = f->n;

	f->n = 0;
	f->bytes = 0;
	if (n == 0)
		return 0;
	if (mailbox_append_all(&f->t->a, span_str(f->name), f->drafts, n, &uid,
		&uidvalidity) == -1)
		return -1;
	f->imported += n;
	arena_reset(&f->words);
	memcpy(f->safe, f->last, sizeof f->safe);
	return 0;
}

static void
refuse(struct filling *f, const char *why)
{
	progress_hide(&f->t->progress);
	err_warn("%s: %s: %s: not imported", f->s->name, f->message.where, why);
	f->refused++;
}

/* Its keywords, as far as they can be ours. */
static void
take_keywords(struct filling *f, struct mailbox_draft *d)
{
	struct span rest = arena_copy(&f->words, f->message.keywords);
	struct span *words = f->keywords[f->n];

	d->keywords = words;
	while (rest.n > 0 && d->nkeywords < MAILBOX_KEYWORDS) {
		struct span word = span_take(&rest, ' ');

		if (mailbox_is_keyword(word))
			words[d->nkeywords++] = word;
	}
}

/* All bytes into the draft, the first ones to be looked at, too: 1; 0: too
 * many; -1. */
static int
copy(struct filling *f, struct maildir_draft *d)
{
	struct span bytes;
	int r;

	buf_reset(&f->head);
	while ((r = source_read(f->s, &bytes)) == 1) {
		(void)buf_add_span(
		    &f->head, span_head(bytes, KNOWN_HEADER - f->head.n));
		if (d->size + bytes.n > UINT32_MAX)
			return 0;
		if (maildir_write(d, bytes) == -1)
			return -1;
	}
	return r == -1 ? -1 : 1;
}

/* What was copied: is it wanted?  It is in no folder yet. */
static bool
is_wanted(struct filling *f, const struct maildir_draft *d, int r)
{
	if (r == 0) {
		refuse(f, "longer than 4 GiB");
		return false;
	}
	if (f->message.internal) {
		refuse(f, "another mail program's data");
		return false;
	}
	if (!f->message.trusted && !f->options->any &&
	    !mailbox_is_mail(buf_span(&f->head))) {
		refuse(f, "no header: this is not mail");
		return false;
	}
	if (f->options->skip_known &&
	    known_take(&f->known, buf_span(&f->head), d->size)) {
		f->skipped++;
		return false;
	}
	return true;
}

/* One more message of the batch: 0, or -1 and errno. */
static int
take_one(struct filling *f)
{
	struct mailbox_draft *d = &f->drafts[f->n];
	int r;

	*d = (struct mailbox_draft){ .flags = f->message.flags,
		.date = f->message.date };
	if (maildir_begin(&d->draft, f->dir) == -1)
		return -1;
	d->draft.raw = f->message.raw;
	r = copy(f, &d->draft);
	/* The size is only true when all is written. */
	if (r == 1)
		r = maildir_finish(&d->draft, d->date) == -1 ? -1 : 1;
	if (r == -1 || !is_wanted(f, &d->draft, r)) {
		maildir_abort(&d->draft);
		return r == -1 ? -1 : 0;
	}
	take_keywords(f, d);
	memcpy(f->last, f->message.where, sizeof f->last);
	f->bytes += d->draft.size;
	f->n++;
	return f->n < BATCH && f->bytes < BATCH_BYTES ? 0 : flush(f);
}

/* Nobody knows how long a pipe is. */
static void
show_progress(struct filling *f)
{
	unsigned long long at = source_position(f->s), all = f->s->size;

	if (all > 0)
		progress_show(
		    &f->t->progress, "%s: %llu of %llu", f->name, at, all);
	else
		progress_show(&f->t->progress, "%s: %llu", f->name, at);
}

/* What was read before it went wrong is good. */
static int
keep_rest(struct filling *f)
{
	int error = errno;

	(void)flush(f); /* the first error is the one to tell */
	errno = error;
	return -1;
}

static int
fill(struct filling *f)
{
	int r;

	while ((r = source_next(f->s, &f->message)) == 1) {
		show_progress(f);
		if (take_one(f) == -1)
			return keep_rest(f);
	}
	return r == -1 ? keep_rest(f) : flush(f);
}

/* What is safe, and how to go on. */
static void
report_failure(struct filling *f, int error)
{
	progress_hide(&f->t->progress);
	if (error == EBADMSG)
		err_warn("%s: this is no mbox", f->s->name);
	else
		err_warn("%s: %s: %s", f->s->name, f->message.where,
		    strerror(error));
	if (f->imported > 0)
		err_warn("%llu messages are safe in %s, the last one is at %s; "
			 "--skip-known goes on from there",
		    (unsigned long long)f->imported, f->name, f->safe);
	else
		err_warn("nothing was imported into %s", f->name);
}

static void
report(const struct filling *f)
{
	progress_hide(&f->t->progress);
	if (f->t->json) {
		putchar('{');
		mailbox_json("mailbox", span_str(f->name));
		printf(",\"imported\":%llu,\"known\":%llu,\"refused\":%llu}\n",
		    (unsigned long long)f->imported,
		    (unsigned long long)f->skipped,
		    (unsigned long long)f->refused);
		return;
	}
	printf("%s: %llu messages imported", f->name,
	    (unsigned long long)f->imported);
	if (f->options->skip_known)
		printf(", %llu were there already",
		    (unsigned long long)f->skipped);
	if (f->refused > 0)
		printf(", %llu refused", (unsigned long long)f->refused);
	putchar('\n');
}

/* Opened, made where it is not there. */
static int
open_target(struct mailbox_tool *t, struct span name)
{
	int dir = account_folder_open(&t->a, name);

	if (dir != -1 || errno != ENOENT)
		return dir;
	if (account_create(&t->a, name) == -1)
		return -1;
	err_warn("the mailbox %.*s is new", (int)name.n, name.p);
	return account_folder_open(&t->a, name);
}

static int
import_open(struct filling *f)
{
	int error;

	if (f->options->skip_known &&
	    known_read(&f->known, f->t, f->name) == -1) {
		err_warn_sys("%s", f->name);
		return EXIT_LATER;
	}
	if (fill(f) == -1) {
		error = errno;
		report_failure(f, error);
		report(f);
		return error == EBADMSG ? EXIT_NO : EXIT_LATER;
	}
	report(f);
	return f->refused > 0 ? EXIT_NO : 0;
}

static int
import_into(struct mailbox_tool *t, const struct import *options,
    const char *name, struct source *s)
{
	struct filling *f = calloc(1, sizeof *f);
	int code = EXIT_LATER;

	if (f == NULL)
		err_nomem();
	f->t = t;
	f->options = options;
	f->s = s;
	f->name = name;
	f->words = arena_new(WORDS);
	f->head = buf_new(KNOWN_HEADER);
	f->dir = open_target(t, span_str(name));
	if (f->dir == -1) {
		err_warn_sys("%s", name);
		code = errno == EINVAL ? EXIT_NEVER : EXIT_LATER;
	} else {
		code = import_open(f);
		close(f->dir);
	}
	known_free(&f->known);
	arena_free(&f->words);
	buf_free(&f->head);
	free(f);
	return code;
}

static int
no_source(const char *name)
{
	if (errno == EBADMSG || errno == EISDIR || errno == ENOTDIR ||
	    errno == ENOENT) {
		err_warn_sys("%s", name);
		return EXIT_NO;
	}
	err_warn_sys("%s", name);
	return EXIT_LATER;
}

static int
import_one(struct mailbox_tool *t, void *ctx)
{
	const struct import *i = ctx;
	int fd = source_fd(i->from), code;
	struct source *s;
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return no_source(i->from);
	mailbox_jail(t, S_ISDIR(st.st_mode) ? i->from : NULL, false);
	s = source_open(i->from, fd, i->kind);
	if (s == NULL)
		return no_source(i->from);
	code = import_into(t, i, i->into, s);
	source_close(s);
	return code;
}

static int
import_folder(struct mailbox_tool *t, const struct import *i,
    const struct account *from, const char *name)
{
	int dir = account_folder_open(from, span_str(name)), code;
	struct source *s;

	if (dir == -1)
		return no_source(name);
	s = source_open_dir(name, dir, SOURCE_MAILDIR);
	if (s == NULL)
		return no_source(name);
	code = import_into(t, i, name, s);
	source_close(s);
	return code;
}

static int
import_names(
    struct mailbox_tool *t, const struct import *i, const struct account *from)
{
	struct account_list l;
	int code = 0;

	if (account_list(from, &l) == -1)
		return no_source(i->from);
	for (size_t k = 0; k < l.n; k++) {
		int r = import_folder(t, i, from, l.name[k]);

		code = r > code ? r : code;
	}
	account_list_free(&l);
	return code;
}

/* -R: the tree, with its subscriptions. */
static int
import_all(struct mailbox_tool *t, void *ctx)
{
	const struct import *i = ctx;
	struct account from;
	int code;

	mailbox_jail(t, i->from, false);
	if (account_open(&from, i->from, false) == -1)
		return no_source(i->from);
	code = import_names(t, i, &from);
	if (mailbox_subscribe(&from, &t->a) == -1) {
		err_warn_sys("%s: subscriptions", i->from);
		code = EXIT_LATER;
	}
	account_close(&from);
	return code;
}

static void
parse(struct mailbox_tool *t, struct import *i, int argc, char **argv)
{
	static const struct option options[] = { MAILBOX_OPTIONS,
		{ "skip-known", no_argument, NULL, 'k' },
		{ "any", no_argument, NULL, 'a' },
		{ "format", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 } };
	int o;

	while ((o = getopt_long(
		    argc, argv, MAILBOX_SHORT "R", options, NULL)) != -1) {
		i->all |= o == 'R';
		i->skip_known |= o == 'k';
		i->any |= o == 'a';
		if (o == 'f' && !source_kind(optarg, &i->kind))
			err_die(EXIT_NEVER,
			    "--format auto, mbox, mboxo, maildir, mh or eml");
		if (strchr("Rkaf", o) == NULL && !mailbox_option(t, o, optarg))
			mailbox_usage("import");
	}
}

int
mailbox_import(struct conf *c, int argc, char **argv)
{
	struct mailbox_tool t = { .c = c };
	struct import i = { .kind = SOURCE_AUTO };

	parse(&t, &i, argc, argv);
	mailbox_user(&t, &argc, &argv);
	if (argc != (i.all ? 1 : 2))
		mailbox_usage("import");
	i.into = argv[0];
	i.from = argv[argc - 1];
	return mailbox_as_owner(&t, i.all ? import_all : import_one, &i);
}
