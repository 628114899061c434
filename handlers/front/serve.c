/* One connection: start the login program, answer its frames. */
#include "front.h"

#include "auth/sasl.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/priv.h"
#include "base/proc.h"
#include "net/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Who is there, and may a password of theirs come in clear? */
static int
find_peer(struct link *l)
{
	enum conf_clear clear = l->front->conf.clear_login;
	struct sockaddr_storage a = { 0 };
	socklen_t n = sizeof a;
	struct peer p;

	if (getpeername(l->sock, (struct sockaddr *)&a, &n) == -1)
		return -1;
	p = front_peer(&a);
	l->proxied = front_is_proxy(l->front, &p);
	front_peer_text(&p, l->peer);
	l->clear_login = clear == CLEAR_ALWAYS ||
			 (clear == CLEAR_LOOPBACK && !l->proxied &&
			     front_is_loopback(&p));
	return 0;
}

/* A file for the login program; absent is no error here. */
static int
open_for_child(const struct front *f, const char *name)
{
	char path[PATH_MAX];
	int fd = -1;

	if (name == NULL)
		return -1;
	if (conf_etc(&f->conf, name, path) == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1 && errno != ENOENT)
		log_error("unreadable", name, errno);
	return fd;
}

/* The end of the login program, or -1: no TLS then. */
static int
start_signer(const struct front *f, bool nursery)
{
	const char *env[] = { FRONT_ENV NULL };
	const char *argv[5] = { NULL };
	char path[PATH_MAX];
	int pair[2];
	int fds[SIGN_FDS] = { -1, -1, 2, -1 };
	struct proc p = { .path = path,
		.argv = argv,
		.envp = env,
		.fds = fds,
		.nfds = SIGN_KEY_FD + 2 + f->conf.nsites,
		.uid = f->key.uid,
		.gid = f->key.gid,
		.keep_chroot = f->root,
		.lazy = nursery ? 0 : SIGN_SOCKET_FD };
	size_t n = 0;
	bool started = false;

	for (size_t i = SIGN_KEY_FD; i < p.nfds; i++) {
		fds[i] = open_for_child(
		    f, front_pair(&f->conf, i - SIGN_KEY_FD).key);
		started |= fds[i] != -1;
	}
	argv[n++] = path;
	if (nursery)
		argv[n++] = "-n";
	if (f->conf.root[0] != '\0') {
		argv[n++] = "-r";
		argv[n++] = f->conf.root;
	}
	if (started && (started = socketpair(AF_UNIX,
			    SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0)) {
		fds[SIGN_SOCKET_FD] = pair[1];
		started = conf_program(&f->conf, "signer", path) == 0 &&
			  proc_spawn(&p) != -1;
		if (!started)
			close(pair[0]);
	}
	for (size_t i = SIGN_SOCKET_FD; i < p.nfds; i++)
		if (fds[i] != -1)
			close(fds[i]);
	return started ? pair[0] : -1;
}

pid_t
front_start_login(
    const struct front *f, int channel, int users, const struct link *l)
{
	const char *env[] = { FRONT_ENV l ? NULL : FRONT_NURSERY_ENV, NULL };
	const char *argv[9] = { NULL };
	char path[PATH_MAX];
	int fds[FRAME_SITES_FD + CONF_SITES] = { l ? l->sock : -1,
		l ? l->sock : -1, 2, channel,
		open_for_child(f, f->conf.tls_cert),
		start_signer(f, l == NULL), users,
		open_for_child(f, f->conf.tls_cert2), -1 };
	struct proc p = { .path = path,
		.argv = argv,
		.envp = env,
		.fds = fds,
		.nfds = FRAME_SITES_FD + f->conf.nsites,
		.uid = f->net.uid,
		.gid = f->net.gid,
		.keep_chroot = f->root };
	size_t n = 0;
	pid_t pid = -1;

	for (size_t i = 0; i < f->conf.nsites; i++)
		fds[FRAME_SITES_FD + i] =
		    open_for_child(f, f->conf.sites[i].cert);
	argv[n++] = path;
	if (f->conf.root[0] != '\0') {
		argv[n++] = "-r";
		argv[n++] = f->conf.root;
	}
	if (l == NULL)
		argv[n++] = "-n";
	if (l && l->clear_login)
		argv[n++] = "-c";
	if (l && l->proxied)
		argv[n++] = "-p";
	argv[n++] = f->service->name;
	if (l)
		argv[n++] = l->peer;
	if (conf_program(&f->conf, f->service->program, path) == 0)
		pid = proc_spawn(&p);
	for (size_t i = FRAME_CERT_FD; i < p.nfds; i++)
		if (i != FRAME_USERS_FD && fds[i] != -1)
			close(fds[i]);
	return pid;
}

/* With the connection, the child's end of its channel, and users.cdb. */
static int
ask_nursery(const struct link *l, int nursery, const int pair[2], int users)
{
	struct frame_connection c = { .clear_login = l->clear_login,
		.proxied = l->proxied };
	const int fds[] = { l->sock, pair[1], users };

	memcpy(c.peer, l->peer, sizeof l->peer);
	return front_nursery_ask(nursery, span_of((const char *)&c, sizeof c),
	    fds, users == -1 ? 2 : 3, pair);
}

/* 0, or -1: no process descriptor. */
static int
find_child(struct link *l, int users)
{
	int nursery = l->nursery[FRONT_LOGINS], pair[2];

	/* The second time it is a program of its own. */
	for (; l->child == -1; nursery = -1) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			pair) == -1)
			return -1;
		l->channel = pair[0];
		if (nursery != -1) {
			l->child = ask_nursery(l, nursery, pair, users);
			if (l->child == -1)
				close(pair[0]);
			close(nursery);
			continue;
		}
		l->own = front_start_login(l->front, pair[1], users, l);
		close(pair[1]);
		if (l->own == -1)
			return -1;
		l->child = (int)syscall(SYS_pidfd_open, l->own, 0);
		return l->child == -1 ? -1 : 0;
	}
	return 0;
}

