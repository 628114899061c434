/*
 * A stored message on its way to a POP3 client: line ends become CRLF, a
 * line that begins with a dot gets another one before it (RFC 1939
 * section 3).
 *
 * Bytes may come in pieces of any size.  A CR that stands alone is sent as
 * it is: it is part of the message, and not a line end.
 */
#ifndef POSTERN_POP3_WIRE_H
#define POSTERN_POP3_WIRE_H

#include "base/out.h"
#include "base/span.h"

#include <stdint.h>

struct wire {
	struct out *out;
	uint64_t column; /* bytes of this line so far */
	bool after_cr;   /* the last byte was a CR */
	bool in_body;    /* the empty line is behind us */
	bool limited;    /* TOP: only so many lines of the body */
	uint64_t lines;  /* that are left, where limited */
	uint64_t bytes;  /* sent of the message, without stuffed dots */
};

/* The whole message; with limited, its header and so many lines. */
struct wire wire_new(struct out *out, bool limited, uint64_t lines);

/* False once no more bytes are wanted. */
bool wire_add(struct wire *w, struct span bytes);

/* Ends a last line that has no end, and sends the final dot. */
void wire_end(struct wire *w);

#endif
