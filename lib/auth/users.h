/*
 * The user database: /etc/postern/users and users.cdb (design: text in
 * tinycdb's map format, `key value' a line; keys are lower case).
 *
 *   example.org         domain
 *   alice@example.org   uid=1001 gid=1001 maildir=/var/mail/... [quota=2G,9000]
 *   info@example.org    alias=alice@example.org,bob@example.com
 *   @example.org        alias=alice@example.org          (catch-all)
 *
 * Look-up order of local@domain, first hit wins: the address as given
 * (lower-cased); without what follows the first `+'; `@domain'.
 * `postmaster' without a domain, or in a domain of ours that has none, is
 * looked up as postmaster@ the default domain.
 */
#ifndef POSTERN_AUTH_USERS_H
#define POSTERN_AUTH_USERS_H

#include "base/conf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	USERS_ADDRESS = 320, /* bytes of an address with its NUL */
	USERS_VALUE = 4096,  /* bytes of a record's value */
	USERS_PATH = 1024
};

enum users_kind {
	USERS_TEMPFAIL, /* the default: database missing or damaged */
	USERS_NONE,     /* no such address in a domain of ours */
	USERS_FOREIGN,  /* not a domain of ours */
	USERS_MAILBOX,
	USERS_ALIAS
};

struct users_record {
	enum users_kind kind;
	char key[USERS_ADDRESS]; /* the record that matched */
	uid_t uid;
	gid_t gid;
	char maildir[USERS_PATH]; /* below the root: see users_maildir */
	uint64_t quota;           /* bytes, 0: no limit */
	uint64_t quota_count;     /* messages, 0: no limit */
	bool has_quota; /* else postern.conf's quota counts */
	char alias[USERS_VALUE];  /* comma-separated addresses */
};

/* Looks address up in the open database fd (moves its offset). */
enum users_kind users_find(int fd, struct span address,
    const char *default_domain, struct users_record *out);

/* The record of exactly this key, without the search order. */
enum users_kind users_get(int fd, struct span key, struct users_record *out);

/* A login name as a key: lower case, `@domain' added where there is none.
 * -1 with errno EINVAL where it cannot be one. */
int users_login(struct span name, const char *default_domain,
    char out[USERS_ADDRESS]);

/* The folder to open: the root, then the record's maildir. 0, or -1 with errno
 * EINVAL where that leads out by `..', or ENAMETOOLONG. */
int users_maildir(const struct conf *c, const struct users_record *u,
    char out[PATH_MAX]);

/* How much it may hold: false where neither the record nor postern.conf
 * says it, so that what stands in the Maildir counts. */
bool users_quota(const struct conf *c, const struct users_record *u,
    uint64_t *bytes, uint64_t *count);

/* Parses a record's value; false: damaged. */
bool users_parse(struct span value, struct users_record *out);

#endif
