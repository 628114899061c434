/* One connection: have the login program started, answer its frames. */
#include "porter.h"

#include "auth/sasl.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* Who is there, and may a password of theirs come in clear? */
static int
find_peer(struct link *l)
{
	enum conf_clear clear = l->porter->conf.clear_login;
	struct sockaddr_storage a = { 0 };
	socklen_t n = sizeof a;
	struct peer p;

	if (getpeername(l->sock, (struct sockaddr *)&a, &n) == -1)
		return -1;
	p = porter_peer(&a);
	l->proxied = porter_is_proxy(l->porter, &p);
	porter_peer_text(&p, l->peer);
	l->clear_login = clear == CLEAR_ALWAYS ||
			 (clear == CLEAR_LOOPBACK && !l->proxied &&
			     porter_is_loopback(&p));
	return 0;
}

/* With the connection, and the child's end of its channel. */
static int
ask_nursery(const struct link *l, int nursery, const int pair[2])
{
	struct frame_connection c = { .clear_login = l->clear_login,
		.proxied = l->proxied };
	const int fds[] = { l->sock, pair[1] };

	memcpy(c.peer, l->peer, sizeof l->peer);
	return porter_nursery_ask(nursery,
	    span_of((const char *)&c, sizeof c), fds, 2, pair);
}

/* A key holder is started for it when it asks, which is not for sure. */
static int
start_one(struct link *l, int end)
{
	const char *args[4] = { NULL };
	int signer[2], process;
	size_t n = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, signer) == -1)
		return -1;
	args[n++] = l->peer;
	if (l->clear_login)
		args[n++] = "clear";
	if (l->proxied)
		args[n++] = "proxied";
	process = porter_start(START_LOGIN, args,
	    (const int[]){ end, signer[0], l->sock }, 3);
	io_close(end);
	io_close(signer[0]);
	l->signer = signer[1];
	return process;
}

/* 0, or -1: no process descriptor. */
static int
start_child(struct link *l)
{
	int nursery = l->nursery ? l->nursery[PORTER_LOGINS].sock : -1;
	/* An honest program reads each answer before it asks again. */
	const struct timeval t = { .tv_sec = PORTER_LEAVE_MS / 1000 };
	int pair[2];

	/* The second time it is a program of its own. */
	for (int tries = nursery == -1 ? 1 : 2; l->child == -1 && tries > 0;
	     tries--) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			pair) == -1)
			return -1;
		l->channel = pair[0];
		(void)setsockopt(l->channel, SOL_SOCKET, SO_SNDTIMEO, &t,
		    sizeof t);
		l->child = tries == 2 ? ask_nursery(l, nursery, pair)
				      : start_one(l, pair[1]);
		if (l->child == -1)
			io_close(pair[0]);
	}
	io_close(nursery);
	return l->child == -1 ? -1 : 0;
}

static void
start_signer(struct link *l)
{
	int process =
	    porter_start(START_SIGNER, NULL, &l->signer, 1);

	io_close(process);
	close(l->signer);
	l->signer = -1;
}

int
porter_answer(
    const struct link *l, enum frame_status status, const char *user, int fd)
{
	struct frame_reply a = { .status = status };

	if (user)
		snprintf(a.user, sizeof a.user, "%s", user);
	return io_send(l->channel, &a, sizeof a, &fd, fd == -1 ? 0 : 1);
}

static enum next
pass_on(const struct link *l, const struct frame_verdict *v)
{
	struct frame_reply a = { .status = FRAME_MORE, .n = v->n };

	memcpy(a.data, v->data, v->n);
	return io_send(l->channel, &a, sizeof a, NULL, 0) == 0 ? GO_ON : DONE;
}

static bool
is_try_in_order(const struct link *l, const struct frame_request *q)
{
	if (q->type != FRAME_AUTH)
		return l->check.sock != -1;
	for (size_t i = 0; i < FRAME_BINDINGS; i++)
		if (q->bindings[i].n > sizeof q->bindings[i].data)
			return false;
	return l->tries < l->porter->conf.auth_tries &&
	       q->mechanism < SASL_MECHANISMS;
}

