/*
 * Frames between the porter and the program that parses the network, over a
 * SOCK_SEQPACKET pair (descriptor FRAME_FD in the child), and those of checkpw.
 *
 * Every frame is one packet of exactly sizeof the struct.  The porter answers
 * each request with one reply, checks every field and the order, and ends
 * the connection at anything else:
 *
 *   IMAP, POP3:  exchanges, until one is answered FRAME_OK; then nothing.
 *                After FRAME_OK the session begins.  If the
 *                request had tls set, the reply carries one end of a stream
 *                socket pair, which the child relays; else the child exits
 *                and the session program goes on with the socket itself, so
 *                the child must not have read a byte past the login command.
 *   SMTP:        exchanges until FRAME_OK (services with login only), and
 *                ENQUEUE (n is 0) any number of times, one at a time: its
 *                FRAME_OK carries a stream socket to a new enqueue process that
 *                speaks lib/queue/submit.h; the porter has told it who
 *                logged in.
 *
 * An exchange is an AUTH with the mechanism and the client's first message,
 * and, as long as the answer is FRAME_MORE with a message for the client, a
 * STEP with the client's next one.  CANCEL instead of a STEP ends it
 * (answered FRAME_REJECT); so does another AUTH.
 */
#ifndef POSTERN_NET_FRAME_H
#define POSTERN_NET_FRAME_H

#include "base/conf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	FRAME_FD = 3,      /* where the child finds its end */
	FRAME_CERT_FD = 4, /* certificate chain, PEM, read only */
	FRAME_KEY_FD = 5,  /* a socket to the signer, or a private key, PEM */
	FRAME_LIFE_FD = 4, /* closed at its other end: no more sessions */
	FRAME_USERS_FD = 6, /* users.cdb, read only (smtpd) */
	FRAME_CERT2_FD = 7, /* a second certificate */
	FRAME_KEY2_FD = 8,
	FRAME_SITES_FD = 9, /* and so on: certificates of the sites */
	FRAME_PEER = 64,
	FRAME_TICKET_KEY = 64,
	FRAME_DATA = 1024,
	FRAME_CHALLENGE = 768, /* bytes of a message to the client */
	FRAME_STEPS = 3,       /* of one exchange, with AUTH */
	FRAME_BINDING = 64,    /* bytes of channel binding data */
	FRAME_NAME = 32,       /* of a credential, with its NUL */
	FRAME_WHY = 16,
	FRAME_TAG = 64,
	FRAME_USER = 320,
	FRAME_MAILDIR = 2048,
	FRAME_QUOTA = 64,
	FRAME_UIDL = 64
};

enum frame_type {
	FRAME_AUTH = 1, /* data: the client's first message */
	FRAME_ENQUEUE = 2,
	FRAME_HELLO = 3, /* a nursery's child, before all else; no answer */
	FRAME_STEP = 4,
	FRAME_CANCEL = 5,
	FRAME_PROXY = 6,
	FRAME_BEGIN = 7 /* to checkpw, after an OK: see below */
};

enum frame_status {
	FRAME_TEMPFAIL = 0, /* the default: nothing is known */
	FRAME_REJECT = 1,
	FRAME_OK = 2,
	FRAME_MORE = 3
};

/* Channel bindings that the connection has (RFC 5929, RFC 9266), and who the
 * client is by its certificate. */
enum frame_binding_type {
	FRAME_EXPORTER, /* tls-exporter */
	FRAME_ENDPOINT, /* tls-server-end-point */
	FRAME_UNIQUE,   /* tls-unique: not with TLS 1.3 */
	FRAME_CLIENT,   /* SHA-256 of the certificate that the client has */
	FRAME_BINDINGS
};

struct frame_binding {
	uint32_t n; /* 0: none of this type */
	unsigned char data[FRAME_BINDING];
};

/*
 * Where it is said that a proxy has connected, its header (net/proxy.h) is
 * read first of all, and the porter told by a PROXY whose address was in it:
 * n is 4 or 16, and data the address in network order; or n is 0, and there
 * was none.  Nothing else is answered before.  FRAME_OK; or FRAME_REJECT, and
 * the program is to exit without a word.
 */

