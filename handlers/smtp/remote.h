/* One message to one domain: what the files of remote share. */
#ifndef POSTERN_SMTP_REMOTE_H
#define POSTERN_SMTP_REMOTE_H

#include "base/arena.h"
#include "base/conf.h"
#include "net/dns.h"
#include "net/tls.h"
#include "queue/envelope.h"

enum {
	REMOTE_RCPTS = 1000,   /* recipients of one run */
	REMOTE_ADDRESSES = 16, /* of one host */
	REMOTE_ATTEMPTS = 10,  /* connections of one run */
	REMOTE_OWN = 64,       /* addresses of this machine */
	REMOTE_CONNECT_MS = 30000,
	REMOTE_TEXT = 512
};

enum outcome {
	OPEN,     /* nothing final is known */
	ACCEPTED, /* RCPT was, in this connection */
	REPORTED
};

struct target {
	uint64_t index; /* as the queue counts */
	struct span address;
	enum outcome outcome;
};

/* What to say of the recipients that are open in the end. */
struct failure {
	bool is_final;
	bool any_later; /* one host might yet take it */
	char status[16];
	char text[REMOTE_TEXT];
};

struct host {
	const char *name;
	uint16_t port;
	bool routed; /* by the configuration: it may be ourselves */
};

struct remote {
	struct conf conf;
	struct dns dns;
	struct tls_client *tls;
	struct envelope envelope;
	struct buf text;
	struct arena arena;
	int64_t start; /* of the message in the queue file */
	uint64_t wire; /* its bytes on the wire, without stuffed dots */
	bool eight_bit;
	struct span domain;
	struct target *target;
	size_t ntargets;
	struct failure failure;
	unsigned attempts;
	struct sockaddr_storage own[REMOTE_OWN];
	size_t nown;
};

/* remote.c */

/* One recipient's line, and its end. */
void report(
    struct target *t, const char *class, const char *status, const char *text);
/* The same for all who are still open or accepted. */
void report_all(
    struct remote *r, const char *class, const char *status, const char *text);
/* To be said at the end, unless something better comes. */
void note_failure(struct remote *r, bool is_final, const char *status,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* True while there is somebody left to try for. */
bool has_open(const struct remote *r);

/* remote-hosts.c */

/* Tries the hosts of the domain until all recipients have an outcome. */
void remote_deliver(struct remote *r);
/* The addresses that are this machine. */
void remote_find_own(struct remote *r);
/* "192.0.2.1" */
const char *address_text(
    const struct sockaddr_storage *a, char *out, size_t size);

/* remote-session.c */

/* One address of a host, with and perhaps without TLS. */
void remote_try(
    struct remote *r, const struct host *h, const struct sockaddr_storage *a);

#endif
