/* Credentials, as postern-user changes them. */
#include "credential.h"

#include "base/err.h"
#include "base/in.h"
#include "text/base64.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

enum {
	GROUPS = 5, /* of an app password: 100 bits */
	GROUP = 4,
	MADE = GROUPS * (GROUP + 1)
};

/* One line from standard input, without echo on a terminal. */
static void
read_line(const char *prompt, char out[SECRETS_PASSWORD + 1])
{
	char room[SECRETS_PASSWORD + 3];
	struct in in = in_fd(0, room, sizeof room);
	struct termios was, quiet;
	bool tty = tcgetattr(0, &was) == 0;
	struct span line;
	int r;

	in.lf_ok = true;
	if (tty) {
		fputs(prompt, stderr);
		quiet = was;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(0, TCSAFLUSH, &quiet); /* or it shows */
	}
	r = in_line(&in, &line);
	if (tty) {
		(void)tcsetattr(0, TCSAFLUSH, &was);
		fputc('\n', stderr);
	}
	/* A file without a line end at its end is a line too. */
	if (r == 0)
		line = in_pending(&in);
	if (r == -1 || line.n == 0 ||
	    span_copy(line, out, SECRETS_PASSWORD + 1) == -1)
		err_die(EXIT_NEVER, "a password of 1 to %d bytes is expected",
		    SECRETS_PASSWORD);
	explicit_bzero(room, sizeof room);
}

void
credential_ask(char out[SECRETS_PASSWORD + 1])
{
	char again[SECRETS_PASSWORD + 1];

	read_line("Password: ", out);
	if (!isatty(0))
		return;
	read_line("Once more: ", again);
	if (strcmp(out, again) != 0)
		err_die(EXIT_NO, "the two differ");
	explicit_bzero(again, sizeof again);
}

static void
set(struct userdb *db, struct span key, const struct buf *value)
{
	if (value->full || userdb_set(db, key, buf_span(value)) == -1)
		err_die(EXIT_NEVER, "%.*s: the record is too long", (int)key.n,
		    key.p);
}

/* The record of somebody unknown, once. */
static void
need_nobody(struct userdb *db)
{
	struct buf value = buf_new(SECRETS_VALUE);
	struct span nobody = span_str(SECRETS_NOBODY), there;
	unsigned char seed[SECRETS_SEED];

	if (userdb_get(db, nobody, &there) == 1)
		return;
	if (gnutls_rnd(GNUTLS_RND_KEY, seed, sizeof seed) != 0)
		err_die(EXIT_LATER, "no random bytes");
	(void)buf_add_str(&value, "seed=");
	(void)base64_encode(
	    span_of((const char *)seed, sizeof seed), &value);
	set(db, nobody, &value);
	buf_wipe(&value);
}

static struct userdb
open_secrets(const struct conf *c, const struct userdb *users)
{
	struct userdb db = tool_open(c, "secrets", users);

	need_nobody(&db);
	return db;
}

static struct buf
app_key(const char *address, struct span name)
{
	struct buf key = buf_new(USERS_ADDRESS + SECRETS_NAME);

	(void)buf_addf(&key, "%s/", address);
	(void)buf_add_span(&key, name);
	return key;
}

/* A record, parsed; an empty one where there is none. */
static struct secret
load(const struct userdb *db, struct span key, struct span *apps,
    struct span *value)
{
	struct secret s = { 0 };
	bool disabled;

	*apps = span_of(NULL, 0);
	if (userdb_get(db, key, value) != 1)
		*value = span_of(NULL, 0);
	else if (!secrets_parse(*value, &s, &disabled, apps))
		err_die(EXIT_LATER, "%.*s: the record in secrets is damaged",
		    (int)key.n, key.p);
	return s;
}

/* The record's fields but for some, each with a blank before it. */
static void
keep_fields(struct span value, const char *const *but, struct buf *out)
{
	while ((value = span_trim(value)).n > 0) {
		struct span field = span_take(&value, ' '), rest = field;
		struct span name = span_take(&rest, '=');
		const char *const *b = but;

		while (*b && !span_is(name, *b))
			b++;
		if (*b != NULL)
			continue;
		if (out->n > 0)
			(void)buf_add_byte(out, ' ');
		(void)buf_add_span(out, field);
	}
}

static bool
may_hash(const struct conf *c, enum scram_hash hash)
{
	/* PLAIN needs one kind of keys, too. */
	return hash == SCRAM_SHA_256 || (c->mechanisms & CONF_SCRAM_SHA_1) != 0;
}

