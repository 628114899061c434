/* Credentials as text. */
#include "auth/secrets.h"

#include "base/num.h"
#include "text/base64.h"
#include "text/date.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

static const struct {
	const char *name;
	unsigned bit;
} services[] = {
	{ "imap", SECRETS_IMAP },
	{ "pop3", SECRETS_POP3 },
	{ "smtp", SECRETS_SMTP },
};

static const char *const kinds[SCRAM_HASHES] = {
	[SCRAM_SHA_256] = "sha256",
	[SCRAM_SHA_1] = "sha1",
};

enum {
	SERVICES = sizeof services / sizeof *services
};

static int
add_base64(const unsigned char *p, size_t n, struct buf *out)
{
	if (buf_add_byte(out, ':') == -1)
		return -1;
	return base64_encode(span_of((const char *)p, n), out);
}

int
secrets_write(const struct scram_keys *keys, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct scram_keys *k = &keys[i];
		size_t size = scram_size(k->hash);

		if (k->iterations == 0)
			continue;
		if (buf_addf(out, "%sscram=%s:%llu", out->n > 0 ? " " : "",
			kinds[k->hash],
			(unsigned long long)k->iterations) == -1 ||
		    add_base64(k->salt, k->nsalt, out) == -1 ||
		    add_base64(k->stored, size, out) == -1 ||
		    add_base64(k->server, size, out) == -1)
			return -1;
	}
	return 0;
}

/*
 * RFC 8265's OpaqueString, which is what GnuTLS has: ASCII stays as it is,
 * and an accent is the same however it was typed.  What has no such form is
 * taken byte for byte.
 */
static int
derive_normal(struct span password, struct scram_keys *k)
{
	gnutls_datum_t normal = { NULL, 0 };
	int r;

	if (password.n == 0 || password.n > SECRETS_PASSWORD) {
		errno = EINVAL;
		return -1;
	}
	if (gnutls_utf8_password_normalize(
		(const unsigned char *)password.p, (unsigned)password.n, &normal,
		0) != 0)
		return scram_derive(password, k);
	r = scram_derive(
	    span_of((const char *)normal.data, normal.size), k);
	explicit_bzero(normal.data, normal.size);
	gnutls_free(normal.data);
	return r;
}

int
secrets_fresh(enum scram_hash hash, uint64_t iterations, struct scram_keys *out)
{
	*out = (struct scram_keys){ .hash = hash,
		.iterations = iterations,
		.nsalt = SCRAM_SALT_MADE };
	if (gnutls_rnd(GNUTLS_RND_KEY, out->salt, out->nsalt) == 0)
		return 0;
	errno = EIO;
	return -1;
}

int
secrets_derive(struct span password, const struct scram_keys *like,
    struct scram_keys *out)
{
	*out = *like;
	return derive_normal(password, out);
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

/* KIND:ITER:SALT:STORED:SERVER */
static bool
parse_scram(struct span value, struct secret *out)
{
	struct span kind = span_take(&value, ':');
	enum scram_hash h = 0;
	struct scram_keys *k;
	size_t size;

	while (h < SCRAM_HASHES && !span_is(kind, kinds[h]))
		h++;
	if (h == SCRAM_HASHES)
		return false;
	size = scram_size(h);
	k = &out->keys[h];
	k->hash = h;
	if (!num_parse(span_take(&value, ':'), SCRAM_ITERATIONS_MAX,
		&k->iterations) ||
	    k->iterations < SCRAM_ITERATIONS_MIN)
		return false;
	k->nsalt = take_bytes(&value, k->salt, sizeof k->salt);
	return k->nsalt > 0 && take_bytes(&value, k->stored, size) == size &&
	       take_bytes(&value, k->server, size) == size;
}

bool
secrets_is_name(struct span name)
{
	static const char bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";

	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '\0' || !strchr(bytes, name.p[i]))
			return false;
	return name.n > 0 && name.n < SECRETS_NAME;
}

unsigned
secrets_services(struct span names)
{
	unsigned set = 0;

	while (names.n > 0) {
		struct span name = span_take(&names, ',');
		size_t i = 0;

		while (i < SERVICES && !span_is(name, services[i].name))
			i++;
		if (i == SERVICES)
			return 0;
		set |= services[i].bit;
	}
	return set;
}

void
secrets_put_services(unsigned set, struct buf *out)
{
	const char *comma = "";

	for (size_t i = 0; i < SERVICES; i++)
		if (set & services[i].bit) {
			(void)buf_add_str(out, comma);
			(void)buf_add_str(out, services[i].name);
			comma = ",";
		}
}

void
secrets_cert(const unsigned char print[32], char out[SECRETS_CERT])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 5;

	memcpy(out, "cert:", n);
	for (size_t i = 0; i < 32; i++) {
		out[n++] = digits[print[i] / 16];
		out[n++] = digits[print[i] % 16];
	}
	out[n] = '\0';
}

struct span
secrets_login(struct span value)
{
	while ((value = span_trim(value)).n > 0) {
		struct span field = span_take(&value, ' ');

		if (span_is(span_take(&field, '='), "login"))
			return field;
	}
	return span_of(NULL, 0);
}

bool
secrets_day(struct span day, int64_t *seconds)
{
	struct span year = span_take(&day, '-'), month = span_take(&day, '-');
	uint32_t y, m, d;
	struct date date, back;

	if (year.n != 4 || month.n != 2 || day.n != 2 ||
	    !num_parse_u32(year, 9999, &y) || !num_parse_u32(month, 12, &m) ||
	    !num_parse_u32(day, 31, &d) || y < 1970 || m == 0 || d == 0)
		return false;
	date = (struct date){ .year = (int)y, .month = (int)m, .day = (int)d };
	*seconds = date_seconds(&date);
	back = date_civil(*seconds, 0);
	return back.month == date.month && back.day == date.day;
}

static bool
set_field(struct span name, struct span value, struct secret *out,
    bool *disabled, struct span *apps)
{
	if (span_is(name, "scram"))
		return parse_scram(value, out);
	if (span_is(name, "crypt"))
		return value.n > 0 &&
		       span_copy(value, out->crypt, sizeof out->crypt) == 0;
	if (span_is(name, "services"))
		return (out->services = secrets_services(value)) != 0;
	if (span_is(name, "expires"))
		return secrets_day(value, &out->expires);
	if (span_is(name, "disabled"))
		*disabled = true;
	else if (span_is(name, "apps"))
		*apps = value;
	return true; /* a later version's */
}

bool
secrets_parse(struct span value, struct secret *out, bool *disabled,
    struct span *apps)
{
	*out = (struct secret){ .services = SECRETS_ALL };
	*disabled = false;
	*apps = span_of(NULL, 0);
	while ((value = span_trim(value)).n > 0) {
		struct span field = span_take(&value, ' ');
		struct span name = span_take(&field, '=');

		if (!set_field(name, field, out, disabled, apps))
			return false;
	}
	return true;
}
