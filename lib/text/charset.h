/* Any charset to UTF-8, by iconv. */
#ifndef POSTERN_TEXT_CHARSET_H
#define POSTERN_TEXT_CHARSET_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

/*
 * s from the charset named to UTF-8, appended to out.  What cannot be
 * converted becomes U+FFFD; an unknown charset is read as UTF-8 where it is
 * valid, else as ASCII.  0, or -1 (ENOBUFS).
 */
int charset_to_utf8(struct span charset, struct span s, struct buf *out);
/* False for a charset that nothing is known of. */
bool charset_is_known(struct span charset);

#endif
