/*
 * One client's connection, in a program that front started: arguments and
 * credentials before the jail, then a reader and a writer that go on through
 * TLS after STARTTLS.
 *
 *   main: (open what is needed), conn_begin, conn_jail,
 *         conn_tls if c.service->tls, then in_line(&c.in), out_str(&c.out)
 *   STARTTLS: if conn_has_bytes: refuse, conn_linger, exit;
 *         answer, out_flush, conn_tls
 */
#ifndef POSTERN_NET_CONN_H
#define POSTERN_NET_CONN_H

#include "base/conf.h"
#include "base/in.h"
#include "base/jail.h"
#include "base/out.h"
#include "base/rest.h"
#include "net/frame.h"
#include "net/service.h"
#include "net/tls.h"

enum {
	CONN_OUT = 16384, /* the writer's array: one TLS record */
	CONN_LINE = 16384, /* bytes that a SASL response can decode to */
	CONN_WRITE_MS = 60000, /* a client must take what we write by then */
	CONN_LINGER_MS = 2000,
	CONN_LINGER = 65536, /* bytes that are drained */
	CONN_PROXY_MS = 10000 /* a proxy must have sent its header by then */
};

/* Last comes what is the same for all children of a nursery, and then what
 * can be given back while nothing moves. */
struct conn {
	const struct service *service;
	const char *peer;
	bool clear_login;
	bool proxied;              /* peer is a proxy */
	bool nursery;              /* -n: a nursery, or a child of one */
	struct frame_connection passed;
	char client[FRAME_PEER];   /* peer, from a proxy's header */
	bool signer;               /* the keys are with a key holder */
	struct tls_server *server; /* NULL: no certificate, so no TLS */
	struct tls *tls;           /* NULL: in clear */
	struct in in;              /* fd 0, or TLS */
	struct out out;            /* fd 1, or TLS */
	uint64_t tries;            /* logins that failed */
	struct conf conf;
	char out_buf[CONN_OUT + REST_PAGE];
};

/*
 * Reads the arguments and postern.conf, loads the credentials, ignores
 * SIGPIPE and sets up in (with the caller's array, which bounds a line) and
 * out.  With -n it becomes a nursery (net/nursery.h), and returns in each
 * child and, at the end, in the nursery itself.  1; 0: the nursery is done,
 * exit; -1 with a line for a person in error.  A certificate that cannot be
 * used is logged and leaves server NULL; postern.conf says where it is.
 */
int conn_begin(struct conn *c, int argc, char *argv[], char *buf, size_t size,
    char error[CONF_ERROR]);

/* Enters JAIL_LOGIN or JAIL_SMTP: 0, or -1 with errno (the caller must exit). */
int conn_jail(const struct conn *c);

/*
 * Before anything else is read from the connection or written to it: from a
 * proxy takes its header, and peer becomes who stands there.  0; -1 where
 * the connection must be dropped without a word, which the log has if it is
 * worth a line.
 */
int conn_proxy(struct conn *c);

/*
 * True if the client has sent bytes that nobody has taken, in the reader or
 * in the kernel: in clear, before STARTTLS is answered, they are an attack
 * (they might be executed as if they had come through TLS).
 */
bool conn_has_bytes(struct conn *c);

/*
 * The handshake.  What was read in clear is forgotten.  0, or -1 with errno
 * after a line in the log; the connection is useless then.
 */
int conn_tls(struct conn *c, int64_t deadline_ms);

/* True where STARTTLS can be offered. */
static inline bool
conn_may_tls(const struct conn *c)
{
	return c->server && c->tls == NULL;
}

/* True where a password may be sent now. */
static inline bool
conn_may_login(const struct conn *c)
{
	return c->tls || c->clear_login;
}

/*
 * Flushes, ends TLS, shuts the connection down for writing and drains what
 * the client still sends (up to CONN_LINGER bytes, CONN_LINGER_MS), so that
 * it gets our last line and not a reset.
 */
void conn_linger(struct conn *c);

/* A line that only a web client sends first: such a connection is dropped
 * without an answer (cross-protocol attacks). */
bool conn_is_http(struct span line);

#endif
