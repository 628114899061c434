/* Message text between SMTP's form and ours. */
#include "net/smtp-data.h"

static bool
is_plain(char c)
{
	return c != '\r' && c != '\n' && c != '\0';
}

/* The state after a byte that had no business where it stood. */
static enum smtp_data
bare(struct smtp_unstuff *u, char c)
{
	u->state = c == '\r' ? UNSTUFF_CR : UNSTUFF_TEXT;
	return SMTP_DATA_BARE;
}

/* One byte that is not plain, or that follows one which was not. */
static enum smtp_data
unstuff_byte(struct smtp_unstuff *u, char c, char *out, size_t *n)
{
	switch (u->state) {
	case UNSTUFF_CR:
		if (c != '\n')
			return bare(u, c);
		out[(*n)++] = '\n';
		u->state = UNSTUFF_START;
		return SMTP_DATA_MORE;
	case UNSTUFF_DOT_CR:
		if (c != '\n')
			return bare(u, c);
		u->state = UNSTUFF_START;
		return SMTP_DATA_END;
	case UNSTUFF_START:
		if (c == '.') {
			u->state = UNSTUFF_DOT;
			return SMTP_DATA_MORE;
		}
		break;
	case UNSTUFF_DOT:
		if (c == '\r') {
			u->state = UNSTUFF_DOT_CR;
			return SMTP_DATA_MORE;
		}
		break;
	case UNSTUFF_TEXT:
		break;
	}
	if (c == '\r') {
		u->state = UNSTUFF_CR;
		return SMTP_DATA_MORE;
	}
	if (!is_plain(c))
		return bare(u, c);
	u->state = UNSTUFF_TEXT;
	out[(*n)++] = c;
	return SMTP_DATA_MORE;
}

enum smtp_data
smtp_unstuff(
    struct smtp_unstuff *u, struct span *in, char *out, size_t size, size_t *n)
{
	enum smtp_data r = SMTP_DATA_MORE;

	*n = 0;
	while (r == SMTP_DATA_MORE && in->n > 0 && *n < size) {
		size_t run = 0, most = in->n < size - *n ? in->n : size - *n;

		while (u->state == UNSTUFF_TEXT && run < most &&
		       is_plain(in->p[run]))
			run++;
		if (run > 0) {
			memcpy(out + *n, in->p, run);
			*n += run;
		} else {
			r = unstuff_byte(u, in->p[0], out, n);
			run = 1;
		}
		*in = span_skip(*in, run);
	}
	return r;
}

/* Writes the byte c at a place where no CR is held back. */
static size_t
stuff_byte(struct smtp_stuff *s, char c, char *out)
{
	size_t n = 0;

	if (c == '\n') {
		s->bol = true;
		memcpy(out, "\r\n", 2);
		return 2;
	}
	if (c == '.' && s->bol)
		out[n++] = '.';
	s->bol = false;
	out[n++] = c ? c : ' ';
	return n;
}

size_t
smtp_stuff(struct smtp_stuff *s, struct span *in, char *out, size_t size)
{
	size_t n = 0;

	/* One byte taken gives at most three: a held CR and a dot doubled. */
	while (in->n > 0 && n + 3 <= size) {
		char c = in->p[0];

		*in = span_skip(*in, 1);
		if (s->cr && c != '\n')
			n += stuff_byte(s, ' ', out + n);
		s->cr = c == '\r';
		if (!s->cr)
			n += stuff_byte(s, c, out + n);
	}
	return n;
}

size_t
smtp_stuff_end(struct smtp_stuff *s, char out[6])
{
	size_t n = 0;

	if (s->cr)
		n += stuff_byte(s, ' ', out);
	s->cr = false;
	if (!s->bol)
		n += stuff_byte(s, '\n', out + n);
	memcpy(out + n, ".\r\n", 3);
	return n + 3;
}
