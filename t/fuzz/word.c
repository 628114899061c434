/* Encoded words: what comes out is one line of UTF-8 from UTF-8. */
#include <stdlib.h>

#include "mail/msgid.h"
#include "mail/subject.h"
#include "mail/word.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is made of subjects and identifiers for threads. */
static void
check_thread(struct span s)
{
	struct buf base = buf_new(s.n), again = buf_new(s.n);
	struct buf id = buf_new(s.n);
	bool reply;

	if (subject_base(s, &base, &reply) == -1 ||
	    subject_base(buf_span(&base), &again, &reply) == -1 ||
	    !span_eq(buf_span(&base), buf_span(&again)) || reply)
		abort(); /* the base of a base is the same */
	while (msgid_next(&s, &id) == 1)
		if (id.n == 0)
			abort();
	buf_free(&base);
	buf_free(&again);
	buf_free(&id);
}

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
	check_thread(buf_span(&out));
	check_thread(span_of((const char *)data, size));
	buf_free(&out);
	return 0;
}
