/* Buffered output with a sticky error. */
#include "base/out.h"

#include "base/io.h"
#include "base/num.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct out
out_fd(int fd, char *buf, size_t size)
{
	return (struct out){
		.fd = fd, .buf = buf, .size = size, .timeout_ms = -1
	};
}

/*
 * As much as goes without waiting.  A descriptor that is ready takes some
 * bytes, not all: a blocking write of more would wait without an end.
 */
static ssize_t
write_some(int fd, const char *p, size_t n)
{
	ssize_t r = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	/* Of a pipe ready means room for so much (pipe(7)). */
	if (r == -1 && errno == ENOTSOCK && io_wait(fd, POLLOUT, 0) == 0)
		return write(fd, p, n < PIPE_BUF ? n : PIPE_BUF);
	if (r == -1 && errno == ETIMEDOUT)
		errno = EAGAIN;
	return r;
}

static int
write_fd(int fd, const char *p, size_t n, int64_t deadline_ms)
{
	while (n > 0) {
		ssize_t r = deadline_ms < 0 ? write(fd, p, n)
					    : write_some(fd, p, n);

		if (r == -1 && errno == EAGAIN &&
		    io_wait(fd, POLLOUT, deadline_ms) == 0)
			continue;
		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return -1;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

static void
write_now(struct out *o, const char *p, size_t n)
{
	int64_t deadline = o->timeout_ms < 0 ? -1 : io_now_ms() + o->timeout_ms;
	int r;

	if (o->error || n == 0)
		return;
	r = o->write ? o->write(o->ctx, p, n, deadline)
		     : write_fd(o->fd, p, n, deadline);
	if (r == -1)
		o->error = errno ? errno : EIO;
}

static void
write_buffer(struct out *o)
{
	write_now(o, o->buf, o->n);
	o->n = 0;
}

void
out_past(struct out *o, const void *p, size_t n)
{
	write_buffer(o);
	if (n > o->size)
		write_now(o, p, n);
	else
		out_add(o, p, n);
}

void
out_u64(struct out *o, uint64_t v)
{
	char text[NUM_TEXT];

	out_add(o, text, num_text(v, text));
}

void
out_fmt(struct out *o, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	out_add(o, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

int
out_flush(struct out *o)
{
	write_buffer(o);
	if (o->error == 0)
		return 0;
	errno = o->error;
	return -1;
}
