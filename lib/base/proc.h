/* Starting programs with just the descriptors that they are meant to have. */
#ifndef POSTERN_BASE_PROC_H
#define POSTERN_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PROC_FDS = 48,
	PROC_ROOT_FD = PROC_FDS - 1 /* see proc_leave */
};

/*
 * fds[i] is the caller's descriptor that becomes i in the program, for i
 * below nfds (at most PROC_FDS); -1 leaves i closed, except that 0, 1 and 2
 * become /dev/null.  Everything else is closed.  argv and envp end in NULL;
 * the environment is exactly envp.  uid 0 means: stay who we are.
 */
struct proc {
	const char *path;
	const char *const *argv;
	const char *const *envp;
	const int *fds;
	size_t nfds;
	uid_t uid;
	gid_t gid;
	bool limit;        /* uid 0 and root: priv_limit(kept) */
	uint32_t kept;
	const char *empty; /* the folder for proc_leave; NULL: none */
};

/* The process id, or -1 with errno.  The child exits with 111 where the
 * program cannot be started. */
pid_t proc_spawn(const struct proc *p);

/* Becomes the program, without a fork; returns (-1) only on error. */
int proc_exec(const struct proc *p);

/*
 * In a program that was started with an empty folder: makes that the root of
 * all files.  The program has no right to; a process that shares its root and
 * has kept the right does it when told so, and is gone then.  0 also where
 * nothing is to be done, as neither was root; -1 with errno.
 */
int proc_leave(void);

/* Waits for pid: its exit code, 128+n for signal n, or -1 with errno. */
int proc_wait(pid_t pid);

#endif
