/* The header of the PROXY protocol, and networks; prints TAP. */
#include "net/proxy.h"

#include "base/io.h"
#include "base/network.h"
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FOUR "\xc0\x00\x02\x07\x0a\x00\x00\x01\xd9\x03\x03\xe1"
#define SIX                                                                    \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05"                           \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x06\xd9\x03\x03\xe1"
#define MAPPED                                                                 \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07"                         \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x00\x00\x01\xd9\x03\x03\xe1"

struct row {
	const char *name;
	struct span bytes;
	int result;
	const char *address; /* "": none */
};

#define LINE(text, result, address)                                           \
	{                                                                      \
		text, SPAN(text), result, address                              \
	}
#define BINARY(name, text, result, address)                                   \
	{                                                                      \
		name, SPAN(SIGNATURE text), result, address                    \
	}
#define LONG "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

static const struct row rows[] = {
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 55555 993\r\n", 1, "192.0.2.7"),
	LINE("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", 1,
	    "255.255.255.255"),
	LINE("PROXY TCP4 0.0.0.0 10.0.0.1 0 0\r\n", 1, "0.0.0.0"),
	LINE("PROXY TCP6 2001:db8::5 2001:db8::6 55555 993\r\n", 1,
	    "2001:db8::5"),
	LINE("PROXY TCP6 " LONG " " LONG " 65535 65535\r\n", 1, LONG),
	LINE("PROXY TCP6 ::FFFF:192.0.2.7 ::1 1 2\r\n", 1, "192.0.2.7"),
	LINE("PROXY UNKNOWN\r\n", 1, ""),
	LINE("PROXY UNKNOWN whatever 1.2.3.4\r\n", 1, ""),
	LINE("PROXY UNKNOWN " LONG " " LONG " 65535 65535\r\n", 1, ""),
	LINE("PROXY UNKNOWN " LONG " " LONG " 65535 655350\r\n", -1, ""),
	LINE("PROXY UNKNOWN " LONG " " LONG " 65535 65535", 0, ""),
	LINE("PROXY UNKNOWN " LONG " " LONG " 65535 65535 ", -1, ""),
	LINE("", 0, ""),
	LINE("P", 0, ""),
	LINE("PROXY ", 0, ""),
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 55555 993", 0, ""),
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 55555 993\r", 0, ""),
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 55555 993\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 55555 993\rx", -1, ""),
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 55555 993\r\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.7\n10.0.0.1 55555 993\r\n", -1, ""),
	LINE("PROXY\r\n", -1, ""),
	LINE("PROXY \r\n", -1, ""),
	LINE("proxy TCP4 192.0.2.7 10.0.0.1 55555 993\r\n", -1, ""),
	LINE("PROXY  TCP4 192.0.2.7 10.0.0.1 55555 993\r\n", -1, ""),
	LINE("PROXY tcp4 192.0.2.7 10.0.0.1 55555 993\r\n", -1, ""),
	LINE("PROXY UDP4 192.0.2.7 10.0.0.1 55555 993\r\n", -1, ""),
	LINE("PROXY UNKNOWNX\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.7  10.0.0.1 55555 993\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 55555 993 \r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 55555\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 55555 993 1\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.007 10.0.0.1 55555 993\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2 10.0.0.1 55555 993\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.256 10.0.0.1 55555 993\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 055 993\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 65536 993\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.7 10.0.0.1 -1 993\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.7 2001:db8::6 1 2\r\n", -1, ""),
	LINE("PROXY TCP4 2001:db8::5 2001:db8::6 1 2\r\n", -1, ""),
	LINE("PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n", -1, ""),
	LINE("PROXY TCP6 2001:db8::5::1 2001:db8::6 1 2\r\n", -1, ""),
	LINE("PROXY TCP6 fe80::1%lo 2001:db8::6 1 2\r\n", -1, ""),
	LINE("PROXY TCP4 192.0.2.7\0 10.0.0.1 1 2\r\n", -1, ""),
	LINE("EHLO client.example.net\r\n", -1, ""),
	LINE("\x16\x03\x01\x02", -1, ""),
	LINE("\r\n\r\n\r", -1, ""),
	BINARY("signature alone", "", 0, ""),
	BINARY("TCP over IPv4", "\x21\x11\0\x0c" FOUR, 1, "192.0.2.7"),
	BINARY("TCP over IPv6", "\x21\x21\0\x24" SIX, 1, "2001:db8::5"),
	BINARY("IPv4 as IPv6", "\x21\x21\0\x24" MAPPED, 1, "192.0.2.7"),
	BINARY("with values behind", "\x21\x11\0\x13" FOUR "\x04\0\x04xxxx",
	    1, "192.0.2.7"),
	BINARY("values that are none are passed over",
	    "\x21\x11\0\x0d" FOUR "\x04", 1, "192.0.2.7"),
	BINARY("one byte less", "\x21\x11\0\x0d" FOUR, 0, ""),
	BINARY("too short for IPv4", "\x21\x11\0\x0b" FOUR, -1, ""),
	BINARY("too short for IPv6", "\x21\x21\0\x23" SIX, -1, ""),
	BINARY("too short for a socket", "\x21\x31\0\x0c" FOUR, -1, ""),
	BINARY("UDP", "\x21\x12\0\x0c" FOUR, 1, ""),
	BINARY("UNSPEC", "\x21\x00\0\0", 1, ""),
	BINARY("UNSPEC with a block", "\x21\x00\0\x0c" FOUR, 1, ""),
	BINARY("LOCAL", "\x20\x00\0\0", 1, ""),
	BINARY("LOCAL with addresses", "\x20\x11\0\x0c" FOUR, 1, ""),
	BINARY("LOCAL of any family", "\x20\xff\0\0", 1, ""),
	BINARY("LOCAL, its block not there yet", "\x20\x00\0\x0c" "x", 0, ""),
	BINARY("version 1", "\x11\x11\0\x0c" FOUR, -1, ""),
	BINARY("version 3", "\x31", -1, ""),
	BINARY("an unknown command", "\x22", -1, ""),
	BINARY("an unknown family", "\x21\x41", -1, ""),
	BINARY("an unknown protocol", "\x21\x13", -1, ""),
	BINARY("IPv4 without a protocol", "\x21\x10\0\x0c" FOUR, -1, ""),
	BINARY("64 KiB", "\x21\x11\xff\xff" FOUR, -1, ""),
	BINARY("64 KiB, LOCAL", "\x20\x00\xff\xff", -1, ""),
	BINARY("a byte more than is taken", "\x21\x11\x07\xf1" FOUR, -1, ""),
	BINARY("as much as is taken", "\x21\x11\x07\xf0" FOUR, 0, ""),
};

