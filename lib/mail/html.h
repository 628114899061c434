/* HTML to readable text: small, bounded, in linear time.  Not a parser of
 * all HTML; nothing is fetched, run or laid out. */
#ifndef POSTERN_MAIL_HTML_H
#define POSTERN_MAIL_HTML_H

#include "base/buf.h"
#include "base/span.h"

/* From UTF-8 to UTF-8 with LF line ends; links follow their text in angle
 * brackets.  0, or -1 (ENOBUFS). */
int html_to_text(struct span html, struct buf *out);

#endif
