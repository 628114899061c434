/*
 * Changing the text databases users and secrets, and compiling them.
 *
 * An edit holds a lock (etc/postern/.lock), changes lines in memory, and
 * userdb_commit writes the text and then its cdb: each is replaced at once,
 * so that a reader sees the old or the new, whole.  Comments, blank lines
 * and the order of records stay as the administrator wrote them.
 */
#ifndef POSTERN_AUTH_USERDB_H
#define POSTERN_AUTH_USERDB_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/span.h"

enum {
	USERDB_SIZE = 268435456, /* bytes of a text database */
	USERDB_LOCK_MS = 30000
};

struct userdb {
	int dir;  /* etc/postern */
	int lock; /* -1 when this edit shares another's lock */
	const char *name; /* "users" or "secrets" */
	unsigned mode;    /* of both files */
	struct buf text;
	size_t bad_line;  /* 1.. where compiling failed */
};

/*
 * Opens name for editing; a missing text is empty.  with: an edit that holds
 * the lock already, or NULL.  0, or -1 with errno (ETIMEDOUT: somebody else
 * is editing).
 */
int userdb_open(struct userdb *db, const struct conf *c, const char *name,
    const struct userdb *with);

/* The value of key: 1, 0 not there.  Valid until the next change. */
int userdb_get(const struct userdb *db, struct span key, struct span *value);

/* The next record from *rest, which begins as buf_span(&db->text). */
bool userdb_next(struct span *rest, struct span *key, struct span *value);

/* Gives key this value, in place or at the end; removes it (0: not there).
 * Each 0 or 1, -1 with errno EINVAL (key or value with a line end or a key
 * with a blank) or ENOBUFS. */
int userdb_set(struct userdb *db, struct span key, struct span value);
int userdb_remove(struct userdb *db, struct span key);

/*
 * Writes text and cdb.  0, or -1 with errno; EINVAL: line bad_line is not
 * `key value', or a key stands twice.
 */
int userdb_commit(struct userdb *db);
void userdb_close(struct userdb *db);

#endif
