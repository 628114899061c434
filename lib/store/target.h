/* The mailbox that messages are put into: for lib/store only. */
#ifndef POSTERN_STORE_TARGET_H
#define POSTERN_STORE_TARGET_H

#include "store/state.h"

/* The target, locked; what goes into it in one frame. */
struct target {
	struct mailbox *m;
	int tmp;
	struct batch f;
	struct arena names; /* of the copies */
	struct scan_times before, known; /* known: before the copies */
	struct buf ids; /* of the messages that it has, sorted: uint64_t */
	size_t looks;   /* for one of them */
	uint32_t uid;
	bool all_at_once, unsettled;        /* sources: see settle */
	uint64_t keyword[MAILBOX_KEYWORDS]; /* of the source, in the target */
	size_t nkeywords;                   /* with those in f */
	char fresh[MAILBOX_KEYWORDS][MAILBOX_KEYWORD];
};

/* Opens and locks it: 0, or -1; target_end is called in any case. */
int target_begin(
    struct target *t, const struct account *a, struct span name, bool light);
void target_end(struct target *t, const struct account *a, struct span name);

/* The target's bit for a keyword, which is added where it is new; 0 where
 * there is no room. */
uint64_t target_keyword(struct target *t, struct span keyword);

/* The file name of a message in cur/. */
int target_name(
    const char *base, const struct message *msg, char out[MAILDIR_NAME]);

/* What a draft that is written becomes. */
int target_message(
    struct message *msg, const struct maildir_draft *d, unsigned flags);

/* k of n are ready in tmp/, from UID first on: durably in, all of them or
 * none. */
int target_commit(
    struct target *t, char *const *names, size_t k, size_t n, uint32_t first);

#endif
