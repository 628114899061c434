/* What the porter asks front for. */
#include "porter.h"

#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum {
	ANSWER_MS = 10000
};

/* With the socket for the answer first: our end, or -1 with errno. */
static int
ask(const struct start_request *q, const int *given, size_t n)
{
	int pair[2], fds[IO_MAX_FDS], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	fds[0] = pair[1];
	memcpy(fds + 1, given, n * sizeof *given);
	r = io_send(START_FD, q, sizeof *q, fds, n + 1);
	io_close(pair[1]);
	if (r == 0)
		r = io_wait(pair[0], POLLIN, io_now_ms() + ANSWER_MS);
	if (r == 0)
		return pair[0];
	io_close(pair[0]);
	return -1;
}

int
porter_start(enum start_program program, const char *const *args,
    const int *given, size_t ngiven)
{
	struct start_request q = { .type = START_BEGIN, .program = program };
	struct start_reply a = { .error = EPROTO };
	int sock, process = -1;

	for (; args && args[q.args]; q.args++)
		snprintf(q.arg[q.args], sizeof q.arg[0], "%s", args[q.args]);
	sock = ask(&q, given, ngiven);
	if (sock == -1)
		return -1;
	if (io_recv(sock, &a, sizeof a, &process, 1) != (ssize_t)sizeof a)
		a.error = EPROTO;
	close(sock);
	a.file[sizeof a.file - 1] = '\0';
	if (a.unreadable)
		log_error("unreadable", a.file, a.unreadable);
	errno = a.error ? a.error : EPROTO;
	return process;
}

int
porter_yield(enum start_program program)
{
	const struct start_request q = { .type = START_BECOME,
		.program = program };
	int sock = ask(&q, NULL, 0);

	if (sock == -1)
		return -1;
	close(sock);
	return 0;
}

int
porter_stamps(struct start_stamps *s)
{
	const struct start_request q = { .type = START_STAMP };
	int sock = ask(&q, NULL, 0);
	ssize_t n;

	if (sock == -1)
		return -1;
	n = io_recv(sock, s, sizeof *s, NULL, 0);
	close(sock);
	errno = EPROTO;
	return n == (ssize_t)sizeof *s ? 0 : -1;
}

void
porter_kill(int process)
{
	const struct start_request q = { .type = START_END,
		.program = START_LOGIN };

	(void)io_send(START_FD, &q, sizeof q, &process, 1);
}
