/*
 * The record of failed logins that all checkpw processes share, so that
 * guessing is slow whichever connection it comes over: a file of fixed size
 * (run/postern/guard) of counters that leak, found by a keyed hash, which say
 * how long the next attempt must wait.
 *
 *   an address       IPv4, or a /64 of IPv6; past a limit it is not let try
 *   its network      /24, or /48; likewise, at ten times as much
 *   a user's name    from wherever; delays only, for nobody is locked out
 *   the two together, where that user has logged in from that address in the
 *                    last 30 days: this counter alone counts, so that an
 *                    attack keeps no user out who comes from where they do
 *
 * An attempt is counted before it is made, and taken back when it succeeds:
 * many at once cannot run ahead of the count.  127.0.0.1, ::1 and local
 * sockets may be a webmail's for many users: only the user's name counts.
 * No counter goes far past its last step, so that an attack is forgotten some
 * minutes after its end, however large it was.  What a damaged file says is
 * bounded; one without its mark is begun anew.
 */
#ifndef POSTERN_AUTH_GUARD_H
#define POSTERN_AUTH_GUARD_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	GUARD_KEY = 32,
	GUARD_SETS = 4096, /* of each of the two tables */
	GUARD_WAYS = 4,    /* entries of one set */
	GUARD_WAIT_MS = 8000,      /* longest delay */
	GUARD_USER_WAIT_MS = 4000, /* because of the name alone */
	GUARD_KNOWN_S = 30 * 86400,
	GUARD_KINDS = 4
};

enum guard_verdict {
	GUARD_GO,
	GUARD_REFUSE /* not even after the wait */
};

/* One attempt. */
struct guard {
	int fd;
	uint64_t free; /* failures that cost nothing */
	bool known;    /* this user, from this address */
	unsigned char key[GUARD_KEY];
	uint64_t hashes[GUARD_KINDS]; /* 0: does not count */
};

/* The file, empty or not.  0, or -1 with errno: no guard then.  free 0: a
 * guard that never delays. */
int guard_open(struct guard *g, int fd, uint64_t free);

/* Counts an attempt of a user (any name) from a peer (as in net/service.h):
 * *wait_ms is to pass before it is made. */
enum guard_verdict guard_begin(struct guard *g, struct span user,
    struct span peer, int64_t now_s, int64_t *wait_ms);

/* It succeeded; or it was neither right nor wrong, for a fault of ours. */
void guard_success(struct guard *g, int64_t now_s);
void guard_take_back(struct guard *g, int64_t now_s);

/*
 * Waits for one of n places in which a password may be hashed, or of as many
 * again that are kept for users from where they have logged in before.  It is
 * given up when the process ends.
 */
void guard_place(const struct guard *g, uint64_t n);

#endif
