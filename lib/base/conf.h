/*
 * postern.conf: `name value' lines, and where everything lies.
 *
 * Every path is below one root: "" when installed, or what -r or
 * POSTERN_ROOT says.  A missing file means the defaults; an unknown name, a
 * bad value or a name given twice is an error that says file and line.
 * Every setting is described in postern.conf(5).
 */
#ifndef POSTERN_BASE_CONF_H
#define POSTERN_BASE_CONF_H

#include "base/arena.h"
#include "base/network.h"
#include "base/span.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	CONF_SIZE = 65536,  /* bytes of postern.conf */
	CONF_ROUTES = 256,
	CONF_PROXIES = 64,
	CONF_SITES = 32,
	CONF_ERROR = PATH_MAX + 256
};

enum conf_clear {
	CLEAR_NEVER,    /* no password without TLS */
	CLEAR_LOOPBACK, /* only from 127.0.0.0/8 and ::1 */
	CLEAR_ALWAYS
};

/* SASL mechanisms that may be offered. */
enum conf_mechanism {
	CONF_PLAIN = 1,
	CONF_LOGIN = 2,
	CONF_SCRAM_SHA_1 = 4,
	CONF_SCRAM_SHA_256 = 8,
	CONF_EXTERNAL = 16 /* by another setting */
};

/* Mail for a mailbox that is full. */
enum conf_full {
	FULL_LATER, /* waits in the queue, as long as anything does */
	FULL_REFUSE /* goes back at once */
};

/* Services, as sets of them are named. */
enum conf_service {
	CONF_IMAP = 1,
	CONF_POP3 = 2,
	CONF_SMTP = 4
};

/* Mail for a domain goes to a host and port instead of its MX; domain "*"
 * is the smarthost. */
struct conf_route {
	const char *domain, *host;
	uint32_t port;
};

/* A certificate for its own names, and its key: as tls_cert and tls_key. */
struct conf_site {
	const char *cert, *key;
};

/* How fast a client must be. */
struct conf_pace {
	uint64_t command_s; /* from its first byte to its last */
	uint64_t data_s;    /* of a message, before its rate counts */
	uint64_t data_rate; /* bytes a second that it must come at */
};

struct conf {
	const char *root; /* "" or an absolute path without a slash behind */
	const char *hostname;   /* in greetings, EHLO and Received */
	const char *domain;     /* appended to a login without @ */
	const char *libexec;    /* folder of our programs */
	const char *tls_cert;   /* PEM files, absolute or below the root's */
	const char *tls_key;    /* etc/postern */
	const char *tls_cert2; /* a second pair, or NULL */
	const char *tls_key2;
	const char *porter_user; /* who accepts connections */
	const char *net_user;   /* who parses network bytes */
	const char *key_user;   /* who holds the private keys */
	const char *auth_user;  /* who reads credentials */
	const char *queue_user; /* who owns the queue */
	const char *checkpw;    /* program that checks a password */
	const char *checkpassword; /* the classic kind, or NULL */
	const char *pop3_uidl;  /* form of POP3's unique ids */
	const char *resolver;   /* ADDRESS[@PORT]; NULL: resolv.conf says */
	enum conf_clear clear_login;
	uint32_t mechanisms;       /* of enum conf_mechanism */
	bool tls_clients;          /* asked for a certificate */
	uint32_t scram_plus;       /* services that offer it with -PLUS */
	uint64_t scram_iterations; /* of new passwords */
	uint64_t tls_ticket_s; /* a ticket's life, and its key's; 0: none */
	uint64_t uid_min;      /* no mailbox belongs to a uid below */
	uint64_t message_size; /* bytes of a message, as on the wire */
	uint64_t recipients;   /* of one message */
	uint64_t connections, connections_per_source; /* of one service */
	uint64_t listen_idle_s; /* a listener from a supervisor leaves then */
	uint64_t login_s;       /* for everything before the login */
	uint64_t imap_idle_s, pop3_idle_s, smtp_idle_s;
	struct conf_pace pace;
	uint64_t auth_delay_ms; /* before a refusal is told */
	uint64_t auth_tries;    /* of one connection */
	uint64_t auth_free_tries; /* failures before delays; 0: no delays */
	uint64_t auth_workers;  /* hash at a time; 0: one for each processor */
	uint64_t retry_min_s, retry_max_s; /* back-off of the queue */
	uint64_t queue_life_s;  /* then a bounce */
	uint64_t queue_warn_s;  /* before it, a warning; 0: none */
	uint64_t queue_workers; /* deliveries at a time */
	uint64_t quota, quota_count; /* of a mailbox that has none; 0: none */
	bool has_quota;         /* else the Maildir's own counts */
	enum conf_full quota_full;
	struct conf_route routes[CONF_ROUTES];
	size_t nroutes;
	struct conf_site sites[CONF_SITES];
	size_t nsites;
	/* Who says in a header of its own whose connection it is. */
	struct network proxies[CONF_PROXIES];
	size_t nproxies;
	struct arena arena; /* holds the strings */
};

/*
 * Reads ROOT/etc/postern/postern.conf.  root NULL means POSTERN_ROOT or "".
 * 0, or -1 with a line for a person in error.
 */
int conf_load(struct conf *c, const char *root, char error[CONF_ERROR]);

/* root + "/" + rel into out: 0, or -1 with ENAMETOOLONG. */
int conf_path(const struct conf *c, const char *rel, char out[PATH_MAX]);

/* As conf_path for a file of ours in etc/postern; an absolute name stays,
 * with the root before it. */
int conf_etc(const struct conf *c, const char *name, char out[PATH_MAX]);

/* libexec + "/" + name: a program of ours. */
int conf_program(const struct conf *c, const char *name, char out[PATH_MAX]);

/*
 * The monotonic time at which a message that began to come at start_ms is too
 * slow, after so many bytes of it.  It moves with what came and not with when
 * it came: bytes that trickle do not put it off.
 */
int64_t conf_data_deadline(
    const struct conf_pace *p, int64_t start_ms, uint64_t bytes);

/* The route of a domain (without the smarthost): NULL if it has none. */
const struct conf_route *conf_route(const struct conf *c, struct span domain);
/* The smarthost, or NULL. */
const struct conf_route *conf_smarthost(const struct conf *c);

#endif
