/* A server's certificates, and which of them a client gets. */
#include "net/tls-own.h"

#include <errno.h>
#include <gnutls/x509.h>

enum {
	NAME = 256 /* bytes of a host's name, with its NUL */
};

/* The name, or "*." and a name: then one label may stand for the star
 * (RFC 6125 6.4.3). */
static bool
is_name(const char *pattern, struct span name)
{
	struct span rest = name;

	if (strncmp(pattern, "*.", 2) != 0)
		return span_is_nocase(name, pattern);
	return span_take(&rest, '.').n > 0 && rest.n > 0 &&
	       span_is_nocase(rest, pattern + 2);
}

static bool
has_name(const struct tls_site *site, struct span name)
{
	for (size_t i = 0; i < site->nnames; i++)
		if (is_name(site->names[i], name))
			return true;
	return false;
}

/* Is one enough for all names of the other, a star for a star? */
static bool
has_names(const struct tls_site *site, const struct tls_site *other)
{
	for (size_t i = 0; i < other->nnames; i++)
		if (!has_name(site, span_str(other->names[i])))
			return false;
	return other->nnames > 0;
}

static bool
has_kind(const struct tls_site *site, gnutls_pk_algorithm_t kind)
{
	for (size_t i = 0; i < site->nkinds; i++)
		if (site->kinds[i] == kind)
			return true;
	return false;
}

static int
add_name(struct arena *a, struct tls_site *site, struct span name)
{
	struct span copy = arena_copy(a, name);

	if (copy.p == NULL)
		return -1;
	if (memchr(copy.p, '\0', name.n) == NULL)
		site->names[site->nnames++] = copy.p;
	return 0;
}

/* RFC 6125 6.4.4: the common name counts where there is no other. */
static int
read_names(struct arena *a, struct tls_site *site, gnutls_x509_crt_t cert)
{
	char name[NAME];
	size_t size;
	int r = 0;

	site->names = arena_alloc(a, TLS_NAMES, sizeof *site->names);
	if (site->names == NULL)
		return -1;
	for (unsigned i = 0; site->nnames < TLS_NAMES && r == 0; i++) {
		int kind;

		size = sizeof name;
		kind = gnutls_x509_crt_get_subject_alt_name(
		    cert, i, name, &size, NULL);
		if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (kind == GNUTLS_SAN_DNSNAME)
			r = add_name(a, site, span_of(name, size));
	}
	size = sizeof name;
	if (r == 0 && site->nnames == 0 &&
	    gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME,
		0, 0, name, &size) == 0)
		r = add_name(a, site, span_of(name, size));
	return r;
}

/* What a client would be shown it for: 0, or -1 with errno. */
static int
describe(struct arena *a, struct tls_site *site, const struct buf *pem)
{
	gnutls_datum_t d = { (unsigned char *)pem->p, (unsigned)pem->n };
	gnutls_x509_crt_t cert;
	int r = -1;

	if (gnutls_x509_crt_init(&cert) < 0) {
		errno = ENOMEM;
		return -1;
	}
	errno = EINVAL;
	if (gnutls_x509_crt_import(cert, &d, GNUTLS_X509_FMT_PEM) >= 0) {
		site->kinds[0] = (gnutls_pk_algorithm_t)
		    gnutls_x509_crt_get_pk_algorithm(cert, NULL);
		site->nkinds = 1;
		r = read_names(a, site, cert);
	}
	gnutls_x509_crt_deinit(cert);
	return r;
}

/* A certificate may be for more names than the one before. */
static void
join_names(struct tls_site *site, const struct tls_site *found)
{
	for (size_t i = 0; i < found->nnames && site->nnames < TLS_NAMES; i++)
		if (!has_name(site, span_str(found->names[i])))
			site->names[site->nnames++] = found->names[i];
}

/* Into the site, which a first one makes. */
static int
put(struct tls_server *s, struct tls_site *site, struct tls_site *found,
    const struct buf *pem, const struct tls_key *key)
{
	bool first = site->nkinds == 0;

	if (first &&
	    gnutls_certificate_allocate_credentials(&found->cred) < 0) {
		errno = ENOMEM;
		return -1;
	}
	if (tls_load(s, first ? found->cred : site->cred, buf_span(pem),
		key) == -1) {
		if (first)
			gnutls_certificate_free_credentials(found->cred);
		return -1;
	}
	if (first) {
		*site = *found;
		s->nsites++;
	} else if (site->nkinds < SIGN_KEYS) {
		site->kinds[site->nkinds++] = found->kinds[0];
		join_names(site, found);
	}
	return 0;
}

/* The site that it belongs to, or the next one. */
static struct tls_site *
find(struct tls_server *s, const struct tls_site *new)
{
	size_t i = 0;

	while (i < s->nsites && (has_kind(&s->sites[i], new->kinds[0]) ||
				    !has_names(new, &s->sites[i])))
		i++;
	return &s->sites[i];
}

static int
add(struct tls_server *s, int cert_fd, const struct tls_key *key, bool first)
{
	struct buf pem = buf_new(TLS_PEM);
	struct tls_site found = { 0 };
	int r = -1;

	if (s->nsites == SIGN_KEYS)
		errno = ENOSPC;
	else if (tls_slurp(cert_fd, &pem) == 0 &&
		 describe(&s->arena, &found, &pem) == 0)
		r = put(s, first ? &s->sites[0] : find(s, &found), &found,
		    &pem, key);
	buf_free(&pem);
	return r;
}

int
tls_server_add(struct tls_server *s, int cert_fd, const struct tls_key *key)
{
	return add(s, cert_fd, key, true);
}

int
tls_server_site(struct tls_server *s, int cert_fd, const struct tls_key *key)
{
	return add(s, cert_fd, key, false);
}

struct tls_server *
tls_server_new(int cert_fd, const struct tls_key *key)
{
	struct arena a = arena_new(TLS_MEMORY);
	struct tls_server *s = arena_alloc(&a, 1, sizeof *s);
	int error = ENOMEM;

	if (s == NULL)
		return NULL;
	s->arena = a;
	if (tls_server_add(s, cert_fd, key) == 0) {
		/* Each connection counts itself there: best behind all that
		 * connections only read. */
		if (gnutls_priority_init(&s->priority, PRIORITY, NULL) >= 0)
			return s;
		gnutls_certificate_free_credentials(s->sites[0].cred);
	} else {
		error = errno;
	}
	a = s->arena;
	arena_free(&a);
	errno = error;
	return NULL;
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

/* gnutls_handshake_post_client_hello_func.  All names of the table are
 * looked at in any case but where one is found; nothing is opened. */
static int
choose(gnutls_session_t session)
{
	struct tls_server *s = gnutls_session_get_ptr(session);
	char name[NAME];
	size_t size = sizeof name;
	unsigned type = 0;

	if (gnutls_server_name_get(session, name, &size, &type, 0) != 0 ||
	    type != GNUTLS_NAME_DNS)
		return 0;
	for (size_t i = 0; i < s->nsites; i++)
		if (has_name(&s->sites[i],
			span_of(name, strnlen(name, sizeof name))))
			return gnutls_credentials_set(session,
			    GNUTLS_CRD_CERTIFICATE, s->sites[i].cred);
	return 0;
}

void
tls_choose(gnutls_session_t session, struct tls_server *s)
{
	if (s->nsites < 2)
		return;
	gnutls_session_set_ptr(session, s);
	gnutls_handshake_set_post_client_hello_function(session, choose);
}
