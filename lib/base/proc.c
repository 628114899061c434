/* Starting programs. */
#include "base/proc.h"

#include "base/err.h"
#include "base/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
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
	return (int)syscall(SYS_close_range, p->nfds > 3 ? p->nfds : 3, ~0U,
	    CLOSE_RANGE_CLOEXEC);
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

#ifdef POSTERN_SANITIZE
static int
start_mover(const char *empty)
{
	(void)empty;
	return 0;
}
#else
/* Has the root of the process that waits for it, and the right to change
 * it, until it is told to, or the program is gone. */
static _Noreturn void
be_mover(int told, const char *empty)
{
	char go;

	if (dup2(told, 0) == -1 || syscall(SYS_close_range, 1, ~0U, 0) == -1 ||
	    read(0, &go, 1) != 1 || priv_effect(true) == -1)
		_exit(EXIT_LATER);
	_exit(chroot(empty) == 0 && chdir("/") == 0 ? 0 : EXIT_LATER);
}

/* Whoever waits for other children does not see it. */
static int
start_mover(const char *empty)
{
	int told[2], r = -1;
	pid_t pid;

	if (pipe2(told, O_CLOEXEC) == -1)
		return -1;
	pid = (pid_t)syscall(SYS_clone, CLONE_FS, NULL, NULL, NULL, 0);
	if (pid == 0)
		be_mover(told[0], empty);
	if (pid != -1)
		r = dup2(told[1], PROC_ROOT_FD);
	close(told[0]);
	close(told[1]);
	return r == -1 ? -1 : 0;
}

#endif

int
proc_leave(void)
{
	int status = -1;

	if (write(PROC_ROOT_FD, "", 1) == -1)
		return errno == EBADF ? 0 : -1;
	close(PROC_ROOT_FD);
	while (waitpid(-1, &status, (int)__WCLONE) == -1)
		if (errno != EINTR)
			return -1;
	errno = EPERM;
	return status == 0 ? 0 : -1;
}

static int
limit(const struct proc *p)
{
	if (p->uid != 0)
		return priv_become(p->uid, p->gid);
	return p->limit ? priv_limit(p->kept) : 0;
}

int
proc_exec(const struct proc *p)
{
	if (arrange(p) == -1 || (p->empty && start_mover(p->empty) == -1) ||
	    limit(p) == -1)
		return -1;
	return execute(p);
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