static bool
is_right(const struct row *r, int got, const struct proxy *p)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (got != r->result)
		return false;
	if (got != 1)
		return true;
	if (p->n > 0)
		inet_ntop(p->n == 4 ? AF_INET : AF_INET6, p->address, text,
		    sizeof text);
	return p->size == r->bytes.n && strcmp(text, r->address) == 0;
}

static void
test_rows(struct tap *t)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct proxy p;
		int got = proxy_parse(rows[i].bytes, &p);

		tap_ok(t, is_right(&rows[i], got, &p), rows[i].name);
	}
}

/* Every part of a good header asks for more, and is not refused. */
static void
test_parts(struct tap *t)
{
	bool good = true;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct proxy p;

		for (size_t n = 0; rows[i].result == 1 && n < rows[i].bytes.n;
		     n++)
			good &= proxy_parse(span_head(rows[i].bytes, n), &p) ==
				0;
	}
	tap_ok(t, good, "the beginning of a header is the beginning of one");
}

/* Bytes behind the header stay in the socket, however it comes. */
static void
test_read(struct tap *t)
{
	static const char after[] = "\x16\x03\x01\0\r\n and what TLS goes on with";
	bool good = true;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span b = rows[i].bytes;
		char rest[sizeof after + 1];
		int pair[2];
		struct proxy p;

		if (rows[i].result != 1)
			continue;
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
			exit(111);
		good &= io_write(pair[0], b.p, b.n) == 0 &&
			io_write(pair[0], after, sizeof after) == 0 &&
			proxy_read(pair[1], &p, io_now_ms() + 5000) == 0 &&
			p.size == b.n &&
			recv(pair[1], rest, sizeof rest, MSG_DONTWAIT) ==
			    (ssize_t)sizeof after &&
			memcmp(rest, after, sizeof after) == 0;
		close(pair[0]);
		close(pair[1]);
	}
	tap_ok(t, good, "what stands behind a header is left alone");
}

