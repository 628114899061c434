/*
 * floor: what a session costs where nothing is done but what cannot be left
 * out: accept, fork, the handshake, an exec for the session, two answers.
 *
 *   floor imap|pop3 plain|tls PORT CERT KEY
 *
 * Ends with SIGTERM.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/in.h"
#include "base/io.h"
#include "base/num.h"
#include "net/tls.h"

enum { LONG_MS = 20000 };

struct floor {
	const char *greeting, *a, *b;
	int commands;
	struct tls_server *tls;
};

static void
say(struct tls *t, const char *line)
{
	if (t)
		(void)tls_write(t, line, strlen(line), io_now_ms() + LONG_MS);
	else
		(void)io_write(0, line, strlen(line));
}

static void
start_session(void)
{
	static const char *const argv[] = { "/bin/true", NULL };
	char *const *p;
	int status;
	pid_t pid;

	memcpy(&p, &(const char *const *){ argv }, sizeof p);
	if (posix_spawn(&pid, argv[0], NULL, NULL, p, p + 1) == 0)
		(void)waitpid(pid, &status, 0);
}

static _Noreturn void
serve(const struct floor *f, const char *protocol)
{
	char buf[4096];
	struct in in = in_fd(0, buf, sizeof buf);
	struct tls *t = NULL;
	struct span line;

	if (f->tls) {
		t = tls_accept(f->tls, 0, protocol, io_now_ms() + LONG_MS);
		if (t == NULL)
			_exit(1);
		in.read = tls_read;
		in.ctx = t;
	}
	in.deadline_ms = io_now_ms() + LONG_MS;
	say(t, f->greeting);
	for (int i = 0; i < f->commands && in_line(&in, &line) == 1; i++) {
		if (i == f->commands - 2)
			start_session();
		say(t, i == f->commands - 1 ? f->b : f->a);
	}
	if (t)
		tls_close(t, 0);
	_exit(0);
}

static int
bind_port(uint32_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == -1 ||
	    bind(fd, (struct sockaddr *)&a, sizeof a) == -1 ||
	    listen(fd, 1000) == -1)
		err_die_sys(EXIT_LATER, "listen");
	return fd;
}

int
main(int argc, char *argv[])
{
	struct floor f = { "* OK\r\n", "a OK\r\n", "b OK\r\n", 2, NULL };
	uint32_t port;
	int fd, conn;

	err_program("floor");
	if (argc != 6 || !num_parse_u32(span_str(argv[3]), 65535, &port))
		err_die(EXIT_NEVER,
		    "usage: floor imap|pop3 plain|tls PORT CERT KEY");
	if (strcmp(argv[1], "pop3") == 0)
		f = (struct floor){ "+OK\r\n", "+OK\r\n", "+OK\r\n", 3, NULL };
	if (strcmp(argv[2], "tls") == 0 &&
	    (f.tls = tls_server_new(open(argv[4], O_RDONLY),
		 &(struct tls_key){ .fd = open(argv[5], O_RDONLY) })) ==
		NULL)
		err_die_sys(EXIT_LATER, "certificate");
	fd = bind_port(port);
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		conn = accept(fd, NULL, NULL);
		if (conn == -1)
			continue;
		if (fork() == 0) {
			close(fd);
			dup2(conn, 0);
			dup2(conn, 1);
			serve(&f, argv[1]);
		}
		close(conn);
	}
}
