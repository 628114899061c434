/* Any bytes as the header of the PROXY protocol: what is said of a whole and
 * of its parts agrees. */
#include "net/proxy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int r, const struct proxy *p, size_t n)
{
	if (p->n != 0 && p->n != 4 && p->n != 16)
		abort();
	if (r == 1 && (p->size > n || p->size > PROXY_HEADER))
		abort();
	if (r == 0 && n >= PROXY_HEADER)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = span_of((const char *)data, size);
	struct proxy p, q;
	int whole = proxy_parse(all, &p);
	bool decided = false;

	check(whole, &p, size);
	for (size_t n = 0; n <= size && n <= PROXY_HEADER + 1 && !decided;
	     n++) {
		/* A copy of its own, so that a byte too many is seen. */
		char *part = malloc(n + 1);
		int r;

		if (part == NULL)
			abort();
		if (n > 0)
			memcpy(part, data, n);
		r = proxy_parse(span_of(part, n), &q);
		free(part);
		check(r, &q, n);
		decided = r != 0;
		if (decided && (r != whole || q.size != p.size ||
				   q.n != p.n ||
				   memcmp(q.address, p.address, p.n) != 0))
			abort();
	}
	if (!decided && whole != 0)
		abort();
	return 0;
}
