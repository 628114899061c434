/* Addresses: groups are balanced, and nothing is longer than the input. */
#include <stdint.h>
#include <stdlib.h>

#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = arena_new(1 << 24);
	struct address *list;
	size_t n, total = 0;
	bool in_group = false;

	n = address_parse(span_of((const char *)data, size), &a, &list);
	for (size_t i = 0; i < n; i++) {
		struct address *adr = &list[i];
		bool begins = adr->host.p == NULL && adr->mailbox.p;
		bool ends = adr->host.p == NULL && adr->mailbox.p == NULL;

		if ((begins && in_group) || (ends && !in_group) ||
		    (adr->host.p && adr->mailbox.p == NULL))
			abort();
		in_group = begins || (in_group && !ends);
		total += adr->name.n + adr->route.n + adr->mailbox.n +
		    adr->host.n;
	}
	/* A list that was cut may end in a group. */
	if ((in_group && n < ADDRESS_LIMIT) || total > size)
		abort();
	arena_free(&a);
	return 0;
}
