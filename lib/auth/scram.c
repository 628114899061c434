/* SCRAM, the server's side. */
#include "auth/scram.h"

#include "text/base64.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

static const struct {
	gnutls_mac_algorithm_t mac;
	gnutls_digest_algorithm_t digest;
	size_t size;
} hashes[SCRAM_HASHES] = {
	[SCRAM_SHA_256] = { GNUTLS_MAC_SHA256, GNUTLS_DIG_SHA256, 32 },
	[SCRAM_SHA_1] = { GNUTLS_MAC_SHA1, GNUTLS_DIG_SHA1, 20 },
};

size_t
scram_size(enum scram_hash hash)
{
	return hashes[hash].size;
}

static int
hmac(enum scram_hash hash, const unsigned char key[SCRAM_HASH],
    struct span text, unsigned char out[SCRAM_HASH])
{
	if (gnutls_hmac_fast(hashes[hash].mac, key, hashes[hash].size, text.p,
		text.n, out) == 0)
		return 0;
	errno = EIO;
	return -1;
}

/* gnutls_datum_t has no const; GnuTLS reads only. */
static gnutls_datum_t
datum(const void *p, size_t n)
{
	gnutls_datum_t d = { .size = (unsigned)n };

	memcpy(&d.data, &p, sizeof p);
	return d;
}

/* RFC 5802 3. */
int
scram_derive(struct span password, struct scram_keys *k)
{
	static const struct span client_key = SPAN("Client Key");
	static const struct span server_key = SPAN("Server Key");
	gnutls_datum_t key = datum(password.p, password.n);
	gnutls_datum_t salt = datum(k->salt, k->nsalt);
	unsigned char salted[SCRAM_HASH], client[SCRAM_HASH];
	size_t size = hashes[k->hash].size;
	int r = gnutls_pbkdf2(hashes[k->hash].mac, &key, &salt,
	    (unsigned)k->iterations, salted, size);

	if (r == 0)
		r = hmac(k->hash, salted, client_key, client);
	if (r == 0)
		r = gnutls_hash_fast(
		    hashes[k->hash].digest, client, size, k->stored);
	if (r == 0)
		r = hmac(k->hash, salted, server_key, k->server);
	explicit_bzero(salted, sizeof salted);
	explicit_bzero(client, sizeof client);
	if (r == 0)
		return 0;
	errno = EIO;
	return -1;
}

bool
scram_is_same(const struct scram_keys *a, const struct scram_keys *b)
{
	return a->hash == b->hash &&
	       gnutls_memcmp(a->stored, b->stored, scram_size(a->hash)) == 0;
}

struct scram
scram_new(enum scram_hash hash, bool plus, bool offered,
    const struct scram_binding *bindings)
{
	return (struct scram){ .hash = hash,
		.plus = plus,
		.offered = offered,
		.bindings = bindings,
		.header = buf_new(SCRAM_MESSAGE + SCRAM_BINDING),
		.signature = buf_new(4 * SCRAM_MESSAGE),
		.nonce = buf_new(2 * SCRAM_NONCE) };
}

void
scram_free(struct scram *s)
{
	buf_wipe(&s->header);
	buf_wipe(&s->signature);
	buf_wipe(&s->nonce);
	explicit_bzero(s->proof, sizeof s->proof);
}

/* The value of the attribute that must come next; false: another one. */
static bool
take(struct span *rest, char name, struct span *value)
{
	if (span_at(*rest, 0) != name || span_at(*rest, 1) != '=')
		return false;
	*rest = span_skip(*rest, 2);
	*value = span_take(rest, ',');
	return true;
}

/* saslname: a comma is =2C and an equals sign =3D (RFC 5802 5.1). */
static bool
decode_name(struct span text, char out[SCRAM_NAME])
{
	size_t n = 0;

	while (text.n > 0) {
		char c = text.p[0];
		size_t skip = 1;

		if (c == '=') {
			if (span_starts(text, "=2C"))
				c = ',';
			else if (!span_starts(text, "=3D"))
				return false;
			skip = 3;
		}
		if (c == '\0' || n + 1 == SCRAM_NAME)
			return false;
		out[n++] = c;
		text = span_skip(text, skip);
	}
	out[n] = '\0';
	return n > 0;
}

/* printable: 0x21 to 0x7e without the comma. */
static bool
is_nonce(struct span nonce)
{
	for (size_t i = 0; i < nonce.n; i++)
		if (nonce.p[i] < 0x21 || nonce.p[i] > 0x7e)
			return false;
	return nonce.n > 0 && nonce.n <= SCRAM_NONCE;
}

static struct span
find_binding(const struct scram *s, struct span name)
{
	for (const struct scram_binding *b = s->bindings; b->name; b++)
		if (span_is(name, b->name))
			return b->data;
	return span_of(NULL, 0);
}

/*
 * A client that says y has seen no mechanism with -PLUS: where we offered
 * them, somebody on the way has taken them out (RFC 5802 6).
 */
static bool
is_flag_right(const struct scram *s, struct span flag, struct span *data)
{
	*data = span_of(NULL, 0);
	if (span_starts(flag, "p=")) {
		*data = find_binding(s, span_skip(flag, 2));
		return s->plus && data->n > 0;
	}
	if (s->plus)
		return false;
	return span_is(flag, "n") || (span_is(flag, "y") && !s->offered);
}

