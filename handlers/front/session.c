/* After a login: a session begins, as checkpw says. */
#include "porter.h"

#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
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

/* In place of the session's first line: who waits for the answer to a login
 * gets one. */
static void
apologize(const struct link *l, int fd, const char *tag)
{
	const char why[] = "Temporary failure, try later";
	char text[2 * FRAME_TAG + 2 * sizeof why];
	int n;

	if (l->porter->service->kind == SERVICE_IMAP)
		n = snprintf(text, sizeof text,
		    "%s NO [UNAVAILABLE] %s\r\n* BYE %s\r\n", tag, why, why);
	else
		n = snprintf(text, sizeof text, "-ERR [SYS/TEMP] %s\r\n", why);
	if (io_wait(fd, POLLOUT, io_now_ms() + PORTER_LEAVE_MS) == 0)
		(void)io_write(fd, text, (size_t)n);
	/* It may lie behind the door for long. */
	(void)shutdown(fd, SHUT_RDWR);
}

/* The session is the listener's to count. */
static enum next
begin(const struct link *l, int fd, const char *tag, int life)
{
	const char *session = l->porter->service->session;
	int child = pass(l, fd, life);

	if (child == -1) {
		log_error("no-session", session, errno);
		apologize(l, fd, tag);
		return DONE;
	}
	if (porter_sit_move(l, child) == -1)
		log_error("uncounted", session, errno);
	close(child);
	return PASSED;
}

/* In clear: the session speaks on the socket once the child is gone. */
static enum next
hand_over(const struct link *l, const char *user, const char *tag, int life)
{
	if (porter_answer(l, FRAME_OK, user, -1) == -1)
		return DONE;
	if (io_wait(l->child, POLLIN, io_now_ms() + PORTER_LEAVE_MS) == -1)
		return VIOLATION;
	return begin(l, l->sock, tag, life);
}

/* Over TLS: the child goes on as the relay. */
static enum next
join(const struct link *l, const char *user, const char *tag, int life)
{
	int pair[2], r;
	enum next next;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		(void)porter_answer(l, FRAME_TEMPFAIL, NULL, -1);
		return GO_ON;
	}
	r = porter_answer(l, FRAME_OK, user, pair[0]);
	close(pair[0]);
	next = r == -1 ? DONE : begin(l, pair[1], tag, life);
	close(pair[1]);
	return next;
}

/* Is there a program that can be had?  Where the nurseries have none now, one
 * is started. */
static bool
is_ready(const struct link *l, int *life)
{
	struct start_stamps s;

	*life = -1;
	if (l->nursery == NULL)
		return porter_stamps(START_SESSION, &s) == 0;
	if (l->nursery[PORTER_SESSIONS].sock == -1)
		*life = start_one();
	return *life != -1 || l->nursery[PORTER_SESSIONS].sock != -1;
}

enum next
porter_session(struct link *l, const struct frame_request *q,
    const struct frame_verdict *v)
{
	enum next next;
	int life;

	if (!is_ready(l, &life)) {
		log_error("no-session", l->porter->service->session, errno);
		porter_check_end(l);
		(void)porter_answer(l, FRAME_TEMPFAIL, NULL, -1);
		return GO_ON;
	}
	next = q->tls ? join(l, v->user, q->tag, life)
		      : hand_over(l, v->user, q->tag, life);
	io_close(life);
	return next;
}
