/* postern.conf. */
#include "base/conf.h"

#include "base/io.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum kind {
	TEXT,   /* one word */
	NUMBER, /* from min to max, with K, M or G */
	UIDL,   /* %u %v %f %08Xu %08Xv and other bytes */
	CLEAR,  /* never, loopback, always */
	YES, /* no, yes */
	SASL,   /* names of mechanisms, with commas */
	SERVICES, /* none, or imap, pop3, smtp with commas */
	QUOTA,  /* SIZE[,COUNT] */
	FULL,   /* later, refuse */
	SITE,     /* FOLDER, or CERT KEY, any number of times */
	NETWORKS, /* ADDRESS[/BITS], with commas, any number of times */
	ROUTE   /* DOMAIN HOST[:PORT], any number of times */
};

struct setting {
	const char *name;
	enum kind kind;
	size_t offset;
	uint64_t min, max;
};

#define AT(member) offsetof(struct conf, member)

static const struct setting settings[] = {
	{ "auth_delay_ms", NUMBER, AT(auth_delay_ms), 0, 60000 },
	{ "auth_free_tries", NUMBER, AT(auth_free_tries), 0, 1000000 },
	{ "auth_tries", NUMBER, AT(auth_tries), 1, 1000 },
	{ "auth_user", TEXT, AT(auth_user), 0, 0 },
	{ "auth_workers", NUMBER, AT(auth_workers), 0, 1000 },
	{ "checkpassword", TEXT, AT(checkpassword), 0, 0 },
	{ "checkpw", TEXT, AT(checkpw), 0, 0 },
	{ "clear_login", CLEAR, AT(clear_login), 0, 0 },
	{ "command_s", NUMBER, AT(pace.command_s), 1, 3600 },
	{ "connections", NUMBER, AT(connections), 1, 1000000 },
	{ "connections_per_source", NUMBER, AT(connections_per_source), 1,
	    1000000 },
	{ "data_rate", NUMBER, AT(pace.data_rate), 1, 1000000 },
	{ "data_s", NUMBER, AT(pace.data_s), 1, 3600 },
	{ "domain", TEXT, AT(domain), 0, 0 },
	{ "hostname", TEXT, AT(hostname), 0, 0 },
	{ "imap_idle_s", NUMBER, AT(imap_idle_s), 1, 86400 },
	{ "key_user", TEXT, AT(key_user), 0, 0 },
	{ "libexec", TEXT, AT(libexec), 0, 0 },
	{ "listen_idle_s", NUMBER, AT(listen_idle_s), 1, 86400 },
	{ "login_s", NUMBER, AT(login_s), 1, 3600 },
	{ "mechanisms", SASL, 0, 0, 0 },
	{ "message_size", NUMBER, AT(message_size), 1024, UINT64_C(1) << 40 },
	{ "net_user", TEXT, AT(net_user), 0, 0 },
	{ "porter_user", TEXT, AT(porter_user), 0, 0 },
	{ "pop3_idle_s", NUMBER, AT(pop3_idle_s), 1, 86400 },
	{ "pop3_uidl", UIDL, AT(pop3_uidl), 0, 63 },
	{ "proxy_from", NETWORKS, 0, 0, 0 },
	{ "queue_life_s", NUMBER, AT(queue_life_s), 0, 86400 * 365 },
	{ "queue_user", TEXT, AT(queue_user), 0, 0 },
	{ "queue_warn_s", NUMBER, AT(queue_warn_s), 0, 86400 * 365 },
	{ "queue_workers", NUMBER, AT(queue_workers), 1, 1000 },
	{ "quota", QUOTA, 0, 0, 0 },
	{ "quota_full", FULL, 0, 0, 0 },
	{ "recipients", NUMBER, AT(recipients), 1, 100000 },
	{ "resolver", TEXT, AT(resolver), 0, 0 },
	{ "retry_max_s", NUMBER, AT(retry_max_s), 1, 86400 * 30 },
	{ "retry_min_s", NUMBER, AT(retry_min_s), 1, 86400 },
	{ "route", ROUTE, 0, 0, 0 },
	{ "scram_iterations", NUMBER, AT(scram_iterations), 4096, 1000000 },
	{ "scram_plus", SERVICES, 0, 0, 0 },
	{ "smtp_idle_s", NUMBER, AT(smtp_idle_s), 1, 86400 },
	{ "tls_cert", TEXT, AT(tls_cert), 0, 0 },
	{ "tls_cert2", TEXT, AT(tls_cert2), 0, 0 },
	{ "tls_clients", YES, AT(tls_clients), 0, 0 },
	{ "tls_key", TEXT, AT(tls_key), 0, 0 },
	{ "tls_key2", TEXT, AT(tls_key2), 0, 0 },
	{ "tls_site", SITE, 0, 0, 0 },
	{ "tls_ticket_s", NUMBER, AT(tls_ticket_s), 0, 86400 * 7 },
	{ "uid_min", NUMBER, AT(uid_min), 1, UINT32_MAX - 1 },
};

