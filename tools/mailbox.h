/* What the parts of postern-mailbox share. */
#ifndef POSTERN_TOOLS_MAILBOX_H
#define POSTERN_TOOLS_MAILBOX_H

#include "progress.h"

#include "base/conf.h"
#include "store/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

/* Whose mailboxes, and how to answer. */
struct mailbox_tool {
	struct conf *c;
	const char *user; /* as it was typed; NULL with -d */
	char path[PATH_MAX];
	struct quota_limits limits; /* of the record */
	bool json, quick;
	const char *name; /* of the mailbox; NULL: all */
	struct account a; /* opened as the owner */
	struct progress progress;
};

/* Runs the command as the owner of the account, which is open then. */
typedef int mailbox_command(struct mailbox_tool *t, void *ctx);
int mailbox_as_owner(
    struct mailbox_tool *t, mailbox_command *command, void *ctx);

/*
 * Before anything of the account is read: from now on nothing else can be
 * opened, but what is below the folder `also', which may be NULL.
 * Ends the process where that cannot be.
 */
void mailbox_jail(
    const struct mailbox_tool *t, const char *also, bool writes);

/*
 * Calls `one' with each mailbox of the account, or with the one that is
 * asked for: its exit codes, the greatest of them.  A line says what went
 * wrong otherwise.
 */
typedef int mailbox_one(struct mailbox_tool *t, const char *name, void *ctx);
int mailbox_each(struct mailbox_tool *t, mailbox_one *one, void *ctx);

/* One account's subscriptions become another's, too: 0, or -1. */
int mailbox_subscribe(const struct account *from, const struct account *to);

/* The commands, from their options on. */
int mailbox_list(struct conf *c, int argc, char **argv);
int mailbox_check(struct conf *c, int argc, char **argv);
int mailbox_rebuild_command(struct conf *c, int argc, char **argv);
int mailbox_import(struct conf *c, int argc, char **argv);
int mailbox_export(struct conf *c, int argc, char **argv);

/* Options of all commands, for getopt_long; the others of a command are
 * before or behind these. */
#define MAILBOX_OPTIONS                                                        \
	{ "dir", required_argument, NULL, 'd' },                               \
	{                                                                      \
		"json", no_argument, NULL, 'j'                                 \
	}
#define MAILBOX_SHORT "d:"
/* One of them: false for another option. */
bool mailbox_option(struct mailbox_tool *t, int option, const char *value);

/*
 * After the options: the user, unless -d was given, is taken from the
 * arguments.  Exits with 100 or another code where there is no such one.
 */
void mailbox_user(struct mailbox_tool *t, int *argc, char ***argv);

/*
 * A whole command with a user and perhaps a mailbox, and for `check' the option
 * --quick: jailed, `one' with each mailbox (its ctx is NULL), then, where that
 * is all of them, `account'.  The greatest of their exit codes.
 */
typedef int mailbox_account(struct mailbox_tool *t);
int mailbox_some(struct conf *c, int argc, char **argv, mailbox_one *one,
    mailbox_account *account);

/* Prints how the command is used, and exits with 100. */
_Noreturn void mailbox_usage(const char *command);

/* {"key": ... of JSON: a string from anywhere, escaped where it is not
 * UTF-8 text. */
void mailbox_json(const char *key, struct span value);

/* Does it begin with a header's field, perhaps behind an mbox's "From "
 * line?  head: the message's first bytes. */
bool mailbox_is_mail(struct span head);

#endif
