/* After a login: a session begins, as checkpw says. */
#include "porter.h"

#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* Where no nursery waits behind the door, front has a program for this session
 * alone: its process descriptor in *process, -1: there is none to watch.  0, or
 * -1 with errno. */
static int
find_program(const struct link *l, int *process)
{
	*process = -1;
	/* No process with rights stays behind a connection of its own. */
	if (l->nursery == NULL)
		return porter_yield(START_SESSION);
	if (l->nursery[PORTER_SESSIONS].sock != -1)
		return 0;
	*process = porter_start(START_SESSION, NULL, NULL, 0);
	return *process == -1 ? -1 : 0;
}

/* A nursery that has died: what was passed waits for another. */
static int
ask_another(int sock)
{
	int child, process = porter_start(START_SESSION, NULL, NULL, 0);

	if (process == -1)
		return -1;
	child = porter_hello(sock, process);
	close(process);
	return child;
}

/* Whoever is behind the door takes it: the process descriptor, or -1. */
static int
pass(const struct link *l, int fd, int process)
{
	const struct frame_request q = { .type = FRAME_BEGIN };
	bool nursery = l->nursery && process == -1;
	int pair[2], child = -1, r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	if (nursery)
		process = l->nursery[PORTER_SESSIONS].sock;
	r = io_send(l->check.sock, &q, sizeof q, (const int[]){ fd, pair[1] },
	    2);
	io_close(pair[1]);
	if (r == 0)
		child = porter_hello(pair[0], process);
	if (r == 0 && child == -1 && nursery)
		child = ask_another(pair[0]);
	io_close(pair[0]);
	return child;
}

/* The session is the listener's to count. */
static enum next
begin(const struct link *l, int fd, int process)
{
	const char *session = l->porter->service->session;
	int child = pass(l, fd, process);
	pid_t self = getpid();

	if (child == -1) {
		log_error("no-session", session, errno);
		return DONE;
	}
	if (l->moves != -1 &&
	    io_send(l->moves, &self, sizeof self, &child, 1) == -1)
		log_error("uncounted", session, errno);
	close(child);
	return PASSED;
}

/* In clear: the session speaks on the socket once the child is gone. */
static enum next
hand_over(const struct link *l, const char *user, int process)
{
	if (porter_answer(l, FRAME_OK, user, -1) == -1)
		return DONE;
	if (io_wait(l->child, POLLIN, io_now_ms() + PORTER_LEAVE_MS) == -1)
		return VIOLATION;
	return begin(l, l->sock, process);
}

/* Over TLS: the child goes on as the relay. */
static enum next
join(const struct link *l, const char *user, int process)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		(void)porter_answer(l, FRAME_TEMPFAIL, NULL, -1);
		return GO_ON;
	}
	r = porter_answer(l, FRAME_OK, user, pair[0]);
	close(pair[0]);
	return r == -1 ? DONE : begin(l, pair[1], process);
}

enum next
porter_session(struct link *l, const struct frame_request *q,
    const struct frame_verdict *v)
{
	enum next next;
	int process;

	if (find_program(l, &process) == -1) {
		log_error("no-session", l->porter->service->session, errno);
		(void)porter_answer(l, FRAME_TEMPFAIL, NULL, -1);
		return GO_ON;
	}
	next = q->tls ? join(l, v->user, process)
		      : hand_over(l, v->user, process);
	io_close(process);
	return next;
}
