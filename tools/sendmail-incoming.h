/* sendmail: the message on fd 0.  What is wrong with it ends the program. */
#ifndef POSTERN_TOOLS_SENDMAIL_INCOMING_H
#define POSTERN_TOOLS_SENDMAIL_INCOMING_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum { INCOMING_READ = 6144, INCOMING_ROOM = 2 * INCOMING_READ + 2 };

struct incoming {
	bool ignore_dots; /* one alone on a line is text (-i) */
	struct buf header;
	struct buf rest; /* bytes of the body that were read with it */
	bool eof, after_cr, after_dot, line_begins;
};

/* Reads the header: whole lines that are fields. */
void incoming_header(struct incoming *m);

/* The next bytes, behind rest, of the body: how many, 0 at its end. */
size_t incoming_some(struct incoming *m, char out[INCOMING_ROOM]);

#endif