/*
 * A nursery of login programs gets first of all the FRAME_TICKET_KEY random
 * bytes that seal the session tickets of its service.  Then what the porter
 * passes to it (net/nursery.h), with the connection and the child's end of its
 * channel.  The first packet on the channel is the uint32_t FRAME_HELLO with
 * the child's process descriptor.
 */
struct frame_connection {
	uint32_t clear_login; /* as the arguments in net/service.h */
	uint32_t proxied;
	char peer[FRAME_PEER]; /* NUL-terminated */
};

/* What the porter passes to a nursery of checkpws, with the end of a channel. */
struct frame_attempt {
	char peer[FRAME_PEER];
};

/*
 * What checkpw passes through the door once it has answered FRAME_OK and got a
 * FRAME_BEGIN with the same descriptors: the connection, or the end of its
 * relay, and the end of a channel for FRAME_HELLO.  All text is
 * NUL-terminated.
 */
struct frame_session {
	uint32_t uid, gid;
	/* Settings. */
	uint32_t mechanisms;
	struct conf_pace pace;
	uint64_t idle_s, message_size;
	char uidl[FRAME_UIDL];
	char tag[FRAME_TAG];   /* AUTH_TAG */
	char user[FRAME_USER]; /* USER */
	char quota[FRAME_QUOTA]; /* POSTERN_QUOTA, or empty: unknown */
	char maildir[FRAME_MAILDIR];
};

struct frame_request {
	uint32_t type;
	uint32_t tls; /* 0 or 1 */
	uint32_t mechanism; /* an enum sasl_id (auth/sasl.h); LOGIN's message
			     * is one of PLAIN */
	uint32_t n;   /* bytes of data used */
	char tag[FRAME_TAG]; /* 0x21..0x7e, NUL-terminated; empty but for IMAP */
	char data[FRAME_DATA];
	/* With AUTH alone, told by the program that has the keys of TLS. */
	struct frame_binding bindings[FRAME_BINDINGS];
};

struct frame_reply {
	uint32_t status;
	uint32_t n;            /* bytes of data, with FRAME_MORE */
	char user[FRAME_USER]; /* who that is now, NUL-terminated */
	char data[FRAME_CHALLENGE];
};

/*
 * What checkpw says about each request of an exchange, which the porter hands
 * it as it came, over a SOCK_SEQPACKET pair on checkpw's fd 0.  user is the
 * name that was claimed, for the log, until status is FRAME_OK; then it is the
 * address of the mailbox.
 */
struct frame_verdict {
	uint32_t status;
	uint32_t n; /* bytes of data, with FRAME_MORE */
	char user[FRAME_USER];       /* NUL-terminated, as all text here */
	char credential[FRAME_NAME]; /* which one: for the log */
	char why[FRAME_WHY];         /* refused, for the log: a word of ours */
	char data[FRAME_CHALLENGE];
};

enum {
	FRAME_SECRETS_FD = 4, /* checkpw's */
	FRAME_MAILBOXES_FD = 5,
	FRAME_GUARD_FD = 6, /* run/postern/guard, to read and write */
	FRAME_DOOR_FD = 7   /* to who begins sessions */
};

/* Is it NUL-terminated? */
static inline bool
frame_is_text(const char *p, size_t size)
{
	return memchr(p, '\0', size) != NULL;
}

/*
 * The child's side: sends a request and waits for its reply.  *fd gets the
 * descriptor that came with it, or -1.  0, or -1 with errno (EPROTO: the
 * porter is gone or spoke nonsense).
 */
int frame_ask(int channel, const struct frame_request *q,
    struct frame_reply *a, int *fd);

/* Fills q with a message of the client's for FRAME_AUTH, FRAME_STEP or
 * FRAME_CANCEL; -1 with EMSGSIZE where it does not fit. */
int frame_fill(struct frame_request *q, enum frame_type type, struct span tag,
    struct span message, bool tls);

#endif
