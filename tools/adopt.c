/*
 * postern-adopt: takes over Maildirs that Dovecot or Courier kept.
 *
 * Reads:   the Maildirs given, and what the other server kept in them
 * Writes:  journals and indexes of all their mailboxes (not with --dry-run);
 *          a report on standard output
 * Runs as: the owner of the mail; as root, becomes the owner of each
 * Exits:   0 all UIDs are kept; 1 some are not, the report says why;
 *          100 misuse; 111 a fault that may pass
 */
#include "common.h"
#include "owner.h"

#include "base/err.h"
#include "base/log.h"
#include "store/adopt.h"
#include "store/folder.h"
#include "store/mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NOTE = 128, NOTES = 8 };

struct job {
	const char *path;
	bool dry, json, first; /* first: nothing was printed yet */
	struct account a;
	size_t folders, messages, kept, lost;
};

/* What becomes of one folder. */
struct report {
	const char *name; /* of the mailbox */
	struct adopted a;
	size_t messages, kept;
	uint32_t uidvalidity;
	bool ours; /* it has an index already */
	size_t nnotes;
	char notes[NOTES][NOTE];
};

static void
note(struct report *r, bool it_is_so, const char *text)
{
	if (it_is_so && r->nnotes < NOTES)
		snprintf(r->notes[r->nnotes++], NOTE, "%s", text);
}

static void
note_count(struct report *r, size_t n, const char *text)
{
	if (n > 0 && r->nnotes < NOTES)
		snprintf(r->notes[r->nnotes++], NOTE, "%zu %s", n, text);
}

static uint32_t
listed_uid(const struct report *r, const char *file)
{
	struct maildir_name name;

	if (r->a.from == NULL || !maildir_parse(span_str(file), &name))
		return 0;
	return uidlist_find(&r->a.uids, name.base);
}

static int
count_files(struct report *r, int dir, const char *sub)
{
	int fd = folder_open(dir, sub);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (d == NULL) {
		if (fd != -1)
			close(fd);
		return errno == ENOENT ? 0 : -1;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		r->messages++;
		r->kept += listed_uid(r, e->d_name) > 0;
	}
	closedir(d);
	return 0;
}

/* What would happen, by the names alone. */
static int
foresee(struct report *r, int dir)
{
	r->uidvalidity = r->a.uids.uidvalidity;
	if (count_files(r, dir, "cur") == -1)
		return -1;
	return count_files(r, dir, "new");
}

/* The first opening does it; then the two are compared. */
static int
carry_out(struct job *j, struct report *r)
{
	struct mailbox *m = mailbox_open(&j->a, span_str(r->name), true);

	if (m == NULL)
		return -1;
	r->messages = m->n;
	r->uidvalidity = m->uidvalidity;
	for (size_t i = 0; i < m->n; i++)
		r->kept += m->uidvalidity == r->a.uids.uidvalidity &&
			   m->msgs[i].uid ==
			       listed_uid(r, mailbox_file(m, i));
	mailbox_close(m);
	return 0;
}

