/*
 * Credentials: /etc/postern/secrets and secrets.cdb, the same format as
 * users.  A key is the user's address (the main password) or
 * address/NAME (an app password):
 *
 *   alice@example.org         scram=sha256:ITER:SALT64:STORED64:SERVER64
 *   alice@example.org/phone   crypt=$y$... services=imap,smtp expires=TIME
 */
#ifndef POSTERN_AUTH_SECRETS_H
#define POSTERN_AUTH_SECRETS_H

#include "base/buf.h"
#include "base/span.h"

enum {
	SECRETS_PASSWORD = 512,   /* longest password, bytes */
	SECRETS_ITERATIONS = 4096, /* of PBKDF2 for new credentials */
	SECRETS_VALUE = 1024
};

enum secrets_verdict {
	SECRETS_TEMPFAIL, /* the default */
	SECRETS_NO,
	SECRETS_YES
};

/* The value `scram=...' for a password (fresh random salt): 0 or -1. */
int secrets_make(struct span password, struct buf *out);

/*
 * Checks a password against the user's credential in the open database.
 * An absent user costs the same work as a wrong password.
 */
enum secrets_verdict secrets_check(int fd, struct span user,
    struct span password);

#endif
