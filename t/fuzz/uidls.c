/* POP3 ids in dovecot-uidlist and courierpop3dsizelist. */
#include "store/uidls.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look_up(const struct uidls *u, struct span file)
{
	const char *id;

	file = span_head(file, span_find(file, ':'));
	file = span_head(file, span_find(file, ','));
	id = uidls_find(u, file);
	if (id == NULL)
		return;
	if (*id == '\0' || strlen(id) > UIDLS_ID)
		abort();
	for (; *id; id++)
		if (*id <= ' ' || *id > '~')
			abort();
}

/* What ids there are can stand in an answer. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct uidls u = uidls_new();

	uidls_dovecot(&u, text);
	uidls_courier(&u, text);
	uidls_finish(&u);
	while (text.n > 0) {
		struct span line = span_take(&text, '\n');

		look_up(&u, span_skip(line, span_find(line, ':') + 1));
		look_up(&u, span_take(&line, ' '));
	}
	uidls_free(&u);
	return 0;
}
