/* dovecot-uidlist (versions 1 and 3) and courierimapuiddb. */
#include "store/uidlist.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each file that the text names gets no UID, or one below uidnext. */
static void
look_up_all(const struct uidlist *l, struct span text)
{
	size_t found = 0;

	while (text.n > 0) {
		struct span line = span_take(&text, '\n');
		struct span file = span_skip(line, span_rfind(line, ' ') + 1);
		uint32_t uid;

		if (span_starts(file, ":"))
			file = span_skip(file, 1);
		file = span_head(file, span_find(file, ':'));
		file = span_head(file, span_find(file, ','));
		uid = uidlist_find(l, file);
		if (uid >= l->uidnext)
			abort();
		found += uid > 0;
	}
	if (uidlist_count(l) == 0 && found > 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct uidlist l;

	if (uidlist_parse(text, &l)) {
		if (l.uidvalidity == 0 || l.uidnext == 0)
			abort();
		look_up_all(&l, text);
	}
	uidlist_free(&l);
	return 0;
}