/* May this request be made at all, now, by an honest program? */
static bool
is_auth_in_order(const struct link *l, const struct frame_request *q)
{
	const struct service *s = l->porter->service;
	struct span tag = span_of(q->tag, strnlen(q->tag, sizeof q->tag));

	for (size_t i = 0; i < tag.n; i++)
		if (tag.p[i] < 0x21 || tag.p[i] > 0x7e)
			return false;
	return s->kind != SERVICE_SMTP && !l->logged_in &&
	       is_try_in_order(l, q) && q->n <= FRAME_DATA &&
	       tag.n < sizeof q->tag &&
	       (tag.n > 0) == (s->kind == SERVICE_IMAP) && q->tls <= 1 &&
	       (q->tls || (!s->tls && l->clear_login));
}

static enum next
authenticate(struct link *l, const struct frame_request *q)
{
	struct frame_verdict v;

	if (!is_auth_in_order(l, q))
		return VIOLATION;
	if (q->type == FRAME_CANCEL) {
		porter_check_end(l);
		return porter_answer(l, FRAME_REJECT, NULL, -1) == 0 ? GO_ON : DONE;
	}
	l->tries += q->type == FRAME_AUTH;
	if (porter_check(l, q, &v) == FRAME_MORE)
		return pass_on(l, &v);
	if (v.status != FRAME_OK)
		return porter_answer(l, v.status, NULL, -1) == 0 ? GO_ON : DONE;
	if (!porter_sit_keep(l))
		return LOST;
	if (l->porter->service->session)
		return porter_session(l, q, &v);
	porter_check_end(l);
	l->logged_in = true;
	memcpy(l->user, v.user, sizeof l->user);
	return porter_answer(l, FRAME_OK, l->user, -1) == 0 ? GO_ON : DONE;
}

/* It has the socket's other end for as long as it lives. */
static int
start_enqueue(struct link *l, int end)
{
	const char *const args[] = { l->peer, l->logged_in ? l->user : NULL,
		NULL };

	l->enqueue = porter_start(START_ENQUEUE, args, &end, 1);
	return l->enqueue;
}

/* 0 when there is none any more. */
static int
end_enqueue(struct link *l)
{
	if (l->enqueue == -1)
		return 0;
	if (io_wait(l->enqueue, POLLIN, io_now_ms() + PORTER_ENQUEUE_MS) == -1)
		return -1;
	close(l->enqueue);
	l->enqueue = -1;
	return 0;
}

static enum next
enqueue(struct link *l, const struct frame_request *q)
{
	const struct service *s = l->porter->service;
	enum frame_status status = FRAME_TEMPFAIL;
	int pair[2], r;

	if (s->session || (s->kind == SERVICE_SUBMISSION && !l->logged_in) ||
	    q->n != 0)
		return VIOLATION;
	if (end_enqueue(l) == -1)
		return porter_answer(l, status, NULL, -1) == 0 ? GO_ON : DONE;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return porter_answer(l, status, NULL, -1) == 0 ? GO_ON : DONE;
	if (start_enqueue(l, pair[1]) != -1)
		status = FRAME_OK;
	close(pair[1]);
	r = porter_answer(l, status, NULL, status == FRAME_OK ? pair[0] : -1);
	close(pair[0]);
	return r == 0 ? GO_ON : DONE;
}

/* Whom a proxy speaks for: once, and before all else. */
static enum next
take_proxy(struct link *l, const struct frame_request *q)
{
	enum frame_status s = FRAME_TEMPFAIL;

	if (l->proxied && q->type == FRAME_PROXY)
		s = porter_proxy(l, q);
	if (s == FRAME_TEMPFAIL)
		return VIOLATION;
	return porter_answer(l, s, NULL, -1) == 0 && s == FRAME_OK ? GO_ON : DONE;
}

