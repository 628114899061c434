/* After a login: another process is the session, or we become it. */
#include "front.h"

#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/proc.h"
#include "store/quota.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* imapd or pop3d: a program that can be executed. */
static int
find_program(const struct front *f, char path[PATH_MAX])
{
	if (conf_program(&f->conf, f->service->session, path) == -1)
		return -1;
	return access(path, X_OK);
}

pid_t
front_start_sessions(const struct front *f, int end)
{
	const char *env[] = { FRONT_ENV FRONT_NURSERY_ENV, NULL };
	char path[PATH_MAX];
	const char *argv[5] = { path, "-n" };
	const int fds[] = { -1, -1, 2, end };
	const struct proc p = { .path = path,
		.argv = argv,
		.envp = env,
		.fds = fds,
		.nfds = sizeof fds / sizeof *fds };

	if (f->conf.root[0] != '\0') {
		argv[2] = "-r";
		argv[3] = f->conf.root;
	}
	return find_program(f, path) == 0 ? proc_spawn(&p) : -1;
}

/* What it is told; as all of it came from checkpw, and was looked at. */
static struct frame_session
describe(const struct link *l, const struct frame_request *q,
    const struct frame_verdict *v)
{
	const struct quota_limits limits = { v->quota_bytes, v->quota_count,
		true };
	struct frame_session s = { .uid = v->uid, .gid = v->gid };

	_Static_assert((int)FRAME_QUOTA >= (int)QUOTA_TEXT, "quota_text");
	memcpy(s.tag, l->front->service->kind == SERVICE_POP3 ? "+OK" : q->tag,
	    l->front->service->kind == SERVICE_POP3 ? sizeof "+OK"
						    : sizeof s.tag);
	memcpy(s.user, v->user, sizeof s.user);
	memcpy(s.maildir, v->maildir, sizeof s.maildir);
	if (v->quota_known)
		quota_text(&limits, s.quota);
	return s;
}

/* Returns only on a fault. */
static void
become(const struct front *f, const struct frame_session *s, const char *path,
    int fd)
{
	char tag[FRAME_TAG + 16], user[FRAME_USER + 8], root[PATH_MAX + 16];
	char quota[FRAME_QUOTA + 16];
	const char *argv[] = { path, s->maildir, NULL };
	const char *env[] = { FRONT_ENV tag, user,
		NULL, NULL, NULL };
	size_t n = sizeof env / sizeof *env - 3;
	int fds[] = { fd, fd, 2 };
	struct proc p = { .path = path,
		.argv = argv,
		.envp = env,
		.fds = fds,
		.nfds = 3,
		.uid = f->root ? s->uid : 0,
		.gid = s->gid };

	snprintf(tag, sizeof tag, "AUTH_TAG=%s", s->tag);
	snprintf(user, sizeof user, "USER=%s", s->user);
	snprintf(root, sizeof root, "POSTERN_ROOT=%s", f->conf.root);
	snprintf(quota, sizeof quota, "POSTERN_QUOTA=%s", s->quota);
	if (f->conf.root[0] != '\0')
		env[n++] = root;
	if (s->quota[0] != '\0')
		env[n++] = quota;
	signal(SIGPIPE, SIG_DFL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		; /* a signer that is done */
	(void)proc_exec(&p);
}

/* A child of the nursery, which the listener counts from now on. */
static int
pass(const struct link *l, const struct frame_session *s, int fd)
{
	int nursery = l->nursery[FRONT_SESSIONS], pair[2], child;
	pid_t self = getpid();

	if (nursery == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	child = front_nursery_ask(nursery,
	    span_of((const char *)s, sizeof *s), (const int[]){ fd, pair[1] },
	    2, pair);
	close(pair[0]);
	if (child == -1)
		return -1;
	if (io_send(l->moves, &self, sizeof self, &child, 1) == -1)
		log_error("uncounted", l->front->service->session, errno);
	close(child);
	return 0;
}

static enum next
begin(const struct link *l, const struct frame_session *s, const char *path,
    int fd)
{
	if (pass(l, s, fd) == 0)
		return PASSED;
	become(l->front, s, path, fd);
	err_die_sys(EXIT_LATER, "start %s", path);
}

/* In clear: the session speaks on the socket once the child is gone. */
static enum next
hand_over(struct link *l, const struct frame_session *s, const char *path)
{
	if (front_answer(l, FRAME_OK, s->user, -1) == -1)
		return DONE;
	if (io_wait(l->child, POLLIN, io_now_ms() + FRONT_LEAVE_MS) == -1)
		return VIOLATION;
	return begin(l, s, path, l->sock);
}

/* Over TLS: the child goes on as the relay. */
static enum next
join(struct link *l, const struct frame_session *s, const char *path)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		(void)front_answer(l, FRAME_TEMPFAIL, NULL, -1);
		return GO_ON;
	}
	if (front_answer(l, FRAME_OK, s->user, pair[0]) == -1)
		return DONE;
	close(pair[0]);
	return begin(l, s, path, pair[1]);
}

enum next
front_session(struct link *l, const struct frame_request *q,
    const struct frame_verdict *v)
{
	const struct frame_session s = describe(l, q, v);
	char path[PATH_MAX];

	if (find_program(l->front, path) == -1) {
		log_error("no-session", l->front->service->session, errno);
		(void)front_answer(l, FRAME_TEMPFAIL, NULL, -1);
		return GO_ON;
	}
	return q->tls ? join(l, &s, path) : hand_over(l, &s, path);
}
