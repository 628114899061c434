/* What the postern-* tools share: options, databases, addresses, JSON. */
#ifndef POSTERN_TOOLS_COMMON_H
#define POSTERN_TOOLS_COMMON_H

#include "auth/userdb.h"
#include "auth/users.h"
#include "base/conf.h"

/* A subcommand and how its arguments are written. */
struct tool_command {
	const char *name, *usage;
	int (*run)(struct conf *c, int argc, char **argv);
};

/*
 * The main of a tool: [-r ROOT], --help, then a subcommand of the table
 * (ended by a NULL name), which gets its own argv with argv[0] its name and
 * returns the exit code.
 */
int tool_main(int argc, char **argv, const struct tool_command *table);

/* Prints how the subcommand of this name is used and exits with 100. */
_Noreturn void tool_usage(const struct tool_command *table, const char *name);

/* Opens a database, or says why not and exits with 111. */
struct userdb tool_open(const struct conf *c, const char *name,
    const struct userdb *with);
/* Commits it, or says why not and exits. */
void tool_write(struct userdb *db);
/* The same, and closes it. */
void tool_commit(struct userdb *db);

/*
 * A full address in lower case from what was typed (the default domain is
 * added).  Exits with 100, saying what is wrong, where it is not
 * [a-z0-9._=-]+@domain; plus allows "@domain" too.
 */
void tool_address(const struct conf *c, const char *typed, bool catch_all,
    char out[USERS_ADDRESS]);
/* A domain in lower case, or exits. */
void tool_domain(const char *typed, char out[USERS_ADDRESS]);
/* Exits with 1 where the address's domain is not in the database. */
void tool_need_domain(const struct userdb *db, const char *address);

/*
 * `list [--json]' of the users database.  show prints what it wants of a
 * record (a line; or a JSON value, with a comma before all but the first)
 * and says whether it did.  Returns the exit code.
 */
typedef bool tool_show(struct span key, struct span value, bool json,
    bool first);
int tool_list(const struct conf *c, int argc, char **argv,
    const struct tool_command *table, tool_show *show);

/* A JSON string with its quotes on stdout. */
void tool_json(struct span s);

#endif
