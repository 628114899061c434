/*
 * postern-mailbox: mailboxes, looked at, mended, filled and copied out.
 *
 * Reads:   users.cdb, unless -d names a Maildir; the account's mailboxes;
 *          what is imported
 * Writes:  rebuild and import: the mailboxes; list: UIDs of new messages;
 *          export: a new file or folder; check: nothing
 * Runs as: the owner of the mail; as root, becomes the owner before it opens
 *          the Maildir, or any file that is imported or exported
 * Exits:   0 done; 1 the answer is no (check: something is wrong; import:
 *          something was no mail); 100 misuse; 111 a fault that may pass
 */
#include "mailbox.h"

#include "common.h"
#include "owner.h"

#include "base/err.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "mail/header.h"
#include "text/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct tool_command commands[] = {
	{ "list", "[--json] USER|-d DIR", mailbox_list },
	{ "check", "[--quick] [--json] USER|-d DIR [MAILBOX]", mailbox_check },
	{ "rebuild", "[--json] USER|-d DIR [MAILBOX]",
	    mailbox_rebuild_command },
	{ "import",
	    "[-R] [--skip-known] [--any] [--format KIND] [--json] USER|-d DIR "
	    "MAILBOX FILE|DIR|-",
	    mailbox_import },
	{ "export",
	    "[-R] [--format KIND] [--unseen] [--flagged] [--since DATE] "
	    "[--json] USER|-d DIR MAILBOX FILE|DIR|-",
	    mailbox_export },
	{ NULL, NULL, NULL },
};

void
mailbox_usage(const char *command)
{
	tool_usage(commands, command);
}

bool
mailbox_option(struct mailbox_tool *t, int option, const char *value)
{
	if (option == 'j') {
		t->json = true;
		return true;
	}
	if (option != 'd')
		return false;
	if (span_copy(span_str(value), t->path, sizeof t->path) == -1 ||
	    value[0] == '\0')
		err_die(EXIT_NEVER, "-d: not a folder's name");
	return true;
}

