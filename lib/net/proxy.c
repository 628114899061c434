/* The header of the PROXY protocol. */
#include "net/proxy.h"

#include "base/io.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

static const struct span line_start = SPAN("PROXY ");
static const struct span signature =
    SPAN("\r\n\r\n\0\r\nQUIT\n");

/* Can more bytes make this what begins with start? */
static bool
may_be(struct span bytes, struct span start)
{
	size_t n = bytes.n < start.n ? bytes.n : start.n;

	return span_eq(span_head(bytes, n), span_head(start, n));
}

static bool
parse_address(struct span text, int family, unsigned char *out)
{
	char copy[INET6_ADDRSTRLEN];

	return span_copy(text, copy, sizeof copy) == 0 &&
	       inet_pton(family, copy, out) == 1;
}

/* 2.1: no zeros before it. */
static bool
is_port(struct span text)
{
	uint32_t port;

	return (text.n == 1 || span_at(text, 0) != '0') &&
	       num_parse_u32(text, 65535, &port);
}

/* What stands between "PROXY " and CRLF. */
static bool
parse_fields(struct span line, struct proxy *p)
{
	unsigned char other[PROXY_ADDRESS];
	struct span rest = line, protocol = span_take(&rest, ' ');
	struct span source, destination, port;
	bool six = span_is(protocol, "TCP6");
	int family = six ? AF_INET6 : AF_INET;

	if (span_is(protocol, "UNKNOWN"))
		return true;
	source = span_take(&rest, ' ');
	destination = span_take(&rest, ' ');
	port = span_take(&rest, ' ');
	if ((!six && !span_is(protocol, "TCP4")) ||
	    !parse_address(source, family, p->address) ||
	    !parse_address(destination, family, other) || !is_port(port) ||
	    !is_port(rest))
		return false;
	p->n = six ? 16 : 4;
	return true;
}

static int
parse_line(struct span bytes, struct proxy *p)
{
	struct span seen = span_head(bytes, PROXY_LINE);
	size_t lf = span_find(seen, '\n');
	size_t cr = span_find(seen, '\r');

	/* What stands behind the line is not ours to judge. */
	if (span_find(span_head(seen, lf), '\0') < lf)
		return -1;
	/* A CR may be the last byte so far, and CRLF must find room. */
	if (lf == seen.n)
		return cr + 1 >= seen.n && cr + 2 <= PROXY_LINE ? 0 : -1;
	if (cr + 1 != lf)
		return -1;
	p->size = lf + 1;
	return parse_fields(span_skip(span_head(seen, cr), line_start.n), p)
		   ? 1
		   : -1;
}

/* Bytes of both addresses and ports, or -1: no such family and protocol. */
static int
block_size(int family)
{
	switch (family) {
	case 0x00:
		return 0;
	case 0x11:
	case 0x12:
		return 12;
	case 0x21:
	case 0x22:
		return 36;
	case 0x31:
	case 0x32:
		return 216;
	default:
		return -1;
	}
}

/* All that stands behind the addresses is passed over. */
static int
parse_binary(struct span bytes, struct proxy *p)
{
	int command = span_at(bytes, 12), family = span_at(bytes, 13);
	size_t size;

	if (command != -1 && command != 0x20 && command != 0x21)
		return -1;
	/* LOCAL: the family is of no matter. */
	if (command == 0x21 && family != -1 && block_size(family) == -1)
		return -1;
	if (bytes.n < PROXY_FIXED)
		return 0;
	size = (size_t)span_at(bytes, 14) << 8 | (size_t)span_at(bytes, 15);
	if (size > PROXY_HEADER - PROXY_FIXED ||
	    (command == 0x21 && size < (size_t)block_size(family)))
		return -1;
	p->size = PROXY_FIXED + size;
	if (bytes.n < p->size)
		return 0;
	if (command == 0x21 && (family == 0x11 || family == 0x21)) {
		p->n = family == 0x11 ? 4 : 16;
		memcpy(p->address, bytes.p + PROXY_FIXED, p->n);
	}
	return 1;
}

int
proxy_parse(struct span bytes, struct proxy *p)
{
	static const unsigned char mapped[] = { [10] = 0xff, [11] = 0xff };
	int r = -1;

	*p = (struct proxy){ 0 };
	if (bytes.n == 0)
		return 0;
	if (may_be(bytes, line_start))
		r = parse_line(bytes, p);
	else if (may_be(bytes, signature))
		r = parse_binary(bytes, p);
	if (p->n == 16 && memcmp(p->address, mapped, sizeof mapped) == 0) {
		p->n = 4;
		memmove(p->address, p->address + sizeof mapped, p->n);
	}
	return r;
}

/*
 * What is there is looked at, and of that the header's bytes are taken: all
 * of them, as long as it is not complete.
 */
static int
take(int fd, char *p, size_t *n, struct proxy *out)
{
	ssize_t more =
	    recv(fd, p + *n, PROXY_HEADER - *n, MSG_PEEK | MSG_DONTWAIT);
	size_t wanted;
	int r;

	/* Health checks of HAProxy reset what they have opened. */
	if (more == 0 || (more == -1 && errno == ECONNRESET)) {
		errno = *n == 0 ? ENODATA : EPIPE;
		return -1;
	}
	if (more == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	r = proxy_parse(span_of(p, *n + (size_t)more), out);
	wanted = r == 1 ? out->size - *n : (size_t)more;
	if (r == -1 || recv(fd, p + *n, wanted, MSG_DONTWAIT) !=
			   (ssize_t)wanted) {
		errno = EPROTO;
		return -1;
	}
	*n += wanted;
	return r;
}

int
proxy_read(int fd, struct proxy *p, int64_t deadline_ms)
{
	char bytes[PROXY_HEADER];
	size_t n = 0;
	int r = 0;

	while (r == 0) {
		if (io_wait(fd, POLLIN, deadline_ms) == -1)
			return -1;
		/* Bytes that trickle in must not keep us. */
		if (io_now_ms() >= deadline_ms) {
			errno = ETIMEDOUT;
			return -1;
		}
		r = take(fd, bytes, &n, p);
	}
	return r == 1 ? 0 : -1;
}
