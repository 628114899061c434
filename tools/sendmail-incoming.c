/* sendmail: the message as it comes.  Any line end becomes LF, and a lone dot
 * ends it. */
#include "sendmail-incoming.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* The bytes in as they will be sent, into out; out holds 2n + 2 bytes. */
static size_t
convert(struct incoming *m, const char *in, size_t n, char *out)
{
	size_t length = 0;

	for (size_t i = 0; i < n && !m->eof; i++) {
		char c = in[i];

		if (c == '\0' || (c == '\n' && m->after_cr)) {
			m->after_cr = false;
			continue;
		}
		m->after_cr = c == '\r';
		if (c == '\r')
			c = '\n';
		if (m->after_dot) {
			m->after_dot = false;
			if (c == '\n') {
				m->eof = true;
				break;
			}
			out[length++] = '.';
		} else if (m->line_begins && c == '.' && !m->ignore_dots) {
			m->after_dot = true;
			m->line_begins = false;
			continue;
		}
		m->line_begins = c == '\n';
		out[length++] = c;
	}
	return length;
}

/* The next bytes of the message: 0 at its end. */
size_t
incoming_some(struct incoming *m, char out[INCOMING_ROOM])
{
	char in[INCOMING_READ];
	size_t length = 0;

	while (length == 0 && !m->eof) {
		ssize_t n = read(0, in, sizeof in);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			err_die_sys(EX_IOERR, "read the message");
		if (n == 0) {
			m->eof = true;
			if (m->after_dot)
				out[length++] = '.';
			break;
		}
		length = convert(m, in, (size_t)n, out);
	}
	return length;
}

static bool
is_field(struct span line)
{
	size_t colon = span_find(line, ':');

	if (colon == 0 || colon == line.n)
		return false;
	for (size_t i = 0; i < colon; i++)
		if (line.p[i] < 0x21 || line.p[i] > 0x7e)
			return false;
	return true;
}

static bool
goes_on(struct span line)
{
	return line.p[0] == ' ' || line.p[0] == '\t';
}

/*
 * How much of text is header, from offset `done' on; *over when the header
 * ends there.  A line that can be no field ends it like an empty one.
 */
static size_t
scan_header(struct span text, size_t done, bool *over)
{
	for (;;) {
		struct span line = span_skip(text, done);
		size_t n = span_find(line, '\n');

		if (n == line.n)
			return done;
		line = span_head(line, n);
		if (n == 0 || !(is_field(line) || (goes_on(line) && done > 0)))
			break;
		done += n + 1;
	}
	*over = true;
	return done;
}

/* mbox's first line is none of ours. */
static size_t
skip_from_line(struct span text)
{
	return span_starts(text, "From ") ? span_find(text, '\n') + 1 : 0;
}

void
incoming_header(struct incoming *m)
{
	char out[INCOMING_ROOM];
	struct span text;
	size_t done = 0, from = 0, n;
	bool over = false;

	m->line_begins = true;
	while (!over && (n = incoming_some(m, out)) > 0) {
		if (buf_add(&m->header, out, n) == -1)
			err_die(EX_DATAERR, "the header is too large");
		from = skip_from_line(buf_span(&m->header));
		text = span_skip(buf_span(&m->header), from);
		done = scan_header(text, done, &over);
	}
	text = span_skip(buf_span(&m->header), from);
	/* A last line without its end. */
	if (!over && text.n > done && is_field(span_skip(text, done)) &&
	    buf_add_byte(&m->header, '\n') == 0)
		done = m->header.n - from;
	text = span_skip(buf_span(&m->header), from);
	n = span_at(text, done) == '\n' ? 1 : 0;
	if (buf_add_span(&m->rest, span_skip(text, done + n)) == -1)
		err_die(EX_DATAERR, "the message is too large");
	memmove(m->header.p ? m->header.p : out, text.p ? text.p : out, done);
	m->header.n = done;
}
