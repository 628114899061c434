/*
 * One SASL exchange, as the programs that talk to a client see it: what the
 * client says in base64 goes to the porter, and what checkpw answers comes
 * back in base64.  All three protocols put their own words around that.
 *
 *   exchange_begin, and while that or exchange_next says EXCHANGE_MORE: tell
 *   the client the challenge, read its line, exchange_next
 */
#ifndef POSTERN_NET_EXCHANGE_H
#define POSTERN_NET_EXCHANGE_H

#include "auth/sasl.h"
#include "net/conn.h"

enum {
	EXCHANGE_NAME = 512 /* bytes of LOGIN's user name */
};

enum exchange_next {
	EXCHANGE_LATER, /* the default: nothing is known */
	EXCHANGE_MORE,
	EXCHANGE_OK,
	EXCHANGE_NO,
	EXCHANGE_CANCELLED, /* by the client's "*" */
	EXCHANGE_WRONG      /* not base64 */
};

struct exchange {
	const struct sasl_mechanism *m;
	struct span tag;
	unsigned step;
	bool asked; /* the porter has heard of it */
	struct buf user; /* LOGIN's first answer */
	struct buf challenge; /* in base64 */
	int session; /* with EXCHANGE_OK: the socket to relay to, or -1 */
	char name[FRAME_USER]; /* with EXCHANGE_OK: who that is */
};

/* Whether the mechanism may be used on this connection, as it is now. */
bool exchange_offers(const struct conn *c, const struct sasl_mechanism *m);

/* Writes the mechanisms that are offered, each with before and after it. */
void exchange_list(struct conn *c, const char *before, const char *after);

/* The offered mechanism of that name, or NULL. */
const struct sasl_mechanism *exchange_find(
    const struct conn *c, struct span name);

/*
 * Begins; initial is the client's initial response, or NULL where it gave
 * none.  Output is flushed before the porter is asked, because after EXCHANGE_OK
 * the session may speak on.  Lines that were read before are cleared.
 */
enum exchange_next exchange_begin(struct exchange *x, struct conn *c,
    const struct sasl_mechanism *m, struct span tag,
    const struct span *initial);

/* The client's next line. */
enum exchange_next exchange_next(
    struct exchange *x, struct conn *c, struct span line);

/* A user name and a password that came by other commands. */
enum exchange_next exchange_password(struct exchange *x, struct conn *c,
    struct span tag, struct span user, struct span password);

/* Always at the end; an exchange in the middle is given up. */
void exchange_end(struct exchange *x, struct conn *c);

/* True once there were auth_tries failures on the connection. */
bool exchange_is_spent(const struct conn *c);

#endif
