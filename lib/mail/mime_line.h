/* The lines of a message, one after the other. */
#ifndef POSTERN_MAIL_MIME_LINE_H
#define POSTERN_MAIL_MIME_LINE_H

#include "mail/source.h"

#include <stdbool.h>

struct mime_line {
	struct span head; /* its first HEADER_LINE bytes, or all */
	uint64_t n;       /* bytes with its end */
	bool lf, cr;      /* how it ends */
};

struct mime_lines {
	const struct source *source;
	struct buf window, rest; /* where the source is read */
	uint64_t window_at;
};

struct mime_lines mime_lines(const struct source *s);
void mime_lines_free(struct mime_lines *l);

/* The line at an offset below the size; good until the next call.  0, or -1
 * with errno. */
int mime_line(struct mime_lines *l, uint64_t at, struct mime_line *line);

#endif
