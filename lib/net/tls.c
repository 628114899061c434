/* TLS by GnuTLS. */
#include "net/tls.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/io.h"
#include "net/sign.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* Some servers that we send mail to know finite fields only. */
#define PRIORITY_CLIENT PRIORITY ":+DHE-RSA:+GROUP-FFDHE2048:+GROUP-FFDHE3072"

enum {
	MEMORY = 4096,             /* each of our structs is smaller */
	HANDSHAKE_MESSAGE = 65536, /* bytes of one message of a handshake */
	CHAIN = 16,                /* certificates of a file */
	WARNINGS = 16              /* warning alerts of one connection */
};

/* A key that GnuTLS asks us for. */
struct external {
	struct tls_key key;
	unsigned algorithm, bits;
};

struct tls_server {
	struct arena arena; /* where the struct itself lies */
	struct external external[SIGN_KEYS];
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
	unsigned ticket_life_s; /* 0: no tickets */
	bool ask;               /* for the client's certificate */
	unsigned char ticket_key[TLS_TICKET_KEY];
};

struct tls_client {
	struct arena arena;
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
	bool verify;
};

struct tls {
	struct arena arena;
	gnutls_session_t session;
	int fd;
	int error; /* of the transport, for push and pull */
	unsigned warnings;
};

/* The errno of a GnuTLS error. */
static int
error_of(int r)
{
	if (r == GNUTLS_E_MEMORY_ERROR)
		return ENOMEM;
	if (r == GNUTLS_E_PREMATURE_TERMINATION)
		return EPIPE;
	return EPROTO;
}

static int
slurp(int fd, struct buf *out)
{
	char chunk[4096];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, chunk, sizeof chunk, at)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || buf_add(out, chunk, (size_t)n) == -1) {
			explicit_bzero(chunk, sizeof chunk);
			return -1;
		}
		at += n;
	}
	explicit_bzero(chunk, sizeof chunk);
	return 0;
}

static gnutls_datum_t
datum(const struct buf *b)
{
	return (gnutls_datum_t){ (unsigned char *)b->p, (unsigned)b->n };
}

/* The signature is freed by GnuTLS. */
static int
sign(const struct external *e, bool hashed, gnutls_sign_algorithm_t algorithm,
    const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	struct sign_request q = { .key = e->key.number,
		.algorithm = algorithm,
		.hashed = hashed,
		.n = data->size };
	struct sign_reply a;

	if (data->size > sizeof q.data)
		return GNUTLS_E_PK_SIGN_FAILED;
	memcpy(q.data, data->data, data->size);
	if (sign_ask(e->key.fd, &q, &a) == -1)
		return GNUTLS_E_PK_SIGN_FAILED;
	signature->data = gnutls_malloc(a.n);
	if (signature->data == NULL)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(signature->data, a.signature, a.n);
	signature->size = a.n;
	return 0;
}

/* gnutls_privkey_sign_data_func and its like. */
static int
sign_data(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm,
    void *userdata, unsigned flags, const gnutls_datum_t *data,
    gnutls_datum_t *signature)
{
	return sign(userdata, false, algorithm, data, signature);
}

static int
sign_hash(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm,
    void *userdata, unsigned flags, const gnutls_datum_t *hash,
    gnutls_datum_t *signature)
{
	return sign(userdata, true, algorithm, hash, signature);
}

/* gnutls_privkey_info_func: what its certificate says of the key. */
static int
describe(gnutls_privkey_t key, unsigned flags, void *userdata)
{
	const struct external *e = userdata;

	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return (int)e->algorithm;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)e->bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return gnutls_sign_supports_pk_algorithm(
			   (gnutls_sign_algorithm_t)GNUTLS_FLAGS_TO_SIGN_ALGO(
			       flags),
			   (gnutls_pk_algorithm_t)e->algorithm) != 0;
	return -1;
}

