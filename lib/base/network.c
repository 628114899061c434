/* Networks of addresses. */
#include "base/network.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* Are the first bits of both the same? */
static bool
is_same(const unsigned char *a, const unsigned char *b, uint32_t bits)
{
	size_t whole = bits / 8;
	unsigned mask = 0xffU << (8 - bits % 8) & 0xffU;

	return memcmp(a, b, whole) == 0 &&
	       (bits % 8 == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

/* Is nothing set behind the first bits? */
static bool
is_clean(const struct network *n, size_t size)
{
	unsigned char kept[NETWORK_ADDRESS] = { 0 };
	size_t whole = n->bits / 8;

	memcpy(kept, n->address, whole);
	if (n->bits % 8 != 0)
		kept[whole] = (unsigned char)(n->address[whole] &
					      (0xffU << (8 - n->bits % 8)));
	return memcmp(kept, n->address, size) == 0;
}

bool
network_parse(struct span text, struct network *out)
{
	size_t slash = span_find(text, '/');
	char address[INET6_ADDRSTRLEN];
	uint32_t most = 128;

	*out = (struct network){ .family = AF_INET6 };
	if (span_copy(span_head(text, slash), address, sizeof address) == -1)
		return false;
	if (strchr(address, ':') == NULL) {
		out->family = AF_INET;
		most = 32;
	}
	if (inet_pton(out->family, address, out->address) != 1)
		return false;
	out->bits = most;
	if (slash < text.n &&
	    !num_parse_u32(span_skip(text, slash + 1), most, &out->bits))
		return false;
	return is_clean(out, most / 8);
}

bool
network_has(const struct network *list, size_t n, int family,
    const unsigned char address[NETWORK_ADDRESS])
{
	for (size_t i = 0; i < n; i++)
		if (list[i].family == family &&
		    is_same(list[i].address, address, list[i].bits))
			return true;
	return false;
}