/* 0, or -1 with errno ETIMEDOUT, ECANCELED (the seat is lost) or another. */
static int
wait_frame(struct link *l, int64_t deadline_ms)
{
	struct pollfd p[3] = { { .fd = l->channel, .events = POLLIN },
		{ .fd = l->kept ? -1 : l->seat, .events = POLLIN },
		{ .fd = l->signer, .events = POLLIN } };

	do {
		int64_t left = deadline_ms - io_now_ms();

		if (deadline_ms >= 0 && left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (poll(p, 3, deadline_ms < 0 ? -1 : (int)left) == -1 &&
		    errno != EINTR)
			return -1;
		if (p[2].revents & POLLIN)
			start_signer(l);
		if (p[2].revents)
			p[2].fd = -1;
		if (p[1].revents && porter_sit_is_lost(l)) {
			errno = ECANCELED;
			return -1;
		}
		p[1].fd = l->kept ? -1 : l->seat;
	} while (p[0].revents == 0);
	return 0;
}

static enum next
next_frame(struct link *l, int64_t deadline_ms)
{
	struct frame_request q;
	enum next next = VIOLATION;
	ssize_t n;

	if (wait_frame(l, deadline_ms) == -1)
		return errno == ECANCELED ? LOST : VIOLATION;
	n = io_recv(l->channel, &q, sizeof q, NULL, 0);
	if (n == 0 || (n == -1 && errno == ECONNRESET))
		return DONE;
	if (n == (ssize_t)sizeof q && (l->proxied || q.type == FRAME_PROXY))
		next = take_proxy(l, &q);
	else if (n == (ssize_t)sizeof q &&
	    (q.type == FRAME_AUTH || q.type == FRAME_STEP ||
		q.type == FRAME_CANCEL))
		next = authenticate(l, &q);
	else if (n == (ssize_t)sizeof q && q.type == FRAME_ENQUEUE)
		next = enqueue(l, &q);
	explicit_bzero(&q, sizeof q);
	return next;
}

static void
tell_violation(const struct link *l)
{
	struct log line;

	log_start(&line, "login-program-ended");
	log_str(&line, "service", l->porter->service->name);
	log_str(&line, "peer", l->peer);
	log_end(&line);
}

/* True: the connection was not as it should be. */
static bool
end(struct link *l, enum next next)
{
	porter_check_end(l);
	if (next == PASSED)
		return false;
	/* An honest program sees that its client is gone. */
	if (next == LOST)
		(void)shutdown(l->sock, SHUT_RDWR);
	if (next != VIOLATION &&
	    io_wait(l->child, POLLIN, io_now_ms() + PORTER_GRACE_MS) == -1)
		next = VIOLATION;
	if (next == VIOLATION) {
		tell_violation(l);
		porter_kill(l->child);
	}
	(void)io_wait(l->child, POLLIN, -1);
	close(l->sock);
	(void)end_enqueue(l);
	return next == VIOLATION;
}

int
porter_serve(const struct porter *p, int sock, const struct helpers *h)
{
	struct link l = { .porter = p,
		.sock = sock,
		.nursery = h ? h->nursery : NULL,
		.child = -1,
		.signer = -1,
		.enqueue = -1,
		.seat = h ? h->seat : -1,
		.check.sock = -1 };
	int64_t deadline = -1;
	enum next next = GO_ON;

	/* The last, small piece of an answer does not wait until the client
	 * has told that it has the one before.  Not TCP: no matter. */
	(void)setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
	    sizeof(int));
	if (find_peer(&l) == -1) {
		/* A client that has left already is no error. */
		if (errno == ENOTCONN)
			return 0;
		err_die_sys(EXIT_NEVER, "the connection");
	}
	if (start_child(&l) == -1)
		err_die_sys(EXIT_LATER, "start %s", p->service->program);
	if (p->service->session)
		deadline = io_now_ms() + PORTER_GRACE_MS +
			   (int64_t)p->conf.login_s * 1000;
	while (next == GO_ON)
		next = next_frame(&l, deadline);
	return end(&l, next) ? EXIT_LATER : 0;
}
