/*
 * The header of a message (RFC 5322 2.2), field by field.
 *
 * Works on a span that holds the header with LF or CRLF line ends, in
 * linear time and without allocating.
 */
#ifndef POSTERN_MAIL_HEADER_H
#define POSTERN_MAIL_HEADER_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

enum {
	HEADER_LINE = 65536 /* bytes of a line in which a colon is looked for */
};

struct header_field {
	struct span name;  /* without the colon */
	struct span value; /* folded as it stands, without the last line end */
	struct span whole; /* name to line end */
};

/* Takes the next field from *rest; false at the end of the header (the
 * empty line, which is taken too, or the end of the text). */
bool header_next(struct span *rest, struct header_field *f);

/* The first field of that name (any case); false if there is none. */
bool header_get(struct span header, const char *name, struct header_field *f);

/* True for a line that may stand in a header: a field, what continues one,
 * or the "From " line of an mbox. */
bool header_is_field(struct span line);

/* The value unfolded: a line end and the blanks after it become one space;
 * trimmed. */
int header_unfold(struct span value, struct buf *out);

/*
 * Length of the header with its empty line.  Where there is no empty line
 * it ends before the first line that is no field, or with the text.
 */
size_t header_length(struct span text);

#endif