/* GnuTLS sees a signature that does not fit, but not one that fails. */
static int
check_external(const struct external *e)
{
	static const char text[] = "any";
	const char *p = text;
	gnutls_datum_t data = { NULL, sizeof text }, signature = { NULL, 0 };
	int r;

	memcpy(&data.data, &p, sizeof p);
	r = sign(e, false,
	    gnutls_pk_to_sign((gnutls_pk_algorithm_t)e->algorithm,
		GNUTLS_DIG_SHA256),
	    &data, &signature);
	gnutls_free(signature.data);
	return r;
}

static int
set_external(gnutls_certificate_credentials_t cred, gnutls_pcert_st *certs,
    unsigned n, struct external *e)
{
	gnutls_privkey_t key;
	int r = gnutls_privkey_init(&key);

	if (r < 0)
		return r;
	e->algorithm = (unsigned)gnutls_pubkey_get_pk_algorithm(
	    certs[0].pubkey, &e->bits);
	if (e->key.check)
		r = check_external(e);
	if (r == 0)
		r = gnutls_privkey_import_ext4(
	    key, e, sign_data, sign_hash, NULL, NULL, describe, 0);
	gnutls_certificate_set_flags(
	    cred, e->key.check ? 0 : GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	if (r == 0)
		r = gnutls_certificate_set_key(
		    cred, NULL, 0, certs, (int)n, key);
	if (r < 0)
		gnutls_privkey_deinit(key);
	return r;
}

static int
load_external(gnutls_certificate_credentials_t cred, int cert_fd,
    struct external *e)
{
	gnutls_pcert_st certs[CHAIN];
	struct buf pem = buf_new(TLS_PEM);
	unsigned n = CHAIN;
	int r = -1;

	if (slurp(cert_fd, &pem) == 0) {
		gnutls_datum_t d = datum(&pem);

		r = gnutls_pcert_list_import_x509_raw(
		    certs, &n, &d, GNUTLS_X509_FMT_PEM, 0);
		if (r >= 0) {
			r = set_external(cred, certs, n, e);
			for (unsigned i = 0; r < 0 && i < n; i++)
				gnutls_pcert_deinit(&certs[i]);
		}
		if (r < 0)
			errno = r == GNUTLS_E_MEMORY_ERROR ? ENOMEM : EINVAL;
	}
	buf_free(&pem);
	return r < 0 ? -1 : 0;
}

static int
load_pair(gnutls_certificate_credentials_t cred, int cert_fd, int key_fd)
{
	struct buf cert = buf_new(TLS_PEM), key = buf_new(TLS_PEM);
	int r = -1;

	if (slurp(cert_fd, &cert) == 0 && slurp(key_fd, &key) == 0) {
		gnutls_datum_t c = datum(&cert), k = datum(&key);

		r = gnutls_certificate_set_x509_key_mem2(
		    cred, &c, &k, GNUTLS_X509_FMT_PEM, NULL, 0);
		if (r < 0)
			errno = r == GNUTLS_E_MEMORY_ERROR ? ENOMEM : EINVAL;
	}
	buf_free(&cert);
	buf_wipe(&key);
	return r < 0 ? -1 : 0;
}

static int
prepare(gnutls_certificate_credentials_t *cred, gnutls_priority_t *priority,
    const char *text)
{
	int r = gnutls_certificate_allocate_credentials(cred);

	if (r >= 0) {
		r = gnutls_priority_init(priority, text, NULL);
		if (r < 0)
			gnutls_certificate_free_credentials(*cred);
	}
	if (r >= 0)
		return 0;
	errno = error_of(r);
	return -1;
}

int
tls_server_add(struct tls_server *s, int cert_fd, const struct tls_key *key)
{
	struct external *e;

	if (!key->external)
		return load_pair(s->cred, cert_fd, key->fd);
	if (key->number >= SIGN_KEYS) {
		errno = EINVAL;
		return -1;
	}
	e = &s->external[key->number];
	e->key = *key;
	return load_external(s->cred, cert_fd, e);
}

struct tls_server *
tls_server_new(int cert_fd, const struct tls_key *key)
{
	struct arena a = arena_new(MEMORY);
	struct tls_server *s = arena_alloc(&a, 1, sizeof *s);

	if (s == NULL || prepare(&s->cred, &s->priority, PRIORITY) == -1) {
		arena_free(&a);
		return NULL;
	}
	if (tls_server_add(s, cert_fd, key) == -1) {
		int error = errno;

		gnutls_certificate_free_credentials(s->cred);
		gnutls_priority_deinit(s->priority);
		arena_free(&a);
		errno = error;
		return NULL;
	}
	s->arena = a;
	return s;
}

int
tls_server_tickets(struct tls_server *s,
    const unsigned char key[TLS_TICKET_KEY], uint64_t life_s)
{
	/* RFC 8446 4.6.1: at most a week. */
	if (life_s > 604800) {
		errno = EINVAL;
		return -1;
	}
	s->ticket_life_s = (unsigned)life_s;
	memcpy(s->ticket_key, key, sizeof s->ticket_key);
	return 0;
}

void
tls_server_ask(struct tls_server *s)
{
	s->ask = true;
	s->ticket_life_s = 0;
}

struct tls_client *
tls_client_new(bool verify)
{
	struct arena a = arena_new(MEMORY);
	struct tls_client *c = arena_alloc(&a, 1, sizeof *c);

	if (c == NULL ||
	    prepare(&c->cred, &c->priority, PRIORITY_CLIENT) == -1) {
		arena_free(&a);
		return NULL;
	}
	c->verify = verify;
	c->arena = a;
	/* Without authorities nothing would be believed: not our failure. */
	if (verify)
		(void)gnutls_certificate_set_x509_system_trust(c->cred);
	return c;
}

/*
 * The transport never blocks, whatever the descriptor's own mode (which it
 * shares with other processes): waiting is done here, by a deadline.
 */
static ssize_t
push(gnutls_transport_ptr_t ctx, const giovec_t *iov, int n)
{
	struct tls *t = ctx;
	struct iovec copy[16];
	struct msghdr m = { .msg_iov = copy };
	ssize_t r;

	for (int i = 0; i < n && i < 16; i++) {
		copy[i].iov_base = iov[i].iov_base;
		copy[i].iov_len = iov[i].iov_len;
		m.msg_iovlen++;
	}
	r = sendmsg(t->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (r == -1) {
		t->error = errno;
		gnutls_transport_set_errno(t->session, errno);
	}
	return r;
}

static ssize_t
pull(gnutls_transport_ptr_t ctx, void *p, size_t n)
{
	struct tls *t = ctx;
	ssize_t r = recv(t->fd, p, n, MSG_DONTWAIT);

	if (r == -1) {
		t->error = errno;
		gnutls_transport_set_errno(t->session, errno);
	}
	return r;
}

/*
 * After a call that gave r: 1 to make it again, or -1 with errno.  Waits
 * where GnuTLS would have had to.
 */
static int
again(struct tls *t, int r, int64_t deadline_ms)
{
	if (r == GNUTLS_E_WARNING_ALERT_RECEIVED && t->warnings++ < WARNINGS)
		return 1;
	if (r != GNUTLS_E_AGAIN && r != GNUTLS_E_INTERRUPTED) {
		errno = r == GNUTLS_E_PUSH_ERROR || r == GNUTLS_E_PULL_ERROR
			    ? t->error
			    : error_of(r);
		return -1;
	}
	/* A peer that keeps sending must not keep us past the deadline. */
	if (deadline_ms >= 0 && io_now_ms() >= deadline_ms) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (io_wait(t->fd,
		gnutls_record_get_direction(t->session) ? POLLOUT : POLLIN,
		deadline_ms) == -1)
		return -1;
	return 1;
}

static void
free_tls(struct tls *t)
{
	struct arena a = t->arena;
	int error = errno;

	if (t->session)
		gnutls_deinit(t->session);
	arena_free(&a);
	errno = error;
}

static struct tls *
new_tls(int fd, unsigned flags, gnutls_certificate_credentials_t cred,
    gnutls_priority_t priority)
{
	struct arena a = arena_new(MEMORY);
	struct tls *t = arena_alloc(&a, 1, sizeof *t);
	int one = 1;

	if (t == NULL)
		return NULL;
	t->arena = a;
	t->fd = fd;
	if (gnutls_init(&t->session, flags) < 0 ||
	    gnutls_priority_set(t->session, priority) < 0 ||
	    gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, cred) <
		0) {
		errno = ENOMEM;
		free_tls(t);
		return NULL;
	}
	gnutls_transport_set_ptr(t->session, t);
	gnutls_transport_set_vec_push_function(t->session, push);
	gnutls_transport_set_pull_function(t->session, pull);
	gnutls_handshake_set_max_packet_length(t->session, HANDSHAKE_MESSAGE);
	/* Small records one after the other must not wait for each other's
	 * acknowledgement.  Not TCP (a test): no matter. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return t;
}

/* The alert that tells the peer why, as far as it can be sent at once. */
static void
send_alert(struct tls *t, int r)
{
	(void)gnutls_alert_send_appropriate(t->session, r);
}

static int
shake(struct tls *t, int64_t deadline_ms)
{
	int r;

	while ((r = gnutls_handshake(t->session)) < 0) {
		if (r != GNUTLS_E_AGAIN && gnutls_error_is_fatal(r))
			send_alert(t, r);
		if (again(t, r, deadline_ms) == -1)
			return -1;
	}
	return 0;
}

/* Not for TLS 1.2, where a ticket's key opens what was said before. */
static int
offer_tickets(struct tls *t, struct tls_server *s)
{
	gnutls_datum_t key = { s->ticket_key, sizeof s->ticket_key };

	if (s->ticket_life_s == 0)
		return 0;
	gnutls_db_set_cache_expiration(t->session, (int)s->ticket_life_s);
	return gnutls_session_ticket_enable_server(t->session, &key);
}

struct tls *
tls_accept(
    struct tls_server *s, int fd, const char *protocol, int64_t deadline_ms)
{
	struct tls *t = new_tls(fd,
	    GNUTLS_SERVER | (s->ticket_life_s > 0 ? GNUTLS_NO_TICKETS_TLS12
						  : GNUTLS_NO_TICKETS),
	    s->cred, s->priority);
	gnutls_datum_t name;

	if (t == NULL)
		return NULL;
	/* GnuTLS reads the name only. */
	memcpy(&name.data, &protocol, sizeof name.data);
	name.size = (unsigned)strlen(protocol);
	if (offer_tickets(t, s) < 0 ||
	    gnutls_alpn_set_protocols(
		t->session, &name, 1, GNUTLS_ALPN_MANDATORY) < 0) {
		errno = ENOMEM;
		free_tls(t);
		return NULL;
	}
	gnutls_certificate_server_set_request(t->session,
	    s->ask ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
	if (shake(t, deadline_ms) == 0)
		return t;
	free_tls(t);
	return NULL;
}

static bool
is_address(const char *name)
{
	unsigned char a[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, a) == 1 ||
	       inet_pton(AF_INET6, name, a) == 1;
}

static int
check_certificate(struct tls *t, const char *name)
{
	unsigned status = 0;

	if (gnutls_certificate_verify_peers3(t->session, name, &status) == 0 &&
	    status == 0)
		return 0;
	errno = EACCES;
	return -1;
}

struct tls *
tls_connect(struct tls_client *c, int fd, const char *name, int64_t deadline_ms)
{
	struct tls *t = new_tls(
	    fd, GNUTLS_CLIENT | GNUTLS_NO_TICKETS, c->cred, c->priority);

	if (t == NULL)
		return NULL;
	if (!is_address(name) && gnutls_server_name_set(t->session,
				     GNUTLS_NAME_DNS, name, strlen(name)) < 0) {
		errno = EINVAL;
		free_tls(t);
		return NULL;
	}
	if (shake(t, deadline_ms) == 0 &&
	    (!c->verify || check_certificate(t, name) == 0))
		return t;
	free_tls(t);
	return NULL;
}

ssize_t
tls_read(void *tls, char *p, size_t n, int64_t deadline_ms)
{
	struct tls *t = tls;

	for (;;) {
		ssize_t r = gnutls_record_recv(t->session, p, n);

		if (r >= 0)
			return r;
		if (again(t, (int)r, deadline_ms) == -1)
			return -1;
	}
}

ssize_t
tls_write_some(struct tls *t, const char *p, size_t n)
{
	for (;;) {
		ssize_t r = gnutls_record_send(t->session, p, n);

		if (r >= 0)
			return r;
		if (again(t, (int)r, 0) == -1)
			return -1;
	}
}

int
tls_write(void *tls, const char *p, size_t n, int64_t deadline_ms)
{
	struct tls *t = tls;

	while (n > 0) {
		ssize_t r = gnutls_record_send(t->session, p, n);

		if (r > 0) {
			p += r;
			n -= (size_t)r;
		} else if (again(t, (int)r, deadline_ms) == -1) {
			return -1;
		}
	}
	return 0;
}

size_t
tls_pending(const struct tls *t)
{
	return gnutls_record_check_pending(t->session);
}

const char *
tls_describe(const struct tls *t, char *out, size_t size)
{
	const char *version =
	    gnutls_protocol_get_name(gnutls_protocol_get_version(t->session));
	const char *cipher =
	    gnutls_cipher_get_name(gnutls_cipher_get(t->session));
	const char *group = gnutls_group_get_name(gnutls_group_get(t->session));

	snprintf(out, size, "%s %s %s", version ? version : "TLS",
	    cipher ? cipher : "-", group ? group : "-");
	return out;
}

/* Without the extended master secret two connections may have the same
 * (RFC 7627 1). */
static bool
is_unique(const struct tls *t, bool unique)
{
	if (gnutls_protocol_get_version(t->session) >= GNUTLS_TLS1_3)
		return !unique;
	return gnutls_session_ext_master_secret_status(t->session) != 0;
}

size_t
tls_bind(const struct tls *t, enum tls_binding type,
    unsigned char out[TLS_BINDING])
{
	static const gnutls_channel_binding_t types[] = {
		[TLS_EXPORTER] = GNUTLS_CB_TLS_EXPORTER,
		[TLS_END_POINT] = GNUTLS_CB_TLS_SERVER_END_POINT,
		[TLS_UNIQUE] = GNUTLS_CB_TLS_UNIQUE,
	};
	gnutls_datum_t d = { NULL, 0 };
	size_t n = 0;

	if (type != TLS_END_POINT && !is_unique(t, type == TLS_UNIQUE))
		return 0;
	if (gnutls_session_channel_binding(t->session, types[type], &d) == 0 &&
	    d.size <= TLS_BINDING) {
		n = d.size;
		memcpy(out, d.data, n);
	}
	gnutls_free(d.data);
	return n;
}

size_t
tls_client_print(const struct tls *t, unsigned char out[TLS_CLIENT])
{
	unsigned n = 0;
	const gnutls_datum_t *certs =
	    gnutls_certificate_get_peers(t->session, &n);

	if (certs == NULL || n == 0 ||
	    gnutls_hash_fast(
		GNUTLS_DIG_SHA256, certs[0].data, certs[0].size, out) != 0)
		return 0;
	return TLS_CLIENT;
}

void
tls_close(struct tls *t, int64_t deadline_ms)
{
	int r;

	while ((r = gnutls_bye(t->session, GNUTLS_SHUT_WR)) < 0)
		if (again(t, r, deadline_ms) == -1)
			break;
	free_tls(t);
}
