/* Starting programs. */
#include "base/proc.h"

#include "base/err.h"
#include "base/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#ifdef POSTERN_SANITIZE
#include <stdio.h>
#include <stdlib.h>
#endif
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Copies every wanted descriptor out of the way of the final numbers. */
static int
lift(const struct proc *p, int *high)
{
	for (size_t i = 0; i < p->nfds; i++) {
		high[i] = -1;
		if (p->fds[i] == -1)
			continue;
		high[i] = fcntl(p->fds[i], F_DUPFD_CLOEXEC, PROC_FDS);
		if (high[i] == -1)
			return -1;
	}
	return 0;
}

static int
put(int from, int to)
{
	int null;

	if (from != -1)
		return dup2(from, to) == -1 ? -1 : 0;
	close(to);
	if (to > 2)
		return 0;
	null = open("/dev/null", O_RDWR);
	if (null == -1 || null == to)
		return null == -1 ? -1 : 0;
	if (dup2(null, to) == -1)
		return -1;
	return close(null);
}

static int
arrange(const struct proc *p)
{
	int high[PROC_FDS];

	if (p->nfds > PROC_FDS) {
		errno = EINVAL;
		return -1;
	}
	if (lift(p, high) == -1)
		return -1;
	for (size_t i = 0; i < p->nfds || i < 3; i++)
		if (put(i < p->nfds ? high[i] : -1, (int)i) == -1)
			return -1;
	/* One that waits must not keep what another waits to see closed. */
	return syscall(SYS_close_range, p->nfds > 3 ? p->nfds : 3, ~0U,
		   p->lazy ? 0 : CLOSE_RANGE_CLOEXEC) == -1
	    ? -1
	    : 0;
}

/* execve takes pointers to char that it does not write to. */
static char *const *
unconst(const char *const *list)
{
	char *const *p;

	memcpy(&p, &list, sizeof p);
	return p;
}

#ifdef POSTERN_SANITIZE
/* The sanitizers' own settings go along; they come in no release. */
static int
execute(const struct proc *p)
{
	char options[256];
	const char *set = getenv("ASAN_OPTIONS"), *envp[64];
	size_t n = 0;
	int length;

	while (p->envp[n] != NULL && n < 62) {
		envp[n] = p->envp[n];
		n++;
	}
	length = snprintf(options, sizeof options, "ASAN_OPTIONS=%s",
	    set ? set : "");
	if (set && length > 0 && (size_t)length < sizeof options)
		envp[n++] = options;
	envp[n] = NULL;
	return execve(p->path, unconst(p->argv), unconst(envp));
}
#else
static int
execute(const struct proc *p)
{
	return execve(p->path, unconst(p->argv), unconst(p->envp));
}
#endif

/* As the user that it will be. */
static void
wait_until_needed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, -1) == -1 && errno == EINTR)
		;
	if (p.revents & POLLHUP)
		_exit(0);
}

int
proc_exec(const struct proc *p)
{
	if (arrange(p) == -1)
		return -1;
	if (p->uid != 0 && priv_become(p->uid, p->gid, p->keep_chroot) == -1)
		return -1;
	if (p->lazy != 0)
		wait_until_needed(p->lazy);
	return execute(p);
}

pid_t
proc_spawn(const struct proc *p)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	proc_exec(p);
	err_warn_sys("start %s", p->path);
	_exit(EXIT_LATER);
}

int
proc_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}
