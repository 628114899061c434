/*
 * A TLS client that does as it is told: tlspeer PORT [12] ACTION...
 * 12: no more than TLS 1.2.
 *
 *   clear TEXT   sends before the handshake, and prints the line that answers
 *   raw TEXT     sends past TLS
 *   greet        prints a line, before the handshake
 *   shake        the handshake
 *   send TEXT    within TLS
 *   line         prints a line
 *   bye          close_notify; what comes can still be read
 *   fin          the end of TCP, without one
 *   tiny N       N records of one byte
 *   empty N      N records without one
 *   update N     N changes of keys
 *   again        another handshake (TLS 1.2)
 *   rest         prints what comes until the end, and which end it was:
 *                [close_notify] or [truncated]
 *
 * An action that fails ends it with a line about it.  Exits 0, or 1 where the
 * handshake failed.
 */
#include "base/num.h"
#include "base/span.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 20000 };

struct peer {
	int fd;
	gnutls_session_t session;
};

static _Noreturn void
leave(const char *what, int r)
{
	printf("[%s: %s]\n", what, r < 0 ? gnutls_strerror(r) : "failed");
	exit(strcmp(what, "shake") == 0);
}

static void
open_socket(struct peer *p, const char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	uint32_t port = 0;

	if (!num_parse_u32(span_str(text), 65535, &port))
		exit(100);
	a.sin_port = htons((uint16_t)port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (p->fd == -1 ||
	    connect(p->fd, (struct sockaddr *)&a, sizeof a) == -1)
		leave("connect", 0);
}

static void
open_tls(struct peer *p, bool old)
{
	gnutls_certificate_credentials_t cred;

	if (gnutls_certificate_allocate_credentials(&cred) < 0 ||
	    gnutls_init(&p->session, GNUTLS_CLIENT) < 0 ||
	    gnutls_priority_set_direct(p->session,
		old ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : "NORMAL", NULL) < 0 ||
	    gnutls_credentials_set(p->session, GNUTLS_CRD_CERTIFICATE, cred) <
		0)
		exit(111);
	gnutls_transport_set_int(p->session, p->fd);
	gnutls_handshake_set_timeout(p->session, WAIT_MS);
	gnutls_record_set_timeout(p->session, WAIT_MS);
}

static void
clear_line(const struct peer *p)
{
	char byte = '\0';

	while (byte != '\n' && read(p->fd, &byte, 1) == 1)
		putchar(byte);
}

/* One byte: 1, 0 at the end, or an error. */
static int
next_byte(const struct peer *p)
{
	unsigned char byte;
	ssize_t r;

	do {
		r = gnutls_record_recv(p->session, &byte, 1);
	} while (r == GNUTLS_E_INTERRUPTED || r == GNUTLS_E_AGAIN);
	if (r == 1)
		putchar(byte);
	return r == 1 ? byte + 1 : (int)r;
}

static void
rest(const struct peer *p)
{
	int r;

	while ((r = next_byte(p)) > 0)
		;
	printf("[%s]\n",
	    r == 0 ? "close_notify"
	    : r == GNUTLS_E_PREMATURE_TERMINATION || r == GNUTLS_E_PULL_ERROR
		? "truncated"
		: gnutls_strerror(r));
}

static int
repeat(const struct peer *p, const char *what, const char *text)
{
	uint32_t n = 0;
	ssize_t r = 0;

	if (!num_parse_u32(span_str(text), UINT32_MAX, &n))
		exit(100);
	for (; n > 0 && r >= 0; n--)
		r = what[0] == 'u' ? gnutls_session_key_update(p->session, 0)
		    : what[0] == 't'
			? gnutls_record_send(p->session, "x", 1)
			: gnutls_record_send2(p->session, "", 0, 1, 0);
	return r < 0 ? (int)r : 0;
}

static bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* True where the action has taken its argument. */
static bool
act(struct peer *p, const char *what, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	int r = 0;

	if (is(what, "greet"))
		clear_line(p);
	else if (is(what, "shake") || is(what, "again"))
		do
			r = gnutls_handshake(p->session);
		while (r < 0 && !gnutls_error_is_fatal(r));
	else if (is(what, "line"))
		while ((r = next_byte(p)) > 0 && r != '\n' + 1)
			;
	else if (is(what, "bye"))
		r = gnutls_bye(p->session, GNUTLS_SHUT_WR);
	else if (is(what, "fin"))
		r = shutdown(p->fd, SHUT_WR);
	else if (is(what, "rest"))
		rest(p);
	else if (is(what, "clear") || is(what, "raw"))
		r = write(p->fd, text, n) == (ssize_t)n ? 0 : -1;
	else if (is(what, "send"))
		r = (int)gnutls_record_send(p->session, text, n);
	else
		r = repeat(p, what, text);
	if (is(what, "clear"))
		clear_line(p);
	if (r < 0)
		leave(what, r);
	return is(what, "clear") || is(what, "send") || is(what, "tiny") ||
	       is(what, "raw") || is(what, "empty") || is(what, "update");
}

int
main(int argc, char *argv[])
{
	struct peer p;
	bool old = argc > 2 && is(argv[2], "12");

	if (argc < 3)
		return 100;
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IONBF, 0);
	open_socket(&p, argv[1]);
	open_tls(&p, old);
	for (int i = old ? 3 : 2; i < argc; i++)
		i += act(&p, argv[i], i + 1 < argc ? argv[i + 1] : "");
	return 0;
}
