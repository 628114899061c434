/* dovecot-keywords and courierimapkeywords. */
#include "store/kwlist.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look(const struct kwlist *k, struct span file)
{
	bool passed;
	uint64_t bits = kwlist_of(k, file, &passed);

	if (k->n > MAILBOX_KEYWORDS)
		abort();
	if (k->n < MAILBOX_KEYWORDS && bits >> k->n != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size), rest = text;
	struct kwlist k = kwlist_new();

	kwlist_letters(&k, text);
	kwlist_list(&k, text);
	kwlist_message(&k, span_take(&rest, '\n'), rest);
	kwlist_finish(&k);
	for (size_t i = 0; i < k.n; i++)
		if (!mailbox_is_keyword(span_str(k.name[i])))
			abort();
	look(&k, span_str("1.a:2,Sabcdefghijklmnopqrstuvwxyz"));
	look(&k, span_str("1700000000.M1P2.host,S=3:2,S"));
	look(&k, span_take(&text, ':'));
	kwlist_free(&k);
	return 0;
}
