/* How front is asked. */
#include "start.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

void
start_request(struct start_request *q, enum start_type type,
    enum start_program program)
{
	memset(q, 0, offsetof(struct start_request, text));
	q->type = type;
	q->program = program;
}

bool
start_add(struct start_request *q, struct span argument)
{
	if (q->args == START_ARGS || argument.n >= sizeof q->text - q->size)
		return false;
	if (argument.n > 0)
		memcpy(q->text + q->size, argument.p, argument.n);
	q->text[q->size + argument.n] = '\0';
	q->size += (uint32_t)argument.n + 1;
	q->args++;
	return true;
}

static int
request(const struct start_request *q, const int *fds, size_t n)
{
	return io_send(START_FD, q,
	    offsetof(struct start_request, text) + q->size, fds, n);
}

int
start_ask(const struct start_request *q, const int *given, size_t n,
    int64_t deadline_ms)
{
	int pair[2], fds[IO_MAX_FDS], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	fds[0] = pair[1];
	if (n > 0)
		memcpy(fds + 1, given, n * sizeof *given);
	r = request(q, fds, n + 1);
	io_close(pair[1]);
	if (r == 0)
		r = io_wait(pair[0], POLLIN, deadline_ms);
	if (r == 0)
		return pair[0];
	io_close(pair[0]);
	return -1;
}

int
start_begin(const struct start_request *q, const int *given, size_t n,
    int64_t deadline_ms, struct start_reply *a)
{
	int sock = start_ask(q, given, n, deadline_ms), process = -1;
	ssize_t got;

	*a = (struct start_reply){ .error = errno };
	if (sock == -1)
		return -1;
	got = io_recv(sock, a, sizeof *a, &process, 1);
	if (got != (ssize_t)sizeof *a)
		a->error = got == 0 ? EPERM : EPROTO;
	close(sock);
	a->file[sizeof a->file - 1] = '\0';
	errno = a->error ? a->error : EPROTO;
	return process;
}

void
start_end(struct start_request *q, int process)
{
	q->type = START_END;
	(void)request(q, &process, 1);
}
