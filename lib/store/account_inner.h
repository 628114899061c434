/* What the files of account.h share: for lib/store only. */
#ifndef POSTERN_STORE_ACCOUNT_INNER_H
#define POSTERN_STORE_ACCOUNT_INNER_H

#include "store/account.h"

/* Under the account's lock: removes what deleted mailboxes left behind. */
void account_sweep(const struct account *a);

/* Completes a rename that was cut off, where nobody is at it.  What cannot
 * be done now is for the next one. */
void account_settle(const struct account *a);

#endif
