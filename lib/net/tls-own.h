/* What the files of tls.h share. */
#ifndef POSTERN_NET_TLS_OWN_H
#define POSTERN_NET_TLS_OWN_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/sign.h"
#include "net/tls.h"

#include <gnutls/gnutls.h>

/*
 * Forward secrecy and AEAD only; signatures without SHA-1.  X25519 and AES
 * with 128 bits come first: a handshake with them costs least.
 */
#define PRIORITY                                                               \
	"NONE:+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA"               \
	":+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD"                  \
	":+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SECP256R1-SHA256"                     \
	":+SIGN-EDDSA-ED25519:+SIGN-RSA-PSS-RSAE-SHA256"                       \
	":+SIGN-RSA-SHA256:+SIGN-ECDSA-SHA384"                                 \
	":+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-RSA-PSS-RSAE-SHA384"              \
	":+SIGN-RSA-SHA384:+SIGN-RSA-PSS-RSAE-SHA512:+SIGN-RSA-SHA512"         \
	":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"                     \
	":+COMP-NULL:+CTYPE-X509:%SAFE_RENEGOTIATION"

enum {
	TLS_NAMES = 100,    /* of one certificate */
	TLS_MEMORY = 1 << 20 /* bytes for a server's structs and names */
};

/* A key that GnuTLS asks us for. */
struct external {
	struct tls_key key;
	unsigned algorithm, bits;
};

/* Certificates for the same names, with keys of different kinds. */
struct tls_site {
	gnutls_certificate_credentials_t cred;
	const char **names; /* of the first one */
	size_t nnames;
	gnutls_pk_algorithm_t kinds[SIGN_KEYS];
	size_t nkinds;
};

struct tls_server {
	struct arena arena; /* where the struct itself lies, and the names */
	struct external external[SIGN_KEYS];
	struct tls_site sites[SIGN_KEYS]; /* the first is for any name */
	size_t nsites;
	gnutls_priority_t priority;
	unsigned ticket_life_s; /* 0: no tickets */
	bool ask;               /* for the client's certificate */
	unsigned char ticket_key[TLS_TICKET_KEY];
};

/* The errno of a GnuTLS error. */
int tls_error(int r);

/* One certificate with its key for these credentials: 0, or -1 with errno. */
int tls_load(struct tls_server *s, gnutls_certificate_credentials_t cred,
    struct span pem, const struct tls_key *key);

/* The whole file, through a descriptor that keeps its place. */
int tls_slurp(int fd, struct buf *out);

/* Lets the session have the certificate of the name that its client says. */
void tls_choose(gnutls_session_t session, struct tls_server *s);

#endif
