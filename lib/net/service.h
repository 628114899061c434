/*
 * The services, and what the porter, front and the program that parses a
 * connection (imap-login, pop3-login, smtpd: the "login program") agree on.
 *
 * Where the porter listens it has front start the login program once, as a
 * nursery, which forks for each connection (net/nursery.h):
 *
 *   argv         PROGRAM [-r ROOT] -n SERVICE
 *   environment  settings of libc and the linker for a process that forks
 *   fd 0, 1      /dev/null
 *   fd 3         where the ticket key and then connections come from
 *   fd 4 to 40   as below
 *
 * Else, and where the nursery fails, it has one login program started per
 * connection, like this:
 *
 *   argv         PROGRAM [-r ROOT] -- SERVICE PEER [clear] [proxied]
 *                  -r ROOT   as everywhere; left out when there is no root
 *                  SERVICE   a name of the table below
 *                  PEER      the address as text, `192.0.2.1', `2001:db8::1'
 *                            (IPv4 in its own form), or `local' for a socket
 *                            that has none; from here on as the porter says
 *                  clear     passwords may cross this connection in clear
 *                            (postern.conf: clear_login, and who the peer is)
 *                  proxied   PEER is a proxy, which says in a header whose
 *                            connection it is (FRAME_PROXY, net/frame.h)
 *   environment  empty
 *   fd 0, 1      the connection, a blocking stream socket, and a copy of it
 *   fd 2         the log
 *   fd 3         the frame channel (net/frame.h): FRAME_FD
 *   fd 4, 5      certificate chain, PEM: FRAME_CERT_FD, and a socket to the
 *                key holder (net/sign.h): FRAME_KEY_FD, or the private key,
 *                PEM; closed where there is none: no TLS then
 *   fd 7, 8      a second pair, likewise; no fd 8 with a key holder
 *   fd 9 ...     certificates for their own names (tls_site), whose keys
 *                the key holder has
 *   fd 6         users.cdb: FRAME_USERS_FD; smtpd only; closed where it is
 *                missing (a temporary error for every address)
 *   fd 47        where it says that its root is to be moved to
 *                ROOT/run/postern/empty (base/proc.h); closed where front
 *                is not root
 *   who          postern.conf's net_user without any capability, or the
 *                caller's uid where front is not root
 *
 * The program reads postern.conf itself (conf_load), leaves the file system,
 * loads the certificates, closes them, and enters its jail before it reads a
 * byte of the connection; conn_begin and conn_jail (net/conn.h) are these
 * steps.
 *
 * The end: a program that exits (with any code) ends the connection; it
 * says its last words itself.  On a FRAME_OK to AUTH of imap and pop3 the
 * reply's descriptor (TLS) is relayed until both sides end; in clear the
 * program exits at once and writes nothing more.
 */
#ifndef POSTERN_NET_SERVICE_H
#define POSTERN_NET_SERVICE_H

#include "base/conf.h"

#include <stdbool.h>

enum service_kind {
	SERVICE_IMAP,
	SERVICE_POP3,
	SERVICE_SMTP,      /* mail for us, from anybody */
	SERVICE_SUBMISSION /* mail from our users, after a login */
};

struct service {
	const char *name;     /* imap imaps pop3 pop3s smtp submission
	                       * submissions */
	enum service_kind kind;
	bool tls;             /* from the first byte on */
	const char *program;  /* the login program */
	const char *session;  /* imapd, pop3d; NULL for the others */
	const char *protocol; /* for ALPN: imap, pop3, smtp */
};

/* What a set of services calls it. */
static inline enum conf_service
service_conf(const struct service *s)
{
	return s->kind == SERVICE_IMAP	 ? CONF_IMAP
	       : s->kind == SERVICE_POP3 ? CONF_POP3
					 : CONF_SMTP;
}

/* NULL: no such service. */
const struct service *service_find(const char *name);

#endif
