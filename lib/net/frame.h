/*
 * Frames between front and the program that parses the network, over a
 * SOCK_SEQPACKET pair (descriptor FRAME_FD in the child).
 *
 * Every frame is one packet of exactly sizeof the struct.  front answers
 * each request with one reply, checks every field and the order, and ends
 * the connection at anything else:
 *
 *   IMAP, POP3:  AUTH*, until one is answered FRAME_OK; then nothing.
 *                With FRAME_OK front becomes the session program.  If the
 *                request had tls set, the reply carries one end of a stream
 *                socket pair, which the child relays; else the child exits
 *                and the session program goes on with the socket itself, so
 *                the child must not have read a byte past the login command.
 *   SMTP:        AUTH* until FRAME_OK (services with login only), and
 *                ENQUEUE (n is 0) any number of times, one at a time: its
 *                FRAME_OK carries a stream socket to a new enqueue process that
 *                speaks lib/queue/submit.h; front has told it who logged in.
 */
#ifndef POSTERN_NET_FRAME_H
#define POSTERN_NET_FRAME_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	FRAME_FD = 3,      /* where the child finds its end */
	FRAME_CERT_FD = 4, /* certificate chain, PEM, read only */
	FRAME_KEY_FD = 5,  /* private key, PEM, read only */
	FRAME_USERS_FD = 6, /* users.cdb, read only (smtpd) */
	FRAME_CERT2_FD = 7, /* a second certificate and its key */
	FRAME_KEY2_FD = 8,
	FRAME_PEER = 64,
	FRAME_TICKET_KEY = 64,
	FRAME_DATA = 1024,
	FRAME_TAG = 64,
	FRAME_USER = 320,
	FRAME_MAILDIR = 2048
};

enum frame_type {
	FRAME_AUTH = 1, /* data: a SASL PLAIN message (RFC 4616) */
	FRAME_ENQUEUE = 2,
	FRAME_HELLO = 3 /* a nursery's child, before all else; no answer */
};

enum frame_status {
	FRAME_TEMPFAIL = 0, /* the default: nothing is known */
	FRAME_REJECT = 1,
	FRAME_OK = 2
};

/*
 * A nursery gets first of all the FRAME_TICKET_KEY random bytes that seal
 * the session tickets of its service.  Then
 * what front passes to it (net/nursery.h), with the connection, the
 * child's end of its channel and users.cdb.  The first packet on the channel
 * is the uint32_t FRAME_HELLO with the child's process descriptor.
 */
struct frame_connection {
	uint32_t clear_login; /* -c */
	char peer[FRAME_PEER]; /* PEER, NUL-terminated */
};

struct frame_request {
	uint32_t type;
	uint32_t tls; /* 0 or 1 */
	uint32_t n;   /* bytes of data used */
	char tag[FRAME_TAG]; /* 0x21..0x7e, NUL-terminated; empty but for IMAP */
	char data[FRAME_DATA];
};

struct frame_reply {
	uint32_t status;
	char user[FRAME_USER]; /* who that is now, NUL-terminated */
};

/*
 * What checkpw says about a FRAME_AUTH request, which front hands it as it
 * came, over a SOCK_SEQPACKET pair on checkpw's fd 0 (secrets.cdb and
 * users.cdb are fd 3 and 4).  user is the name that was claimed, for the
 * log, until status is FRAME_OK; then it is the address of the mailbox.
 */
struct frame_verdict {
	uint32_t status;
	uint32_t uid, gid;
	char user[FRAME_USER];       /* NUL-terminated */
	char maildir[FRAME_MAILDIR]; /* to open, root included; absolute */
};

enum {
	FRAME_SECRETS_FD = 3, /* checkpw's */
	FRAME_MAILBOXES_FD = 4
};

/*
 * The child's side: sends a request and waits for its reply.  *fd gets the
 * descriptor that came with it, or -1.  0, or -1 with errno (EPROTO: front
 * is gone or spoke nonsense).
 */
int frame_ask(int channel, const struct frame_request *q,
    struct frame_reply *a, int *fd);

/* Fills q for FRAME_AUTH; -1 with EMSGSIZE where it does not fit. */
int frame_auth(struct frame_request *q, struct span tag, struct span plain,
    bool tls);

#endif
