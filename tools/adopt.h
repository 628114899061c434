/* postern-adopt: what its files share. */
#ifndef POSTERN_TOOLS_ADOPT_H
#define POSTERN_TOOLS_ADOPT_H

#include "progress.h"

#include "base/span.h"
#include "store/account.h"
#include "store/adopt.h"
#include "store/uidls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ADOPT_NOTE = 512,  /* bytes of a note */
	ADOPT_NOTES = 16,  /* of one mailbox */
	ADOPT_ACL = 65536, /* bytes of a list of rights that are looked at */
	ADOPT_LOCK_S = 120 /* Dovecot takes an older lock for a dead one's */
};

/* One account, and what came of it so far. */
struct job {
	const char *path;
	bool dry, json, rename;
	bool first; /* nothing was printed yet */
	int code;   /* the exit code so far */
	struct account a;
	struct progress progress;
	size_t folders, messages, kept;
};

/* One mailbox. */
struct report {
	const char *name;
	struct adopted a;
	size_t messages, kept;
	struct uidls ids;               /* of POP3 */
	size_t with_id;                 /* messages that keep one */
	size_t arrived;                 /* came after the list was written */
	size_t unshown;                 /* files that did not become messages */
	size_t strange;                 /* in cur and new, but no messages */
	char example[MAILDIR_NAME + 8]; /* of a strange one */
	uint32_t uidvalidity;           /* 0: a new one, not known yet */
	bool same;                      /* UIDVALIDITY is the other server's */
	bool ours, locked; /* has an index of ours; Dovecot's lock */
	size_t nnotes;
	char notes[ADOPT_NOTES][ADOPT_NOTE];
};

/* --- adopt_box.c */

/* Adopts one mailbox and prints what came of it: 0, or -1 with errno. */
int adopt_box(struct job *j, const char *name);

/* --- adopt_layout.c */

/*
 * Is the folder dir a Maildir++; false where it is something that has to be
 * converted.  why says what, and of a Maildir++ what else is in it, if
 * anything.
 */
bool adopt_layout(int dir, char why[ADOPT_NOTE]);

/* --- adopt_packed.c */

/* Says in why that there are messages which are no mail as they lie, for
 * Dovecot compressed or encrypted them; false: there are none. */
bool adopt_packed(struct job *j, char why[ADOPT_NOTE]);

/* --- adopt_tree.c */

/* Prints the folders that do not show under the names that they had, renames
 * those where it is asked for; before adopt_box.  0, or -1 with errno. */
int adopt_folders(struct job *j);
/* Prints subscriptions, and files that nobody reads any more. */
int adopt_rest(struct job *j);

/* --- adopt_print.c */

/* What a terminal can show: UTF-8 without control characters is kept, in
 * anything else bytes become \xNN. */
void print_name(struct span s, char *out, size_t size);
void print_box(struct job *j, const struct report *r);
/* A folder, by its name on disk, and what there is to say about it. */
void print_folder(struct job *j, const char *folder, const char *text);
/* A fact about the account: JSON has it as `"key":"text"'. */
void print_fact(struct job *j, const char *key, const char *text);
void print_subscriptions(
    struct job *j, size_t n, size_t missing, size_t skipped);
void print_total(struct job *j);

#endif
