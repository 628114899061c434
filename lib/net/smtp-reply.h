/*
 * Replies of other mail servers (RFC 5321 4.2), which may lie.
 *
 * What is kept of the text is printable ASCII, one line, SMTP_REPLY_TEXT
 * bytes at most: fit for a log, an envelope or a report.
 */
#ifndef POSTERN_NET_SMTP_REPLY_H
#define POSTERN_NET_SMTP_REPLY_H

#include "base/span.h"

enum {
	SMTP_REPLY_TEXT = 400,
	SMTP_REPLY_LINES = 100,
	SMTP_REPLY_BYTES = 8192,
	SMTP_STATUS = 12 /* "5.123.456" with a NUL */
};

/* All zeros before the first line. */
struct smtp_reply {
	unsigned code; /* 200 to 599; lines that do not agree give 450 */
	size_t lines, bytes, n;
	char text[SMTP_REPLY_TEXT + 1]; /* code and texts, as they were sent */
};

/* The next line, without its end: 1 it was the last, 0 more must come, -1
 * it is no line of a reply, or one too many. */
int smtp_reply_line(struct smtp_reply *r, struct span line);

/* The text of a line, after its code and the byte behind it. */
struct span smtp_reply_text(struct span line);

/* The enhanced status code (RFC 3463): what the reply says where that is in
 * step with its code, or else X.0.0. */
void smtp_reply_status(const struct smtp_reply *r, char out[SMTP_STATUS]);

/* Copies text into out[size] as printable ASCII; others become `?'. */
size_t smtp_printable(struct span text, char *out, size_t size);

#endif
