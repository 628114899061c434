/*
 * front: starts other programs, each with its own uid and descriptors; the
 * only program with rights on the way of a connection, and in the queue.
 *
 * Reads:   a plan, from porter -P, which has no rights and sees no
 *          connection; then requests of the porter or qsend (start.h)
 * Writes:  answers to these; what has ended, and how
 * Runs as: root with CAP_SETUID, CAP_SETGID and CAP_SYS_CHROOT, or as
 *          anybody, for a server of one uid
 * Exits:   as the porter does: 0; 100 usage or configuration; 111 a fault;
 *          or it becomes the session
 */
#include "front.h"

#include "base/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	DOOR_S = 5
};

struct front {
	int channel; /* to the porter */
	int signals;
	int door[2];
	int ends[2];
	int bound[START_SOCKETS];
	pid_t porter;
	struct start_plan plan;
};

_Noreturn void
front_fail(const char *what)
{
	(void)!write(2, "front: fault: ", 14);
	(void)!write(2, what, strlen(what));
	(void)!write(2, "\n", 1);
	_exit(FRONT_FAULT);
}

static const char *
text(const struct front *f, uint32_t at)
{
	return at < f->plan.size ? f->plan.text + at : "";
}

/* How many. */
static size_t
put(const struct front *f, struct start_list l, const char **out)
{
	size_t n;

	for (n = 0; n < l.n && n < START_LIST; n++) {
		out[n] = text(f, l.at);
		l.at += (uint32_t)strlen(out[n]) + 1;
	}
	return n;
}

static _Noreturn void
be(const struct front *f, const struct start_request *q, const int *fds)
{
	const struct start_recipe *r = &f->plan.recipe[q->program];
	const char *argv[START_LIST + START_ARGS + 1] = { NULL };
	const char *envp[START_LIST + 1] = { NULL };
	size_t n = put(f, r->argv, argv);
	const char *at = q->text;
	const struct proc p = { .path = argv[0],
		.argv = argv,
		.envp = envp,
		.fds = fds,
		.nfds = r->nfds,
		.uid = r->owned ? q->uid : r->uid,
		.gid = r->owned ? q->gid : r->gid,
		.limit = true,
		.kept = r->users ? PRIV_USERS : PRIV_NONE,
		.empty = r->leaves ? text(f, f->plan.empty) : NULL };
	sigset_t none;

	for (uint32_t i = 0; i < q->args; i++) {
		argv[n++] = at;
		at += strlen(at) + 1;
	}
	(void)put(f, r->envp, envp);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)proc_exec(&p);
	front_fail(p.path);
}

/* Our copy, which is to be closed where it is a file. */
static int
find(const struct front *f, const struct start_source *s, const int *given)
{
	const int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	switch ((enum start_from)s->from) {
	case START_FILE:
		return open(text(f, s->which), O_RDONLY | flags);
	case START_STATE:
		return open(text(f, s->which),
		    O_RDWR | O_CREAT | O_NOFOLLOW | flags, 0600);
	case START_THAT:
		return s->which < START_GIVEN ? given[s->which] : -1;
	case START_OURS:
		return (int)s->which;
	case START_BOUND:
		return s->which < START_SOCKETS ? f->bound[s->which] : -1;
	case START_DOOR:
		return f->door[0];
	case START_ROOM:
		return f->door[1];
	case START_ENDS:
		return f->ends[0];
	case START_NOWHERE:
		break;
	}
	return -1;
}

static bool
is_file(const struct start_source *s)
{
	return s->from == START_FILE || s->from == START_STATE;
}

/* The process id, or -1; where front is to become it, it does not return. */
static pid_t
start(const struct front *f, const struct start_request *q, const int *given,
    struct start_reply *a)
{
	const struct start_recipe *r = &f->plan.recipe[q->program];
	int fds[START_FDS];
	pid_t pid = 0;

	for (uint32_t i = 0; i < r->nfds; i++) {
		fds[i] = find(f, &r->fds[i], given);
		if (fds[i] != -1 || !is_file(&r->fds[i]) || errno == ENOENT)
			continue;
		a->unreadable = errno;
		strncpy(a->file, text(f, r->fds[i].which), sizeof a->file - 1);
	}
	if (q->type != START_BECOME)
		pid = fork();
	if (pid == 0)
		be(f, q, fds);
	a->error = pid == -1 ? errno : 0;
	a->pid = pid;
	for (uint32_t i = 0; i < r->nfds; i++)
		if (is_file(&r->fds[i]) && fds[i] != -1)
			close(fds[i]);
	return pid;
}

static void
begin(const struct front *f, const struct start_request *q, int answer,
    const int *given)
{
	struct start_reply a = { 0 };
	pid_t pid = start(f, q, given, &a);
	int process = pid == -1 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);

	(void)io_send(answer, &a, sizeof a, &process, process == -1 ? 0 : 1);
	if (process != -1)
		close(process);
}

