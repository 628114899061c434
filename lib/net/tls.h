/*
 * TLS 1.2 and 1.3 by GnuTLS, as server and as client, on a descriptor.
 *
 * A struct tls is one connection, and its descriptor a stream socket.
 * tls_read and tls_write have the shapes that struct in and struct out want,
 * so a program switches its reader and writer over after STARTTLS.  Priorities: TLS 1.2 and 1.3, X25519 first,
 * AEAD and forward secrecy only, no compression, no 0-RTT, no renegotiation.
 * All credentials are loaded before the jail (tls_server_new,
 * tls_client_new); nothing is opened after it.
 */
#ifndef POSTERN_NET_TLS_H
#define POSTERN_NET_TLS_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tls_server; /* certificate and key, for any number of connections */
struct tls_client; /* the authorities that are believed */
struct tls;

enum {
	TLS_PEM = 262144,      /* bytes of a certificate or key file */
	TLS_HANDSHAKE_MS = 30000
};

/* Where a private key is: in a PEM file, or with a key holder. */
struct tls_key {
	int fd; /* the file, or the socket to ask (net/sign.h) */
	bool external;
	bool check;      /* external: let it sign to see that the pair fits */
	uint32_t number; /* external: which of its keys */
};

/* From descriptors, which stay open: NULL with errno (EINVAL: not a
 * certificate with its key). */
struct tls_server *tls_server_new(int cert_fd, const struct tls_key *key);

/* A second certificate of another kind (RSA beside ECDSA); the first is
 * preferred.  0, or -1 with errno as above: the first stays in use. */
int tls_server_add(struct tls_server *s, int cert_fd,
    const struct tls_key *key);

/*
 * A certificate for who asks for one of its names (SNI).  Any other client
 * gets those of above.  One that has all names of one before it, and a key of
 * another kind, goes beside that.  The same returns.
 */
int tls_server_site(struct tls_server *s, int cert_fd,
    const struct tls_key *key);

enum {
	TLS_TICKET_KEY = 64
};

/* From now on TLS 1.3 clients may come back by tickets that are sealed with
 * this key, and live so long.  0, or -1 with errno. */
int tls_server_tickets(struct tls_server *s,
    const unsigned char key[TLS_TICKET_KEY], uint64_t life_s);

/*
 * The handshake, as server, with ALPN checked when the client sends one
 * (protocol "imap", "pop3" or "smtp"; another one is refused).  NULL with
 * errno (EPROTO: not TLS or refused; EPROTONOSUPPORT: TLS 1.1 or older alone;
 * ECONNREFUSED: the peer sent an alert; ETIMEDOUT).
 */
struct tls *tls_accept(struct tls_server *s, int fd, const char *protocol,
    int64_t deadline_ms);

/*
 * For connections outwards, before the jail.  verify: the certificate must
 * be valid for the name by the system's authorities (loaded here); without,
 * any certificate will do (opportunistic, RFC 7435).  NULL with errno.
 */
struct tls_client *tls_client_new(bool verify);

/*
 * The handshake, as client of the host `name' (SNI, not sent for an
 * address).  NULL with errno (EPROTO; EACCES: the certificate is not to be
 * believed; ETIMEDOUT).
 */
struct tls *tls_connect(struct tls_client *c, int fd, const char *name,
    int64_t deadline_ms);

/* in_read_fn: 0 only after a close_notify; a TCP end without one is -1 with
 * errno EPIPE ("truncated").  Deadline 0: what is there now (ETIMEDOUT). */
ssize_t tls_read(void *tls, char *p, size_t n, int64_t deadline_ms);
/* out_write_fn */
int tls_write(void *tls, const char *p, size_t n, int64_t deadline_ms);

/* What can be written at once: the count, or -1 with errno ETIMEDOUT (the
 * same bytes must be offered again) or another. */
ssize_t tls_write_some(struct tls *t, const char *p, size_t n);

/* Bytes that tls_read would give without touching the descriptor. */
size_t tls_pending(const struct tls *t);

/* "TLS1.3 TLS_AES_256_GCM_SHA384"-like text for Received and the log. */
const char *tls_describe(const struct tls *t, char *out, size_t size);

enum {
	TLS_BINDING = 64 /* bytes of channel binding data */
};

enum tls_binding {
	TLS_EXPORTER,  /* RFC 9266; TLS 1.2 with extended master secret only */
	TLS_END_POINT, /* RFC 5929 4 */
	TLS_UNIQUE     /* RFC 5929 3: as above, and not of TLS 1.3 */
};

/* What names this connection and no other (or, END_POINT, this server's
 * certificate): the number of bytes, 0 where it has none. */
size_t tls_bind(const struct tls *t, enum tls_binding type,
    unsigned char out[TLS_BINDING]);

enum {
	TLS_CLIENT = 32 /* bytes of SHA-256 */
};

/* From now on clients are asked for a certificate, and nobody comes back by a
 * ticket.  Any certificate is taken: its holder has proved to have its key,
 * and nothing else. */
void tls_server_ask(struct tls_server *s);

/* The fingerprint of the client's certificate: the number of bytes, 0 where
 * it showed none. */
size_t tls_client_print(const struct tls *t, unsigned char out[TLS_CLIENT]);

/* close_notify (best effort, by the deadline) and free; the descriptor
 * stays open. */
void tls_close(struct tls *t, int64_t deadline_ms);

#endif
