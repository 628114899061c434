/*
 * What the IMAP and the POP3 login program have in common: the deadline, and
 * the relay after a login.
 */
#ifndef POSTERN_NET_LOGIN_H
#define POSTERN_NET_LOGIN_H

#include "net/conn.h"

enum {
	LOGIN_LINE = 16384, /* a command line, or a SASL response */
	LOGIN_ERRORS = 10,  /* bad commands, then the connection ends */
	LOGIN_LINES = 1000, /* of all kinds, likewise */
	LOGIN_PASSWORD = 512
};

struct login {
	int64_t deadline_ms; /* for everything before the login */
	unsigned errors;     /* bad commands */
	unsigned lines;
	bool fresh;          /* no line yet, in clear or in TLS */
	struct conn c;
	char line[LOGIN_LINE]; /* behind c.out_buf: relay.c */
};

/*
 * From main's arguments to a connection that may be spoken on: conn_begin,
 * the jail, limits, and the handshake where the service starts with TLS.
 * False: nothing can be said to the client, exit with *code.
 */
bool login_begin(struct login *l, int argc, char *argv[], int *code);

/* STARTTLS after its answer was written: the handshake. */
int login_tls(struct login *l);

/*
 * The next command line, after flushing what was answered if the client has
 * not sent it yet.  1; 0 where there is nobody to talk to, which a web
 * client is too; -1 with errno ETIMEDOUT (for all that waits as well as for
 * all that comes), E2BIG (LOGIN_LINES), EMSGSIZE or EBADMSG, as in_line.
 */
int login_line(struct login *l, struct span *line);

/*
 * Moves bytes between TLS and the session's socket until both are done:
 * what the client sent behind its login goes first.  How long a client may
 * be idle is the session's business; after two seconds of it memory goes back.
 */
void login_relay(struct login *l, int session);

#endif
