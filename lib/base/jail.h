/*
 * Jails: what a program gives up before it reads its first network byte.
 *
 * Every kind: no_new_privs, no core, not dumpable, umask 077, no child (but
 * for nurseries), limits of open files, memory and the size of a file, a list
 * of system calls (any other ends the process, as do arguments that would
 * run what was written, make a set-uid file or have signals sent), and
 * Landlock where the kernel has it.  Programs that have no files at all
 * enter an empty folder first (base/proc.h); all capabilities are dropped.
 * With sanitizers built in only the umask is set.
 */
#ifndef POSTERN_BASE_JAIL_H
#define POSTERN_BASE_JAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jail_kind {
	JAIL_PORTER,  /* porter: connections, processes, frames */
	JAIL_LINK,    /* its children: a connection each, and frames */
	JAIL_LOGIN,   /* imap-login, pop3-login: sockets that are open */
	JAIL_SMTP,    /* smtpd: and files that are open */
	JAIL_SECRET,  /* checkpw, signer: frames, and files that are open */
	JAIL_NURSERY, /* forks children for JAIL_LOGIN or JAIL_SMTP */
	JAIL_SESSION, /* imapd, pop3d: a connection, and one folder */
	JAIL_SESSIONS, /* forks children for JAIL_SESSION, each as its owner */
	JAIL_DELIVER, /* deliver: one folder */
	JAIL_ENQUEUE, /* enqueue, bounce: files are put into one folder, unread */
	JAIL_QUEUE,   /* qsend: one folder, and a second */
	JAIL_VIEW,    /* postern-mailfs: one folder, and /dev/fuse */
	JAIL_TOOL,    /* postern-mailbox: one folder, and a second */
	JAIL_REMOTE   /* remote: connects outwards */
};

struct jail {
	enum jail_kind kind;
	bool leaves;        /* all files, by proc_leave */
	const char *folder; /* all that can be opened, or NULL: nothing */
	const char *also;   /* and, beside it, a second folder, or NULL, */
	bool also_writes;   /* to read what is below it, or to write, too */
};

/*
 * 0, or -1 with errno: the caller must exit.  *landlock gets the active
 * Landlock ABI, or 0 where there is none.
 */
int jail_enter(const struct jail *j, int *landlock);

/*
 * The first half, for a program that has yet to load what it holds as
 * descriptors: enters the empty folder and drops all capabilities.  jail_enter
 * comes later.  0, or -1 with errno.
 */
int jail_leave(void);

/*
 * The limits and the list of system calls alone: for the children of a process
 * in JAIL_NURSERY or JAIL_PORTER, which inherit the rest, and for JAIL_SESSIONS, whose
 * children enter jails of their own.  0, or -1 with errno.
 */
int jail_tighten(enum jail_kind kind);

#endif
