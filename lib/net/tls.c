/* TLS by GnuTLS. */
#include "net/tls-own.h"

#include "base/io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Some servers that we send mail to know finite fields only. */
#define PRIORITY_CLIENT PRIORITY ":+DHE-RSA:+GROUP-FFDHE2048:+GROUP-FFDHE3072"

enum {
	HANDSHAKE_MESSAGE = 65536, /* bytes of one message of a handshake */
	WARNINGS = 16,             /* warning alerts of one connection */
	BARREN = 262144 /* bytes of handshakes and of records that are empty */
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
	size_t barren; /* bytes since the last of use */
};

int
tls_error(int r)
{
	if (r == GNUTLS_E_MEMORY_ERROR)
		return ENOMEM;
	if (r == GNUTLS_E_PREMATURE_TERMINATION)
		return EPIPE;
	if (r == GNUTLS_E_UNSUPPORTED_VERSION_PACKET)
		return EPROTONOSUPPORT;
	if (r == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return ECONNREFUSED;
	return EPROTO;
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
	errno = tls_error(r);
	return -1;
}

struct tls_client *
tls_client_new(bool verify)
{
	struct arena a = arena_new(sizeof(struct tls_client));
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

	/* What GnuTLS takes without giving us anything has its bound. */
	if (r > 0 && (t->barren += (size_t)r) > BARREN) {
		errno = EPROTO;
		r = -1;
	}
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
			    : tls_error(r);
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
	struct arena a = arena_new(sizeof(struct tls));
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
	    s->sites[0].cred, s->priority);
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
	tls_choose(t->session, s);
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

		if (r > 0)
			t->barren = 0;
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
