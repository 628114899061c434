/* Modified UTF-7 of mailbox names (RFC 3501 5.1.3). */
#ifndef POSTERN_TEXT_UTF7_H
#define POSTERN_TEXT_UTF7_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

/* From UTF-8; false: not UTF-8. */
bool utf7_encode(struct span utf8, struct buf *out);
/* To UTF-8; false: not in canonical form (any other spelling of a name is
 * refused, so that two spellings never name one mailbox). */
bool utf7_decode(struct span utf7, struct buf *out);

#endif
