/* Base64: what is decoded strictly is written again as it was. */
#include <stdlib.h>

#include "text/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size);
	struct buf text = buf_new(1 << 20), again = buf_new(1 << 20);

	if (base64_decode(s, &text)) {
		if (base64_encode(buf_span(&text), &again) == -1 ||
		    !span_eq(buf_span(&again), s))
			abort();
	}
	buf_reset(&text);
	buf_reset(&again);
	if (base64_encode(s, &text) == -1 ||
	    base64_decode_body(buf_span(&text), &again) == -1 ||
	    !span_eq(buf_span(&again), s))
		abort();
	buf_reset(&again);
	if (base64_decode_body(s, &again) == -1 || again.n > size)
		abort();
	buf_free(&text);
	buf_free(&again);
	return 0;
}
