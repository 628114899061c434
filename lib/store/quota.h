/*
 * The quota of an account: Maildir++'s file `maildirsize' (see STORE).
 *
 * What an account may hold is said by whoever opened it, in a->limits; else
 * by the first line of its maildirsize; else it has no limits.  All messages
 * of all folders count, those marked deleted and those in Trash too, with
 * the size of their files.
 */
#ifndef POSTERN_STORE_QUOTA_H
#define POSTERN_STORE_QUOTA_H

#include "base/span.h"
#include "store/account.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	QUOTA_FILE = 5120, /* a maildirsize that is not shorter is made anew */
	QUOTA_OLD_S = 900, /* and one that is older, before it says "full" */
	QUOTA_TEXT = 64    /* bytes of limits as text, with the NUL */
};

/* "NS,NC", as in maildirsize, for an argument or the environment. */
void quota_text(const struct quota_limits *l, char out[QUOTA_TEXT]);
/* And back; sets known.  False: it says no limit of either kind. */
bool quota_parse(struct span text, struct quota_limits *out);

struct quota_usage {
	struct quota_limits limits;
	uint64_t bytes, count;
};

/* 1 and what is used; 0: there are no limits; -1 with errno. */
int quota_read(const struct account *a, struct quota_usage *out);

/* The same, and all is counted anew. */
int quota_recount(const struct account *a, struct quota_usage *out);

/*
 * Is there room for n messages of so many bytes?  0; or -1 with errno:
 * EDQUOT where there is none.  quota_take also counts them: who then cannot
 * add them gives them back.  Of several processes that take at the same
 * moment those that come last get EDQUOT.
 */
int quota_look(const struct account *a, uint64_t bytes, uint64_t n);
int quota_take(const struct account *a, uint64_t bytes, uint64_t n);

/* n messages are gone from the account with this Maildir.  Needs no space
 * on the disk; what cannot be noted is found out when all is counted. */
void quota_give(int maildir, uint64_t bytes, uint64_t n);

/* The messages in one folder: 0, or -1 with errno. */
int quota_folder(int dir, uint64_t *bytes, uint64_t *n);

#endif
