/* Base subjects (RFC 5256 2.1): what messages of one thread have in common. */
#ifndef POSTERN_MAIL_SUBJECT_H
#define POSTERN_MAIL_SUBJECT_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

/*
 * The base subject of a decoded one (mail/word.h), appended to out; *reply is
 * true where "re", "fwd" or their like were taken away.  In linear time.
 * 0, or -1 with ENOBUFS.
 */
int subject_base(struct span subject, struct buf *out, bool *reply);

#endif
