/* The folder of a new mailbox. */
#ifndef POSTERN_TOOLS_HOME_H
#define POSTERN_TOOLS_HOME_H

#include "auth/users.h"

/*
 * Makes the record's Maildir below the root: parents mode 0755, the Maildir
 * itself 0700 with cur, new and tmp, owned by the record's uid and gid.
 * A Maildir that is there already is kept if it is theirs.  0, or -1 with
 * errno (EPERM: it belongs to somebody else).
 */
int home_make(const struct conf *c, const struct users_record *u);

#endif
