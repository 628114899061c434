/*
 * Mail exchangers and addresses by libresolv (RFC 5321 5.1, RFC 7505).
 *
 * The resolver's configuration is read once, by dns_init; nothing is opened
 * after it but sockets.  Answers are taken apart with every length checked;
 * names that are no host names are passed over.
 */
#ifndef POSTERN_NET_DNS_H
#define POSTERN_NET_DNS_H

#include "base/span.h"

#include <netinet/in.h>
#include <resolv.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	DNS_NAME = 256,
	DNS_MX = 10, /* exchangers that are tried, best first */
	DNS_ANSWER = 65535
};

struct dns {
	struct __res_state state;
};

struct dns_mx {
	uint16_t preference;
	char name[DNS_NAME];
};

enum dns_result {
	DNS_TEMPFAIL, /* the default: no answer */
	DNS_NONE,     /* the name does not exist, or has no address */
	DNS_NULL_MX,  /* it takes no mail */
	DNS_OK
};

/*
 * Reads the resolver's configuration; before the jail.  server: an IPv4
 * address with an optional @port that is asked instead, or NULL.  0, or -1
 * with errno.
 */
int dns_init(struct dns *d, const char *server);

/* Exchangers in order of preference, equal ones shuffled; the domain itself
 * where it exists and has no MX. */
enum dns_result dns_mx(
    struct dns *d, struct span domain, struct dns_mx mx[DNS_MX], size_t *n);

/* Addresses of a host, IPv4 before IPv6; numeric ones and localhost need no
 * look-up. */
enum dns_result dns_addresses(struct dns *d, const char *host, uint16_t port,
    struct sockaddr_storage *out, size_t max, size_t *n);

/*
 * One answer's exchangers, sorted into mx[*n], of which *n are there
 * already.  DNS_NULL_MX where it holds the one empty name, DNS_NONE where it
 * holds none, DNS_TEMPFAIL where it is damaged or none can be used.
 */
enum dns_result dns_parse_mx(const unsigned char *answer, size_t size,
    struct dns_mx mx[DNS_MX], size_t *n);

/* One answer's addresses of the type (ns_t_a, ns_t_aaaa), added behind the
 * *n that are there. */
enum dns_result dns_parse_addresses(const unsigned char *answer, size_t size,
    int type, uint16_t port, struct sockaddr_storage *out, size_t max,
    size_t *n);

#endif