static bool
has_index(int dir)
{
	struct stat st;

	return (fstatat(dir, "postern.journal", &st, AT_SYMLINK_NOFOLLOW) ==
		       0 &&
		   st.st_size > 0) ||
	       fstatat(dir, "postern.index", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
explain(struct report *r)
{
	const struct uidlist *l = &r->a.uids;
	bool look = !r->ours && !r->a.done, none = look && !r->a.from;

	note(r, r->ours, "has an index of ours already: nothing to do");
	note(r, !r->ours && r->a.done,
	    "was taken over before, and its index is lost");
	note(r, none && r->a.damaged,
	    "the list of UIDs is damaged: all UIDs are new");
	note(r, none && !r->a.damaged && r->messages > 0,
	    "there is no list of UIDs: all UIDs are new");
	if (look && r->a.from)
		note_count(r, r->messages - r->kept,
		    "messages are not in the list: their UIDs are new");
	note_count(r, l->bad, "lines of the list make no sense");
	note(r, l->torn, "the end of the list is missing");
	note_count(
	    r, l->uidls, "messages have POP3 ids of their own: not kept");
	note_count(r, r->a.keywords.refused, "keywords cannot be kept");
}

static void
print_json(struct job *j, const struct report *r)
{
	printf("%s\n{\"mailbox\":", j->first ? "" : ",");
	tool_json(span_str(r->name));
	printf(",\"messages\":%zu,\"kept\":%zu,\"uidvalidity\":%lu,\"list\":",
	    r->messages, r->kept, (unsigned long)r->uidvalidity);
	if (r->a.from)
		tool_json(span_str(r->a.from));
	else
		printf("null");
	printf(",\"keywords\":[");
	for (size_t i = 0; i < r->a.keywords.n; i++) {
		printf("%s", i ? "," : "");
		tool_json(span_str(r->a.keywords.name[i]));
	}
	printf("],\"notes\":[");
	for (size_t i = 0; i < r->nnotes; i++) {
		printf("%s", i ? "," : "");
		tool_json(span_str(r->notes[i]));
	}
	printf("]}");
}

static void
print_text(const struct report *r)
{
	printf("%s: %zu messages", r->name, r->messages);
	if (r->a.from && !r->ours)
		printf(", %zu UIDs from %s, UIDVALIDITY %lu", r->kept,
		    r->a.from, (unsigned long)r->uidvalidity);
	putchar('\n');
	if (r->a.keywords.n > 0 && !r->ours) {
		printf("    keywords:");
		for (size_t i = 0; i < r->a.keywords.n; i++)
			printf(" %s", r->a.keywords.name[i]);
		putchar('\n');
	}
	for (size_t i = 0; i < r->nnotes; i++)
		printf("    %s\n", r->notes[i]);
}

static int
report_folder(struct job *j, struct report *r, int dir)
{
	r->ours = has_index(dir);
	if (adopt_read(dir, &r->a) == -1)
		return -1;
	if ((j->dry ? foresee(r, dir) : carry_out(j, r)) == -1)
		return -1;
	if (r->ours)
		r->kept = r->messages;
	explain(r);
	if (j->json)
		print_json(j, r);
	else
		print_text(r);
	j->first = false;
	j->folders++;
	j->messages += r->messages;
	j->kept += r->kept;
	j->lost += r->messages - r->kept;
	return 0;
}

static int
one_folder(struct job *j, const char *name)
{
	struct report r = { .name = name, .a.keywords = kwlist_new() };
	int dir = account_folder_open(&j->a, span_str(name)), result;

	if (dir == -1)
		return -1;
	result = report_folder(j, &r, dir);
	if (result == -1)
		err_warn_sys("%s: %s", j->path, name);
	close(dir);
	adopt_free(&r.a);
	return result;
}

/* A folder with a name that no mailbox of ours can have stays unseen. */
static void
report_unseen(struct job *j, const char *folder)
{
	char name[MAILBOX_NAME], text[LOG_LINE];
	struct stat st;

	if (folder[0] != '.' || strcmp(folder, ".") == 0 ||
	    strcmp(folder, "..") == 0 || account_name(span_str(folder), name) ||
	    fstatat(j->a.dir, folder, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISDIR(st.st_mode))
		return;
	log_escape(span_str(folder), text, sizeof text);
	j->lost++;
	if (!j->json) {
		printf(
		    "%s: not a name of a mailbox: it will not be seen\n", text);
		return;
	}
	printf("%s\n{\"folder\":", j->first ? "" : ",");
	tool_json(span_str(text));
	printf(",\"notes\":[\"not a name of a mailbox: it will not be "
	       "seen\"]}");
	j->first = false;
}

static int
report_names(struct job *j)
{
	int fd = folder_open(j->a.dir, ".");
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (d == NULL) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	while ((e = readdir(d)) != NULL)
		report_unseen(j, e->d_name);
	closedir(d);
	return 0;
}

static void
print_total(const struct job *j, size_t subscriptions)
{
	if (j->json)
		return;
	printf("%s: %zu mailboxes, %zu messages, %zu UIDs kept, %zu "
	       "subscriptions%s\n",
	    j->path, j->folders, j->messages, j->kept, subscriptions,
	    j->dry ? " (nothing was done)" : "");
}

static int
all_folders(struct job *j)
{
	struct account_list l, subscriptions;
	int code = 0;

	if (account_list(&j->a, &l) == -1)
		return EXIT_LATER;
	for (size_t i = 0; i < l.n; i++)
		if (one_folder(j, l.name[i]) == -1)
			code = EXIT_LATER;
	account_list_free(&l);
	if (report_names(j) == -1 ||
	    account_subscriptions(&j->a, &subscriptions) == -1)
		return EXIT_LATER;
	print_total(j, subscriptions.n);
	account_list_free(&subscriptions);
	if (code == 0 && j->lost > 0)
		code = EXIT_NO;
	return code;
}

static int
adopt_account(void *ctx)
{
	struct job *j = ctx;
	int code;

	if (account_open(&j->a, j->path, false) == -1) {
		err_warn_sys("%s", j->path);
		return errno == ENOENT || errno == ENOTDIR ? EXIT_NEVER
							   : EXIT_LATER;
	}
	code = all_folders(j);
	account_close(&j->a);
	return code;
}

static void
print_help(void)
{
	puts("usage: postern-adopt [-n] [--json] MAILDIR...\n"
	     "Takes over Maildirs that Dovecot or Courier kept, with UIDs,\n"
	     "keywords and subscriptions; see postern-adopt(1).");
}

static void
parse(int argc, char **argv, struct job *j)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "hn", options, NULL)) != -1) {
		if (c == 'h') {
			print_help();
			exit(0);
		}
		if (c == '?')
			err_die(EXIT_NEVER, "see postern-adopt --help");
		j->dry |= c == 'n';
		j->json |= c == 'j';
	}
	if (optind == argc)
		err_die(EXIT_NEVER,
		    "usage: postern-adopt [-n] [--json] MAILDIR...");
}

static int
one_account(const struct job *options, const char *path, bool first)
{
	struct job j = *options;
	int code;

	j.path = path;
	if (!j.json)
		return owner_run(path, adopt_account, &j);
	printf("%s\n{\"account\":", first ? "" : ",");
	tool_json(span_str(path));
	printf(",\"mailboxes\":[");
	code = owner_run(path, adopt_account, &j);
	printf("],\"exit\":%d}", code);
	return code;
}

int
main(int argc, char **argv)
{
	struct job options = { .first = true };
	int code = 0;

	err_program("postern-adopt");
	parse(argc, argv, &options);
	if (options.json)
		putchar('[');
	for (int i = optind; i < argc; i++) {
		int r = one_account(&options, argv[i], i == optind);

		if (r > code)
			code = r;
	}
	if (options.json)
		puts("\n]");
	if (fflush(stdout) == EOF)
		err_die_sys(EXIT_LATER, "standard output");
	return code;
}
