/* Base subjects.  The names are those of RFC 5256 5. */
#include "mail/subject.h"

static void
skip_blanks(struct span *s)
{
	while (span_at(*s, 0) == ' ')
		*s = span_skip(*s, 1);
}

/* subj-blob: "[" without brackets inside "]", and blanks. */
static bool
take_blob(struct span *s)
{
	size_t n = 1;

	if (span_at(*s, 0) != '[')
		return false;
	while (n < s->n && s->p[n] != '[' && s->p[n] != ']')
		n++;
	if (span_at(*s, n) != ']')
		return false;
	*s = span_skip(*s, n + 1);
	skip_blanks(s);
	return true;
}

/* subj-refwd: "Re:", "Fw [list]:", "FWD:". */
static bool
take_refwd(struct span *s)
{
	struct span rest;

	if (span_starts_nocase(*s, "fwd"))
		rest = span_skip(*s, 3);
	else if (span_starts_nocase(*s, "re") || span_starts_nocase(*s, "fw"))
		rest = span_skip(*s, 2);
	else
		return false;
	skip_blanks(&rest);
	(void)take_blob(&rest);
	if (span_at(rest, 0) != ':')
		return false;
	*s = span_skip(rest, 1);
	return true;
}

/* subj-trailer. */
static bool
take_trailer(struct span *s)
{
	static const char fwd[] = "(fwd)";
	size_t n = sizeof fwd - 1;

	while (span_ends(*s, " "))
		s->n--;
	if (s->n < n || !span_is_nocase(span_skip(*s, s->n - n), fwd))
		return false;
	s->n -= n;
	return true;
}

/*
 * Steps 3 to 5: leaders, and blobs before anything else.  Blobs that no
 * subj-refwd follows go one by one in the RFC, as long as something is left
 * behind them; here they are looked at once.
 */
static void
take_leaders(struct span *s, bool *reply)
{
	struct span rest, last;

	for (;;) {
		skip_blanks(s);
		rest = last = *s;
		while (rest.n > 0) {
			last = rest;
			if (!take_blob(&rest))
				break;
		}
		if (!take_refwd(&rest))
			break;
		*reply = true;
		*s = rest;
	}
	*s = rest.n > 0 ? rest : last;
}

/* Step 6: "[fwd: ... ]". */
static bool
take_wrapping(struct span *s)
{
	static const char header[] = "[fwd:";

	if (!span_starts_nocase(*s, header) || !span_ends(*s, "]"))
		return false;
	*s = span_skip(*s, sizeof header - 1);
	s->n--;
	return true;
}

/* Step 1: tabs and runs of blanks are one space. */
static int
add_plain(struct span s, struct buf *out)
{
	bool blank = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\t' || c == '\r' || c == '\n')
			c = ' ';
		if ((c != ' ' || !blank) && buf_add_byte(out, c) == -1)
			return -1;
		blank = c == ' ';
	}
	return 0;
}

int
subject_base(struct span subject, struct buf *out, bool *reply)
{
	size_t start = out->n;
	struct span s;

	*reply = false;
	if (add_plain(subject, out) == -1)
		return -1;
	s = span_skip(buf_span(out), start);
	do {
		while (take_trailer(&s))
			*reply = true;
		take_leaders(&s, reply);
	} while (take_wrapping(&s) && (*reply = true));
	if (s.n > 0)
		memmove(out->p + start, s.p, s.n);
	out->n = start + s.n;
	return 0;
}