/*
 * All credentials of a user have one salt and count: the one that there is,
 * or a fresh one.
 */
static void
find_salt(const struct conf *c, const struct userdb *db, const char *address,
    enum scram_hash hash, bool keep_main, struct scram_keys *out)
{
	struct span apps, none, value;
	struct secret s = load(db, span_str(address), &apps, &value);

	if (keep_main && s.keys[hash].iterations > 0) {
		*out = s.keys[hash];
		return;
	}
	while (apps.n > 0) {
		struct buf key = app_key(address, span_take(&apps, ','));

		s = load(db, buf_span(&key), &none, &value);
		buf_free(&key);
		if (s.keys[hash].iterations > 0) {
			*out = s.keys[hash];
			return;
		}
	}
	if (secrets_fresh(hash, c->scram_iterations, out) == -1)
		err_die_sys(EXIT_LATER, "make a credential");
}

/* The credential's fields into out. */
static void
derive(const struct conf *c, const struct userdb *db, const char *address,
    bool keep_main, const char *password, struct buf *out)
{
	struct scram_keys keys[SCRAM_HASHES] = { 0 }, like;

	for (enum scram_hash h = 0; h < SCRAM_HASHES; h++) {
		if (!may_hash(c, h))
			continue;
		find_salt(c, db, address, h, keep_main, &like);
		if (secrets_derive(span_str(password), &like, &keys[h]) == -1)
			err_die_sys(EXIT_LATER, "make a credential");
	}
	if (secrets_write(keys, SCRAM_HASHES, out) == -1)
		err_die_sys(EXIT_LATER, "make a credential");
	explicit_bzero(keys, sizeof keys);
}

void
credential_forget(struct userdb *db, const char *address)
{
	struct span rest = buf_span(&db->text), key, value;

	while (userdb_next(&rest, &key, &value)) {
		struct span whose = key;

		if (!span_is(span_take(&whose, '/'), address))
			continue;
		/* What comes behind it has moved. */
		if (userdb_remove(db, key) == 1)
			rest = buf_span(&db->text);
	}
}

void
credential_set(const struct conf *c, const struct userdb *users,
    const char *address, const char *password, bool is_new)
{
	static const char *const but[] = { "scram", "crypt", NULL };
	struct userdb db = open_secrets(c, users);
	struct buf value = buf_new(SECRETS_VALUE);
	struct span old;

	if (is_new)
		credential_forget(&db, address);
	derive(c, &db, address, false, password, &value);
	if (userdb_get(&db, span_str(address), &old) == 1)
		keep_fields(old, but, &value);
	set(&db, span_str(address), &value);
	tool_commit(&db);
	buf_wipe(&value);
}

/* The user's record; without a field there is none. */
static void
put(struct userdb *db, const char *address, const struct buf *value)
{
	if (value->n > 0)
		set(db, span_str(address), value);
	else
		(void)userdb_remove(db, span_str(address));
}

void
credential_disable(const struct conf *c, const struct userdb *users,
    const char *address, bool disabled)
{
	static const char *const but[] = { "disabled", NULL };
	struct userdb db = open_secrets(c, users);
	struct buf value = buf_new(SECRETS_VALUE);
	struct span old;

	if (userdb_get(&db, span_str(address), &old) == 1)
		keep_fields(old, but, &value);
	if (disabled)
		(void)buf_addf(
		    &value, "%sdisabled=yes", value.n > 0 ? " " : "");
	put(&db, address, &value);
	tool_commit(&db);
	buf_wipe(&value);
}

/* The user's record with another list of app passwords. */
static void
set_apps(struct userdb *db, const char *address, const struct buf *apps)
{
	static const char *const but[] = { "apps", NULL };
	struct buf value = buf_new(SECRETS_VALUE);
	struct span old;

	if (userdb_get(db, span_str(address), &old) == 1)
		keep_fields(old, but, &value);
	if (apps->n > 0)
		(void)buf_addf(&value, "%sapps=%.*s", value.n > 0 ? " " : "",
		    (int)apps->n, apps->p);
	put(db, address, &value);
	buf_wipe(&value);
}

/* The list without name into out; how many it has, and whether that was
 * there. */
static size_t
copy_apps(struct span apps, struct span name, struct buf *out, bool *there)
{
	size_t n = 0;

	*there = false;
	while (apps.n > 0) {
		struct span one = span_take(&apps, ',');

		if (span_eq(one, name)) {
			*there = true;
			continue;
		}
		if (n++ > 0)
			(void)buf_add_byte(out, ',');
		(void)buf_add_span(out, one);
	}
	return n;
}

