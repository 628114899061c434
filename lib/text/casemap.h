/* Text made ready for comparing: i;unicode-casemap (RFC 5051). */
#ifndef POSTERN_TEXT_CASEMAP_H
#define POSTERN_TEXT_CASEMAP_H

#include "base/buf.h"
#include "base/span.h"

/*
 * Each character in title case and taken apart, so that text in any case and
 * composed in any way has one form; U+FFFD for bytes that are no UTF-8.  A
 * letter without its accent is the beginning of the one with it.  0, or -1
 * with ENOBUFS, and what fits is in out.
 */
int casemap_add(struct span utf8, struct buf *out);

#endif
