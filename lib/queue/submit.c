/* Handing a message to enqueue, both sides. */
#include "queue/submit.h"

#include "base/io.h"
#include "base/num.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static int
send_all(void *ctx, const char *p, size_t n, int64_t deadline_ms)
{
	const int *fd = ctx;

	while (n > 0) {
		ssize_t r = send(*fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1 && errno == EAGAIN) {
			if (io_wait(*fd, POLLOUT, deadline_ms) == -1)
				return -1;
			continue;
		}
		if (r == -1)
			return -1;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

static void
put_netstring(struct out *o, struct span s)
{
	out_u64(o, s.n);
	out_str(o, ":");
	out_span(o, s);
	out_str(o, ",");
}

void
submit_begin(struct submit *s, int fd, char *buf, size_t size,
    struct span envelope)
{
	s->fd = fd;
	s->out = out_fd(fd, buf, size);
	s->out.write = send_all;
	s->out.ctx = &s->fd;
	s->out.timeout_ms = SUBMIT_WRITE_MS;
	put_netstring(&s->out, envelope);
}

void
submit_body(struct submit *s, struct span bytes)
{
	while (bytes.n > 0) {
		struct span chunk = span_head(bytes, SUBMIT_CHUNK);

		put_netstring(&s->out, chunk);
		bytes = span_skip(bytes, chunk.n);
	}
}

/* Splits "K text" into its letter and text. */
static char
verdict(struct span line, char answer[SUBMIT_ANSWER])
{
	int c = span_at(line, 0);

	if ((c != 'K' && c != 'Z' && c != 'D') || span_at(line, 1) != ' ' ||
	    span_copy(span_skip(line, 2), answer, SUBMIT_ANSWER) == -1) {
		memcpy(answer, "bad answer", sizeof "bad answer");
		return 'Z';
	}
	return (char)c;
}

char
submit_end(struct submit *s, char answer[SUBMIT_ANSWER], int64_t deadline_ms)
{
	char room[SUBMIT_ANSWER];
	struct in in = in_fd(s->fd, room, sizeof room);
	struct span line;

	put_netstring(&s->out, span_of(NULL, 0));
	/* After an error too: an early answer may have been its cause. */
	(void)out_flush(&s->out);
	in.deadline_ms = deadline_ms;
	in.lf_ok = true;
	if (in_line(&in, &line) == 1)
		return verdict(line, answer);
	memcpy(answer, "no answer", sizeof "no answer");
	return 'Z';
}

/* One byte: 0, or -1 with EPIPE at the end of the stream. */
static int
next_byte(struct in *in, char *c)
{
	struct span s;
	int r = in_some(in, 1, &s);

	if (r == 1) {
		*c = s.p[0];
		return 0;
	}
	if (r == 0)
		errno = EPIPE;
	return -1;
}

/* The length before a netstring's bytes; no leading zeros. */
static int
read_length(struct in *in, size_t max, size_t *length)
{
	size_t n = 0;
	char c;

	for (int digits = 0;; digits++) {
		if (next_byte(in, &c) == -1)
			return -1;
		if (c == ':' && digits > 0)
			break;
		if (c < '0' || c > '9' || (digits > 0 && n == 0)) {
			errno = EBADMSG;
			return -1;
		}
		n = n * 10 + (size_t)(c - '0');
		if (n > max) {
			errno = EMSGSIZE;
			return -1;
		}
	}
	*length = n;
	return 0;
}

static int
read_comma(struct in *in)
{
	char c;

	if (next_byte(in, &c) == -1)
		return -1;
	if (c == ',')
		return 0;
	errno = EBADMSG;
	return -1;
}

/* Up to r->left bytes of the netstring, and its comma after the last. */
static int
read_part(struct submit_reader *r, struct span *bytes)
{
	int n = in_some(r->in, r->left, bytes);

	if (n == 1) {
		r->left -= bytes->n;
		return 0;
	}
	if (n == 0)
		errno = EPIPE;
	return -1;
}

int
submit_read_envelope(struct submit_reader *r, struct buf *fields)
{
	struct span part;

	if (read_length(r->in, fields->cap, &r->left) == -1)
		return -1;
	while (r->left > 0)
		if (read_part(r, &part) == -1 ||
		    buf_add_span(fields, part) == -1)
			return -1;
	return read_comma(r->in);
}

/*
 * A netstring's comma is read before the next one's length, not after its
 * last byte: reading it would make bytes invalid.
 */
int
submit_read_body(struct submit_reader *r, struct span *bytes)
{
	if (r->left == 0) {
		if (r->begun && read_comma(r->in) == -1)
			return -1;
		if (read_length(r->in, SUBMIT_CHUNK, &r->left) == -1)
			return -1;
		r->begun = true;
		if (r->left == 0)
			return read_comma(r->in);
	}
	return read_part(r, bytes) == -1 ? -1 : 1;
}
