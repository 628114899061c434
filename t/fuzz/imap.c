/* ENVELOPE and BODYSTRUCTURE: well-formed for a client, whatever comes. */
#include <stdlib.h>

#include "base/num.h"
#include "mail/header.h"
#include "mail/imap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take_literal(struct span *s)
{
	uint64_t n;

	*s = span_skip(*s, 1);
	if (!num_take(s, s->n, &n) || !span_starts(*s, "}\r\n") ||
	    n > s->n - 3)
		abort();
	if (span_find(span_head(span_skip(*s, 3), n), '\0') < n)
		abort();
	*s = span_skip(*s, 3 + n);
}

static void
take_quoted(struct span *s)
{
	size_t i;

	for (i = 1; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\')
			i++;
		if (i >= s->n || s->p[i] == '\r' || s->p[i] == '\n' ||
		    s->p[i] == '\0' || (unsigned char)s->p[i] > 0x7f)
			abort();
	}
	if (i >= s->n)
		abort();
	*s = span_skip(*s, i + 1);
}

/* One list, and nothing behind it. */
static void
check(struct span s)
{
	size_t depth = 0;

	do {
		switch (span_at(s, 0)) {
		case '(':
			depth++;
			s = span_skip(s, 1);
			break;
		case ')':
			if (depth-- == 0)
				abort();
			s = span_skip(s, 1);
			break;
		case '"':
			take_quoted(&s);
			break;
		case '{':
			take_literal(&s);
			break;
		case 'N':
			if (!span_starts(s, "NIL"))
				abort();
			s = span_skip(s, 3);
			break;
		case ' ':
		case '0': case '1': case '2': case '3': case '4':
		case '5': case '6': case '7': case '8': case '9':
			s = span_skip(s, 1);
			break;
		default:
			abort();
		}
	} while (depth > 0);
	if (s.n > 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct arena a = arena_new(MIME_ARENA);
	struct mime_part *part = mime_parse(text, &a);
	struct buf out = buf_new(1 << 24);

	for (int extended = 0; extended < 2; extended++) {
		buf_reset(&out);
		if (part == NULL || imap_bodystructure(text, part, extended,
		    &a, &out) == -1)
			abort();
		check(buf_span(&out));
	}
	buf_reset(&out);
	if (imap_envelope(span_head(text, header_length(text)), &a, &out) ==
	    -1)
		abort();
	check(buf_span(&out));
	buf_free(&out);
	arena_free(&a);
	return 0;
}