/* What goes with it ends with it; nobody is left to wait for them. */
static void
become(const struct front *f, const struct start_request *q, int answer,
    const int *given)
{
	struct start_reply a = { 0 };

	if (io_send(answer, &a, sizeof a, NULL, 0) == -1)
		return;
	(void)signal(SIGCHLD, SIG_IGN);
	(void)start(f, q, given, &a);
}

static uint64_t
mix(uint64_t h, uint64_t more)
{
	return (h ^ more) * 0x100000001b3;
}

/* A file that is not there has a stamp, too. */
static uint64_t
stamp(const struct front *f, const struct start_recipe *r)
{
	uint64_t h = 0xcbf29ce484222325;
	struct stat st;

	for (uint32_t i = 0; i < r->nfds; i++) {
		if (!is_file(&r->fds[i]))
			continue;
		if (stat(text(f, r->fds[i].which), &st) == -1)
			st = (struct stat){ 0 };
		h = mix(h, st.st_ino);
		if (r->fds[i].from == START_STATE)
			continue; /* it is written all the time */
		h = mix(h, (uint64_t)st.st_size);
		h = mix(h, (uint64_t)st.st_ctim.tv_sec);
		h = mix(h, (uint64_t)st.st_ctim.tv_nsec);
	}
	return h;
}

static void
tell_stamps(const struct front *f, int answer)
{
	struct start_stamps s;

	for (int i = 0; i < START_PROGRAMS; i++)
		s.program[i] = stamp(f, &f->plan.recipe[i]);
	(void)io_send(answer, &s, sizeof s, NULL, 0);
}

/* By somebody who has no more rights over it than itself. */
static void
end(const struct front *f, const struct start_request *q, int process)
{
	const struct start_recipe *r = &f->plan.recipe[q->program];
	uid_t uid = r->owned ? q->uid : r->uid;
	gid_t gid = r->owned ? q->gid : r->gid;

	/* Root's are not the porter's to end. */
	if ((uid == 0 && getuid() == 0) || fork() != 0)
		return;
	if (priv_limit(PRIV_USERS) == -1 ||
	    (uid != 0 && priv_become(uid, gid) == -1))
		_exit(FRONT_FAULT);
	_exit(syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0) == -1);
}

static bool
has_arguments(const struct start_request *q, const struct start_recipe *r)
{
	uint32_t ends = 0;

	for (uint32_t i = 0; i < q->size; i++)
		ends += q->text[i] == '\0';
	return ends == q->args && q->args <= r->args &&
	       q->args <= START_ARGS &&
	       (q->size == 0 || q->text[q->size - 1] == '\0');
}

static bool
is_owner(const struct start_plan *p, uint32_t uid, uint32_t gid)
{
	for (int i = 0; i < START_USERS; i++)
		if (uid == p->user[i])
			return false;
	return uid != 0 && uid >= p->least_uid && uid != UINT32_MAX &&
	       gid >= p->least_gid && gid != UINT32_MAX;
}

static bool
is_sound(const struct front *f, const struct start_request *q, ssize_t n)
{
	const struct start_recipe *r = f->plan.recipe;
	const size_t head = offsetof(struct start_request, text);

	/* There is one porter, and what it had of ours is closed. */
	if (n < (ssize_t)head || q->program >= START_PROGRAMS ||
	    (q->type != START_STAMP && q->program == START_PORTER) ||
	    q->size != (size_t)n - head || r[q->program].argv.n == 0)
		return false;
	return has_arguments(q, &r[q->program]) &&
	       (!r[q->program].owned || is_owner(&f->plan, q->uid, q->gid));
}

/* False when there will be no more. */
static bool
take_request(const struct front *f)
{
	struct start_request q;
	int fds[IO_MAX_FDS];
	ssize_t n = io_recv(f->channel, &q, sizeof q, fds, IO_MAX_FDS);

	if (n == 0 || (n == -1 && errno != EMSGSIZE))
		return false;
	if (n == -1 || !is_sound(f, &q, n))
		q.type = UINT32_MAX;
	if (q.type == START_BEGIN)
		begin(f, &q, fds[0], fds + 1);
	else if (q.type == START_BECOME)
		become(f, &q, fds[0], fds + 1);
	else if (q.type == START_STAMP)
		tell_stamps(f, fds[0]);
	else if (q.type == START_END)
		end(f, &q, fds[0]);
	for (size_t i = 0; n != -1 && i < IO_MAX_FDS; i++)
		if (fds[i] != -1)
			close(fds[i]);
	return true;
}

/* The service has ended, but not all connections: for them, somebody stays
 * whom nobody waits for. */
