/*
 * SASL mechanisms, and the message of PLAIN (RFC 4616): authzid NUL authcid
 * NUL password.
 */
#ifndef POSTERN_AUTH_SASL_H
#define POSTERN_AUTH_SASL_H

#include "auth/scram.h"
#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* In the order in which they are announced, which some clients take for
 * ours of preference. */
enum sasl_id {
	SASL_SCRAM_SHA_256_PLUS,
	SASL_SCRAM_SHA_1_PLUS,
	SASL_SCRAM_SHA_256,
	SASL_SCRAM_SHA_1,
	SASL_PLAIN,
	SASL_LOGIN,
	SASL_EXTERNAL,
	SASL_MECHANISMS
};

struct sasl_mechanism {
	const char *name;
	enum sasl_id id;
	uint32_t setting; /* the CONF_* of postern.conf's mechanisms */
	bool scram, plus;
	enum scram_hash hash;
};

/* By what a client called it, or NULL. */
const struct sasl_mechanism *sasl_find(struct span name);
const struct sasl_mechanism *sasl_mechanism(enum sasl_id id);

struct sasl_plain {
	struct span authzid, authcid, password;
};

/* False: not a PLAIN message, or an empty name.  An empty password is refused
 * like any that is wrong, and in the same time. */
bool sasl_plain_parse(struct span message, struct sasl_plain *out);

/* The message of a user name and password (LOGIN, USER and PASS). */
int sasl_plain_make(struct span user, struct span password, struct buf *out);

#endif
