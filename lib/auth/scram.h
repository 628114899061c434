/*
 * SCRAM (RFC 5802, RFC 7677), the server's side, without input or output.
 *
 * scram_first takes the client's first message; scram_challenge makes the
 * answer to it; scram_final takes the second; scram_verify says whether its
 * proof fits keys, of which a user may have several with one salt; and
 * scram_answer proves to the client that we have them.  An exchange that is
 * refused at any step is over.
 */
#ifndef POSTERN_AUTH_SCRAM_H
#define POSTERN_AUTH_SCRAM_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SCRAM_HASH = 32, /* bytes of the longest hash */
	SCRAM_SALT = 64,
	SCRAM_SALT_MADE = 16, /* bytes of a salt of ours */
	SCRAM_NAME = 320,
	SCRAM_NONCE = 256,      /* longest nonce of a client */
	SCRAM_NONCE_MADE = 18,  /* random bytes that are added to it */
	SCRAM_MESSAGE = 1024,   /* longest message of a client */
	SCRAM_BINDING = 64,     /* bytes of channel binding data */
	SCRAM_ITERATIONS_MIN = 4096, /* RFC 7677 4 */
	SCRAM_ITERATIONS_MAX = 10000000
};

enum scram_hash {
	SCRAM_SHA_256,
	SCRAM_SHA_1,
	SCRAM_HASHES
};

struct scram_keys {
	enum scram_hash hash;
	uint64_t iterations;
	size_t nsalt;
	unsigned char salt[SCRAM_SALT];
	unsigned char stored[SCRAM_HASH], server[SCRAM_HASH];
};

/* Bytes of the hash. */
size_t scram_size(enum scram_hash hash);

/* stored and server from a password and the rest of k: 0, or -1 with errno
 * EIO. */
int scram_derive(struct span password, struct scram_keys *k);

/* In constant time. */
bool scram_is_same(const struct scram_keys *a, const struct scram_keys *b);

/* Channel binding data that this connection has, by the type's name. */
struct scram_binding {
	const char *name;
	struct span data; /* empty: not on this connection */
};

struct scram {
	enum scram_hash hash;
	bool plus;    /* the mechanism is one with -PLUS */
	bool offered; /* so were such mechanisms */
	const struct scram_binding *bindings; /* ended by a NULL name */
	/* From the client's first message. */
	char user[SCRAM_NAME], authzid[SCRAM_NAME];
	/* What c= must be: the GS2 header and the binding's data. */
	struct buf header;
	/* The messages that are signed; and our nonce behind the client's. */
	struct buf signature, nonce;
	unsigned char proof[SCRAM_HASH];
};

struct scram scram_new(enum scram_hash hash, bool plus, bool offered,
    const struct scram_binding *bindings);
void scram_free(struct scram *s);

/*
 * False: not such a message, an extension that we would have to know, a name
 * that cannot be one, or a channel binding that does not go with the
 * mechanism, this connection, or what was offered on it (RFC 5802 6).
 */
bool scram_first(struct scram *s, struct span message);

/* A fresh nonce, printable, into out: 0, or -1 with errno. */
int scram_nonce(struct buf *out);

/* The answer, with the salt and count of k, and nonce behind the client's,
 * into out.  0, or -1 with errno. */
int scram_challenge(struct scram *s, const struct scram_keys *k,
    struct span nonce, struct buf *out);

/* False: not such a message, another nonce or another channel. */
bool scram_final(struct scram *s, struct span message);

/* Whether the client knows the password of these keys: 1, 0, or -1. */
int scram_verify(const struct scram *s, const struct scram_keys *k);

/* v= and our signature into out: 0, or -1 with errno. */
int scram_answer(
    const struct scram *s, const struct scram_keys *k, struct buf *out);

#endif
