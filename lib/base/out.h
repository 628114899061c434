/*
 * Buffered output with a sticky error.
 *
 * Bytes are gathered in the caller's array and written when it is full or
 * at out_flush.  After the first error nothing more is written and
 * out_flush tells; callers may ignore the rest.
 */
#ifndef POSTERN_BASE_OUT_H
#define POSTERN_BASE_OUT_H

#include "base/span.h"

#include <stdint.h>

/* Writes all n bytes by the monotonic deadline: 0, or -1 with errno. */
typedef int out_write_fn(void *ctx, const char *p, size_t n,
    int64_t deadline_ms);

struct out {
	out_write_fn *write; /* NULL: write(2) to fd */
	void *ctx;
	int fd;
	char *buf; /* the caller's */
	size_t size, n;
	int64_t timeout_ms; /* for each write; -1: none */
	int error;          /* the first errno, or 0 */
};

struct out out_fd(int fd, char *buf, size_t size);

/* What does not fit behind what is there. */
void out_past(struct out *o, const void *p, size_t n);
static inline void
out_add(struct out *o, const void *p, size_t n)
{
	if (n > o->size - o->n) {
		out_past(o, p, n);
		return;
	}
	if (n > 0)
		memcpy(o->buf + o->n, p, n);
	o->n += n;
}

static inline void
out_span(struct out *o, struct span s)
{
	out_add(o, s.p, s.n);
}

static inline void
out_str(struct out *o, const char *s)
{
	out_add(o, s, strlen(s));
}

void out_u64(struct out *o, uint64_t v);
/* Up to 1,023 bytes of formatted text; more is cut. */
void out_fmt(struct out *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* 0, or -1 with errno: the first error since the beginning. */
int out_flush(struct out *o);

#endif
