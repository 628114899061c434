/* Becoming somebody else, for good. */
#ifndef POSTERN_BASE_PRIV_H
#define POSTERN_BASE_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Gives up root: no supplementary groups, then gid and uid in all their
 * forms, and checks that there is no way back.  Where the process is not
 * root it must be uid already.  0, or -1 with errno; a caller that gets -1
 * must exit.
 */
int priv_become(uid_t uid, gid_t gid);

/* A user by name or by number ("64000", its group the same number). */
int priv_find(const char *user, uid_t *uid, gid_t *gid);

/* The same for a user that programs are to run as: EPERM for root and for
 * root's group. */
int priv_find_service(const char *user, uid_t *uid, gid_t *gid);

struct conf;

enum {
	PRIV_SERVICES = 5
};

/* The uids of all users that postern.conf names for programs: they own no
 * mailbox.  (uid_t)-1 where there is no such user. */
void priv_services(const struct conf *c, uid_t uids[PRIV_SERVICES]);

/* What can be kept: sets of capabilities. */
enum {
	PRIV_NONE = 0,
	PRIV_USERS = 1 << 6 | 1 << 7, /* CAP_SETGID, CAP_SETUID */
	PRIV_ROOT = 1 << 18,          /* CAP_SYS_CHROOT */
	PRIV_BIND = 1 << 10           /* CAP_NET_BIND_SERVICE */
};

/*
 * From here on nothing that the process executes can gain rights
 * (no_new_privs), and root keeps only the capabilities named, where it has
 * them.  These are permitted, but in effect only where priv_effect and the
 * functions here say so.  0, or -1 with errno; a caller that gets -1 must exit.
 */
int priv_limit(uint32_t kept);

/*
 * Brings all capabilities that are permitted into effect, or lays them to rest:
 * what runs meanwhile has none.  0, or -1 with errno.
 */
int priv_effect(bool all);

#endif
