/*
 * A message as readable UTF-8 text: the text view of mailfs (mailfs.md 5.1).
 *
 * Decoded From, To, Cc, Date and Subject, an empty line, the text parts
 * (HTML turned into text where there is no plain one), and one line for each
 * part that is not text.  C0 (but tab and LF), C1, bidirectional and other
 * format characters become U+FFFD: no terminal sequence passes.  LF ends.
 */
#ifndef POSTERN_MAIL_RENDER_H
#define POSTERN_MAIL_RENDER_H

#include "base/buf.h"
#include "base/span.h"

enum {
	RENDER_TEXT = 16777216 /* bytes of text shown of one message */
};

/* parts: the path shown for attachments ("/attach/" is added), or empty. */
int render_text(struct span message, struct span parts, struct buf *out);

#endif
