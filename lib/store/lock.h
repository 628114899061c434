/* Locks between processes, and the account's counter behind one. */
#ifndef POSTERN_STORE_LOCK_H
#define POSTERN_STORE_LOCK_H

#include <stdint.h>

/*
 * The whole of fd for this descriptor alone, waited for up to ms
 * milliseconds: 0, or -1 with errno ETIMEDOUT or another.  Belongs to the
 * open file (F_OFD_SETLK) and goes with its last descriptor.
 */
int lock_take(int fd, int64_t ms);
void lock_drop(int fd);

/*
 * The account's lock: a descriptor, -1 with errno; closing it unlocks.  It
 * guards the tree of folders, the subscriptions and the counter.
 */
int lock_account(int dir);

/*
 * A UIDVALIDITY that no mailbox of the account had before, greater than
 * `above' too; durable.  0 (never a valid one) with errno on failure.
 */
uint32_t lock_uidvalidity(int account, uint32_t above);

/* From now on none is given up to this value; durable.  0, or -1. */
int lock_uidvalidity_past(int account, uint32_t value);

#endif