/* Letters and digits that are not taken for each other. */
static void
make_password(char out[MADE])
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char random[GROUPS * GROUP];
	size_t n = 0;

	_Static_assert(sizeof letters == 33, "5 bits each");
	if (gnutls_rnd(GNUTLS_RND_KEY, random, sizeof random) != 0)
		err_die(EXIT_LATER, "no random bytes");
	for (size_t i = 0; i < sizeof random; i++) {
		if (i > 0 && i % GROUP == 0)
			out[n++] = '-';
		out[n++] = letters[random[i] % 32];
	}
	out[n] = '\0';
	explicit_bzero(random, sizeof random);
}

void
credential_add(const struct conf *c, const struct userdb *users,
    const char *address, struct span name, unsigned services,
    const char *expires)
{
	struct userdb db = open_secrets(c, users);
	struct buf key = app_key(address, name);
	struct buf value = buf_new(SECRETS_VALUE), apps = buf_new(SECRETS_VALUE);
	struct span old, unused;
	char password[MADE];
	bool there;
	size_t n;

	load(&db, span_str(address), &old, &unused);
	n = copy_apps(old, name, &apps, &there);
	if (there)
		err_die(EXIT_NO, "%.*s is there already", (int)key.n, key.p);
	if (n == SECRETS_APPS)
		err_die(EXIT_NO, "%s has %d app passwords: no more", address,
		    SECRETS_APPS);
	make_password(password);
	derive(c, &db, address, true, password, &value);
	if (services != SECRETS_ALL) {
		(void)buf_add_str(&value, " services=");
		secrets_put_services(services, &value);
	}
	if (expires)
		(void)buf_addf(&value, " expires=%s", expires);
	if (n > 0)
		(void)buf_add_byte(&apps, ',');
	(void)buf_add_span(&apps, name);
	set(&db, buf_span(&key), &value);
	set_apps(&db, address, &apps);
	tool_commit(&db);
	puts(password);
	explicit_bzero(password, sizeof password);
	buf_wipe(&value);
	buf_free(&key);
	buf_free(&apps);
}

void
credential_remove(const struct conf *c, const struct userdb *users,
    const char *address, struct span name)
{
	struct userdb db = open_secrets(c, users);
	struct buf key = app_key(address, name), apps = buf_new(SECRETS_VALUE);
	struct span old, unused;
	bool there;

	load(&db, span_str(address), &old, &unused);
	(void)copy_apps(old, name, &apps, &there);
	if (!there)
		err_die(EXIT_NO, "%.*s: no such app password", (int)key.n,
		    key.p);
	set_apps(&db, address, &apps);
	(void)userdb_remove(&db, buf_span(&key));
	tool_commit(&db);
	buf_free(&key);
	buf_free(&apps);
}

static void
show(struct span name, const struct secret *s, struct span expires, bool json)
{
	struct buf services = buf_new(SECRETS_VALUE);

	secrets_put_services(s->services, &services);
	if (json) {
		printf("{\"name\":");
		tool_json(name);
		printf(",\"services\":");
		tool_json(buf_span(&services));
		printf(",\"expires\":");
		if (expires.n > 0)
			tool_json(expires);
		else
			printf("null");
		putchar('}');
	} else
		printf("%.*s %s %.*s\n", (int)name.n, name.p,
		    buf_cstr(&services), expires.n > 0 ? (int)expires.n : 5,
		    expires.n > 0 ? expires.p : "never");
	buf_free(&services);
}

static struct span
find_field(struct span value, const char *want)
{
	while ((value = span_trim(value)).n > 0) {
		struct span field = span_take(&value, ' ');

		if (span_is(span_take(&field, '='), want))
			return field;
	}
	return span_of(NULL, 0);
}

void
credential_list(const struct conf *c, const struct userdb *users,
    const char *address, bool json)
{
	struct userdb db = tool_open(c, "secrets", users);
	struct span apps, none, value;
	bool first = true;

	load(&db, span_str(address), &apps, &value);
	if (json)
		putchar('[');
	for (; apps.n > 0; first = false) {
		struct span name = span_take(&apps, ',');
		struct buf key = app_key(address, name);
		struct secret s = load(&db, buf_span(&key), &none, &value);

		if (json && !first)
			putchar(',');
		show(name, &s, find_field(value, "expires"), json);
		buf_free(&key);
	}
	if (json)
		puts("]");
	userdb_close(&db);
}
