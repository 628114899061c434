/* Credentials: their records, and checking them. */
#include "auth/secrets.h"

#include "auth/cdbfile.h"
#include "auth/users.h"
#include "text/base64.h"

#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <unistd.h>

/* The app passwords that the user's record names. */
static int
load_apps(int fd, struct span user, struct span apps, struct secrets *out)
{
	struct buf key = buf_new(USERS_ADDRESS + SECRETS_NAME);
	char value[SECRETS_VALUE];
	int r = 0;

	while (r == 0 && apps.n > 0) {
		struct span name = span_take(&apps, ','), none;
		struct secret *s = &out->list[out->n];
		bool disabled;
		size_t n = 0;

		if (!secrets_is_name(name) || out->n > SECRETS_APPS) {
			r = -1;
			break;
		}
		buf_reset(&key);
		(void)buf_add_span(&key, user);
		(void)buf_add_byte(&key, '/');
		(void)buf_add_span(&key, name);
		if (key.full ||
		    cdbfile_get(fd, buf_span(&key), value, sizeof value, &n) !=
			1 ||
		    !secrets_parse(span_of(value, n), s, &disabled, &none) ||
		    span_copy(name, s->name, sizeof s->name) == -1)
			r = -1;
		else if (!disabled)
			out->n++;
	}
	explicit_bzero(value, sizeof value);
	buf_free(&key);
	return r;
}

static int
load_user(int fd, struct span user, struct secrets *out)
{
	char value[SECRETS_VALUE];
	struct secret *main = &out->list[0];
	struct span apps;
	size_t n = 0;
	int r;

	if (user.n == 0 || user.n >= USERS_ADDRESS ||
	    span_find(user, '/') < user.n)
		return 0;
	r = cdbfile_get(fd, user, value, sizeof value, &n);
	if (r != 1)
		return r;
	if (!secrets_parse(span_of(value, n), main, &out->disabled, &apps))
		r = -1;
	else {
		out->known = true;
		out->n = 1;
		r = load_apps(fd, user, apps, out);
	}
	explicit_bzero(value, sizeof value);
	return r;
}

static bool
take_seed(struct span value, unsigned char seed[SECRETS_SEED])
{
	struct buf b = buf_new(SECRETS_SEED);
	bool r = false;

	while (!r && (value = span_trim(value)).n > 0) {
		struct span field = span_take(&value, ' ');

		if (!span_is(span_take(&field, '='), "seed"))
			continue;
		r = base64_decode(field, &b) && b.n == SECRETS_SEED;
	}
	if (r)
		memcpy(seed, b.p, SECRETS_SEED);
	buf_wipe(&b);
	return r;
}

/*
 * A database made by hand may have no such record.  Its first bytes, which
 * say where each table lies, stay at least until it is made again.
 */
static int
load_nobody(int fd, struct secrets *out)
{
	char value[SECRETS_VALUE];
	struct secret unused, *s = out->known ? &unused : &out->list[0];
	struct span apps;
	bool disabled;
	size_t n = 0;
	int r = cdbfile_get(
	    fd, span_str(SECRETS_NOBODY), value, sizeof value, &n);

	if (r == 1 && !take_seed(span_of(value, n), out->seed))
		r = -1;
	if (r == 1 &&
	    !secrets_parse(span_of(value, n), s, &disabled, &apps))
		r = -1;
	if (r == 0) {
		unsigned char head[2048];

		r = pread(fd, head, sizeof head, 0) == sizeof head &&
			    gnutls_hash_fast(GNUTLS_DIG_SHA256, head,
				sizeof head, out->seed) == 0
			? 0
			: -1;
	}
	explicit_bzero(value, sizeof value);
	return r == -1 ? -1 : 0;
}

int
secrets_load(
    int fd, struct span user, uint64_t iterations, struct secrets *out)
{
	*out = (struct secrets){ .iterations = iterations };
	if (load_user(fd, user, out) == -1 || load_nobody(fd, out) == -1) {
		explicit_bzero(out, sizeof *out);
		return -1;
	}
	return 0;
}

int
secrets_challenge(const struct secrets *s, struct span user,
    enum scram_hash hash, struct scram_keys *out)
{
	unsigned char salt[SCRAM_HASH];
	struct buf name = buf_new(USERS_ADDRESS + 8);

	for (size_t i = 0; s->known && i < s->n; i++)
		if (s->list[i].keys[hash].iterations > 0) {
			*out = s->list[i].keys[hash];
			return 0;
		}
	*out = (struct scram_keys){ .hash = hash,
		.iterations = s->iterations,
		.nsalt = SCRAM_SALT_MADE };
	(void)buf_addf(&name, "%d:", (int)hash);
	(void)buf_add_span(&name, user);
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, s->seed, SECRETS_SEED, name.p,
		name.n, salt) != 0) {
		buf_free(&name);
		errno = EIO;
		return -1;
	}
	memcpy(out->salt, salt, SCRAM_SALT_MADE);
	buf_free(&name);
	return 0;
}

