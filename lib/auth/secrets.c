/* Credentials: SCRAM keys (RFC 5802, RFC 7677) and crypt(3) hashes. */
#include "auth/secrets.h"

#include "auth/cdbfile.h"
#include "auth/users.h"
#include "base/num.h"
#include "text/base64.h"

#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

enum {
	HASH = 32, /* bytes of SHA-256 */
	SALT = 16,
	SALT_MAX = 64,
	ITERATIONS_MAX = 1000000
};

struct scram {
	uint64_t iterations;
	unsigned char salt[SALT_MAX];
	size_t nsalt;
	unsigned char stored[HASH], server[HASH];
};

/* gnutls_datum_t has no const; GnuTLS reads only. */
static gnutls_datum_t
datum(const void *p, size_t n)
{
	gnutls_datum_t d = { .size = (unsigned)n };

	memcpy(&d.data, &p, sizeof p);
	return d;
}

/* RFC 5802 section 3: StoredKey and ServerKey of a password. */
static int
derive(struct span password, struct scram *s)
{
	gnutls_datum_t key = datum(password.p, password.n);
	gnutls_datum_t salt = datum(s->salt, s->nsalt);
	unsigned char salted[HASH], client[HASH];
	int r = gnutls_pbkdf2(GNUTLS_MAC_SHA256, &key, &salt,
	    (unsigned)s->iterations, salted, HASH);

	if (r == 0)
		r = gnutls_hmac_fast(GNUTLS_MAC_SHA256, salted, HASH,
		    "Client Key", 10, client);
	if (r == 0)
		r = gnutls_hash_fast(GNUTLS_DIG_SHA256, client, HASH,
		    s->stored);
	if (r == 0)
		r = gnutls_hmac_fast(GNUTLS_MAC_SHA256, salted, HASH,
		    "Server Key", 10, s->server);
	explicit_bzero(salted, sizeof salted);
	explicit_bzero(client, sizeof client);
	if (r == 0)
		return 0;
	errno = EIO;
	return -1;
}

int
secrets_make(struct span password, struct buf *out)
{
	struct scram s = { .iterations = SECRETS_ITERATIONS, .nsalt = SALT };
	int r;

	if (password.n == 0 || password.n > SECRETS_PASSWORD) {
		errno = EINVAL;
		return -1;
	}
	if (gnutls_rnd(GNUTLS_RND_KEY, s.salt, SALT) != 0) {
		errno = EIO;
		return -1;
	}
	r = derive(password, &s);
	if (r == 0)
		r = buf_addf(out, "scram=sha256:%d:", SECRETS_ITERATIONS);
	if (r == 0)
		r = base64_encode(span_of((const char *)s.salt, SALT), out);
	if (r == 0)
		r = buf_add_byte(out, ':');
	if (r == 0)
		r = base64_encode(span_of((const char *)s.stored, HASH), out);
	if (r == 0)
		r = buf_add_byte(out, ':');
	if (r == 0)
		r = base64_encode(span_of((const char *)s.server, HASH), out);
	explicit_bzero(&s, sizeof s);
	return r;
}

/* One base64 field into out[max]; its length, or 0 where it is damaged. */
static size_t
take_bytes(struct span *rest, unsigned char *out, size_t max)
{
	struct buf b = buf_new(max);
	size_t n = 0;

	if (base64_decode(span_take(rest, ':'), &b)) {
		n = b.n;
		if (n > 0)
			memcpy(out, b.p, n);
	}
	buf_wipe(&b);
	return n;
}

/* sha256:ITER:SALT:STORED:SERVER */
static bool
parse_scram(struct span value, struct scram *s)
{
	if (!span_is(span_take(&value, ':'), "sha256") ||
	    !num_parse(span_take(&value, ':'), ITERATIONS_MAX,
		&s->iterations) ||
	    s->iterations == 0)
		return false;
	s->nsalt = take_bytes(&value, s->salt, sizeof s->salt);
	return s->nsalt > 0 && take_bytes(&value, s->stored, HASH) == HASH &&
	    take_bytes(&value, s->server, HASH) == HASH;
}

static enum secrets_verdict
check_scram(struct span value, struct span password)
{
	struct scram want, got;
	int differ;

	if (!parse_scram(value, &want))
		return SECRETS_TEMPFAIL;
	got = want;
	if (derive(password, &got) == -1)
		return SECRETS_TEMPFAIL;
	differ = gnutls_memcmp(want.stored, got.stored, HASH);
	explicit_bzero(&want, sizeof want);
	explicit_bzero(&got, sizeof got);
	return differ ? SECRETS_NO : SECRETS_YES;
}

static enum secrets_verdict
check_crypt(struct span value, struct span password)
{
	char setting[SECRETS_VALUE], text[SECRETS_PASSWORD + 1];
	struct crypt_data data = { 0 };
	enum secrets_verdict v = SECRETS_NO;
	const char *hash;

	if (span_copy(value, setting, sizeof setting) == -1)
		return SECRETS_TEMPFAIL;
	if (span_copy(password, text, sizeof text) == -1)
		return SECRETS_NO;
	hash = crypt_r(text, setting, &data);
	if (hash == NULL || hash[0] == '*')
		v = SECRETS_TEMPFAIL;
	else if (strlen(hash) == strlen(setting) &&
	    gnutls_memcmp(hash, setting, strlen(setting)) == 0)
		v = SECRETS_YES;
	explicit_bzero(text, sizeof text);
	explicit_bzero(&data, sizeof data);
	return v;
}

/* Nobody's key: costs what a real one costs and never fits. */
static enum secrets_verdict
check_nobody(struct span password)
{
	struct scram s = { .iterations = SECRETS_ITERATIONS, .nsalt = SALT };

	return derive(password, &s) == -1 ? SECRETS_TEMPFAIL : SECRETS_NO;
}

static enum secrets_verdict
check_value(struct span value, struct span password)
{
	while ((value = span_trim(value)).n > 0) {
		struct span field = span_take(&value, ' ');
		struct span name = span_take(&field, '=');

		if (span_is(name, "scram"))
			return check_scram(field, password);
		if (span_is(name, "crypt"))
			return check_crypt(field, password);
	}
	return SECRETS_TEMPFAIL;
}

enum secrets_verdict
secrets_check(int fd, struct span user, struct span password)
{
	char value[SECRETS_VALUE];
	enum secrets_verdict v;
	size_t length = 0;
	int r;

	if (user.n == 0 || user.n >= USERS_ADDRESS ||
	    span_find(user, '/') < user.n || password.n == 0 ||
	    password.n > SECRETS_PASSWORD)
		return check_nobody(
		    span_head(password, SECRETS_PASSWORD));
	r = cdbfile_get(fd, user, value, sizeof value, &length);
	if (r == 0)
		return check_nobody(password);
	if (r == -1)
		return SECRETS_TEMPFAIL;
	v = check_value(span_of(value, length), password);
	explicit_bzero(value, sizeof value);
	return v;
}
