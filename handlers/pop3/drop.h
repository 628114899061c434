/*
 * The maildrop of one POP3 session: INBOX as it was at login.
 *
 * Message i of the session is msgs[i] of the mailbox for as long as the
 * session lasts; what arrives later is not seen.  Marks are the session's
 * own until drop_update, which is the only thing here that changes mail.
 */
#ifndef POSTERN_POP3_DROP_H
#define POSTERN_POP3_DROP_H

#include "base/arena.h"
#include "store/mailbox.h"

enum drop_mark {
	DROP_DELETED = 1,
	DROP_FETCHED = 2 /* RETR sent it to its end */
};

struct drop {
	struct account account;
	struct mailbox *mailbox;
	int lock;
	size_t n; /* messages at login */
	unsigned char *marks;
	struct arena arena;
};

/*
 * Locks and opens the maildrop at path.  0, or -1 with errno: EBUSY is
 * another POP3 session (RFC 2449 8.1.2), anything else a local fault.
 */
int drop_open(struct drop *d, const char *path);

/* Lets go of the lock; changes nothing. */
void drop_close(struct drop *d);

/* How many messages are not marked deleted, and their size together. */
void drop_count(const struct drop *d, size_t *n, uint64_t *size);

/* What RETR sends, before dots are stuffed (RFC 1939 section 11). */
uint64_t drop_size(const struct drop *d, size_t i);

/*
 * QUIT: removes what is marked deleted, all in one batch, and sets \Seen
 * on the rest of what was fetched.  0, or -1 with errno, where some that were
 * marked deleted are still there; nothing else ever goes.
 */
int drop_update(struct drop *d);

#endif
