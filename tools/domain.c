/*
 * postern-domain: the domains that mail is taken for.
 *
 * Reads:   etc/postern/users
 * Writes:  etc/postern/users, users.cdb
 * Runs as: the caller, who must own these files
 * Exits:   0 done, 1 the answer is no, 100 misuse, 111 try again
 */
#include "common.h"

#include "base/err.h"

#include <stdio.h>

static int add(struct conf *c, int argc, char **argv);
static int del(struct conf *c, int argc, char **argv);
static int list(struct conf *c, int argc, char **argv);

static const struct tool_command commands[] = {
	{ "add", "DOMAIN...", add },
	{ "del", "DOMAIN", del },
	{ "list", "[--json]", list },
	{ NULL, NULL, NULL },
};

static int
add(struct conf *c, int argc, char **argv)
{
	struct userdb db;

	if (argc < 2)
		tool_usage(commands, "add");
	db = tool_open(c, "users", NULL);
	for (int i = 1; i < argc; i++) {
		char domain[USERS_ADDRESS];

		tool_domain(argv[i], domain);
		if (userdb_set(&db, span_str(domain),
			(struct span)SPAN("domain")) == -1)
			err_die_sys(EXIT_LATER, "%s", domain);
	}
	tool_commit(&db);
	return 0;
}

/* The first mailbox or alias in the domain, or false. */
static bool
in_use(const struct userdb *db, struct span domain, struct span *by)
{
	struct span rest = buf_span(&db->text), value;

	while (userdb_next(&rest, by, &value)) {
		size_t at = span_rfind(*by, '@');

		if (at < by->n && span_eq(span_skip(*by, at + 1), domain))
			return true;
	}
	return false;
}

static int
del(struct conf *c, int argc, char **argv)
{
	char domain[USERS_ADDRESS];
	struct span by;
	struct userdb db;

	if (argc != 2)
		tool_usage(commands, "del");
	tool_domain(argv[1], domain);
	db = tool_open(c, "users", NULL);
	if (in_use(&db, span_str(domain), &by))
		err_die(EXIT_NO, "%s is in use by %.*s", domain, (int)by.n,
		    by.p);
	if (userdb_remove(&db, span_str(domain)) == 0)
		err_die(EXIT_NO, "%s: no such domain", domain);
	tool_commit(&db);
	return 0;
}

static bool
show(struct span key, struct span value, bool json, bool first)
{
	if (!span_is(value, "domain"))
		return false;
	if (json) {
		fputs(first ? "" : ",", stdout);
		tool_json(key);
	} else {
		printf("%.*s\n", (int)key.n, key.p);
	}
	return true;
}

static int
list(struct conf *c, int argc, char **argv)
{
	return tool_list(c, argc, argv, commands, show);
}

int
main(int argc, char **argv)
{
	return tool_main(argc, argv, commands);
}