static void
find_user(struct mailbox_tool *t, const char *typed)
{
	char address[USERS_ADDRESS], cdb[PATH_MAX];
	struct users_record u;
	enum users_kind kind;
	int fd;

	tool_address(t->c, typed, false, address);
	if (conf_etc(t->c, "users.cdb", cdb) == -1)
		err_die_sys(EXIT_LATER, "users.cdb");
	fd = open(cdb, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		err_die_sys(EXIT_LATER, "%s (-d DIR does without it)", cdb);
	kind = users_get(fd, span_str(address), &u);
	close(fd);
	if (kind == USERS_TEMPFAIL)
		err_die(EXIT_LATER, "%s is damaged", cdb);
	if (kind != USERS_MAILBOX)
		err_die(EXIT_NO, "%s: no such mailbox", address);
	if (users_maildir(t->c, &u, t->path) == -1)
		err_die_sys(EXIT_LATER, "%s", address);
	t->limits.known =
	    users_quota(t->c, &u, &t->limits.bytes, &t->limits.count);
}

void
mailbox_user(struct mailbox_tool *t, int *argc, char ***argv)
{
	const char *command = (*argv)[0];

	*argc -= optind;
	*argv += optind;
	t->progress = progress_new();
	if (t->path[0] != '\0')
		return;
	if (*argc == 0)
		mailbox_usage(command);
	t->user = (*argv)[0];
	find_user(t, t->user);
	--*argc;
	++*argv;
}

static void
parse_some(struct mailbox_tool *t, int argc, char **argv)
{
	static const struct option options[] = { MAILBOX_OPTIONS,
		{ "quick", no_argument, NULL, 'q' }, { NULL, 0, NULL, 0 } };
	const char *command = argv[0];
	int o;

	while (
	    (o = getopt_long(argc, argv, MAILBOX_SHORT, options, NULL)) != -1) {
		t->quick |= o == 'q';
		if ((o != 'q' || strcmp(command, "check") != 0) &&
		    !mailbox_option(t, o, optarg))
			mailbox_usage(command);
	}
	mailbox_user(t, &argc, &argv);
	if (argc > 1)
		mailbox_usage(command);
	t->name = argc ? argv[0] : NULL;
}

struct owned {
	struct mailbox_tool *t;
	mailbox_command *command;
	void *ctx;
};

static int
run_owned(void *ctx)
{
	const struct owned *o = ctx;
	struct mailbox_tool *t = o->t;
	int code;

	umask(077);
	signal(SIGXFSZ, SIG_IGN); /* it is an error of write */
	if (account_open(&t->a, t->path, false) == -1) {
		err_warn_sys("%s", t->path);
		return errno == ENOENT || errno == ENOTDIR ? EXIT_NEVER
							   : EXIT_LATER;
	}
	t->a.limits = t->limits;
	code = o->command(t, o->ctx);
	progress_hide(&t->progress);
	account_close(&t->a);
	return code;
}

int
mailbox_as_owner(struct mailbox_tool *t, mailbox_command *command, void *ctx)
{
	struct owned o = { t, command, ctx };

	return owner_run(t->path, run_owned, &o);
}

void
mailbox_jail(const struct mailbox_tool *t, const char *also, bool writes)
{
	struct jail j = { .kind = JAIL_TOOL,
		.folder = t->path,
		.also = also,
		.also_writes = writes };
	int landlock;

	tzset(); /* while the zone's file can be read */
	if (jail_enter(&j, &landlock) == -1)
		err_die_sys(EXIT_LATER, "cannot enter the jail");
}

int
mailbox_each(struct mailbox_tool *t, mailbox_one *one, void *ctx)
{
	struct account_list l;
	int code = 0;

	if (t->name) {
		int r = account_exists(&t->a, span_str(t->name));

		if (r == 1)
			return one(t, t->name, ctx);
		if (r == -1 && errno != EINVAL) {
			err_warn_sys("%s", t->name);
			return EXIT_LATER;
		}
		err_warn("%s: no such mailbox", t->name);
		return EXIT_NO;
	}
	if (account_list(&t->a, &l) == -1) {
		err_warn_sys("%s", t->path);
		return EXIT_LATER;
	}
	for (size_t i = 0; i < l.n; i++) {
		int r = one(t, l.name[i], ctx);

		code = r > code ? r : code;
	}
	account_list_free(&l);
	return code;
}

struct some {
	mailbox_one *one;
	mailbox_account *account;
};

static int
run_some(struct mailbox_tool *t, void *ctx)
{
	const struct some *s = ctx;
	int code, r;

	mailbox_jail(t, NULL, false);
	code = mailbox_each(t, s->one, NULL);
	r = t->name ? 0 : s->account(t);
	return r > code ? r : code;
}

int
mailbox_some(struct conf *c, int argc, char **argv, mailbox_one *one,
    mailbox_account *account)
{
	struct mailbox_tool t = { .c = c };
	struct some s = { one, account };

	parse_some(&t, argc, argv);
	return mailbox_as_owner(&t, run_some, &s);
}

int
mailbox_subscribe(const struct account *from, const struct account *to)
{
	struct account_list l;
	int r = 0;

	if (account_subscriptions(from, &l) == -1)
		return -1;
	for (size_t i = 0; i < l.n && r == 0; i++)
		r = account_subscribe(to, span_str(l.name[i]), true);
	account_list_free(&l);
	return r;
}

void
mailbox_json(const char *key, struct span value)
{
	char text[LOG_LINE];

	printf("\"%s\":", key);
	if (!utf8_valid(value))
		value = span_of(text, log_escape(value, text, sizeof text));
	tool_json(value);
}

bool
mailbox_is_mail(struct span head)
{
	struct span line = span_head(head, span_find(head, '\n'));

	if (span_starts(line, "From ") || span_starts(line, ">From ")) {
		head = span_skip(head, line.n + 1);
		line = span_head(head, span_find(head, '\n'));
	}
	head = span_head(head, header_length(head));
	return line.n > 0 && line.p[0] != ' ' && line.p[0] != '\t' &&
	       header_is_field(line) && span_find(head, '\0') == head.n;
}

int
main(int argc, char **argv)
{
	return tool_main(argc, argv, commands);
}
