/* Becoming somebody else, for good. */
#ifndef POSTERN_BASE_PRIV_H
#define POSTERN_BASE_PRIV_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Gives up root: no supplementary groups, then gid and uid in all their
 * forms, and checks that there is no way back.  Where the process is not
 * root it must be uid already.  0, or -1 with errno; a caller that gets -1
 * must exit.  keep_chroot leaves CAP_SYS_CHROOT as an ambient capability,
 * so that the program to be executed can close its own jail (jail_enter
 * drops it).
 */
int priv_become(uid_t uid, gid_t gid, bool keep_chroot);

/* A user by name or by number ("64000", its group the same number). */
int priv_find(const char *user, uid_t *uid, gid_t *gid);

/* The same for a user that programs are to run as: EPERM for root and for
 * root's group. */
int priv_find_service(const char *user, uid_t *uid, gid_t *gid);

/*
 * For a program that starts others under other uids: from here on nothing
 * that it executes can gain rights (no_new_privs), and root keeps only
 * CAP_SETUID, CAP_SETGID, CAP_SYS_CHROOT and CAP_KILL, where it has them.
 * These are permitted, but in effect only within priv_become and priv_kill.
 * 0, or -1 with errno; a caller that gets -1 must exit.
 */
int priv_limit(void);

/* The same, with CAP_SETUID and CAP_SETGID alone. */
int priv_limit_to_users(void);

/*
 * Brings all capabilities that are permitted into effect, or lays them to rest:
 * what runs meanwhile has none.  0, or -1 with errno.
 */
int priv_effect(bool all);

/* kill(2), and the same by a process descriptor, for a program that did so:
 * whoever the process runs as. */
int priv_kill(pid_t pid, int signal);
int priv_kill_fd(int process, int signal);

#endif