enum {
	SETTINGS = sizeof settings / sizeof *settings
};

static void
set_defaults(struct conf *c, const char *root)
{
	char host[256];

	*c = (struct conf){ .root = root, .libexec = PKGLIBEXECDIR,
		.tls_cert = "tls/cert.pem", .tls_key = "tls/key.pem",
		.tls_ticket_s = 21600,
		.porter_user = "postern-porter",
		.net_user = "postern-net", .auth_user = "postern-auth",
		.key_user = "postern-key",
		.pop3_uidl = "%08Xu%08Xv", .queue_user = "postern-queue", .checkpw = "checkpw",
		.mechanisms = CONF_PLAIN | CONF_LOGIN | CONF_SCRAM_SHA_1 |
			      CONF_SCRAM_SHA_256,
		.scram_iterations = 4096, .scram_plus = CONF_IMAP,
		.clear_login = CLEAR_LOOPBACK, .uid_min = 1000,
		.message_size = 50 * 1024 * 1024, .recipients = 1000,
		.connections = 1000, .connections_per_source = 50,
		.listen_idle_s = 60, .login_s = 60, .imap_idle_s = 1800,
		.pop3_idle_s = 600, .smtp_idle_s = 300, .pace.command_s = 60,
		.pace.data_s = 60, .pace.data_rate = 1024, .auth_delay_ms = 2000,
		.auth_tries = 3, .auth_free_tries = 10, .retry_min_s = 60, .retry_max_s = 14400,
		.queue_life_s = 5 * 86400, .queue_warn_s = 4 * 3600,
		.queue_workers = 20,
		.arena = arena_new(CONF_SIZE * 4) };
	c->hostname = arena_copy(&c->arena,
	    span_str(io_hostname(host, sizeof host))).p;
	c->domain = c->hostname;
}

static const char *
set_text(struct conf *c, const struct setting *s, struct span value)
{
	const char *copy = arena_copy(&c->arena, value).p;

	if (span_find(value, ' ') < value.n || span_find(value, '\t') < value.n)
		return "one word is expected";
	memcpy((char *)c + s->offset, &copy, sizeof copy);
	return NULL;
}

/* Without the UID or the file name two messages would have one id. */
static bool
is_uidl(struct span format)
{
	bool unique = false;

	while (format.n > 0) {
		bool hex = span_starts(format, "%08X");
		int key;

		if (format.p[0] <= ' ' || format.p[0] > '~')
			return false;
		if (format.p[0] != '%') {
			format = span_skip(format, 1);
			continue;
		}
		key = span_at(format, hex ? 4 : 1);
		if (key != 'u' && key != 'v' && (key != 'f' || hex))
			return false;
		unique |= key != 'v';
		format = span_skip(format, hex ? 5 : 2);
	}
	return unique;
}

static const char *
set_uidl(struct conf *c, const struct setting *s, struct span value)
{
	if (value.n > s->max || !is_uidl(value))
		return "%u or %f, with %v, %08Xu, %08Xv is expected";
	return set_text(c, s, value);
}

static const char *
set_number(struct conf *c, const struct setting *s, struct span value)
{
	uint64_t v;

	if (!num_parse_size(value, s->max, &v) || v < s->min)
		return "a number in the setting's range is expected";
	memcpy((char *)c + s->offset, &v, sizeof v);
	return NULL;
}

static const char *
set_clear(struct conf *c, struct span value)
{
	if (span_is(value, "never"))
		c->clear_login = CLEAR_NEVER;
	else if (span_is(value, "loopback"))
		c->clear_login = CLEAR_LOOPBACK;
	else if (span_is(value, "always"))
		c->clear_login = CLEAR_ALWAYS;
	else
		return "never, loopback or always is expected";
	return NULL;
}

static const char *
set_yes(struct conf *c, const struct setting *s, struct span value)
{
	bool yes = span_is(value, "yes");

	if (!yes && !span_is(value, "no"))
		return "yes or no is expected";
	memcpy((char *)c + s->offset, &yes, sizeof yes);
	return NULL;
}

struct word {
	const char *name;
	uint32_t bit;
};

/* The bits of words with commas; false: another word, or none. */
static bool
parse_words(struct span value, const struct word *words, uint32_t *out)
{
	*out = 0;
	while (value.n > 0) {
		struct span one = span_trim(span_take(&value, ','));
		const struct word *w = words;

		while (w->name && !span_is_nocase(one, w->name))
			w++;
		if (w->name == NULL)
			return false;
		*out |= w->bit;
	}
	return *out != 0;
}

