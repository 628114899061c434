/* After a login: a session begins, as checkpw says. */
#include "porter.h"

#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* A program of front's for one session, which ends when life is closed and no
 * session has come. */
struct one {
	int process, life; /* -1: none */
};

static int
start_one(struct one *o)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	o->process = porter_start(START_SESSION, NULL, &pair[1], 1);
	io_close(pair[1]);
	if (o->process == -1) {
		io_close(pair[0]);
		return -1;
	}
	o->life = pair[0];
	return 0;
}

static void
end_one(const struct one *o)
{
	io_close(o->process);
	io_close(o->life);
}

/* Where a nursery has died what was passed waits for another. */
static int
ask_another(int sock)
{
	struct one o = { -1, -1 };
	int child = start_one(&o) == -1 ? -1 : porter_hello(sock, o.process);

	end_one(&o);
	return child;
}

/* Whoever is behind the door takes it: the process descriptor, or -1. */
static int
pass(const struct link *l, int fd, const struct one *o)
{
	const struct frame_request q = { .type = FRAME_BEGIN };
	bool nursery = l->nursery && o->process == -1;
	int pair[2], child = -1, r;

	/* No process with rights stays behind a connection of its own. */
	if (l->nursery == NULL && porter_yield(START_SESSION) == -1)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	r = io_send(l->check.sock, &q, sizeof q, (const int[]){ fd, pair[1] },
	    2);
	io_close(pair[1]);
	if (r == 0)
		child = porter_hello(pair[0],
		    nursery ? l->nursery[PORTER_SESSIONS].sock : o->process);
	if (r == 0 && child == -1 && nursery)
		child = ask_another(pair[0]);
	io_close(pair[0]);
	return child;
}

/* The session is the listener's to count. */
static enum next
begin(const struct link *l, int fd, const struct one *o)
{
	const char *session = l->porter->service->session;
	int child = pass(l, fd, o);
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
hand_over(const struct link *l, const char *user, const struct one *o)
{
	if (porter_answer(l, FRAME_OK, user, -1) == -1)
		return DONE;
	if (io_wait(l->child, POLLIN, io_now_ms() + PORTER_LEAVE_MS) == -1)
		return VIOLATION;
	return begin(l, l->sock, o);
}

/* Over TLS: the child goes on as the relay. */
static enum next
join(const struct link *l, const char *user, const struct one *o)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		(void)porter_answer(l, FRAME_TEMPFAIL, NULL, -1);
		return GO_ON;
	}
	r = porter_answer(l, FRAME_OK, user, pair[0]);
	close(pair[0]);
	return r == -1 ? DONE : begin(l, pair[1], o);
}

enum next
porter_session(struct link *l, const struct frame_request *q,
    const struct frame_verdict *v)
{
	struct one o = { -1, -1 };
	enum next next;

	if (l->nursery && l->nursery[PORTER_SESSIONS].sock == -1 &&
	    start_one(&o) == -1) {
		log_error("no-session", l->porter->service->session, errno);
		(void)porter_answer(l, FRAME_TEMPFAIL, NULL, -1);
		return GO_ON;
	}
	next = q->tls ? join(l, v->user, &o) : hand_over(l, v->user, &o);
	end_one(&o);
	return next;
}
