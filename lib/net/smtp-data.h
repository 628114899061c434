/*
 * Message text between SMTP's form (CRLF, stuffed dots, CRLF.CRLF at the
 * end) and ours (LF), byte by byte and in pieces of any size (RFC 5321
 * 4.1.1.4, 4.5.2).
 *
 * Only CR LF is a line end, and only CR LF . CR LF is the end of the text.
 */
#ifndef POSTERN_NET_SMTP_DATA_H
#define POSTERN_NET_SMTP_DATA_H

#include "base/span.h"

enum smtp_data {
	SMTP_DATA_MORE, /* all of the input is used up, or out is full */
	SMTP_DATA_BARE, /* a CR, LF or NUL that is none of a line end */
	SMTP_DATA_END   /* the end; what follows is not the text's */
};

/* All zeros is the beginning of a text. */
struct smtp_unstuff {
	enum {
		UNSTUFF_START, /* at the beginning of a line */
		UNSTUFF_TEXT,
		UNSTUFF_CR,  /* a CR that may begin a line end */
		UNSTUFF_DOT, /* a dot that begins a line */
		UNSTUFF_DOT_CR
	} state;
};

/*
 * Takes bytes from *in and writes the text with LF to out[size]; *n counts
 * what was written, never more than was taken.  After SMTP_DATA_BARE (the
 * byte is taken and left out) a caller may go on, to find the end.
 */
enum smtp_data smtp_unstuff(
    struct smtp_unstuff *u, struct span *in, char *out, size_t size, size_t *n);

/* .bol true is the beginning of a text. */
struct smtp_stuff {
	bool bol; /* at the beginning of a line */
	bool cr;  /* a CR is held back */
};

/*
 * Takes bytes from *in, text with LF line ends, and writes SMTP's form to
 * out[size], size at least 4; returns how many bytes.  A CR before a LF goes
 * with it; a CR anywhere else, and a NUL, become a blank, so that no receiver
 * can see a line end where there was none in ours.
 */
size_t smtp_stuff(
    struct smtp_stuff *s, struct span *in, char *out, size_t size);

/* What ends the text, after the last byte: the line end that it may lack,
 * and the dot.  At most 6 bytes; returns how many. */
size_t smtp_stuff_end(struct smtp_stuff *s, char out[6]);

#endif
