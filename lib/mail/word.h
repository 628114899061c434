/* Encoded words (RFC 2047) and parameter values (RFC 2231) to UTF-8. */
#ifndef POSTERN_MAIL_WORD_H
#define POSTERN_MAIL_WORD_H

#include "base/buf.h"
#include "base/span.h"

/*
 * An unstructured field value, unfolded and decoded once, in UTF-8: for
 * display and search only.  Broken words stay as they are; unknown charsets
 * are shown as ASCII with U+FFFD; NUL, CR and LF are dropped.
 */
int word_decode(struct span value, struct buf *out);

#endif
