/* SASL PLAIN (RFC 4616): authzid NUL authcid NUL password. */
#ifndef POSTERN_AUTH_SASL_H
#define POSTERN_AUTH_SASL_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

struct sasl_plain {
	struct span authzid, authcid, password;
};

/* False: not a PLAIN message, or an empty name or password. */
bool sasl_plain_parse(struct span message, struct sasl_plain *out);

/* The message of a user name and password (LOGIN, USER and PASS). */
int sasl_plain_make(struct span user, struct span password, struct buf *out);

#endif
