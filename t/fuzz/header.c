/* Fields: together they are the header, in order, and nothing else. */
#include <stdlib.h>

#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size), rest = text;
	struct buf b = buf_new(size + 1);
	struct header_field f;
	const char *end = text.p;

	if (header_length(text) > size)
		abort();
	while (header_next(&rest, &f)) {
		if (f.whole.p < end || f.name.n == 0 ||
		    f.name.p != f.whole.p ||
		    f.value.p + f.value.n > f.whole.p + f.whole.n)
			abort();
		end = f.whole.p + f.whole.n;
		buf_reset(&b);
		if (header_unfold(f.value, &b) == -1 ||
		    span_find(buf_span(&b), '\n') < b.n)
			abort();
	}
	if (end > text.p + text.n)
		abort();
	buf_free(&b);
	return 0;
}
