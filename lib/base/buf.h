/*
 * A growing buffer with a limit.
 *
 * The limit is part of the buffer: what would pass it is not added, the
 * buffer is marked full, and every later addition fails too, so a caller may
 * add many pieces and look once.  Out of memory ends the process.
 */
#ifndef POSTERN_BASE_BUF_H
#define POSTERN_BASE_BUF_H

#include "base/span.h"

#include <stdint.h>

struct buf {
	char *p;
	size_t n, size; /* used and allocated bytes */
	size_t cap;     /* at most so many bytes */
	bool full;      /* something did not fit */
};

/* An empty buffer that may hold up to cap bytes; allocates nothing. */
struct buf buf_new(size_t cap);
void buf_free(struct buf *b);
/* Empty and no longer full; keeps the memory. */
void buf_reset(struct buf *b);
/* As buf_free, after clearing the bytes: for secrets. */
void buf_wipe(struct buf *b);

/* 0, or -1 with errno ENOBUFS when the limit would be passed. */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_add_span(struct buf *b, struct span s);
int buf_add_str(struct buf *b, const char *s);
int buf_add_byte(struct buf *b, char c);
int buf_add_u64(struct buf *b, uint64_t v); /* in decimal */
int buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for n more bytes at the end: where they go, or NULL with ENOBUFS. */
char *buf_room(struct buf *b, size_t n);

static inline struct span
buf_span(const struct buf *b)
{
	return span_of(b->p, b->n);
}

/* The bytes as a C string (a NUL is kept behind them, not counted). */
const char *buf_cstr(struct buf *b);

#endif
