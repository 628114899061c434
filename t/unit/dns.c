/*
 * Asks a DNS server through lib/net/dns, for t/dns.t.
 *
 * Usage: dns ADDRESS@PORT mx|addresses NAME
 * Prints a line per answer, or `none', `null' or `tempfail'.
 */
#include "net/dns.h"

#include <arpa/inet.h>
#include <stdio.h>

static int
print_result(enum dns_result r)
{
	static const char *const names[] = { [DNS_TEMPFAIL] = "tempfail",
		[DNS_NONE] = "none",
		[DNS_NULL_MX] = "null",
		[DNS_OK] = "ok" };

	printf("%s\n", names[r]);
	return 0;
}

static int
print_mx(struct dns *d, const char *name)
{
	struct dns_mx mx[DNS_MX];
	size_t n;
	enum dns_result r = dns_mx(d, span_str(name), mx, &n);

	if (r != DNS_OK)
		return print_result(r);
	for (size_t i = 0; i < n; i++)
		printf("%u %s\n", mx[i].preference, mx[i].name);
	return 0;
}

static int
print_addresses(struct dns *d, const char *name)
{
	struct sockaddr_storage a[16];
	char text[INET6_ADDRSTRLEN];
	size_t n;
	enum dns_result r = dns_addresses(d, name, 25, a, 16, &n);

	if (r != DNS_OK)
		return print_result(r);
	for (size_t i = 0; i < n; i++) {
		const void *from =
		    a[i].ss_family == AF_INET
			? (const void *)&((struct sockaddr_in *)&a[i])->sin_addr
			: (const void *)&((struct sockaddr_in6 *)&a[i])
			      ->sin6_addr;

		inet_ntop(a[i].ss_family, from, text, sizeof text);
		printf("%s\n", text);
	}
	return 0;
}

int
main(int argc, char *argv[])
{
	struct dns d;

	if (argc != 4 || dns_init(&d, argv[1]) == -1)
		return 100;
	d.state.retrans = 1;
	d.state.retry = 1;
	return strcmp(argv[2], "mx") == 0 ? print_mx(&d, argv[3])
					  : print_addresses(&d, argv[3]);
}
