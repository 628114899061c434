/* The client's bytes, in pieces, for the fuzz targets of the login programs;
 * what is answered must not depend on the pieces. */
#ifndef POSTERN_FUZZ_LOGIN_H
#define POSTERN_FUZZ_LOGIN_H

#include <stdlib.h>

#include "base/buf.h"
#include "net/login.h"

struct feed {
	const uint8_t *data;
	size_t n, piece;
	struct buf said;
};

static ssize_t
feed_read(void *ctx, char *p, size_t n, int64_t deadline_ms)
{
	struct feed *f = ctx;
	size_t some = f->n < f->piece ? f->n : f->piece;

	(void)deadline_ms;
	some = some < n ? some : n;
	memcpy(p, f->data, some);
	f->data += some;
	f->n -= some;
	return (ssize_t)some;
}

static int
feed_write(void *ctx, const char *p, size_t n, int64_t deadline_ms)
{
	struct feed *f = ctx;

	(void)deadline_ms;
	return buf_add(&f->said, p, n);
}

/* A connection that may log in in clear; nobody answers its frames. */
static void
feed_connect(struct login *l, struct feed *f)
{
	l->c.in = in_fd(-1, l->line, sizeof l->line);
	l->c.in.read = feed_read;
	l->c.in.ctx = f;
	l->c.out = out_fd(-1, l->c.out_buf, sizeof l->c.out_buf);
	l->c.out.write = feed_write;
	l->c.out.ctx = f;
	l->c.service = service_find("imap"); /* offers all mechanisms */
	l->c.clear_login = true;
	l->c.conf.auth_tries = 3;
	l->c.conf.mechanisms = UINT32_MAX;
	l->fresh = true;
}

/* serve answers one connection into said; both ways must be the same. */
static void
feed_both(const uint8_t *data, size_t n, void (*serve)(struct feed *))
{
	struct feed whole = { .data = data,
		.n = n,
		.piece = n ? n : 1,
		.said = buf_new(1 << 20) };
	struct feed bytes = {
		.data = data, .n = n, .piece = 1, .said = buf_new(1 << 20)
	};

	serve(&whole);
	serve(&bytes);
	if (!span_eq(buf_span(&whole.said), buf_span(&bytes.said)))
		abort();
	buf_free(&whole.said);
	buf_free(&bytes.said);
}

#endif
