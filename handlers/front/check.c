/* Attempts to log in: start checkpw, believe its verdict within limits. */
#include "front.h"

#include "auth/sasl.h"
#include "base/io.h"
#include "base/log.h"
#include "base/priv.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static int
open_below(const struct conf *c, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (conf_etc(c, name, path) == -1)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1)
		log_error("unreadable", name, errno);
	return fd;
}

/* Where there is none, checkpw does without. */
static int
open_guard(const struct conf *c)
{
	char path[PATH_MAX];
	int fd = -1;

	if (conf_path(c, "run/postern/guard", path) == 0)
		fd = open(path,
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		    0600);
	if (fd == -1)
		log_error("no-guard", "run/postern/guard", errno);
	return fd;
}

/* With two arguments behind the root: the process id, or -1. */
static pid_t
run(const struct front *f, const int *fds, size_t nfds, const char *first,
    const char *second)
{
	const struct conf *c = &f->conf;
	const char *env[] = { FRONT_ENV FRONT_NURSERY_ENV, NULL };
	char path[PATH_MAX];
	const char *argv[6] = { path };
	struct proc p = { .path = path,
		.argv = argv,
		.envp = env,
		.fds = fds,
		.nfds = nfds,
		.uid = f->auth.uid,
		.gid = f->auth.gid,
		.keep_chroot = f->root };
	size_t n = 1;

	if (c->root[0] != '\0') {
		argv[n++] = "-r";
		argv[n++] = c->root;
	}
	argv[n++] = first;
	argv[n++] = second;
	if (conf_program(c, c->checkpw, path) == -1)
		return -1;
	return proc_spawn(&p);
}

pid_t
front_start_checkers(const struct front *f, int end)
{
	const int fds[] = { -1, -1, 2, end };

	return run(f, fds, sizeof fds / sizeof *fds, "-n", f->service->name);
}

/* For one attempt. */
static pid_t
start(const struct link *l, int end)
{
	const struct conf *c = &l->front->conf;
	const int fds[] = { end, -1, 2,
		c->checkpassword ? -1 : open_below(c, "secrets.cdb"),
		open_below(c, "users.cdb"), open_guard(c) };
	size_t n = sizeof fds / sizeof *fds;
	pid_t pid = -1;

	if ((fds[3] != -1 || c->checkpassword) && fds[4] != -1)
		pid = run(l->front, fds, n, l->front->service->name, l->peer);
	for (size_t i = 3; i < n; i++)
		if (fds[i] != -1)
			close(fds[i]);
	return pid;
}

static bool
is_below(const char *root, const char *path)
{
	size_t n = strlen(root);
	struct span rest;

	if (strncmp(path, root, n) != 0 || path[n] != '/')
		return false;
	rest = span_str(path + n + 1);
	if (rest.n == 0)
		return false;
	while (rest.n > 0)
		if (span_is(span_take(&rest, '/'), ".."))
			return false;
	return true;
}

/* A mailbox that a session may be started for. */
static bool
is_owner(const struct front *f, const struct frame_verdict *v)
{
	if (!f->root)
		return v->uid == geteuid();
	return v->uid >= f->conf.uid_min && v->uid != 0 && v->gid != 0 &&
	       v->uid != UINT32_MAX && v->gid != UINT32_MAX;
}

static bool
is_text(const char *p, size_t size)
{
	return memchr(p, '\0', size) != NULL;
}

static bool
is_sound(const struct front *f, const struct frame_verdict *v, ssize_t n)
{
	if (n != (ssize_t)sizeof *v || v->status > FRAME_MORE ||
	    v->n > sizeof v->data || !is_text(v->user, sizeof v->user) ||
	    !is_text(v->credential, sizeof v->credential) ||
	    !is_text(v->why, sizeof v->why) ||
	    !is_text(v->maildir, sizeof v->maildir))
		return false;
	return v->status != FRAME_OK || (v->user[0] != '\0' && is_owner(f, v) &&
					    is_below(f->conf.root, v->maildir));
}

/* A nursery's child ends as soon as nobody listens; killed, it would end the
 * nursery as well. */
void
front_check_end(struct link *l)
{
	struct check *k = &l->check;

	if (k->sock == -1)
		return;
	close(k->sock);
	if (k->child != -1)
		close(k->child);
	if (k->own > 0) {
		(void)priv_kill(k->own, SIGKILL);
		(void)proc_wait(k->own);
	}
	*k = (struct check){ .sock = -1 };
}

