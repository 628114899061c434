/* What the parts of `postern mailbox check' share. */
#ifndef POSTERN_TOOLS_MAILBOX_CHECK_H
#define POSTERN_TOOLS_MAILBOX_CHECK_H

#include "mailbox.h"

#include "base/arena.h"
#include "base/buf.h"

/* What is looked at: one mailbox, or the account. */
struct check {
	struct mailbox_tool *t;
	const char *name; /* of the mailbox; "" for the account */
	int dir;
	struct mailbox *m; /* as the index says; NULL */
	struct buf ids;    /* struct id, sorted */
	struct buf seen;   /* a byte for each message of m */
	struct buf files;
	struct arena text;
	size_t findings;
	bool failed;
};

/* Something is wrong with a file: kind is one word for programs. */
void check_found(struct check *c, const char *kind, const char *file,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* It cannot be known, says errno. */
void check_failed(struct check *c, const char *what);

void check_of_account(struct check *c);

#endif
