/*
 * Which system calls a jailed program may make: for base/jail.h only.
 */
#ifndef POSTERN_BASE_CALLS_H
#define POSTERN_BASE_CALLS_H

#include "base/jail.h"

/*
 * From now on any call but those of the list ends the process (SIGSYS), and
 * so its children's.  no_new_privs must be set.  Lists only ever narrow one
 * another.  0, or -1 with errno.
 */
int calls_limit(enum jail_kind kind);

#endif
