/* DNS answers: no more exchangers than there is room for, sorted, each with
 * a name that is a host's. */
#include <arpa/nameser.h>
#include <stdint.h>
#include <stdlib.h>

#include "net/dns.h"
#include "net/smtp-path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_storage address[4];
	struct dns_mx mx[DNS_MX];
	size_t n = 0;
	enum dns_result r = dns_parse_mx(data, size, mx, &n);

	if (n > DNS_MX || (r == DNS_OK && n == 0))
		abort();
	for (size_t i = 0; i < n; i++)
		if (!smtp_is_domain(span_str(mx[i].name)) ||
		    (i > 0 && mx[i - 1].preference > mx[i].preference))
			abort();
	n = 0;
	(void)dns_parse_addresses(data, size, ns_t_a, 25, address, 4, &n);
	(void)dns_parse_addresses(data, size, ns_t_aaaa, 25, address, 4, &n);
	if (n > 4)
		abort();
	return 0;
}
