/*
 * qspawn: starts the programs of the queue, each under its own uid.
 *
 * Reads:   postern.conf; frames of qsend (qframe.h), never a message.
 * Writes:  nothing but frames.
 * Runs as: root with CAP_SETUID, CAP_SETGID, CAP_SYS_CHROOT and CAP_KILL;
 *          or, not root, everything as the caller.
 * Exits:   0 stopped, or (-1) nothing is due; 100 usage; 111 try later.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/priv.h"
#include "base/proc.h"
#include "qframe.h"
#include "queue/queue.h"

enum {
	GRACE_MS = 15000 /* for running programs, once we are to stop */
};

struct child {
	pid_t pid;   /* 0: not running */
	bool owed;   /* qsend has not been told of its end */
	int32_t status;
};

struct qspawn {
	struct conf conf;
	uid_t queue_uid, net_uid, auth_uid, key_uid, porter_uid;
	gid_t queue_gid, net_gid;
	bool root, once, create;
	char empty[PATH_MAX];
	int channel, signals;
	pid_t qsend;
	int qsend_status;
	int64_t stop_ms; /* when the grace ends; 0: not stopping */
	size_t running;
	struct child *child; /* QFRAME_SLOTS */
	struct arena arena;
};

/* The programs that can be started, and nothing else. */
static const char *const programs[] = {
	[QFRAME_DELIVER] = "deliver",
	[QFRAME_REMOTE] = "remote",
	[QFRAME_BOUNCE] = "bounce",
};

static int
watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void
find_user(const char *user, uid_t *uid, gid_t *gid)
{
	if (priv_find_service(user, uid, gid) == 0)
		return;
	if (errno == EPERM)
		err_die(EXIT_NEVER, "user %s: must not be root", user);
	err_die_sys(EXIT_LATER, "user %s", user);
}

/* A user that nothing is started as here: it need not be there. */
static uid_t
other_user(const char *user)
{
	uid_t uid;
	gid_t gid;

	return priv_find_service(user, &uid, &gid) == 0 ? uid : (uid_t)-1;
}

static void
find_users(struct qspawn *q)
{
	q->root = geteuid() == 0;
	if (!q->root)
		return;
	find_user(q->conf.queue_user, &q->queue_uid, &q->queue_gid);
	find_user(q->conf.net_user, &q->net_uid, &q->net_gid);
	q->auth_uid = other_user(q->conf.auth_user);
	q->key_uid = other_user(q->conf.key_user);
	q->porter_uid = other_user(q->conf.porter_user);
}

static void
start_qsend(struct qspawn *q)
{
	char path[PATH_MAX];
	const char *argv[5] = { "qsend", "-r", q->conf.root };
	const char *const envp[] = { NULL };
	int pair[2], n = q->conf.root[0] ? 3 : 1;
	int fds[3] = { -1, -1, 2 };
	struct proc p = { .path = path, .argv = argv, .envp = envp,
		.fds = fds, .nfds = 3, .uid = q->queue_uid,
		.gid = q->queue_gid };

	argv[n++] = q->once ? "-1" : NULL;
	argv[n] = NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1 ||
	    conf_program(&q->conf, "qsend", path) == -1)
		err_die_sys(EXIT_LATER, "qsend");
	fds[0] = pair[1];
	q->qsend = proc_spawn(&p);
	if (q->qsend == -1)
		err_die_sys(EXIT_LATER, "qsend");
	close(pair[1]);
	q->channel = pair[0];
	/* Answers wait here rather than in a send: qsend may be sending. */
	if (fcntl(q->channel, F_SETFL, O_NONBLOCK) == -1)
		err_die_sys(EXIT_LATER, "qsend");
}

/* Who the program will be; false: not allowed. */
static bool
choose_user(const struct qspawn *q, const struct qframe_run *f, struct proc *p)
{
	if (!q->root)
		return f->program != QFRAME_DELIVER || f->uid == geteuid();
	switch ((enum qframe_program)f->program) {
	case QFRAME_DELIVER:
		p->uid = f->uid;
		p->gid = f->gid;
		return f->uid >= q->conf.uid_min && f->uid != (uid_t)-1 &&
		    f->gid != 0 && f->gid != (gid_t)-1 &&
		    f->uid != q->queue_uid && f->uid != q->net_uid &&
		    f->uid != q->auth_uid && f->uid != q->key_uid &&
		    f->uid != q->porter_uid;
	case QFRAME_REMOTE:
		p->uid = q->net_uid;
		p->gid = q->net_gid;
		p->empty = q->empty;
		return true;
	case QFRAME_BOUNCE:
		p->uid = q->queue_uid;
		p->gid = q->queue_gid;
		return true;
	}
	return false;
}

