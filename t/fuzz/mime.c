/* Structure: parts lie in their parents, in order, and promises are kept. */
#include <stdlib.h>

#include "mail/attach.h"
#include "mail/header.h"
#include "mail/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
wire_length(struct span s)
{
	uint64_t n = s.n;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r');
	return n;
}

static void
check_range(struct span text, const struct mime_range *r)
{
	struct span s = span_head(span_skip(text, r->at), r->n);

	if (r->at > text.n || r->n > text.n - r->at ||
	    r->lines > r->n || r->wire < r->n || r->wire > 2 * r->n)
		abort();
	/* A range may begin between CR and LF only where the text does. */
	if (wire_length(s) != r->wire)
		abort();
}

static void
check(struct span text, const struct mime_part *part, unsigned depth)
{
	bool multipart = span_is(part->type, "multipart");
	bool message = span_is(part->type, "message") &&
	    span_is(part->subtype, "rfc822");
	uint64_t at = part->body.at;

	check_range(text, &part->header);
	check_range(text, &part->body);
	if (depth > MIME_DEPTH || part->type.n == 0 || part->subtype.n == 0 ||
	    part->nparams > MIME_PARAMS || (multipart || message) !=
	    (part->child != NULL) || (message && part->child->next) ||
	    part->header.at + part->header.n != part->body.at)
		abort();
	for (const struct mime_part *p = part->child; p; p = p->next) {
		/* The line end that a parent leaves to the delimiter behind
		 * it may be the end of an empty child's header. */
		if (p->parent != part || p->header.at < at ||
		    p->body.at + p->body.n > part->body.at + part->body.n +
			(p->body.n == 0 ? 2 : 0))
			abort();
		at = p->body.at + p->body.n;
		check(text, p, depth + 1);
	}
	if (message && part->body.n > 0 && part->body.n !=
	    part->child->header.n + part->child->body.n)
		abort(); /* a message fills its part */
}

/* File names that are what they promise, and no two alike. */
static void
check_names(struct span text, const struct mime_part *part, struct arena *a)
{
	struct attach *list;
	size_t n = attach_list(text, part, a, &list);

	for (size_t i = 0; i < n; i++) {
		struct span s = list[i].name;

		if (s.n == 0 || s.n > ATTACH_NAME + 8 || s.p[0] == '.' ||
		    s.p[0] == '-' || s.p[s.n] != '\0')
			abort();
		for (size_t k = 0; k < s.n; k++)
			if ((unsigned char)s.p[k] <= ' ' || s.p[k] == '/' ||
			    s.p[k] == 0x7f)
				abort();
		for (size_t k = 0; k < i && i < 100; k++)
			if (span_eq(s, list[k].name))
				abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct arena a = arena_new(2 * (size_t)MIME_ARENA);
	struct mime_part *part = mime_parse(text, &a);
	struct buf out = buf_new(1 << 20);
	uint32_t one[2] = { 1, 1 };

	if (part == NULL)
		abort();
	check(text, part, 1);
	if (part->header.n != header_length(text) ||
	    part->header.n + part->body.n != size ||
	    mime_section(part, one, 1) == NULL)
		abort();
	(void)mime_section(part, one, 2);
	if (mime_param_utf8(part->params, part->nparams, "name", &out) == -1)
		abort();
	check_names(text, part, &a);
	buf_free(&out);
	arena_free(&a);
	return 0;
}
