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

#include <stddef.h>
#include <stdint.h>

enum jail_kind {
	JAIL_NET,     /* descriptors only: no file, socket, fork or exec */
	JAIL_NURSERY, /* as JAIL_NET, and forks children for JAIL_NET */
	JAIL_SESSION, /* reads and writes below one folder; no network, exec */
	JAIL_REMOTE   /* connects outwards; no file, fork or exec */
};

/* A list of system calls, ready to be loaded. */
enum {
	JAIL_CODE = 1024 /* instructions */
};
struct jail_list {
	size_t n;
	uint64_t code[JAIL_CODE];
};

struct jail {
	enum jail_kind kind;
	const char *empty;  /* folder to chroot into, or NULL */
	const char *folder; /* JAIL_SESSION: the Maildir */
};

/*
 * 0, or -1 with errno: the caller must exit.  *landlock gets the active
 * Landlock ABI, or 0 where there is none.
 */
int jail_enter(const struct jail *j, int *landlock);

/*
 * For the children of a process in JAIL_NURSERY, where all but the list is
 * inherited: it is made once, and loaded in each.  0, or -1 with errno.
 */
int jail_list(struct jail_list *l, enum jail_kind kind);
int jail_tighten(const struct jail_list *l);

#endif