/* The packet's strings as argv behind what is there; false: not whole. */
static bool
take_args(const struct qframe_run *f, const char **argv, size_t n)
{
	const char *at = f->args, *end = f->args + f->size;

	if (f->argc > QFRAME_ARGC)
		return false;
	for (uint32_t i = 0; i < f->argc; i++) {
		const char *nul = memchr(at, '\0', (size_t)(end - at));

		if (nul == NULL)
			return false;
		argv[n++] = at;
		at = nul + 1;
	}
	argv[n] = NULL;
	return at == end;
}

static pid_t
start_program(const struct qspawn *q, const struct qframe_run *f,
    const int fds[2])
{
	char path[PATH_MAX];
	const char *argv[QFRAME_ARGC + 5];
	const char *const envp[] = { NULL };
	const int all[] = { fds[0], fds[1], 2 };
	struct proc p = { .path = path, .argv = argv, .envp = envp,
		.fds = all, .nfds = 3 };
	size_t n = 0;

	errno = EPERM;
	if (!choose_user(q, f, &p))
		return -1;
	argv[n++] = programs[f->program];
	if (q->conf.root[0]) {
		argv[n++] = "-r";
		argv[n++] = q->conf.root;
	}
	argv[n++] = "--";
	errno = EBADMSG;
	if (!take_args(f, argv, n) ||
	    conf_program(&q->conf, programs[f->program], path) == -1)
		return -1;
	return proc_spawn(&p);
}

static void
tell(struct qspawn *q)
{
	for (size_t i = 0; i < QFRAME_SLOTS; i++) {
		struct child *c = &q->child[i];
		struct qframe_done done = { (int32_t)i, c->status };

		if (!c->owed)
			continue;
		if (io_send(q->channel, &done, sizeof done, NULL, 0) == -1)
			return; /* full: later; gone: noticed elsewhere */
		c->owed = false;
	}
}

static void
run(struct qspawn *q, const struct qframe_run *f, const int fds[2])
{
	struct child *c = &q->child[f->slot];

	c->pid = start_program(q, f, fds);
	if (c->pid > 0) {
		q->running++;
		return;
	}
	log_error("not-started", programs[f->program], errno);
	c->pid = 0;
	c->status = EXIT_LATER;
	c->owed = true;
}

/* A frame that is not as it must be is the end: qsend is not itself. */
static bool
is_sound(const struct qspawn *q, const struct qframe_run *f, size_t n)
{
	return n >= offsetof(struct qframe_run, args) &&
	    f->size == n - offsetof(struct qframe_run, args) &&
	    f->slot < QFRAME_SLOTS && f->program <= QFRAME_BOUNCE &&
	    q->child[f->slot].pid == 0 && !q->child[f->slot].owed;
}

/* One request; false when there will be no more. */
static bool
take_request(struct qspawn *q)
{
	struct qframe_run f;
	int fds[2];
	ssize_t n = io_recv(q->channel, &f, sizeof f, fds, 2);

	if (n == -1 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	if (!is_sound(q, &f, (size_t)n)) {
		log_event("bad-frame");
		return false;
	}
	if (q->stop_ms == 0) {
		run(q, &f, fds);
	} else {
		q->child[f.slot].status = EXIT_LATER;
		q->child[f.slot].owed = true;
	}
	for (size_t i = 0; i < 2; i++)
		if (fds[i] != -1)
			close(fds[i]);
	return true;
}

static int
code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
	                           : WEXITSTATUS(status);
}

static void
end_programs(const struct qspawn *q)
{
	for (size_t i = 0; i < QFRAME_SLOTS; i++)
		if (q->child[i].pid > 0)
			(void)priv_kill(q->child[i].pid, SIGTERM);
}

/*
 * qsend ends last, unless it was killed.  Then nobody records what becomes
 * of the programs that still run: all that they finish from now on will be
 * done again.
 */
static void
reap(struct qspawn *q)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == q->qsend) {
			q->qsend = 0;
			q->qsend_status = code(status);
			end_programs(q);
		}
		for (size_t i = 0; i < QFRAME_SLOTS; i++) {
			struct child *c = &q->child[i];

			if (c->pid != pid)
				continue;
			c->pid = 0;
			c->status = code(status);
			c->owed = true;
			q->running--;
		}
	}
}

