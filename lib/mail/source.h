/*
 * Where the bytes of a message are: in memory, or in a file that is read as
 * far as is needed.
 */
#ifndef POSTERN_MAIL_SOURCE_H
#define POSTERN_MAIL_SOURCE_H

#include "base/buf.h"
#include "base/span.h"

#include <stdint.h>

struct source {
	uint64_t size;
	const char *text; /* all of it; NULL: it is read */
	/* Exactly n bytes that lie inside: 0, or -1 with errno. */
	int (*read)(void *ctx, uint64_t at, char *to, size_t n);
	void *ctx;
};

struct source source_text(struct span text);

/* n bytes that lie inside: where they are, or in b, which is emptied for
 * them.  0, or -1 with errno (ENOBUFS: b is too small). */
int source_span(const struct source *s, uint64_t at, size_t n, struct buf *b,
    struct span *out);

#endif