static int
start_child(struct link *l)
{
	bool smtp = l->front->service->session == NULL;
	int users = smtp ? open_for_child(l->front, "users.cdb") : -1;
	int r = find_child(l, users);

	if (users != -1)
		close(users);
	return r;
}

/* 0 when the process is gone and reaped, -1 at the deadline. */
static int
wait_for(pid_t pid, int64_t deadline_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int r = fd == -1 ? -1 : io_wait(fd, POLLIN, deadline_ms);

	if (fd != -1)
		close(fd);
	if (r == 0)
		(void)proc_wait(pid);
	return r;
}

int
front_answer(
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
	return l->tries < l->front->conf.auth_tries &&
	       q->mechanism < SASL_MECHANISMS;
}

/* May this request be made at all, now, by an honest program? */
static bool
is_auth_in_order(const struct link *l, const struct frame_request *q)
{
	const struct service *s = l->front->service;
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
		front_check_end(l);
		return front_answer(l, FRAME_REJECT, NULL, -1) == 0 ? GO_ON : DONE;
	}
	l->tries += q->type == FRAME_AUTH;
	if (front_check(l, q, &v) == FRAME_MORE)
		return pass_on(l, &v);
	if (v.status != FRAME_OK)
		return front_answer(l, v.status, NULL, -1) == 0 ? GO_ON : DONE;
	if (!front_seat_keep(l))
		return LOST;
	if (l->front->service->session)
		return front_session(l, q, &v);
	l->logged_in = true;
	memcpy(l->user, v.user, sizeof l->user);
	return front_answer(l, FRAME_OK, l->user, -1) == 0 ? GO_ON : DONE;
}

static pid_t
start_enqueue(const struct link *l, int end)
{
	const struct front *f = l->front;
	char user[FRAME_USER + 16], peer[FRONT_PEER + 16];
	char path[PATH_MAX], root[PATH_MAX + 16];
	const char *argv[] = { path, NULL };
	const char *env[] = { FRONT_ENV peer, NULL, NULL, NULL };
	int fds[] = { end, end, 2 };
	struct proc p = { .path = path,
		.argv = argv,
		.envp = env,
		.fds = fds,
		.nfds = 3,
		.uid = f->queue.uid,
		.gid = f->queue.gid };
	size_t n = sizeof env / sizeof *env - 3;

	snprintf(peer, sizeof peer, "SUBMIT_PEER=%s", l->peer);
	snprintf(user, sizeof user, "SUBMIT_USER=%s", l->user);
	snprintf(root, sizeof root, "POSTERN_ROOT=%s", f->conf.root);
	if (l->logged_in)
		env[n++] = user;
	if (f->conf.root[0] != '\0')
		env[n++] = root;
	return conf_program(&f->conf, "enqueue", path) == 0 ? proc_spawn(&p)
							    : -1;
}

