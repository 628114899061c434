/*
 * load: clients that log in and out, one session after the other.
 *
 *   load imap|pop3|none plain|tls PORT CLIENTS SECONDS
 *
 * none: nothing is said, and the connection's end is waited for.
 * To 127.0.0.1, client N as userN@example.org, each handshake a full one.
 * Prints the sessions that came to their end and the seconds that it took;
 * exits with 1 where one failed.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/in.h"
#include "base/io.h"
#include "base/num.h"
#include "net/tls.h"

enum { LONG_MS = 20000, CLIENTS = 64 };

struct load {
	bool imap, nothing, secure;
	uint32_t port, clients, seconds;
	struct tls_client *tls;
	char login[64], user[64];
};

struct session {
	int fd;
	struct tls *tls;
	struct in in;
	char buf[8192];
};

static int
dial(uint32_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || connect(fd, (struct sockaddr *)&a, sizeof a) == -1)
		err_die_sys(1, "connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

/* Sends a command (none: the greeting) and reads up to its answer. */
static void
ask(struct session *s, const char *command, const char *answer)
{
	int64_t deadline = io_now_ms() + LONG_MS;
	struct span line;
	int r = 0;

	if (command && s->tls)
		r = tls_write(s->tls, command, strlen(command), deadline);
	else if (command)
		r = io_write(s->fd, command, strlen(command));
	if (r == -1)
		err_die_sys(1, "write %s", command);
	s->in.deadline_ms = deadline;
	do
		if (in_line(&s->in, &line) != 1)
			err_die_sys(1, "no answer to %s",
			    command ? command : "the connection");
	while (!span_starts(line, answer));
}

static void
wait_end(const struct load *l)
{
	int fd = dial(l->port);
	char c;

	/* The other side may close what it has not read: that is an end. */
	while (read(fd, &c, 1) == 1)
		;
	close(fd);
}

static void
one(const struct load *l)
{
	struct session s = { .fd = dial(l->port) };

	s.in = in_fd(s.fd, s.buf, sizeof s.buf);
	if (l->secure) {
		s.tls = tls_connect(
		    l->tls, s.fd, "localhost", io_now_ms() + LONG_MS);
		if (s.tls == NULL)
			err_die_sys(1, "handshake");
		s.in.read = tls_read;
		s.in.ctx = s.tls;
	}
	if (l->imap) {
		ask(&s, NULL, "* OK");
		ask(&s, l->login, "a OK");
		ask(&s, "b LOGOUT\r\n", "b OK");
	} else {
		ask(&s, NULL, "+OK");
		ask(&s, l->user, "+OK");
		ask(&s, "PASS secret word\r\n", "+OK");
		ask(&s, "QUIT\r\n", "+OK");
	}
	if (s.tls)
		tls_close(s.tls, 0);
	close(s.fd);
}

static _Noreturn void
client(const struct load *l, int out)
{
	int64_t end = io_now_ms() + (int64_t)l->seconds * 1000;
	uint32_t n = 0;

	do {
		l->nothing ? wait_end(l) : one(l);
		n++;
	} while (io_now_ms() < end);
	_exit(io_write(out, &n, sizeof n) == -1);
}

int
main(int argc, char *argv[])
{
	struct load l = { 0 };
	int64_t begin = io_now_ms();
	uint32_t sum = 0, n;
	int pair[2], status, bad = 0;

	err_program("load");
	if (argc != 6 ||
	    !num_parse_u32(span_str(argv[3]), 65535, &l.port) ||
	    !num_parse_u32(span_str(argv[4]), CLIENTS, &l.clients) ||
	    !num_parse_u32(span_str(argv[5]), 3600, &l.seconds))
		err_die(EXIT_NEVER,
		    "usage: load imap|pop3|none plain|tls PORT CLIENTS SECONDS");
	l.imap = strcmp(argv[1], "imap") == 0;
	l.nothing = strcmp(argv[1], "none") == 0;
	l.secure = strcmp(argv[2], "tls") == 0;
	if ((l.tls = tls_client_new(false)) == NULL || pipe(pair) == -1)
		err_die_sys(EXIT_LATER, "begin");
	for (uint32_t i = 0; i < l.clients; i++) {
		snprintf(l.login, sizeof l.login,
		    "a LOGIN user%u@example.org \"secret word\"\r\n", i);
		snprintf(l.user, sizeof l.user, "USER user%u@example.org\r\n",
		    i);
		if (fork() == 0)
			client(&l, pair[1]);
	}
	close(pair[1]);
	while (io_read_full(pair[0], &n, sizeof n) == (ssize_t)sizeof n)
		sum += n;
	while (wait(&status) > 0)
		bad += status != 0;
	printf("%u %.3f\n", sum, (double)(io_now_ms() - begin) / 1000);
	return bad != 0;
}
