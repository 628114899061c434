/* Mail exchangers by libresolv (RFC 5321 5.1, RFC 7505). */
#ifndef POSTERN_NET_DNS_H
#define POSTERN_NET_DNS_H

#include "base/span.h"

#include <stdint.h>
#include <sys/socket.h>

enum {
	DNS_NAME = 256,
	DNS_MX = 10 /* exchangers that are tried, best first */
};

struct dns_mx {
	uint16_t preference;
	char name[DNS_NAME];
};

enum dns_result {
	DNS_TEMPFAIL, /* the default: no answer */
	DNS_NONE,     /* the domain does not exist */
	DNS_NULL_MX,  /* it takes no mail */
	DNS_OK
};

/*
 * Reads the resolver's configuration; before the jail.  server: an address
 * with an optional @port that is asked instead, or NULL.  0, or -1.
 */
int dns_init(const char *server);

/* Exchangers in order of preference, equal ones shuffled; the domain itself
 * where it has no MX. */
enum dns_result dns_mx(struct span domain, struct dns_mx mx[DNS_MX],
    size_t *n);

/* Addresses of a host (A and AAAA); numeric ones need no look-up. */
enum dns_result dns_addresses(const char *host, uint16_t port,
    struct sockaddr_storage *out, size_t max, size_t *n);

#endif
