/* Patterns of LIST and LSUB (RFC 3501 6.3.8). */
#ifndef POSTERN_IMAP_MATCH_H
#define POSTERN_IMAP_MATCH_H

#include "base/span.h"

/* "*" stands for anything, "%" for anything without "/". */
bool match_name(struct span pattern, struct span name);

#endif
