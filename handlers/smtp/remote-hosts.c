/* Which hosts take a domain's mail, and which of them are ourselves. */
#include "remote.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

enum { SMTP_PORT = 25 };

const char *
address_text(const struct sockaddr_storage *a, char *out, size_t size)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;
	const void *from = a->ss_family == AF_INET6
			       ? (const void *)&six->sin6_addr
			       : (const void *)&four->sin_addr;

	out[0] = '\0';
	(void)inet_ntop(a->ss_family, from, out, (socklen_t)size);
	return out;
}

/* As 16 bytes, so that ::ffff:127.0.0.1 is 127.0.0.1. */
static void
as_six(const struct sockaddr_storage *a, struct in6_addr *out)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a->ss_family == AF_INET6) {
		*out = ((const struct sockaddr_in6 *)a)->sin6_addr;
		return;
	}
	memcpy(out->s6_addr, mapped, sizeof mapped);
	memcpy(
	    out->s6_addr + 12, &((const struct sockaddr_in *)a)->sin_addr, 4);
}

void
remote_find_own(struct remote *r)
{
	struct ifaddrs *list;

	/* Without the list there are still loopback and our name. */
	if (getifaddrs(&list) == -1)
		return;
	for (struct ifaddrs *i = list; i; i = i->ifa_next) {
		const struct sockaddr *a = i->ifa_addr;

		if (a == NULL || r->nown == REMOTE_OWN ||
		    (a->sa_family != AF_INET && a->sa_family != AF_INET6))
			continue;
		memcpy(&r->own[r->nown++], a,
		    a->sa_family == AF_INET ? sizeof(struct sockaddr_in)
					    : sizeof(struct sockaddr_in6));
	}
	freeifaddrs(list);
}

/* Loopback, "this host", no host at all, or an address of ours. */
static bool
is_self(const struct remote *r, const struct sockaddr_storage *a)
{
	struct in6_addr x, y;
	const unsigned char *four = x.s6_addr + 12;

	as_six(a, &x);
	if (IN6_IS_ADDR_V4MAPPED(&x)) {
		if (four[0] == 127 || four[0] == 0 || four[0] >= 224)
			return true;
	} else if (IN6_IS_ADDR_LOOPBACK(&x) || IN6_IS_ADDR_UNSPECIFIED(&x) ||
		   IN6_IS_ADDR_MULTICAST(&x)) {
		return true;
	}
	for (size_t i = 0; i < r->nown; i++) {
		as_six(&r->own[i], &y);
		if (memcmp(&x, &y, sizeof x) == 0)
			return true;
	}
	return false;
}

/*
 * RFC 5321 5.1: hosts that are no better than ourselves must not be tried.
 * Where we are the best, the mail has nowhere to go.
 */
static bool
stop_at_self(struct remote *r, const char *name)
{
	if (r->attempts == 0)
		note_failure(r, true, "5.4.6",
		    "%s takes this mail and is this host itself", name);
	return false;
}

/* True if the next host may be tried. */
static bool
try_host(struct remote *r, const struct host *h)
{
	struct sockaddr_storage address[REMOTE_ADDRESSES];
	size_t n;

	if (!h->routed && span_is_nocase(span_str(h->name), r->conf.hostname))
		return stop_at_self(r, h->name);
	switch (dns_addresses(
	    &r->dns, h->name, h->port, address, REMOTE_ADDRESSES, &n)) {
	case DNS_OK:
		break;
	case DNS_NONE:
	case DNS_NULL_MX:
		if (r->attempts == 0)
			note_failure(
			    r, true, "5.4.4", "%s has no address", h->name);
		return true;
	case DNS_TEMPFAIL:
		note_failure(
		    r, false, "4.4.3", "%s: no answer from DNS", h->name);
		return true;
	}
	for (size_t i = 0; i < n && has_open(r); i++) {
		if (!h->routed && is_self(r, &address[i]))
			return stop_at_self(r, h->name);
		if (r->attempts >= REMOTE_ATTEMPTS)
			return false;
		remote_try(r, h, &address[i]);
	}
	return has_open(r);
}

static void
try_exchangers(struct remote *r)
{
	struct dns_mx mx[DNS_MX];
	size_t n;

	switch (dns_mx(&r->dns, r->domain, mx, &n)) {
	case DNS_OK:
		break;
	case DNS_NONE:
		note_failure(r, true, "5.1.2", "the domain does not exist");
		return;
	case DNS_NULL_MX: /* RFC 7505 */
		note_failure(r, true, "5.1.10", "the domain takes no mail");
		return;
	case DNS_TEMPFAIL:
		note_failure(r, false, "4.4.3", "no answer from DNS");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct host h = { .name = mx[i].name, .port = SMTP_PORT };

		if (!try_host(r, &h))
			return;
	}
}

void
remote_deliver(struct remote *r)
{
	const struct conf_route *route = conf_route(&r->conf, r->domain);
	struct host h = { .routed = true };

	if (route == NULL)
		route = conf_smarthost(&r->conf);
	if (route == NULL) {
		try_exchangers(r);
		return;
	}
	h.name = route->host;
	h.port = (uint16_t)route->port;
	(void)try_host(r, &h);
}
