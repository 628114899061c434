/*
 * Credentials: /etc/postern/secrets and secrets.cdb, the same format as
 * users.  A key is the user's address (the main password) or address/NAME
 * (an app password, listed in the user's apps=):
 *
 *   alice@example.org        scram=sha256:ITER:SALT:STORED:SERVER
 *                            scram=sha1:... apps=phone,tablet
 *   alice@example.org/phone  scram=... services=imap,smtp expires=2027-01-31
 *   bob@example.org          crypt=$y$... [disabled=yes]
 *   /nobody                  seed=BASE64 [crypt=$y$...]
 *
 * All of a user's credentials should have one salt and count, so that any of
 * them proves itself in the one exchange of SCRAM, and a password is hashed
 * once however many there are.  /nobody is whom an unknown user is taken
 * for: the seed gives each such name a salt that stays, and checking costs
 * what this record's would.
 */
#ifndef POSTERN_AUTH_SECRETS_H
#define POSTERN_AUTH_SECRETS_H

#include "auth/scram.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/span.h"

enum {
	SECRETS_PASSWORD = 512,   /* longest password, bytes */
	SECRETS_VALUE = 2048,
	SECRETS_APPS = 16,        /* app passwords of one user */
	SECRETS_NAME = 32,        /* bytes of one's name with its NUL */
	SECRETS_CRYPT = 384,      /* CRYPT_OUTPUT_SIZE */
	SECRETS_SEED = 32
};

#define SECRETS_NOBODY "/nobody"

enum secrets_service {
	SECRETS_IMAP = CONF_IMAP,
	SECRETS_POP3 = CONF_POP3,
	SECRETS_SMTP = CONF_SMTP,
	SECRETS_ALL = CONF_IMAP | CONF_POP3 | CONF_SMTP
};

enum secrets_verdict {
	SECRETS_TEMPFAIL, /* the default */
	SECRETS_NO,
	SECRETS_YES
};

/* One credential. */
struct secret {
	char name[SECRETS_NAME]; /* "": the main password */
	struct scram_keys keys[SCRAM_HASHES]; /* iterations 0: none */
	char crypt[SECRETS_CRYPT];            /* "": none */
	unsigned services;
	int64_t expires; /* seconds since 1970; 0: never */
};

/* A user's credentials. */
struct secrets {
	bool known;    /* false: what nobody has */
	bool disabled; /* nothing opens anything */
	size_t n;      /* 0 where there are no credentials */
	struct secret list[1 + SECRETS_APPS];
	uint64_t iterations;   /* of whom has none */
	unsigned char seed[SECRETS_SEED];
};

/* `scram=KIND:ITER:SALT:STORED:SERVER' for each hash that has keys. */
int secrets_write(const struct scram_keys *keys, size_t n, struct buf *out);

/* Keys to be: this hash and count, and a fresh salt.  0, or -1 with errno. */
int secrets_fresh(
    enum scram_hash hash, uint64_t iterations, struct scram_keys *out);

/* The keys of a password, normalised, with the hash, count and salt of like.
 * 0, or -1 with errno (EINVAL: too long, or empty). */
int secrets_derive(struct span password, const struct scram_keys *like,
    struct scram_keys *out);

/* One record's value; false: damaged.  *apps gets its list, inside value. */
bool secrets_parse(struct span value, struct secret *out, bool *disabled,
    struct span *apps);

/* A name that an app password can have: 1 to 31 of a-z 0-9 . _ - */
bool secrets_is_name(struct span name);

/* Names of services, with commas, to a set of them; 0: not such. */
unsigned secrets_services(struct span names);
void secrets_put_services(unsigned services, struct buf *out);

/*
 * Certificates of clients are records of users: `cert:HEX', with the SHA-256
 * of the certificate, and `login=ADDRESS [services=...] [expires=...]'.
 * secrets_cert makes the key, secrets_login finds the address in the value.
 */
enum {
	SECRETS_CERT = 70 /* bytes of such a key with its NUL */
};
void secrets_cert(const unsigned char print[32], char out[SECRETS_CERT]);
struct span secrets_login(struct span value);

/* YYYY-MM-DD to its first second, UTC; false: no such day. */
bool secrets_day(struct span day, int64_t *seconds);

/*
 * A user's credentials from the open database (a fault: -1; else 0), with
 * what nobody has; iterations: of whom has none.
 */
int secrets_load(
    int fd, struct span user, uint64_t iterations, struct secrets *out);

/* Which credential the password is: *which.  Costs the same whether the user
 * is known or not. */
enum secrets_verdict secrets_check(
    const struct secrets *s, struct span password, size_t *which);

/* What SCRAM's challenge says: keys of the user's, or a salt that is this
 * name's. 0 or -1. */
int secrets_challenge(const struct secrets *s, struct span user,
    enum scram_hash hash, struct scram_keys *out);

/* As secrets_check, for a proof; *which gets the credential. */
enum secrets_verdict secrets_prove(
    const struct secrets *s, const struct scram *x, size_t *which);

#endif
