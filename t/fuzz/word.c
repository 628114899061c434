/* Encoded words: what comes out is one line of UTF-8 from UTF-8. */
#include <stdlib.h>

#include "mail/word.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = buf_new(4 * size + 16);

	if (word_decode(span_of((const char *)data, size), &out) == -1)
		abort();
	for (size_t i = 0; i < out.n; i++)
		if (out.p[i] == '\0' || out.p[i] == '\r' || out.p[i] == '\n')
			abort();
	if (!utf8_valid(buf_span(&out)))
		abort();
	buf_free(&out);
	return 0;
}
