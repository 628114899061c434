/*
 * An account: the tree of folders below one Maildir.
 *
 * Mailbox names are UTF-8 with "/" between levels; "INBOX" in any case is
 * the Maildir itself, any other name a Maildir++ subfolder
 * (`.Lists.golang' for "Lists/golang").  On disk a name is modified UTF-7
 * (RFC 3501 5.1.3) level by level, with "." inside a level written &AC4-.
 * Refused with EINVAL: empty levels, a leading dot, hyphen or tilde, "*",
 * "%", control and bidirectional characters, bad UTF-8, a level over 200
 * bytes on disk, more than 16 levels, or a whole that makes no file name.
 * "inbox" in any case is INBOX as the first of several levels too.  A folder
 * with another name, which another program made, is shown with the levels
 * that are not ours as "=?" and the bytes on disk, where "=", those that
 * are not printable ASCII and a few more are written =XX.  So every folder
 * has one name, and each name one folder; but such a name is only for what
 * is there, it cannot be given to a new mailbox.  Every open is relative to
 * the account's descriptor and follows no symbolic link.
 */
#ifndef POSTERN_STORE_ACCOUNT_H
#define POSTERN_STORE_ACCOUNT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	MAILBOX_NAME = 1024, /* bytes of a name in UTF-8, with its NUL */
	MAILBOX_LEVELS = 16,
	MAILBOX_LEVEL = 200,  /* bytes of a level on disk */
	MAILBOX_FOLDER = 255, /* of all levels with their dots */
	ACCOUNT_LIST = 33554432, /* bytes of all names */
	ACCOUNT_LOCK_MS = 30000
};

/* How much an account may hold; 0: as much as it likes (quota.h). */
struct quota_limits {
	uint64_t bytes, count;
	bool known; /* else what the Maildir itself says counts */
};

struct account {
	int dir; /* the Maildir */
	struct quota_limits limits;
};

/* Opens the Maildir at path, making cur, new and tmp where create is set;
 * its limits are not known.
 * 0, or -1 with errno (ENOTDIR: not a Maildir). */
int account_open(struct account *a, const char *path, bool create);
void account_close(struct account *a);

/* The Maildir of a mailbox, for delivery: a descriptor, or -1 with errno
 * EINVAL (name), ENOENT (no such mailbox) or another. */
int account_folder_open(const struct account *a, struct span name);

/* The folder on disk of a mailbox ("." for INBOX) : 0, or -1 with EINVAL. */
int account_folder(struct span name, char out[MAILBOX_NAME * 3]);
/* The other way: false for what cannot be a folder of a Maildir++. */
bool account_name(struct span folder, char out[MAILBOX_NAME]);

/* Has it a level that shows how a folder is called on disk? */
bool account_is_raw(struct span name);

/* The names of all mailboxes, sorted, INBOX first; freed by list_free. */
struct account_list {
	char **name;
	size_t n;
	size_t skipped; /* subscriptions that name no mailbox */
	struct buf table;
	struct arena text;
};
int account_list(const struct account *a, struct account_list *out);
int account_subscriptions(const struct account *a, struct account_list *out);
void account_list_free(struct account_list *l);

/* What a mailbox of this name is for (RFC 6154: "\\Sent"); NULL: nothing. */
const char *account_special_use(struct span name);

/* 1 it is there, 0 it is not, -1 with errno. */
int account_exists(const struct account *a, struct span name);

/*
 * Each 0, or -1 with errno: EINVAL (name), EEXIST, ENOENT, EBUSY (INBOX
 * cannot be deleted), ENOTEMPTY is never given: a mailbox goes with its
 * messages, its children stay.  Creating "a/b" does not need "a".  Renaming
 * takes the children along; renaming INBOX moves its messages to the new
 * mailbox and leaves INBOX empty (RFC 3501 6.3.5).  Durable on return.
 */
int account_create(const struct account *a, struct span name);
int account_delete(const struct account *a, struct span name);
int account_rename(const struct account *a, struct span from, struct span to);
int account_subscribe(const struct account *a, struct span name, bool on);

#endif
