/*
 * The header of the PROXY protocol, versions 1 and 2 (HAProxy's
 * proxy-protocol.txt), by which a proxy says whose connection it passes on.
 * It comes before the first byte of the client's, TLS included.  What stands
 * behind the addresses of version 2, checksums too, is passed over.
 */
#ifndef POSTERN_NET_PROXY_H
#define POSTERN_NET_PROXY_H

#include "base/span.h"

#include <stdint.h>

enum {
	PROXY_LINE = 107, /* bytes of a header of version 1, CRLF included */
	PROXY_FIXED = 16, /* of version 2, before the addresses */
	/* And with all that stands behind them; the specification wants it
	 * to fit into 536. */
	PROXY_HEADER = 2048,
	PROXY_ADDRESS = 16
};

struct proxy {
	size_t size; /* bytes of the header */
	/* Of the client's address: 4 (IPv4, also where it came as IPv6), 16,
	 * or 0 where the proxy speaks for itself or does not know. */
	size_t n;
	unsigned char address[PROXY_ADDRESS];
};

/* 1: the header is there, *p says what it says; 0: more is needed; -1: no
 * header begins like this. */
int proxy_parse(struct span bytes, struct proxy *p);

/*
 * Takes the header from a socket, and not a byte more.  0, or -1 with errno
 * EPROTO (not a header), ETIMEDOUT, EPIPE (the end came within it) or
 * ENODATA (the end came first).
 */
int proxy_read(int fd, struct proxy *p, int64_t deadline_ms);

#endif
