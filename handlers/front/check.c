/* Attempts to log in: start checkpw, believe its verdict within limits. */
#include "front.h"

#include "auth/sasl.h"
#include "base/io.h"
#include "base/log.h"
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

/* 0, or -1. */
static int
start(struct link *l, int end)
{
	const struct front *f = l->front;
	const struct conf *c = &f->conf;
	int secrets = c->checkpassword ? -1 : open_below(c, "secrets.cdb");
	int users = open_below(c, "users.cdb");
	int fds[] = { end, -1, 2, secrets, users, open_guard(c) };
	const char *env[] = { FRONT_ENV NULL };
	char path[PATH_MAX];
	const char *argv[6] = { path };
	struct proc p = { .path = path,
		.argv = argv,
		.envp = env,
		.fds = fds,
		.nfds = sizeof fds / sizeof *fds,
		.uid = f->auth.uid,
		.gid = f->auth.gid,
		.keep_chroot = f->root };
	size_t n = 1;
	pid_t pid = -1;

	if (c->root[0] != '\0') {
		argv[n++] = "-r";
		argv[n++] = c->root;
	}
	argv[n++] = f->service->name;
	argv[n++] = l->peer;
	if ((secrets != -1 || c->checkpassword) && users != -1 &&
	    conf_program(c, c->checkpw, path) == 0)
		pid = proc_spawn(&p);
	for (size_t i = 3; i < p.nfds; i++)
		if (fds[i] != -1)
			close(fds[i]);
	l->check.pid = pid == -1 ? 0 : pid;
	return pid == -1 ? -1 : 0;
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

void
front_check_end(struct link *l)
{
	struct check *k = &l->check;

	if (k->pid == 0)
		return;
	close(k->sock);
	kill(k->pid, SIGKILL);
	(void)proc_wait(k->pid);
	*k = (struct check){ 0 };
}

static int
begin(struct link *l, const struct frame_request *q)
{
	int pair[2], r;

	front_check_end(l);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	r = start(l, pair[1]);
	close(pair[1]);
	if (r == -1) {
		close(pair[0]);
		return -1;
	}
	l->check.sock = pair[0];
	l->check.mechanism = q->mechanism;
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
