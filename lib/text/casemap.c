/* i;unicode-casemap. */
#include "text/casemap.h"

#include "text/utf8.h"

#include <unicase.h>
#include <uninorm.h>

/* The ASCII at the front, all at once; the one place where its letters are
 * known without the tables. */
static int
take_ascii(struct span *s, struct buf *out)
{
	size_t n = 0;
	char *to;

	while (n < s->n && (unsigned char)s->p[n] < 0x80)
		n++;
	if (n == 0)
		return 0;
	if ((to = buf_room(out, n)) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		char c = s->p[i];

		to[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
	}
	out->n += n;
	*s = span_skip(*s, n);
	return 0;
}

/* RFC 5051 2: a character's mapping, and those of what it is mapped to.  No
 * chain in Unicode is longer than a few steps. */
static int
add_apart(ucs4_t c, struct buf *out, unsigned steps)
{
	ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
	int tag, n = steps > 0 ? uc_decomposition(c, &tag, parts) : -1;

	if (n <= 0)
		return utf8_add(out, c);
	for (int i = 0; i < n; i++)
		if (add_apart(parts[i], out, steps - 1) == -1)
			return -1;
	return 0;
}

int
casemap_add(struct span utf8, struct buf *out)
{
	enum { STEPS = 8 };
	bool valid;

	while (take_ascii(&utf8, out) == 0) {
		if (utf8.n == 0)
			return 0;
		if (add_apart(uc_totitle(utf8_take(&utf8, &valid)), out,
		    STEPS) == -1)
			return -1;
	}
	return -1;
}
