/* Quoted-printable never grows, and decodes what it would write. */
#include <stdlib.h>

#include "text/qp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size);
	struct buf out = buf_new(3 * size), hex = buf_new(3 * size);

	if (qp_decode(s, &out) == -1)
		abort();
	buf_reset(&out);
	if (qp_decode_word(s, &out) == -1)
		abort();
	buf_reset(&out);
	for (size_t i = 0; i < size; i++)
		if (buf_addf(&hex, "=%02X", data[i]) == -1)
			abort();
	if (qp_decode(buf_span(&hex), &out) == -1 ||
	    !span_eq(buf_span(&out), s))
		abort();
	buf_free(&out);
	buf_free(&hex);
	return 0;
}
