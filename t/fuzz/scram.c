/*
 * SCRAM's messages from anybody: up to the first 0xff the client's first
 * message, then its final one.  What is taken stays within its limits; the
 * challenge begins with the client's own nonce; and no proof fits.
 */
#include <stdint.h>
#include <stdlib.h>

#include "auth/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(struct span first, struct span final, bool plus, bool offered)
{
	static const struct scram_binding bindings[] = {
		{ "tls-exporter", SPAN("0123456789abcdef0123456789abcdef") },
		{ NULL, { NULL, 0 } },
	};
	struct scram s = scram_new(SCRAM_SHA_256, plus, offered, bindings);
	struct scram_keys k = { .iterations = 4096, .nsalt = 16 };
	struct buf out = buf_new(2 * SCRAM_MESSAGE);

	if (scram_first(&s, first)) {
		if (s.user[0] == '\0' || memchr(s.user, '\0', SCRAM_NAME) ==
					     NULL)
			abort();
		if (offered && span_starts(first, "y"))
			abort();
		if (plus != span_starts(first, "p="))
			abort();
		if (scram_challenge(&s, &k, span_str("mine"), &out) == -1 ||
		    !span_starts(buf_span(&out), "r="))
			abort();
		if (scram_final(&s, final) && scram_verify(&s, &k) != 0)
			abort();
	}
	scram_free(&s);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data, size);
	struct span first = span_take(&rest, '\xff');

	for (int i = 0; i < 4; i++)
		run(first, rest, i & 1, i & 2);
	return 0;
}