static enum next
enqueue(struct link *l, const struct frame_request *q)
{
	const struct service *s = l->front->service;
	enum frame_status status = FRAME_TEMPFAIL;
	int pair[2], r;

	if (s->session || (s->kind == SERVICE_SUBMISSION && !l->logged_in) ||
	    q->n != 0)
		return VIOLATION;
	if (l->enqueue > 0 &&
	    wait_for(l->enqueue, io_now_ms() + FRONT_ENQUEUE_MS) == -1)
		return front_answer(l, status, NULL, -1) == 0 ? GO_ON : DONE;
	l->enqueue = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return front_answer(l, status, NULL, -1) == 0 ? GO_ON : DONE;
	l->enqueue = start_enqueue(l, pair[1]);
	close(pair[1]);
	if (l->enqueue != -1)
		status = FRAME_OK;
	r = front_answer(l, status, NULL, status == FRAME_OK ? pair[0] : -1);
	close(pair[0]);
	return r == 0 ? GO_ON : DONE;
}

/* Whom a proxy speaks for: once, and before all else. */
static enum next
take_proxy(struct link *l, const struct frame_request *q)
{
	enum frame_status s = FRAME_TEMPFAIL;

	if (l->proxied && q->type == FRAME_PROXY)
		s = front_proxy(l, q);
	if (s == FRAME_TEMPFAIL)
		return VIOLATION;
	return front_answer(l, s, NULL, -1) == 0 && s == FRAME_OK ? GO_ON : DONE;
}

/* 0, or -1 with errno ETIMEDOUT, ECANCELED (the seat is lost) or another. */
static int
wait_frame(const struct link *l, int64_t deadline_ms)
{
	struct pollfd p[2] = { { .fd = l->channel, .events = POLLIN },
		{ .fd = l->lost, .events = POLLIN } };
	int r = 0;

	while (r == 0 || (r == -1 && errno == EINTR)) {
		int64_t left = deadline_ms - io_now_ms();

		if (deadline_ms >= 0 && left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		r = poll(p, 2, deadline_ms < 0 ? -1 : (int)left);
	}
	if (r == -1 || p[1].revents == 0)
		return r == -1 ? -1 : 0;
	errno = ECANCELED;
	return -1;
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
end_child(const struct link *l, int signal)
{
	(void)priv_kill_fd(l->child, signal);
}

static void
tell_violation(const struct link *l)
{
	struct log line;

	log_start(&line, "login-program-ended");
	log_str(&line, "service", l->front->service->name);
	log_str(&line, "peer", l->peer);
	log_end(&line);
}

int
front_serve(const struct front *f, int sock, const struct helpers *h)
{
	struct link l = { .front = f,
		.sock = sock,
		.child = -1,
		.moves = h ? h->moves : -1,
		.seats = h ? h->seats : NULL,
		.seat = h ? h->seat : NULL,
		.check.sock = -1 };
	int64_t deadline = -1;
	enum next next = GO_ON;

	for (int i = 0; i < FRONT_NURSERIES; i++)
		l.nursery[i] = h ? h->nursery[i].sock : -1;
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
	if (front_seat_watch(&l) == -1 || start_child(&l) == -1)
		err_die_sys(EXIT_LATER, "start %s", f->service->program);
	if (f->service->session)
		deadline = io_now_ms() + FRONT_GRACE_MS +
			   (int64_t)f->conf.login_s * 1000;
	while (next == GO_ON)
		next = next_frame(&l, deadline);
	front_check_end(&l);
	if (next == PASSED)
		return 0;
	if (next == VIOLATION)
		tell_violation(&l);
	if (next == VIOLATION || next == LOST)
		end_child(&l, next == LOST ? SIGTERM : SIGKILL);
	(void)io_wait(l.child, POLLIN, -1);
	/* Who adopts orphans need not reap them. */
	close(l.sock);
	if (l.enqueue > 0)
		(void)wait_for(l.enqueue, io_now_ms() + FRONT_ENQUEUE_MS);
	return next == VIOLATION ? EXIT_LATER : 0;
}