static bool
has_salt_of(const struct scram_keys *a, const struct scram_keys *b)
{
	return a->hash == b->hash && a->iterations == b->iterations &&
	       a->nsalt == b->nsalt && memcmp(a->salt, b->salt, a->nsalt) == 0;
}

/* A credential with another salt than the challenge's cannot be meant. */
enum secrets_verdict
secrets_prove(const struct secrets *s, const struct scram *x, size_t *which)
{
	enum secrets_verdict v = SECRETS_NO;
	const struct scram_keys *first = NULL, none = { .hash = x->hash };

	for (size_t i = 0; s->known && i < s->n; i++) {
		const struct scram_keys *k = &s->list[i].keys[x->hash];
		int r;

		if (k->iterations == 0)
			continue;
		if (first == NULL)
			first = k;
		if (!has_salt_of(first, k))
			continue;
		r = scram_verify(x, k);
		if (r == -1)
			return SECRETS_TEMPFAIL;
		if (r == 1) {
			*which = i;
			v = SECRETS_YES;
		}
	}
	if (first == NULL && scram_verify(x, &none) == -1)
		return SECRETS_TEMPFAIL;
	return v;
}

/* crypt(3) has no password that is longer: a fault would tell that there is
 * such a user. */
static enum secrets_verdict
check_crypt(const char *setting, struct span password)
{
	char text[CRYPT_MAX_PASSPHRASE_SIZE];
	struct crypt_data data = { 0 };
	enum secrets_verdict v = SECRETS_NO;
	bool fits = span_copy(password, text, sizeof text) == 0;
	const char *hash = crypt_r(text, setting, &data);

	if (hash == NULL || hash[0] == '*')
		v = SECRETS_TEMPFAIL;
	else if (fits && strlen(hash) == strlen(setting) &&
		 gnutls_memcmp(hash, setting, strlen(setting)) == 0)
		v = SECRETS_YES;
	explicit_bzero(text, sizeof text);
	explicit_bzero(&data, sizeof data);
	return v;
}

/* made: what the password gave for the credential before, if anything. */
static enum secrets_verdict
check_scram(const struct scram_keys *want, struct span password,
    struct scram_keys *made)
{
	if (made->iterations == 0 || !has_salt_of(want, made)) {
		if (secrets_derive(password, want, made) == -1)
			return SECRETS_TEMPFAIL;
	}
	return scram_is_same(want, made) ? SECRETS_YES : SECRETS_NO;
}

static enum secrets_verdict
check_one(const struct secret *c, struct span password,
    struct scram_keys *made)
{
	for (enum scram_hash h = 0; h < SCRAM_HASHES; h++)
		if (c->keys[h].iterations > 0)
			return check_scram(&c->keys[h], password, made);
	if (c->crypt[0] != '\0')
		return check_crypt(c->crypt, password);
	return SECRETS_NO;
}

/* Hashes that are locked (!...), * or of a method that is not there let nobody
 * in, and cost what a name does that is not there. */
static bool
has_hash(const struct secret *c)
{
	return c->crypt[0] != '\0' &&
	       crypt_checksalt(c->crypt) != CRYPT_SALT_INVALID &&
	       crypt_checksalt(c->crypt) != CRYPT_SALT_METHOD_DISABLED;
}

static bool
has_any(const struct secret *c)
{
	return has_hash(c) || c->keys[SCRAM_SHA_256].iterations > 0 ||
	       c->keys[SCRAM_SHA_1].iterations > 0;
}

/* Work for nobody's sake. */
static enum secrets_verdict
check_nobody(const struct secrets *s, struct span password)
{
	struct scram_keys made = { 0 }, want = {
		.hash = SCRAM_SHA_256,
		.iterations = s->iterations,
		.nsalt = SCRAM_SALT_MADE
	};
	enum secrets_verdict v;

	if (!s->known && has_any(&s->list[0]))
		v = check_one(&s->list[0], password, &made);
	else
		v = check_scram(&want, password, &made);
	explicit_bzero(&made, sizeof made);
	return v == SECRETS_TEMPFAIL ? v : SECRETS_NO;
}

static enum secrets_verdict
check_all(const struct secrets *s, struct span password, size_t *which)
{
	struct scram_keys made = { 0 };
	enum secrets_verdict v = SECRETS_NO;
	bool any = false;

	for (size_t i = 0; s->known && i < s->n; i++) {
		enum secrets_verdict one;

		if (!has_any(&s->list[i]))
			continue;
		any = true;
		one = check_one(&s->list[i], password, &made);
		if (one == SECRETS_NO)
			continue;
		if (one == SECRETS_YES)
			*which = i;
		if (v != SECRETS_YES)
			v = one;
	}
	explicit_bzero(&made, sizeof made);
	return any ? v : check_nobody(s, password);
}

/* What cannot be a password costs what one does. */
enum secrets_verdict
secrets_check(const struct secrets *s, struct span password, size_t *which)
{
	bool possible = password.n > 0 && password.n <= SECRETS_PASSWORD;
	enum secrets_verdict v;

	if (!possible)
		password = (struct span)SPAN("-");
	v = check_all(s, password, which);
	return v == SECRETS_YES && !possible ? SECRETS_NO : v;
}