/* What reading gives after these bytes, and the end where close is set. */
static int
error_after(struct span b, bool end, int64_t ms)
{
	struct proxy p;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1 ||
	    io_write(pair[0], b.p, b.n) == -1)
		exit(111);
	if (end)
		close(pair[0]);
	errno = 0;
	r = proxy_read(pair[1], &p, io_now_ms() + ms);
	if (!end)
		close(pair[0]);
	close(pair[1]);
	return r == 0 ? 0 : errno;
}

static void
test_errors(struct tap *t)
{
	const struct span half = SPAN("PROXY TCP4 192.0.2.7 10.");

	tap_ok(t, error_after(span_of("", 0), true, 5000) == ENODATA,
	    "nothing but the end");
	tap_ok(t, error_after(half, true, 5000) == EPIPE, "half a header");
	tap_ok(t, error_after(half, false, 50) == ETIMEDOUT,
	    "half a header, and silence");
	tap_ok(t, error_after(span_str("EHLO x\r\n"), false, 5000) == EPROTO,
	    "no header");
}

static void
test_trickle(struct tap *t)
{
	struct span b = SPAN("PROXY TCP6 2001:db8::5 2001:db8::6 5 993\r\nEHLO");
	struct proxy p;
	char rest[8];
	int pair[2];
	bool good;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		exit(111);
	if (fork() == 0) {
		for (size_t i = 0; i < b.n; i++) {
			(void)io_write(pair[0], b.p + i, 1);
			usleep(1000);
		}
		_exit(0);
	}
	good = proxy_read(pair[1], &p, io_now_ms() + 5000) == 0 &&
	       p.size == b.n - 4 && p.n == 16 && close(pair[0]) == 0 &&
	       io_read_full(pair[1], rest, sizeof rest) == 4;
	tap_ok(t, good, "byte by byte");
}

static void
test_networks(struct tap *t)
{
	static const struct {
		const char *network, *address;
		int result; /* -1: no network */
	} nets[] = {
		{ "192.0.2.0/24", "192.0.2.255", 1 },
		{ "192.0.2.0/24", "192.0.3.0", 0 },
		{ "192.0.2.7", "192.0.2.7", 1 },
		{ "192.0.2.7", "192.0.2.6", 0 },
		{ "192.0.2.128/25", "192.0.2.127", 0 },
		{ "192.0.2.128/25", "192.0.2.128", 1 },
		{ "10.64.0.0/10", "10.127.255.255", 1 },
		{ "10.64.0.0/10", "10.128.0.0", 0 },
		{ "0.0.0.0/0", "1.2.3.4", 1 },
		{ "0.0.0.0/0", "::1", 0 },
		{ "::/0", "1.2.3.4", 0 },
		{ "2001:db8::/32", "2001:db8:ffff::1", 1 },
		{ "2001:db8::/32", "2001:db9::", 0 },
		{ "::1", "::1", 1 },
		{ "192.0.2.1/24", "192.0.2.1", -1 },
		{ "192.0.2.0/33", "192.0.2.1", -1 },
		{ "192.0.2.0/", "192.0.2.1", -1 },
		{ "192.0.2/24", "192.0.2.1", -1 },
		{ "2001:db8::1/64", "::1", -1 },
		{ "::/129", "::1", -1 },
		{ "localhost", "127.0.0.1", -1 },
		{ "", "127.0.0.1", -1 },
	};

	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
		unsigned char a[NETWORK_ADDRESS] = { 0 };
		bool six = strchr(nets[i].address, ':') != NULL;
		struct network n;
		int got = -1;

		inet_pton(six ? AF_INET6 : AF_INET, nets[i].address, a);
		if (network_parse(span_str(nets[i].network), &n))
			got = network_has(&n, 1, six ? AF_INET6 : AF_INET, a);
		tap_ok(t, got == nets[i].result, nets[i].network);
	}
}

int
main(void)
{
	struct tap t = { 0 };

	test_rows(&t);
	test_parts(&t);
	test_read(&t);
	test_errors(&t);
	test_trickle(&t);
	test_networks(&t);
	return tap_end(&t);
}
