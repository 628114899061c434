/* The text view: UTF-8 that a terminal may be shown. */
#include <stdlib.h>

#include "mail/render.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = buf_new(1 << 26);
	struct span s;

	if (render_text(span_of((const char *)data, size), span_str("PATH"),
	    &out) == -1)
		abort();
	if (out.n == 0 || out.p[out.n - 1] != '\n')
		abort();
	s = buf_span(&out);
	while (s.n > 0) {
		bool valid;
		uint32_t c = utf8_take(&s, &valid);

		if (!valid || utf8_is_format(c) ||
		    (utf8_is_control(c) && c != '\t' && c != '\n'))
			abort();
	}
	buf_free(&out);
	return 0;
}
