/* The header of a message that streams by. */
#include "header.h"

static struct span
nothing(void)
{
	return span_of(NULL, 0);
}

static void
note_field(struct header *h)
{
	struct span name =
	    span_trim(span_head(span_of(h->name, h->n), h->n - 1));

	h->fields++;
	if (span_is_nocase(name, "Received"))
		h->hops++;
	else if (span_is_nocase(name, "From"))
		h->has_from = true;
	else if (span_is_nocase(name, "Date"))
		h->has_date = true;
	else if (span_is_nocase(name, "Message-ID"))
		h->has_id = true;
}

/*
 * One byte of a name.  Blanks before the colon are an old form (RFC 5322
 * 4.5); a blank and then another letter are no field's name.
 */
static bool
continues_name(const struct header *h, char c)
{
	bool blank =
	    h->n > 0 && (h->name[h->n - 1] == ' ' || h->name[h->n - 1] == '\t');

	if (h->n == sizeof h->name)
		return false;
	if (c == ':')
		return h->n > 0;
	if (c == ' ' || c == '\t')
		return h->n > 0;
	return c > ' ' && c < 0x7f && !blank;
}

static struct span
take_name(struct header *h, struct span *in)
{
	while (in->n > 0) {
		char c = in->p[0];

		if (h->n == 0 && h->fields > 0 && (c == ' ' || c == '\t')) {
			h->state = HEADER_IN_VALUE;
			return nothing();
		}
		if (!continues_name(h, c)) {
			h->has_end = h->n == 0 && c == '\n';
			if (h->has_end)
				*in = span_skip(*in, 1);
			h->state = HEADER_OVER;
			return nothing();
		}
		h->name[h->n++] = c;
		*in = span_skip(*in, 1);
		if (c == ':') {
			struct span name = span_of(h->name, h->n);

			note_field(h);
			h->n = 0;
			h->state = HEADER_IN_VALUE;
			return name;
		}
	}
	return nothing();
}

static struct span
take_value(struct header *h, struct span *in)
{
	size_t end = span_find(*in, '\n');
	struct span value = *in;

	if (end < in->n) {
		value.n = end + 1;
		h->state = HEADER_AT_NAME;
	}
	*in = span_skip(*in, value.n);
	return value;
}

struct span
header_take(struct header *h, struct span *in)
{
	struct span taken =
	    h->state == HEADER_AT_NAME ? take_name(h, in) : take_value(h, in);

	h->bytes += taken.n;
	return taken;
}

struct span
header_rest(const struct header *h)
{
	return span_of(h->name, h->n);
}

const char *
header_wrong(const struct header *h)
{
	if (h->bytes > HEADER_BYTES || h->fields > HEADER_FIELDS)
		return "552 5.3.4 header too big";
	if (h->hops >= HEADER_HOPS)
		return "554 5.4.6 mail loop: too many Received fields";
	return NULL;
}
