/* After a login: a session begins, as checkpw says. */
#include "porter.h"

#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* A program of front's for one session, any that comes: a socket that is
 * closed at its other end once one has, or -1.  The program ends when it is
 * closed here and no session has come. */
static int
start_one(void)
{
	return porter_start_beside(START_SESSION);
}

/* Where a nursery has died, or our program has taken another's session, what
 * was passed waits for the next one: this, or that other's when it leaves. */
static int
ask_another(int sock)
{
	int life = start_one();
	int child = life == -1 ? -1 : porter_hello(sock, -1);

	io_close(life);
	return child;
}

/* Whoever is behind the door takes it: the process descriptor, or -1. */
static int
pass(const struct link *l, int fd, int life)
{
	const struct frame_request q = { .type = FRAME_BEGIN };
	int pair[2], child = -1, r;

	/* No process with rights stays behind a connection of its own. */
	if (l->nursery == NULL && porter_yield() == -1)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	r = io_send(l->check.sock, &q, sizeof q, (const int[]){ fd, pair[1] },
	    2);
	io_close(pair[1]);
	if (r == 0)
		child = porter_hello(pair[0], l->nursery && life == -1
			? l->nursery[PORTER_SESSIONS].sock : life);
	if (r == 0 && child == -1 && l->nursery)
		child = ask_another(pair[0]);
	io_close(pair[0]);
	return child;
}

/* The session is the listener's to count. */
static enum next
begin(const struct link *l, int fd, int life)
{
	const char *session = l->porter->service->session;
	int child = pass(l, fd, life);

	if (child == -1) {
		log_error("no-session", session, errno);
		/* It may lie behind the door for long. */
		(void)shutdown(fd, SHUT_RDWR);
		return DONE;
	}
	if (porter_sit_move(l, child) == -1)
		log_error("uncounted", session, errno);
	close(child);
	return PASSED;
}

/* In clear: the session speaks on the socket once the child is gone. */
static enum next
hand_over(const struct link *l, const char *user, int life)
{
	if (porter_answer(l, FRAME_OK, user, -1) == -1)
		return DONE;
	if (io_wait(l->child, POLLIN, io_now_ms() + PORTER_LEAVE_MS) == -1)
		return VIOLATION;
	return begin(l, l->sock, life);
}

/* Over TLS: the child goes on as the relay. */
static enum next
join(const struct link *l, const char *user, int life)
{
	int pair[2], r;
	enum next next;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		(void)porter_answer(l, FRAME_TEMPFAIL, NULL, -1);
		return GO_ON;
	}
	r = porter_answer(l, FRAME_OK, user, pair[0]);
	close(pair[0]);
	next = r == -1 ? DONE : begin(l, pair[1], life);
	close(pair[1]);
	return next;
}

enum next
porter_session(struct link *l, const struct frame_request *q,
    const struct frame_verdict *v)
{
	enum next next;
	int life = -1;

	if (l->nursery && l->nursery[PORTER_SESSIONS].sock == -1 &&
	    (life = start_one()) == -1) {
		log_error("no-session", l->porter->service->session, errno);
		(void)porter_answer(l, FRAME_TEMPFAIL, NULL, -1);
		return GO_ON;
	}
	next = q->tls ? join(l, v->user, life) : hand_over(l, v->user, life);
	io_close(life);
	return next;
}
