/* Networks of addresses, as a setting names them: ADDRESS or ADDRESS/BITS. */
#ifndef POSTERN_BASE_NETWORK_H
#define POSTERN_BASE_NETWORK_H

#include "base/span.h"

#include <stdint.h>

enum {
	NETWORK_ADDRESS = 16 /* bytes; IPv4 uses the first 4 */
};

struct network {
	int family; /* AF_INET, AF_INET6 */
	uint32_t bits;
	unsigned char address[NETWORK_ADDRESS];
};

/* False: not a network; also where a bit behind the first `bits' is set, for
 * then it is not clear what was meant. */
bool network_parse(struct span text, struct network *out);

/* Is the address in one of the n networks?  IPv4 is never in one of IPv6. */
bool network_has(const struct network *list, size_t n, int family,
    const unsigned char address[NETWORK_ADDRESS]);

#endif
