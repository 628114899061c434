/* Message identifiers (RFC 5322 3.6.4), as threads need them. */
#ifndef POSTERN_MAIL_MSGID_H
#define POSTERN_MAIL_MSGID_H

#include "base/buf.h"
#include "base/span.h"

/*
 * Takes the next identifier from a field's value: what stands in "<...>" with
 * an "@" in it, in the form that RFC 5256 compares (no quotes that need not
 * be, no blanks and line ends); text, comments and quoted strings between are
 * passed over.  In linear time.  1, in *id, which is emptied first; 0: no
 * more; -1: ENOBUFS.
 */
int msgid_next(struct span *rest, struct buf *id);

#endif
