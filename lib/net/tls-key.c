/* Certificates with their keys, in a file or with a key holder. */
#include "net/tls-own.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <unistd.h>

enum {
	CHAIN = 16 /* certificates of a file */
};

int
tls_slurp(int fd, struct buf *out)
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
load_external(gnutls_certificate_credentials_t cred, gnutls_datum_t pem,
    struct external *e)
{
	gnutls_pcert_st certs[CHAIN];
	unsigned n = CHAIN;
	int r = gnutls_pcert_list_import_x509_raw(
	    certs, &n, &pem, GNUTLS_X509_FMT_PEM, 0);

	if (r < 0)
		return r;
	r = set_external(cred, certs, n, e);
	for (unsigned i = 0; r < 0 && i < n; i++)
		gnutls_pcert_deinit(&certs[i]);
	return r;
}

static int
load_file(gnutls_certificate_credentials_t cred, gnutls_datum_t pem, int fd)
{
	struct buf key = buf_new(TLS_PEM);
	int r = GNUTLS_E_FILE_ERROR;

	if (tls_slurp(fd, &key) == 0) {
		gnutls_datum_t k = { (unsigned char *)key.p,
			(unsigned)key.n };

		r = gnutls_certificate_set_x509_key_mem2(
		    cred, &pem, &k, GNUTLS_X509_FMT_PEM, NULL, 0);
	}
	buf_wipe(&key);
	return r;
}

int
tls_load(struct tls_server *s, gnutls_certificate_credentials_t cred,
    struct span pem, const struct tls_key *key)
{
	gnutls_datum_t d = { NULL, (unsigned)pem.n };
	int r = GNUTLS_E_INVALID_REQUEST;

	/* GnuTLS reads it only. */
	memcpy(&d.data, &pem.p, sizeof pem.p);
	if (!key->external) {
		r = load_file(cred, d, key->fd);
	} else if (key->number < SIGN_KEYS) {
		s->external[key->number].key = *key;
		r = load_external(cred, d, &s->external[key->number]);
	}
	if (r >= 0)
		return 0;
	errno = r == GNUTLS_E_MEMORY_ERROR ? ENOMEM : EINVAL;
	return -1;
}
