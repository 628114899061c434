/* The one bounded reader. */
#include "base/in.h"

#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

struct in
in_fd(int fd, char *buf, size_t size)
{
	return (struct in){
		.fd = fd, .buf = buf, .size = size, .deadline_ms = -1
	};
}

void
in_deadline(struct in *in, int64_t ms)
{
	in->deadline_ms = io_now_ms() + ms;
}

/* Up to and with the first LF among n bytes, or all n. */
static size_t
through_lf(const char *p, size_t n)
{
	size_t at = span_find(span_of(p, n), '\n');

	return at < n ? at + 1 : n;
}

static ssize_t
read_exact_line(struct in *in, char *p, size_t n)
{
	ssize_t r = recv(in->fd, p, n, MSG_PEEK | MSG_DONTWAIT);

	if (r <= 0)
		return r;
	return recv(in->fd, p, through_lf(p, (size_t)r), MSG_DONTWAIT);
}

static ssize_t
read_source(struct in *in, char *p, size_t n)
{
	if (in->read)
		return in->read(in->ctx, p, n, in->deadline_ms);
	for (;;) {
		ssize_t r;

		if (io_wait(in->fd, POLLIN, in->deadline_ms) == -1)
			return -1;
		r = in->exact ? read_exact_line(in, p, n)
			      : read(in->fd, p, n);
		if (r != -1 || (errno != EINTR && errno != EAGAIN))
			return r;
	}
}

int
in_fill(struct in *in)
{
	ssize_t r;

	if (in->start > 0) {
		memmove(in->buf, in->buf + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
	}
	if (in->end == in->size) {
		errno = EMSGSIZE;
		return -1;
	}
	r = read_source(in, in->buf + in->end, in->size - in->end);
	if (r <= 0)
		return (int)r;
	in->end += (size_t)r;
	return 1;
}

/* The line's text without its end; false if the end or a byte is wrong. */
static bool
strip_end(const struct in *in, struct span raw, struct span *line)
{
	raw.n--;
	if (raw.n > 0 && raw.p[raw.n - 1] == '\r')
		raw.n--;
	else if (!in->lf_ok) {
		*line = raw;
		return false;
	}
	*line = raw;
	return span_find(raw, '\r') == raw.n && span_find(raw, '\0') == raw.n;
}

int
in_line(struct in *in, struct span *line)
{
	size_t seen = 0;

	*line = span_of(NULL, 0);
	for (;;) {
		struct span have = in_pending(in);
		size_t at = span_find(span_skip(have, seen), '\n');
		int r;

		if (seen + at < have.n) {
			in_consume(in, seen + at + 1);
			if (strip_end(in, span_head(have, seen + at + 1), line))
				return 1;
			errno = EBADMSG;
			return -1;
		}
		seen = have.n;
		if ((r = in_fill(in)) <= 0)
			return r;
	}
}

int
in_some(struct in *in, size_t n, struct span *bytes)
{
	*bytes = span_of(NULL, 0);
	if (in->start == in->end) {
		int r = in_fill(in);

		if (r <= 0)
			return r;
	}
	*bytes = span_head(in_pending(in), n);
	in_consume(in, bytes->n);
	return 1;
}

void
in_discard(struct in *in)
{
	explicit_bzero(in->buf, in->size);
	in->start = in->end = 0;
}

bool
in_has_line(const struct in *in)
{
	struct span have = in_pending(in);

	return span_find(have, '\n') < have.n;
}