static void
leave(struct front *f, int code)
{
	if (fork() != 0)
		_exit(code);
	f->porter = 0;
}

/* Somebody may have tried what is not on its list of system calls. */
static void
tell_crash(int signal)
{
	char text[] = "front: program-killed signal=00\n";
	char *digits = strchr(text, '0');

	digits[0] = (char)('0' + signal / 10 % 10);
	digits[1] = (char)('0' + signal % 10);
	(void)!write(2, text, sizeof text - 1);
}

static void
take_signals(struct front *f)
{
	struct signalfd_siginfo s;
	int status;
	pid_t pid;

	if (read(f->signals, &s, sizeof s) == (ssize_t)sizeof s &&
	    s.ssi_signo != SIGCHLD && f->porter != 0) {
		/* It is to accept nobody any more. */
		(void)io_send(f->channel, "", 1, NULL, 0);
		if (!f->plan.stays)
			leave(f, 0);
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		const struct start_end e = { pid, status };

		if (WIFSIGNALED(status))
			tell_crash(WTERMSIG(status));
		if (pid == f->porter)
			leave(f, WIFEXITED(status) ? WEXITSTATUS(status)
						   : 128 + WTERMSIG(status));
		else if (write(f->ends[1], &e, sizeof e) == -1)
			continue; /* nobody wants to know */
	}
}

static int
run(struct front *f)
{
	struct pollfd p[2] = { { .fd = f->channel, .events = POLLIN },
		{ .fd = f->signals, .events = POLLIN } };
	int code;

	for (;;) {
		if (poll(p, 2, -1) == -1 && errno != EINTR)
			front_fail("poll");
		/* A packet of no bytes is not yet the end. */
		if (p[0].revents && !take_request(f) &&
		    (p[0].revents & POLLHUP))
			break;
		if (p[1].revents)
			take_signals(f);
	}
	code = f->porter == 0 ? 0 : proc_wait(f->porter);
	return code == -1 ? FRONT_FAULT : code;
}

static int
bind_one(const struct sockaddr_storage *a)
{
	int fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	/* IPv4 has a socket of its own, as with systemd's BindIPv6Only. */
	if (a->ss_family == AF_INET6)
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	/* A port below 1024 takes a right. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == -1 ||
	    priv_effect(true) == -1 ||
	    bind(fd, (const struct sockaddr *)a, sizeof *a) == -1 ||
	    priv_effect(false) == -1 || listen(fd, 4096) == -1)
		front_fail(strerror(errno));
	return fd;
}

static void
start_porter(struct front *f)
{
	const struct start_request q = { .type = START_BEGIN,
		.program = START_PORTER };
	struct start_reply a = { 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		front_fail("socketpair");
	f->channel = pair[0];
	f->porter = start(f, &q, &pair[1], &a);
	close(pair[1]);
	close(f->ends[0]);
	/* The connection is not ours to keep. */
	for (int i = 0; i < 2; i++)
		if (dup2(pair[0], i) == -1)
			front_fail("dup");
	for (uint32_t i = 0; i < f->plan.sockets; i++)
		close(START_SOCKETS_FD + (int)i);
	for (uint32_t i = 0; i < f->plan.binds; i++)
		close(f->bound[i]);
}

static void
watch_signals(struct front *f)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_SETMASK, &wanted, NULL) == -1)
		front_fail("signals");
	f->signals = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* So that nothing of ours takes these numbers, which become the channel's.  Of
 * fd 2 the planner takes care. */
static void
open_first(void)
{
	for (int fd = 0; fd < 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDWR) != fd)
			_exit(FRONT_FAULT);
}

int
main(int argc, char *argv[])
{
	const struct timeval t = { .tv_sec = DOOR_S };
	struct front f = { 0 };
	int code;

	open_first();
	/* From here on none is in effect. */
	if (priv_limit(PRIV_USERS | PRIV_ROOT | PRIV_BIND) == -1)
		front_fail("rights");
	/* Who ignores children cannot wait for them. */
	(void)signal(SIGCHLD, SIG_DFL);
	code = argc > 0 ? front_plan(&f.plan, argv) : FRONT_FAULT;
	if (code != 0)
		return code;
	for (uint32_t i = 0; i < f.plan.binds; i++)
		f.bound[i] = bind_one(&f.plan.bind[i]);
	if (priv_limit(PRIV_USERS | PRIV_ROOT) == -1 || chdir("/") == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f.door) ==
		-1 ||
	    pipe2(f.ends, O_CLOEXEC | O_NONBLOCK) == -1)
		front_fail("rights");
	/* Who finds the room behind it full does not wait for ever. */
	(void)setsockopt(f.door[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
	watch_signals(&f);
	if (f.signals == -1)
		front_fail("signals");
	start_porter(&f);
	if (f.porter == -1)
		front_fail("porter");
	return run(&f);
}