/* With its end of the channel, secrets.cdb, users.cdb, and the guard if there
 * is one. */
static int
ask_checkers(const struct link *l, const int pair[2])
{
	const struct conf *c = &l->front->conf;
	struct frame_attempt a = { 0 };
	const int fds[] = { pair[1], open_below(c, "secrets.cdb"),
		open_below(c, "users.cdb"), open_guard(c) };
	int child = -1;

	memcpy(a.peer, l->peer, sizeof l->peer);
	if (fds[1] != -1 && fds[2] != -1)
		child = front_nursery_ask(l->nursery[FRONT_CHECKS],
		    span_of((const char *)&a, sizeof a), fds,
		    fds[3] == -1 ? 3 : 4, pair);
	else
		close(pair[1]);
	for (size_t i = 1; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] != -1)
			close(fds[i]);
	return child;
}

static int
begin(struct link *l, const struct frame_request *q)
{
	struct check k = { .child = -1, .mechanism = q->mechanism };
	int pair[2];

	front_check_end(l);
	l->check.mechanism = k.mechanism; /* for the log, whatever happens */
	/* The second time it is a program of its own. */
	for (;; l->nursery[FRONT_CHECKS] = -1) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			pair) == -1)
			return -1;
		if (l->nursery[FRONT_CHECKS] != -1) {
			k.child = ask_checkers(l, pair);
		} else {
			k.own = start(l, pair[1]);
			close(pair[1]);
		}
		if (k.child != -1 || k.own > 0)
			break;
		close(pair[0]);
		if (l->nursery[FRONT_CHECKS] == -1)
			return -1;
	}
	k.sock = pair[0];
	l->check = k;
	return 0;
}

/* 0, or -1 where there is no verdict that counts. */
static int
exchange(struct link *l, const struct frame_request *q, struct frame_verdict *v)
{
	int64_t deadline = io_now_ms() + FRONT_VERDICT_MS;
	struct check *k = &l->check;

	if (q->type == FRAME_AUTH && begin(l, q) == -1)
		return -1;
	if (io_send(k->sock, q, sizeof *q, NULL, 0) == -1 ||
	    io_wait(k->sock, POLLIN, deadline) == -1 ||
	    !is_sound(l->front, v, io_recv(k->sock, v, sizeof *v, NULL, 0)))
		return -1;
	/* An exchange has an end. */
	return v->status == FRAME_MORE && ++k->steps >= FRAME_STEPS ? -1 : 0;
}

/* Filters of the log know this line: it is in front(8). */
static void
tell(const struct link *l, const struct frame_request *q,
    const struct frame_verdict *v)
{
	static const char *const events[] = { "login-unavailable",
		"login-failed", "login" };
	struct log line;

	log_start(&line, events[v->status]);
	log_str(&line, "service", l->front->service->name);
	log_str(&line, "peer", l->peer);
	log_str(&line, "user", v->user);
	log_num(&line, "tls", q->tls);
	log_str(&line, "mechanism", sasl_mechanism(l->check.mechanism)->name);
	if (v->credential[0] != '\0')
		log_str(&line, "credential", v->credential);
	if (v->why[0] != '\0')
		log_str(&line, "why", v->why);
	log_end(&line);
}

static void
sleep_until(int64_t ms)
{
	int64_t left;

	while ((left = ms - io_now_ms()) > 0) {
		struct timespec t = { .tv_sec = left / 1000,
			.tv_nsec = (long)(left % 1000) * 1000000 };

		nanosleep(&t, NULL);
	}
}

enum frame_status
front_check(
    struct link *l, const struct frame_request *q, struct frame_verdict *v)
{
	int64_t start_ms = io_now_ms();

	*v = (struct frame_verdict){ .status = FRAME_TEMPFAIL };
	if (exchange(l, q, v) == -1)
		*v = (struct frame_verdict){ .status = FRAME_TEMPFAIL };
	if (v->status == FRAME_MORE)
		return FRAME_MORE;
	tell(l, q, v);
	front_check_end(l);
	/* Counted from the question on, so that a refusal takes as long
	 * whatever the reason. */
	if (v->status == FRAME_REJECT)
		sleep_until(start_ms + (int64_t)l->front->conf.auth_delay_ms);
	return v->status;
}
