/* What the porter asks front for. */
#include "porter.h"

#include "base/log.h"

#include <errno.h>
#include <unistd.h>

enum {
	ANSWER_MS = 10000
};

int
porter_start(enum start_program program, const char *const *args,
    const int *given, size_t ngiven)
{
	struct start_request q;
	struct start_reply a;
	int process;

	start_request(&q, START_BEGIN, program);
	for (; args && *args; args++)
		(void)start_add(&q, span_str(*args));
	process = start_begin(
	    &q, given, ngiven, io_now_ms() + ANSWER_MS, &a);
	if (a.unreadable)
		log_error("unreadable", a.file, a.unreadable);
	errno = a.error ? a.error : EPROTO;
	return process;
}

int
porter_start_beside(enum start_program program)
{
	int pair[2], process;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	process = porter_start(program, NULL, &pair[1], 1);
	io_close(pair[1]);
	io_close(process);
	if (process != -1)
		return pair[0];
	io_close(pair[0]);
	return -1;
}

static int
ask(enum start_type type, enum start_program program)
{
	struct start_request q;

	start_request(&q, type, program);
	return start_ask(&q, NULL, 0, io_now_ms() + ANSWER_MS);
}

int
porter_yield(void)
{
	struct start_reply a;
	int sock = ask(START_BECOME, START_SESSION);
	ssize_t n;

	if (sock == -1)
		return -1;
	n = io_recv(sock, &a, sizeof a, NULL, 0);
	close(sock);
	errno = EPROTO;
	return n == (ssize_t)sizeof a ? 0 : -1;
}

int
porter_stamps(enum start_program which, struct start_stamps *s)
{
	int sock = ask(START_STAMP, which);
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
	struct start_request q;

	start_request(&q, START_END, START_LOGIN);
	start_end(&q, process);
}
