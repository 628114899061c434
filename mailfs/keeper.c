/* The keeper of a mount. */
#include "keeper.h"

#include "base/err.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	DEATHS = 8, /* in DEATHS_MS, then it gives up */
	DEATHS_MS = 60000
};

struct guard {
	const struct keeper *k;
	struct shared *shared;
	int signals, timer;
	int pipe[2]; /* notices */
	pid_t daemon;
	sigset_t before; /* the signals that were blocked */
	size_t deaths;
	int64_t first_death_ms;
	bool leaving;
};

/* The daemon has open files of its own and of those who read. */
static void
raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r); /* fewer will do */
	}
}

static void
close_all(const struct guard *g)
{
	close(g->signals);
	close(g->pipe[0]);
	(void)sigprocmask(SIG_SETMASK, &g->before, NULL); /* cannot fail */
}

_Noreturn static void
be_daemon(const struct guard *g)
{
	const struct keeper *k = g->k;
	struct fs *fs = k->fs;
	struct jail j = { .kind = JAIL_VIEW, .folder = k->maildir };
	int landlock;

	close_all(g);
	raise_limit();
	if (k->by_root && fs->uid != 0 &&
	    priv_become(fs->uid, fs->gid) == -1)
		err_die_sys(EXIT_LATER, "become %lu", (unsigned long)fs->uid);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
	    jail_enter(&j, &landlock) == -1)
		err_die_sys(EXIT_LATER, "jail");
	fs->shared = g->shared;
	node_table_init(&fs->nodes, fs->shared->generation);
	fs->notices = buf_new(FS_NOTICES);
	fs->notice_fd = g->pipe[1];
	fs->timer = g->timer;
	if (tree_open(&fs->tree, k->maildir) == -1)
		err_die_sys(EXIT_LATER, "open %s", k->maildir);
	fs->tree.changed = notice_change;
	fs->tree.ctx = fs;
	_exit(loop_run(fs) == 0 ? 0 : EXIT_LATER);
}

static int
start(struct guard *g)
{
	g->shared->generation++;
	g->daemon = fork();
	if (g->daemon == 0)
		be_daemon(g);
	return g->daemon == -1 ? -1 : 0;
}

/* The kernel still waits for the answer to the request that killed. */
static void
answer_lost(struct guard *g)
{
	struct fuse_out_header h = {
		.len = sizeof h, .error = -EIO, .unique = g->shared->unique
	};

	if (h.unique == 0)
		return;
	g->shared->unique = 0;
	if (write(fuse_session_fd(g->k->fs->session), &h, sizeof h) == -1)
		log_error("not-answered", "request", errno);
}

static void
mark_bad(struct guard *g)
{
	struct shared *s = g->shared;
	struct itimerspec never = { 0 };
	char id[NAMES_ID + 1];
	struct log l;

	log_start(&l, "daemon-died");
	if (s->id != 0) {
		names_id(s->id & ~(UINT64_C(1) << 63), id);
		log_str(&l, "message", id);
		s->bad[s->nbad++ % FS_BAD] = s->id;
	}
	log_end(&l);
	s->id = 0;
	(void)timerfd_settime(g->timer, 0, &never, NULL); /* cannot fail */
}

/* Too many deaths are no message's fault. */
static bool
again(struct guard *g)
{
	int64_t now = io_now_ms();

	if (now - g->first_death_ms > DEATHS_MS) {
		g->first_death_ms = now;
		g->deaths = 0;
	}
	return ++g->deaths <= DEATHS;
}

/* -1 to go on, or the exit code. */
static int
daemon_ended(struct guard *g)
{
	int status;

	if (waitpid(g->daemon, &status, WNOHANG) != g->daemon)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (g->leaving)
		return 0;
	mark_bad(g);
	answer_lost(g);
	if (WIFSIGNALED(status) && again(g) && start(g) == 0)
		return -1;
	keeper_unmount(g->k);
	return EXIT_LATER;
}

static int
take_signal(struct guard *g)
{
	struct signalfd_siginfo s;

	if (read(g->signals, &s, sizeof s) != (ssize_t)sizeof s)
		return -1;
	if (s.ssi_signo == SIGCHLD)
		return daemon_ended(g);
	g->leaving = true;
	keeper_unmount(g->k);
	return -1;
}

static void
take_notice(struct guard *g)
{
	struct fuse_session *s = g->k->fs->session;
	struct notice n;

	if (read(g->pipe[0], &n, sizeof n) != (ssize_t)sizeof n)
		return;
	n.name[sizeof n.name - 1] = '\0';
	/* An error only says that the kernel does not know it. */
	if (n.parent == 0)
		(void)fuse_lowlevel_notify_inval_inode(s, n.node, -1, 0);
	else
		(void)fuse_lowlevel_notify_inval_entry(
		    s, n.parent, n.name, strlen(n.name));
}

static void
end_hung(struct guard *g)
{
	uint64_t times;

	if (read(g->timer, &times, sizeof times) == (ssize_t)sizeof times)
		kill(g->daemon, SIGKILL);
}

static int
prepare(struct guard *g)
{
	sigset_t mine;

	sigemptyset(&mine);
	sigaddset(&mine, SIGCHLD);
	sigaddset(&mine, SIGTERM);
	sigaddset(&mine, SIGINT);
	sigaddset(&mine, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &mine, &g->before) == -1)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	g->signals = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
	g->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	g->shared = mmap(NULL, sizeof *g->shared, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->signals == -1 || g->timer == -1 || g->shared == MAP_FAILED)
		return -1;
	return pipe2(g->pipe, O_CLOEXEC | O_NONBLOCK);
}

int
keeper_run(const struct keeper *k)
{
	struct guard g = { .k = k };
	int code = -1;

	if (prepare(&g) == -1 || start(&g) == -1) {
		err_warn_sys("start");
		keeper_unmount(k);
		return EXIT_LATER;
	}
	while (code == -1) {
		struct pollfd p[] = {
			{ .fd = g.signals, .events = POLLIN },
			{ .fd = g.pipe[0], .events = POLLIN },
			{ .fd = g.timer, .events = POLLIN },
		};

		if (poll(p, 3, -1) == -1 && errno != EINTR)
			return EXIT_LATER;
		if (p[2].revents)
			end_hung(&g);
		if (p[1].revents)
			take_notice(&g);
		if (p[0].revents)
			code = take_signal(&g);
	}
	return code;
}

void
keeper_unmount(const struct keeper *k)
{
	if (k->by_root)
		(void)umount2(k->mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW);
	else
		fuse_session_unmount(k->fs->session);
}