static const char *
set_mechanisms(struct conf *c, struct span value)
{
	static const struct word words[] = {
		{ "PLAIN", CONF_PLAIN },
		{ "LOGIN", CONF_LOGIN },
		{ "SCRAM-SHA-1", CONF_SCRAM_SHA_1 },
		{ "SCRAM-SHA-256", CONF_SCRAM_SHA_256 },
		{ NULL, 0 },
	};

	if (parse_words(value, words, &c->mechanisms))
		return NULL;
	return "PLAIN, LOGIN, SCRAM-SHA-1, SCRAM-SHA-256 are expected, with "
	       "commas";
}

static const char *
set_services(struct conf *c, struct span value)
{
	static const struct word words[] = {
		{ "imap", CONF_IMAP },
		{ "pop3", CONF_POP3 },
		{ "smtp", CONF_SMTP },
		{ NULL, 0 },
	};

	c->scram_plus = 0;
	if (span_is(value, "none") ||
	    parse_words(value, words, &c->scram_plus))
		return NULL;
	return "none, or imap, pop3, smtp with commas are expected";
}

static const char *
set_full(struct conf *c, struct span value)
{
	if (span_is(value, "later"))
		c->quota_full = FULL_LATER;
	else if (span_is(value, "refuse"))
		c->quota_full = FULL_REFUSE;
	else
		return "later or refuse is expected";
	return NULL;
}

static const char *
set_quota(struct conf *c, struct span value)
{
	c->has_quota = true;
	return num_parse_quota(value, &c->quota, &c->quota_count)
	    ? NULL
	    : "SIZE or SIZE,COUNT is expected";
}

/* HOST, HOST:PORT or [ADDRESS]:PORT; the brackets go. */
static bool
split_host(struct span *host, uint32_t *port)
{
	size_t colon = span_rfind(*host, ':');

	*port = 25;
	if (span_starts(*host, "[")) {
		size_t end = span_rfind(*host, ']');

		if (end == host->n)
			return false;
		if (end + 1 < host->n && (colon != end + 1 ||
		    !num_parse_u32(span_skip(*host, end + 2), 65535, port)))
			return false;
		*host = span_skip(span_head(*host, end), 1);
	} else if (colon < host->n) {
		if (!num_parse_u32(span_skip(*host, colon + 1), 65535, port))
			return false;
		*host = span_head(*host, colon);
	}
	return host->n > 0 && *port > 0;
}

static const char *
add_route(struct conf *c, struct span value)
{
	struct span domain = span_take(&value, ' ');
	struct span host = span_trim(value);
	struct conf_route *r = &c->routes[c->nroutes];

	if (c->nroutes == CONF_ROUTES)
		return "too many routes";
	if (domain.n == 0 || !split_host(&host, &r->port))
		return "DOMAIN HOST[:PORT] is expected";
	r->domain = arena_copy(&c->arena, domain).p;
	r->host = arena_copy(&c->arena, host).p;
	c->nroutes++;
	return NULL;
}

/* The names in a folder are certbot's. */
static const char *
file_of(struct conf *c, struct span folder, const char *name)
{
	size_t n = strlen(name) + 1;
	char *path = arena_alloc(&c->arena, folder.n + n, 1);

	if (path != NULL) {
		memcpy(path, folder.p, folder.n);
		memcpy(path + folder.n, name, n);
	}
	return path;
}

static const char *
add_site(struct conf *c, struct span value)
{
	struct span cert = span_take(&value, ' '), key = span_trim(value);
	struct conf_site *s = &c->sites[c->nsites];

	if (c->nsites == CONF_SITES)
		return "too many certificates";
	if (span_find(key, ' ') < key.n)
		return "FOLDER, or CERTIFICATE KEY is expected";
	if (key.n == 0) {
		s->cert = file_of(c, cert, "/fullchain.pem");
		s->key = file_of(c, cert, "/privkey.pem");
	} else {
		s->cert = arena_copy(&c->arena, cert).p;
		s->key = arena_copy(&c->arena, key).p;
	}
	if (s->cert == NULL || s->key == NULL)
		return "a shorter name is expected";
	c->nsites++;
	return NULL;
}

static const char *
add_proxies(struct conf *c, struct span value)
{
	while (value.n > 0) {
		if (c->nproxies == CONF_PROXIES)
			return "too many networks";
		if (!network_parse(span_trim(span_take(&value, ',')),
			&c->proxies[c->nproxies]))
			return "ADDRESS or ADDRESS/BITS is expected, with "
			       "commas";
		c->nproxies++;
	}
	return NULL;
}