static void
stop(struct qspawn *q)
{
	struct qframe_done f = { QFRAME_STOP, 0 };

	if (q->stop_ms != 0)
		return;
	q->stop_ms = io_now_ms() + GRACE_MS;
	(void)io_send(q->channel, &f, sizeof f, NULL, 0); /* or it is gone */
}

static void
take_signals(struct qspawn *q)
{
	struct signalfd_siginfo s;

	while (read(q->signals, &s, sizeof s) == sizeof s)
		if (s.ssi_signo != SIGCHLD)
			stop(q);
	reap(q);
}

/* What is cut off here is tried again: no message is lost by it. */
static void
end_children(struct qspawn *q)
{
	end_programs(q);
	if (q->qsend > 0 && q->running == 0)
		(void)priv_kill(q->qsend, SIGTERM);
	q->stop_ms = io_now_ms() + GRACE_MS;
}

static int
wait_ms(const struct qspawn *q)
{
	int64_t left;

	if (q->stop_ms == 0)
		return -1;
	left = q->stop_ms - io_now_ms();
	return left < 0 ? 0 : (int)left;
}

static bool
owes(const struct qspawn *q)
{
	for (size_t i = 0; i < QFRAME_SLOTS; i++)
		if (q->child[i].owed)
			return true;
	return false;
}

/* Until qsend, and all that it had started, is gone. */
static int
serve(struct qspawn *q)
{
	bool open = true;

	while (q->qsend > 0 || q->running > 0) {
		struct pollfd p[2] = {
			{ .fd = q->signals, .events = POLLIN },
			{ .fd = open ? q->channel : -1, .events = POLLIN },
		};

		if (owes(q))
			p[1].events |= POLLOUT;
		if (poll(p, 2, wait_ms(q)) == -1 && errno != EINTR)
			return -1;
		take_signals(q);
		if (p[1].revents & (POLLIN | POLLHUP | POLLERR))
			open = take_request(q);
		if (open) {
			tell(q);
		} else if (q->channel != -1) {
			stop(q);
			close(q->channel);
			q->channel = -1;
		}
		if (q->stop_ms != 0 && io_now_ms() >= q->stop_ms)
			end_children(q);
	}
	return 0;
}

static void
options(struct qspawn *q, int argc, char **argv)
{
	static const char usage[] = "usage: qspawn [-1c] [-r root]";
	char error[CONF_ERROR];
	const char *root = NULL;
	int c;

	while ((c = getopt(argc, argv, "1cr:")) != -1)
		if (c == '1')
			q->once = true;
		else if (c == 'c')
			q->create = true;
		else if (c == 'r')
			root = optarg;
		else
			err_die(EXIT_NEVER, "%s", usage);
	if (optind != argc)
		err_die(EXIT_NEVER, "%s", usage);
	if (conf_load(&q->conf, root, error) == -1)
		err_die(EXIT_LATER, "%s", error);
	if (conf_path(&q->conf, "run/postern/empty", q->empty) == -1)
		err_die_sys(EXIT_LATER, "run/postern/empty");
}

/*
 * Root without its usual capabilities cannot even look into the queue: then
 * it has been made by a run with -c.  One that was not finished is not yet
 * its owner's.
 */
static void
make_queue(const struct qspawn *q)
{
	char path[PATH_MAX];
	struct stat st;

	if (conf_path(&q->conf, QUEUE_FOLDER, path) == -1)
		err_die_sys(EXIT_LATER, "queue");
	if (q->root && !q->create && stat(path, &st) == 0 &&
	    st.st_uid == q->queue_uid)
		return;
	if (queue_create(&q->conf) == -1)
		err_die_sys(EXIT_LATER, "%s", path);
}

int
main(int argc, char **argv)
{
	struct qspawn q = { .channel = -1, .arena = arena_new(1 << 20) };

	err_program("qspawn");
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	options(&q, argc, argv);
	find_users(&q);
	q.child = arena_alloc(&q.arena, QFRAME_SLOTS, sizeof *q.child);
	if (q.child == NULL)
		err_nomem();
	make_queue(&q);
	if (q.create)
		return 0;
	if (priv_limit(PRIV_USERS | PRIV_ROOT | PRIV_KILL) == -1)
		err_die_sys(EXIT_LATER, "capabilities");
	q.signals = watch_signals();
	if (q.signals == -1)
		err_die_sys(EXIT_LATER, "signals");
	start_qsend(&q);
	if (serve(&q) == -1)
		err_die_sys(EXIT_LATER, "poll");
	return q.qsend_status;
}
