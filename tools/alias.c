/*
 * postern-alias: addresses that stand for other addresses.
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
	{ "add", "ALIAS TARGET...   (ALIAS may be @DOMAIN: a catch-all)", add },
	{ "del", "ALIAS", del },
	{ "list", "[--json]", list },
	{ NULL, NULL, NULL },
};

/* A target may be any address, ours or not, in lower case. */
static void
add_target(const struct conf *c, const char *typed, struct buf *value)
{
	char target[USERS_ADDRESS];

	if (users_login(span_str(typed), c->domain, target) == -1 ||
	    strchr(target, ',') || target[0] == '@' ||
	    target[strlen(target) - 1] == '@')
		err_die(EXIT_NEVER, "a target is not an address");
	if (value->n > strlen("alias="))
		(void)buf_add_byte(value, ','); /* full is seen below */
	if (buf_add_str(value, target) == -1)
		err_die(EXIT_NEVER, "too many targets for one alias");
}

static int
add(struct conf *c, int argc, char **argv)
{
	struct buf value = buf_new(USERS_VALUE - 1);
	struct users_record old;
	char alias[USERS_ADDRESS];
	struct userdb db;
	struct span there;

	if (argc < 3)
		tool_usage(commands, "add");
	tool_address(c, argv[1], true, alias);
	(void)buf_add_str(&value, "alias=");
	for (int i = 2; i < argc; i++)
		add_target(c, argv[i], &value);
	db = tool_open(c, "users", NULL);
	tool_need_domain(&db, alias);
	if (userdb_get(&db, span_str(alias), &there) == 1 &&
	    users_parse(there, &old) && old.kind == USERS_MAILBOX)
		err_die(EXIT_NO, "%s is a mailbox", alias);
	if (userdb_set(&db, span_str(alias), buf_span(&value)) == -1)
		err_die_sys(EXIT_LATER, "%s", alias);
	tool_commit(&db);
	return 0;
}

static int
del(struct conf *c, int argc, char **argv)
{
	struct users_record old;
	char alias[USERS_ADDRESS];
	struct userdb db;
	struct span there;

	if (argc != 2)
		tool_usage(commands, "del");
	tool_address(c, argv[1], true, alias);
	db = tool_open(c, "users", NULL);
	if (userdb_get(&db, span_str(alias), &there) != 1 ||
	    !users_parse(there, &old) || old.kind != USERS_ALIAS)
		err_die(EXIT_NO, "%s: no such alias", alias);
	userdb_remove(&db, span_str(alias));
	tool_commit(&db);
	return 0;
}

static bool
show(struct span key, struct span value, bool json, bool first)
{
	struct users_record u;
	struct span targets;

	if (!users_parse(value, &u) || u.kind != USERS_ALIAS)
		return false;
	targets = span_str(u.alias);
	if (!json) {
		printf("%.*s %s\n", (int)key.n, key.p, u.alias);
		return true;
	}
	printf("%s{\"alias\":", first ? "" : ",");
	tool_json(key);
	printf(",\"targets\":[");
	while (targets.n > 0) {
		tool_json(span_take(&targets, ','));
		if (targets.n > 0)
			putchar(',');
	}
	printf("]}");
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
