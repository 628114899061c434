/*
 * postern-adopt: takes over Maildirs that Dovecot or Courier kept.
 *
 * Reads:   the Maildirs, and what the other server kept in them;
 *          etc/postern/postern.conf and users where a user is named
 * Writes:  journals and indexes of all their mailboxes; names of folders
 *          with --rename; nothing with -n; a report on standard output
 * Runs as: the owner of the mail, jailed; as root, becomes the owner of each
 * Exits:   0 all is kept; 1 something is not, the report says what and why;
 *          100 misuse, or not a Maildir; 111 a fault that may pass
 */
#include "adopt.h"
#include "common.h"
#include "owner.h"

#include "base/err.h"
#include "base/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TARGETS = 268435456 /* bytes of all accounts' names */
};

struct options {
	const char *root;
	bool dry, json, rename, all;
};

/* A Maildir, and whose it is to be. */
struct target {
	const char *path;
	bool has_uid;
	uid_t uid;
};

struct targets {
	struct buf table;
	struct arena text;
};

/* --- one account */

static int
fault(struct job *j, const char *what)
{
	int error = errno;

	progress_hide(&j->progress);
	errno = error;
	err_warn_sys("%s: %s", j->path, what);
	j->code = EXIT_LATER;
	return -1;
}

static int
refuse(struct job *j, const char *why)
{
	progress_hide(&j->progress);
	err_warn("%s: %s; nothing was done", j->path, why);
	if (j->json)
		print_fact(j, "refused", why);
	return EXIT_NEVER;
}

static int
all_boxes(struct job *j)
{
	struct account_list l;
	int r = 0;

	if (account_list(&j->a, &l) == -1)
		return fault(j, "list of mailboxes");
	for (size_t i = 0; i < l.n; i++) {
		progress_show(&j->progress, "%s: %zu of %zu mailboxes, %s",
		    j->path, i, l.n, l.name[i]);
		if (adopt_box(j, l.name[i]) == -1)
			r = fault(j, l.name[i]);
	}
	account_list_free(&l);
	return r;
}

static int
adopt_account(struct job *j)
{
	char why[ADOPT_NOTE];

	char packed[ADOPT_NOTE];

	if (!adopt_layout(j->a.dir, why))
		return refuse(j, why);
	progress_show(&j->progress, "%s: looking through it", j->path);
	if (adopt_packed(j, packed))
		return refuse(j, packed);
	if (why[0])
		print_fact(j, "besides", why);
	if (adopt_folders(j) == -1)
		(void)fault(j, "folders");
	(void)all_boxes(j);
	if (adopt_rest(j) == -1)
		(void)fault(j, "subscriptions");
	print_total(j);
	return j->code;
}

/* What was not asked to change anything cannot. */
static void
enter_jail(const struct job *j)
{
	struct jail jail = { .kind = JAIL_TOOL };
	int landlock;

	if (j->dry)
		jail.also = j->path;
	else
		jail.folder = j->path;
	if (jail_enter(&jail, &landlock) == -1)
		err_die_sys(EXIT_LATER, "cannot enter the jail");
}

/* The descriptor of a folder that need not be a Maildir. */
static int
run(void *ctx)
{
	struct job *j = ctx;
	int code;

	j->a.dir = open(j->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->a.dir == -1 && errno == ENOTDIR)
		return refuse(j, "a file, not a Maildir; an mbox is imported "
				 "by postern mailbox import");
	if (j->a.dir == -1) {
		err_warn_sys("%s", j->path);
		return errno == ENOENT ? EXIT_NEVER : EXIT_LATER;
	}
	enter_jail(j);
	code = adopt_account(j);
	account_close(&j->a);
	return code;
}

static int
run_as_owner(const struct target *t, struct job *j)
{
	struct stat st;
	int code;

	if (t->has_uid && stat(t->path, &st) == 0 && st.st_uid != t->uid) {
		err_warn("%s belongs to uid %lu, and the user's uid is %lu: "
			 "chown it first",
		    t->path, (unsigned long)st.st_uid, (unsigned long)t->uid);
		return EXIT_NEVER;
	}
	code = owner_run_apart(t->path, run, j);
	if (code >= 0 && code <= EXIT_LATER)
		return code;
	err_warn("%s: it did not come to its end", t->path);
	return EXIT_LATER;
}

static int
one_account(const struct options *o, const struct target *t, bool first)
{
	struct job j = { .path = t->path,
		.dry = o->dry,
		.json = o->json,
		.rename = o->rename,
		.first = true,
		.progress = progress_new() };
	int code;

	if (!j.json)
		return run_as_owner(t, &j);
	printf("%s\n{\"account\":", first ? "" : ",");
	tool_json(span_str(t->path));
	printf(",\"report\":[");
	code = run_as_owner(t, &j);
	printf("],\"exit\":%d}", code);
	return code;
}