static const char *
set(struct conf *c, struct span name, struct span value, bool given[SETTINGS])
{
	size_t i = 0;

	while (i < SETTINGS && !span_is(name, settings[i].name))
		i++;
	if (i == SETTINGS)
		return "unknown name";
	if (value.n == 0)
		return "a value is missing";
	if (given[i] && settings[i].kind != ROUTE &&
	    settings[i].kind != SITE && settings[i].kind != NETWORKS)
		return "given twice";
	given[i] = true;
	switch (settings[i].kind) {
	case TEXT:
		return set_text(c, &settings[i], value);
	case NUMBER:
		return set_number(c, &settings[i], value);
	case UIDL:
		return set_uidl(c, &settings[i], value);
	case CLEAR:
		return set_clear(c, value);
	case YES:
		return set_yes(c, &settings[i], value);
	case SERVICES:
		return set_services(c, value);
	case SASL:
		return set_mechanisms(c, value);
	case QUOTA:
		return set_quota(c, value);
	case FULL:
		return set_full(c, value);
	case SITE:
		return add_site(c, value);
	case NETWORKS:
		return add_proxies(c, value);
	case ROUTE:
		break;
	}
	return add_route(c, value);
}

static int
complain(char error[CONF_ERROR], const char *path, size_t line,
    struct span name, const char *what)
{
	snprintf(error, CONF_ERROR, "%s:%zu: %.*s: %s", path, line,
	    (int)(name.n < 64 ? name.n : 64), name.n ? name.p : "", what);
	return -1;
}

static int
parse(struct conf *c, struct span text, const char *path,
    char error[CONF_ERROR])
{
	bool given[SETTINGS] = { false };

	for (size_t number = 1; text.n > 0; number++) {
		struct span line = span_trim(span_take(&text, '\n'));
		struct span value = line;
		struct span name = span_take(&value, ' ');
		const char *wrong;

		if (line.n == 0 || line.p[0] == '#')
			continue;
		wrong = set(c, name, span_trim(value), given);
		if (wrong)
			return complain(error, path, number, name, wrong);
	}
	return 0;
}

static const char *
choose_root(const char *root)
{
	if (root == NULL)
		root = getenv("POSTERN_ROOT");
	return root && strcmp(root, "/") != 0 ? root : "";
}

int
conf_load(struct conf *c, const char *root, char error[CONF_ERROR])
{
	struct buf text = buf_new(CONF_SIZE);
	char path[PATH_MAX];
	int r;

	root = choose_root(root);
	if (root[0] != '\0' && root[0] != '/') {
		snprintf(error, CONF_ERROR, "%s: the root must be absolute",
		    root);
		return -1;
	}
	set_defaults(c, root);
	if (conf_etc(c, "postern.conf", path) == -1 ||
	    (r = io_slurp(AT_FDCWD, path, &text)) == -1) {
		snprintf(error, CONF_ERROR, "%s: %s", path, strerror(errno));
		buf_free(&text);
		return -1;
	}
	r = r == 1 ? parse(c, buf_span(&text), path, error) : 0;
	buf_free(&text);
	/* Such a program has no keys for SCRAM. */
	if (c->checkpassword)
		c->mechanisms &= CONF_PLAIN | CONF_LOGIN;
	if (r == 0 && c->mechanisms == 0) {
		snprintf(error, CONF_ERROR,
		    "%s: mechanisms: checkpassword needs PLAIN or LOGIN", path);
		r = -1;
	}
	if (c->tls_clients)
		c->mechanisms |= CONF_EXTERNAL;
	return r;
}

static int
join(char out[PATH_MAX], const char *a, const char *b, const char *c)
{
	int n = snprintf(out, PATH_MAX, "%s%s%s", a, b, c);

	if (n >= 0 && n < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

int
conf_path(const struct conf *c, const char *rel, char out[PATH_MAX])
{
	return join(out, c->root, "/", rel);
}

int
conf_etc(const struct conf *c, const char *name, char out[PATH_MAX])
{
	return join(out, c->root, name[0] == '/' ? "" : "/etc/postern/", name);
}

int
conf_program(const struct conf *c, const char *name, char out[PATH_MAX])
{
	if (name[0] == '/')
		return join(out, name, "", "");
	return join(out, c->libexec, "/", name);
}

int64_t
conf_data_deadline(const struct conf_pace *p, int64_t start_ms, uint64_t bytes)
{
	/* No message has 2^53 bytes. */
	return start_ms + (int64_t)(p->data_s * 1000 +
			      bytes * 1000 / p->data_rate);
}

const struct conf_route *
conf_route(const struct conf *c, struct span domain)
{
	for (size_t i = 0; i < c->nroutes; i++)
		if (span_is_nocase(domain, c->routes[i].domain))
			return &c->routes[i];
	return NULL;
}

const struct conf_route *
conf_smarthost(const struct conf *c)
{
	return conf_route(c, (struct span)SPAN("*"));
}