/* gs2-header = gs2-cbind-flag "," [ authzid ] "," */
static bool
parse_header(struct scram *s, struct span message, struct span *bare)
{
	struct span rest = message, data, name;
	struct span flag = span_take(&rest, ',');
	struct span authzid = span_take(&rest, ',');
	size_t n = flag.n + authzid.n + 2;

	if (n >= message.n || !is_flag_right(s, flag, &data))
		return false;
	if (authzid.n > 0 && (!take(&authzid, 'a', &name) ||
				 !decode_name(name, s->authzid)))
		return false;
	*bare = rest;
	return buf_add_span(&s->header, span_head(message, n)) == 0 &&
	       buf_add_span(&s->header, data) == 0;
}

/* Other attributes may follow, and are passed over; a mandatory one is none
 * that we know. */
static bool
are_extensions(struct span rest)
{
	while (rest.n > 0) {
		struct span one = span_take(&rest, ',');
		int c = span_at(one, 0) | 0x20;

		if (c < 'a' || c > 'z' || c == 'm' || span_at(one, 1) != '=')
			return false;
	}
	return true;
}

bool
scram_first(struct scram *s, struct span message)
{
	struct span bare, rest, name, nonce;

	if (message.n > SCRAM_MESSAGE ||
	    span_find(message, '\0') < message.n ||
	    !parse_header(s, message, &bare))
		return false;
	rest = bare;
	/* An m= before the name is an extension that we do not know. */
	return take(&rest, 'n', &name) && decode_name(name, s->user) &&
	       take(&rest, 'r', &nonce) && is_nonce(nonce) &&
	       are_extensions(rest) && buf_add_span(&s->nonce, nonce) == 0 &&
	       buf_add_span(&s->signature, bare) == 0;
}

int
scram_nonce(struct buf *out)
{
	unsigned char random[SCRAM_NONCE_MADE];

	if (gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof random) != 0) {
		errno = EIO;
		return -1;
	}
	return base64_encode(
	    span_of((const char *)random, sizeof random), out);
}

int
scram_challenge(struct scram *s, const struct scram_keys *k,
    struct span nonce, struct buf *out)
{
	size_t begin = out->n;

	if (buf_add_span(&s->nonce, nonce) == -1 ||
	    buf_add_str(out, "r=") == -1 ||
	    buf_add_span(out, buf_span(&s->nonce)) == -1 ||
	    buf_add_str(out, ",s=") == -1 ||
	    base64_encode(
		span_of((const char *)k->salt, k->nsalt), out) == -1 ||
	    buf_addf(out, ",i=%llu", (unsigned long long)k->iterations) == -1)
		return -1;
	if (buf_add_byte(&s->signature, ',') == -1)
		return -1;
	return buf_add_span(&s->signature, span_skip(buf_span(out), begin));
}

static bool
is_decoded(struct span text, struct span want)
{
	struct buf b = buf_new(SCRAM_MESSAGE);
	bool r = base64_decode(text, &b) && span_eq(buf_span(&b), want);

	buf_wipe(&b);
	return r;
}

static bool
take_proof(struct scram *s, struct span text)
{
	struct buf b = buf_new(SCRAM_MESSAGE);
	bool r = base64_decode(text, &b) && b.n == scram_size(s->hash);

	if (r)
		memcpy(s->proof, b.p, b.n);
	buf_wipe(&b);
	return r;
}

/* The last attribute is the proof; what stands before it is signed. */
bool
scram_final(struct scram *s, struct span message)
{
	size_t comma = span_rfind(message, ',');
	struct span rest = span_head(message, comma), channel, nonce, proof;
	struct span last = span_skip(message, comma + 1);

	if (message.n > SCRAM_MESSAGE || comma == message.n ||
	    span_find(message, '\0') < message.n || s->nonce.n == 0)
		return false;
	if (buf_add_byte(&s->signature, ',') == -1 ||
	    buf_add_span(&s->signature, rest) == -1)
		return false;
	return take(&rest, 'c', &channel) && take(&rest, 'r', &nonce) &&
	       are_extensions(rest) && take(&last, 'p', &proof) &&
	       last.n == 0 && span_eq(nonce, buf_span(&s->nonce)) &&
	       is_decoded(channel, buf_span(&s->header)) &&
	       take_proof(s, proof);
}

/* ClientKey = ClientProof XOR HMAC(StoredKey, AuthMessage); its hash is to be
 * StoredKey. */
int
scram_verify(const struct scram *s, const struct scram_keys *k)
{
	unsigned char key[SCRAM_HASH], hash[SCRAM_HASH];
	size_t size = scram_size(s->hash);
	int r = -1;

	if (k->hash != s->hash) {
		errno = EINVAL;
		return -1;
	}
	if (hmac(s->hash, k->stored, buf_span(&s->signature), key) == 0) {
		for (size_t i = 0; i < size; i++)
			key[i] ^= s->proof[i];
		if (gnutls_hash_fast(
			hashes[s->hash].digest, key, size, hash) == 0)
			r = gnutls_memcmp(hash, k->stored, size) == 0;
	}
	explicit_bzero(key, sizeof key);
	explicit_bzero(hash, sizeof hash);
	if (r == -1)
		errno = EIO;
	return r;
}

int
scram_answer(
    const struct scram *s, const struct scram_keys *k, struct buf *out)
{
	unsigned char mine[SCRAM_HASH];

	if (hmac(s->hash, k->server, buf_span(&s->signature), mine) == -1 ||
	    buf_add_str(out, "v=") == -1)
		return -1;
	return base64_encode(
	    span_of((const char *)mine, scram_size(s->hash)), out);
}
