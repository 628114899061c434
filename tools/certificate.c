/* Certificates of clients, as postern-user changes them. */
#include "certificate.h"

#include "auth/secrets.h"
#include "base/err.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>

enum {
	PEM = 65536
};

/* The record's key, of the first certificate in the file. */
static void
read_key(const char *path, char out[SECRETS_CERT])
{
	struct buf pem = buf_new(PEM);
	gnutls_x509_crt_t crt;
	gnutls_datum_t d;
	unsigned char print[32];
	size_t n = sizeof print;

	if (io_slurp(AT_FDCWD, path, &pem) != 1)
		err_die_sys(EXIT_NEVER, "%s", path);
	d = (gnutls_datum_t){ (unsigned char *)pem.p, (unsigned)pem.n };
	if (gnutls_x509_crt_init(&crt) < 0)
		err_die(EXIT_LATER, "no memory");
	if (gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_PEM) < 0 ||
	    gnutls_x509_crt_get_fingerprint(
		crt, GNUTLS_DIG_SHA256, print, &n) < 0)
		err_die(EXIT_NEVER, "%s: no certificate in PEM", path);
	gnutls_x509_crt_deinit(crt);
	buf_free(&pem);
	secrets_cert(print, out);
}

void
certificate_add(struct userdb *users, const char *address, const char *path,
    unsigned services, const char *expires)
{
	struct buf value = buf_new(SECRETS_VALUE);
	char key[SECRETS_CERT];
	struct span there;

	read_key(path, key);
	if (userdb_get(users, span_str(key), &there) == 1)
		err_die(EXIT_NO, "%s is there already", key);
	(void)buf_addf(&value, "login=%s", address);
	if (services != SECRETS_ALL) {
		(void)buf_add_str(&value, " services=");
		secrets_put_services(services, &value);
	}
	if (expires)
		(void)buf_addf(&value, " expires=%s", expires);
	if (userdb_set(users, span_str(key), buf_span(&value)) == -1)
		err_die_sys(EXIT_LATER, "%s", key);
	tool_commit(users);
	puts(key);
	buf_free(&value);
}

static bool
is_of(struct span key, struct span value, const char *address)
{
	return span_starts(key, "cert:") &&
	       span_is(secrets_login(value), address);
}

void
certificate_remove(
    struct userdb *users, const char *address, const char *print)
{
	struct buf key = buf_new(2 * SECRETS_CERT);
	struct span value;

	if (!span_starts(span_str(print), "cert:"))
		(void)buf_add_str(&key, "cert:");
	(void)buf_add_str(&key, print);
	if (key.full || userdb_get(users, buf_span(&key), &value) != 1 ||
	    !is_of(buf_span(&key), value, address))
		err_die(EXIT_NO, "%s has no such certificate", address);
	(void)userdb_remove(users, buf_span(&key));
	tool_commit(users);
	buf_free(&key);
}

void
certificate_remove_all(struct userdb *users, const char *address)
{
	struct span rest = buf_span(&users->text), key, value;

	while (userdb_next(&rest, &key, &value))
		if (is_of(key, value, address)) {
			(void)userdb_remove(users, key);
			rest = buf_span(&users->text);
		}
}

void
certificate_list(const struct userdb *users, const char *address)
{
	struct span rest = buf_span(&users->text), key, value;

	while (userdb_next(&rest, &key, &value))
		if (is_of(key, value, address))
			printf("%.*s %.*s\n", (int)key.n, key.p, (int)value.n,
			    value.p);
}
