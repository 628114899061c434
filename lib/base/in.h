/*
 * The one bounded reader: all network input goes through it.
 *
 * Reads lines and counted bytes from a source (a descriptor, or a function
 * for TLS) through the caller's array.  A deadline is absolute: bytes that
 * trickle in do not move it.  Lines end in CRLF; a bare LF is taken as a
 * line end only with lf_ok (a terminal), and a bare CR or NUL never is.
 */
#ifndef POSTERN_BASE_IN_H
#define POSTERN_BASE_IN_H

#include "base/span.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * Reads up to n bytes by the monotonic deadline: the count, 0 at the end,
 * -1 with errno (ETIMEDOUT, or what the source says).
 */
typedef ssize_t in_read_fn(void *ctx, char *p, size_t n, int64_t deadline_ms);

struct in {
	in_read_fn *read; /* NULL: read(2) from fd */
	void *ctx;
	int fd;
	char *buf; /* the caller's */
	size_t size;
	size_t start, end;   /* unread bytes are buf[start, end) */
	int64_t deadline_ms; /* monotonic; -1: none */
	bool lf_ok;
	/*
	 * Take from the socket just the bytes of the line and not one more
	 * (MSG_PEEK): for a login in clear, after which another program
	 * reads on.  Only with fd a socket.
	 */
	bool exact;
};

struct in in_fd(int fd, char *buf, size_t size);

/* The deadline becomes ms milliseconds from now. */
void in_deadline(struct in *in, int64_t ms);

/*
 * The next line without its end; valid until the next call.  1; 0 at the
 * end of input (a part of a line is dropped: *line is empty); -1 with errno
 * ETIMEDOUT, EMSGSIZE (no line end in size bytes), EBADMSG (a bare CR, bare
 * LF or NUL in it; the line is consumed and returned in *line) or the
 * source's error.
 */
int in_line(struct in *in, struct span *line);

/*
 * Some bytes, at least 1 and at most n, without copying; they are consumed.
 * 1, 0 at the end, -1 with errno.
 */
int in_some(struct in *in, size_t n, struct span *bytes);

/* Reads more into the array: 1, 0 at the end, -1 (EMSGSIZE: it is full). */
int in_fill(struct in *in);

/* Bytes that are read and not yet taken. */
static inline struct span
in_pending(const struct in *in)
{
	return span_of(in->buf + in->start, in->end - in->start);
}

static inline void
in_consume(struct in *in, size_t n)
{
	in->start += n;
}

/* Forgets what is pending (before STARTTLS); clears the bytes. */
void in_discard(struct in *in);

/* True if in_line would return at once. */
bool in_has_line(const struct in *in);

#endif
