/*
 * Jails: what a program gives up before it reads its first network byte.
 *
 * Every kind: no_new_privs, no core, not dumpable, umask 077, a list of
 * system calls (any other ends the process), and Landlock where the kernel
 * has it.  Where the process holds CAP_SYS_CHROOT it enters an empty folder
 * first; all capabilities are dropped.  With sanitizers built in only
 * the umask is set.
 */
#ifndef POSTERN_BASE_JAIL_H
#define POSTERN_BASE_JAIL_H

#include <stdbool.h>

enum jail_kind {
	JAIL_NET,     /* descriptors only: no file, socket, fork or exec */
	JAIL_NURSERY, /* as JAIL_NET, and forks children for JAIL_NET */
	JAIL_SESSION, /* reads and writes below one folder; no network, exec */
	JAIL_REMOTE   /* connects outwards; no file, fork or exec */
};

struct jail {
	enum jail_kind kind;
	const char *empty;  /* folder to chroot into, or NULL */
	const char *folder; /* JAIL_SESSION: the Maildir */
	bool within;        /* JAIL_NURSERY holds us: the list closes more */
};

/*
 * 0, or -1 with errno: the caller must exit.  *landlock gets the active
 * Landlock ABI, 0 where there is none, or -1 within a jail.
 */
int jail_enter(const struct jail *j, int *landlock);

#endif
