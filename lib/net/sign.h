/*
 * The key holder (handlers/front/signer.c) and whom it signs for.
 *
 * The private keys are in its memory alone.  It reads packets from
 * SOCK_SEQPACKET sockets: a login program executed for one connection has a
 * socket of its own, on FRAME_KEY_FD; a nursery has one there by which it
 * passes sockets on (a uint32_t SIGN_CLIENT with the descriptor), one for
 * each child, before the child reads a byte of the network.  Whoever holds
 * such a socket can have SIGN_BUDGET signatures by it, no more; a nursery
 * itself, one more for each key, to see that it fits.
 */
#ifndef POSTERN_NET_SIGN_H
#define POSTERN_NET_SIGN_H

#include "base/conf.h"

#include <stdint.h>

enum {
	SIGN_KEYS = 2 + CONF_SITES,
	SIGN_DATA = 512, /* what a handshake signs is below 300 bytes */
	SIGN_SIGNATURE = 1024,
	SIGN_BUDGET = 4,
	SIGN_CLIENTS = 256, /* of one key holder */
	SIGN_MS = 5000,     /* a login program waits for its signature */
	SIGN_CLIENT = 0x434c4e54,
	SIGN_SOCKET_FD = 3, /* the key holder's descriptors */
	SIGN_KEY_FD = 4,    /* and so on: private keys, PEM; closed: no such */
	SIGN_FDS = SIGN_KEY_FD + SIGN_KEYS
};

struct sign_request {
	uint32_t key;       /* 0, 1, and then the sites' */
	uint32_t algorithm; /* a gnutls_sign_algorithm_t */
	uint32_t hashed;    /* data is its hash already */
	uint32_t n;
	unsigned char data[SIGN_DATA];
};

struct sign_reply {
	uint32_t n; /* 0: refused */
	unsigned char signature[SIGN_SIGNATURE];
};

/* Asks for a signature: 0, or -1 with errno. */
int sign_ask(int sock, const struct sign_request *q, struct sign_reply *a);

/* For a nursery: a socket for one child, passed on to the key holder: the
 * child's end, or -1 with errno. */
int sign_register(int sock);

#endif
