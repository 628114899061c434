/* From_ lines, and writing mbox files. */
#include "mail/mbox.h"

#include "text/date.h"

#include <stdio.h>

static const char from[] = "From ";

enum { FROM_WORD = sizeof from - 1 };

static bool
is_weekday(struct span word)
{
	static const char days[] = "SunMonTueWedThuFriSat";

	if (span_ends(word, ","))
		word.n--;
	for (size_t i = 0; i < 7; i++)
		if (span_eq_nocase(word, span_of(days + i * 3, 3)))
			return true;
	return false;
}

static struct span
skip_blanks(struct span s)
{
	while (span_at(s, 0) == ' ' || span_at(s, 0) == '\t')
		s = span_skip(s, 1);
	return s;
}

/* "10:00:00" or "10:00" */
static bool
is_time(struct span word)
{
	return word.n >= 4 && word.n <= 8 && span_find(word, ':') < word.n &&
	       word.p[0] >= '0' && word.p[0] <= '9';
}

/* Behind the weekday: "Jul 17 02:44:25 1996" or "17 Jul 1996 02:44:25". */
static bool
has_time(struct span s)
{
	for (size_t i = 0; i < 4; i++) {
		s = skip_blanks(s);
		if (is_time(span_take(&s, ' ')))
			return i >= 2;
	}
	return false;
}

/* The sender may have blanks in it; the date begins with a weekday. */
bool
mbox_is_from(struct span line, int64_t *date)
{
	struct date d;

	if (!span_starts(line, from))
		return false;
	line = span_trim(span_skip(line, FROM_WORD));
	while (line.n > 0) {
		struct span rest = line, word;

		word = span_take(&rest, ' ');
		if (is_weekday(word) && has_time(rest) &&
		    date_parse_mail(line, &d)) {
			*date = date_seconds(&d);
			return true;
		}
		line = skip_blanks(rest);
	}
	return false;
}

/* As asctime writes it, but always in UTC and in English (RFC 4155 A). */
static void
add_date(struct out *out, int64_t date)
{
	char text[DATE_TEXT];
	struct date d = date_civil(date, 0);

	/* "Wed, 17 Jul 1996 02:44:25 +0000" */
	date_mail(date, 0, text);
	out_fmt(out, "%.3s %.3s %2d %02d:%02d:%02d %04d\n", text, text + 8,
	    d.day, d.hour, d.minute, d.second, d.year);
}

static void
add_letter(struct out *out, bool on, const char *letter)
{
	if (on)
		out_str(out, letter);
}

void
mbox_begin(struct mbox_writer *w, struct out *out, int64_t date, unsigned flags,
    struct span keywords, bool ended)
{
	*w = (struct mbox_writer){
		.out = out, .line_start = true, .empty = true
	};
	out_str(out, "From MAILER-DAEMON ");
	add_date(out, date);
	out_str(out, "Status: ");
	add_letter(out, flags & MBOX_SEEN, "R");
	out_str(out, "O\nX-Status: ");
	add_letter(out, flags & MBOX_ANSWERED, "A");
	add_letter(out, flags & MBOX_FLAGGED, "F");
	add_letter(out, flags & MBOX_DELETED, "D");
	add_letter(out, flags & MBOX_DRAFT, "T");
	add_letter(out, !ended, "n");
	out_str(out, "\nX-Keywords: ");
	if (flags & MBOX_PASSED)
		out_str(out, keywords.n > 0 ? "$Forwarded " : "$Forwarded");
	out_span(out, keywords);
	out_str(out, "\n");
}

/* At the beginning of a line: `>'s go out at once, "From " is held back
 * until it is whole. */
static void
write_start(struct mbox_writer *w, char c)
{
	if (w->matched == 0 && c == '>') {
		out_add(w->out, &c, 1);
		return;
	}
	if (c == from[w->matched]) {
		if (++w->matched < FROM_WORD)
			return;
		out_str(w->out, ">");
		out_add(w->out, from, FROM_WORD);
	} else {
		out_add(w->out, from, w->matched);
		out_add(w->out, &c, 1);
	}
	w->line_start = c == '\n';
	w->matched = 0;
}

void
mbox_write(struct mbox_writer *w, struct span s)
{
	if (s.n == 0)
		return;
	w->empty = false;
	w->last_lf = s.p[s.n - 1] == '\n';
	while (s.n > 0) {
		size_t n;

		if (w->line_start) {
			write_start(w, s.p[0]);
			s = span_skip(s, 1);
			continue;
		}
		n = span_find(s, '\n');
		w->line_start = n < s.n;
		n += w->line_start;
		out_span(w->out, span_head(s, n));
		s = span_skip(s, n);
	}
}

void
mbox_end(struct mbox_writer *w)
{
	out_add(w->out, from, w->matched);
	if (!w->empty && !w->last_lf)
		out_str(w->out, "\n");
	out_str(w->out, "\n");
}