/* --- which accounts */

static void
add_target(struct targets *l, const char *path, bool has_uid, uid_t uid)
{
	struct target t = { arena_copy(&l->text, span_str(path)).p, has_uid,
		uid };

	if (t.path == NULL || buf_add(&l->table, &t, sizeof t) == -1)
		err_die(EXIT_LATER, "too many accounts");
}

static void
add_user(const struct conf *c, struct targets *l, const char *address,
    struct span value)
{
	char path[PATH_MAX];
	struct users_record u;

	if (!users_parse(value, &u))
		err_die(EXIT_LATER, "%s: its record is damaged", address);
	if (u.kind != USERS_MAILBOX)
		return;
	if (users_maildir(c, &u, path) == -1)
		err_die_sys(EXIT_LATER, "%s", address);
	add_target(l, path, true, u.uid);
}

static void
find_user(const struct conf *c, const struct userdb *db, struct targets *l,
    const char *typed)
{
	char address[USERS_ADDRESS];
	size_t before = l->table.n;
	struct span value;

	tool_address(c, typed, false, address);
	if (userdb_get(db, span_str(address), &value) == 1)
		add_user(c, l, address, value);
	if (l->table.n == before)
		err_die(EXIT_NEVER,
		    "%s: no such mailbox; a folder has a slash in it: ./%s",
		    address, typed);
}

static bool
is_folder(const char *argument)
{
	return strchr(argument, '/') || strcmp(argument, ".") == 0 ||
	       strcmp(argument, "..") == 0;
}

static void
add_users(const struct conf *c, const struct options *o, char **argv,
    struct targets *l)
{
	struct userdb db = tool_open(c, "users", NULL);
	struct span rest = buf_span(&db.text), key, value;
	char address[USERS_ADDRESS];

	while (o->all && userdb_next(&rest, &key, &value))
		if (span_find(key, '@') < key.n &&
		    span_copy(key, address, sizeof address) == 0)
			add_user(c, l, address, value);
	for (; *argv; argv++)
		if (!is_folder(*argv))
			find_user(c, &db, l, *argv);
	userdb_close(&db);
}

static void
find_targets(const struct options *o, char **argv, struct targets *l)
{
	char error[CONF_ERROR];
	bool users = o->all;
	struct conf c;

	for (char **arg = argv; *arg; arg++)
		if (is_folder(*arg))
			add_target(l, *arg, false, 0);
		else
			users = true;
	if (!users)
		return;
	if (conf_load(&c, o->root, error) == -1)
		err_die(EXIT_LATER, "%s", error);
	add_users(&c, o, argv, l);
}

/* --- the program */

static const char usage[] =
    "usage: postern-adopt [-n] [-r ROOT] [--json] [--rename] "
    "--all | USER... | DIR...";

static void
print_help(void)
{
	puts(usage);
	puts("Takes over Maildirs that Dovecot or Courier kept, with UIDs,\n"
	     "keywords and subscriptions; -n only says what would happen.\n"
	     "See postern-adopt(1).");
}

static struct options
parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "rename", no_argument, NULL, 'R' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "hnr:", options, NULL)) != -1) {
		if (c == 'h') {
			print_help();
			exit(0);
		}
		if (c == '?')
			err_die(EXIT_NEVER, "see postern-adopt --help");
		if (c == 'r')
			o.root = optarg;
		o.all |= c == 'a';
		o.dry |= c == 'n';
		o.json |= c == 'j';
		o.rename |= c == 'R';
	}
	if (o.all == (optind < argc))
		err_die(EXIT_NEVER, "%s", usage);
	return o;
}

int
main(int argc, char **argv)
{
	struct targets l = { buf_new(TARGETS), arena_new(TARGETS) };
	struct options o;
	int code = 0;

	err_program("postern-adopt");
	o = parse(argc, argv);
	find_targets(&o, argv + optind, &l);
	if (o.json)
		putchar('[');
	for (size_t i = 0; i < l.table.n / sizeof(struct target); i++) {
		const struct target *t = (const void *)l.table.p;

		int r = one_account(&o, &t[i], i == 0);

		if (r > code)
			code = r;
	}
	if (o.json)
		puts("\n]");
	if (fflush(stdout) == EOF)
		err_die_sys(EXIT_LATER, "standard output");
	buf_free(&l.table);
	arena_free(&l.text);
	return code;
}
