/*
 * POP3: a message on the wire is the same however its bytes were read, undoes
 * to the message, and has one end; a command line is taken apart in bounds.
 */
#include "command.h"
#include "wire.h"

#include "base/buf.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { WIRE_CAP = 8388608 };

static int
keep(void *ctx, const char *p, size_t n, int64_t deadline_ms)
{
	return buf_add(ctx, p, n);
}

static void
must(bool true_)
{
	if (!true_)
		abort();
}

/* The wire form of s, read in pieces of `piece' bytes; the bytes counted. */
static uint64_t
send(struct span s, size_t piece, bool limited, uint64_t lines, struct buf *b)
{
	char small[7];
	struct out o = out_fd(-1, small, sizeof small);
	struct wire w = wire_new(&o, limited, lines);

	o.write = keep;
	o.ctx = b;
	while (s.n > 0 && wire_add(&w, span_head(s, piece)))
		s = span_skip(s, piece);
	wire_end(&w);
	must(out_flush(&o) == 0);
	return w.bytes;
}

/* Takes one line with its CRLF from the wire. */
static struct span
line(struct span *wire)
{
	size_t at = span_find(*wire, '\n');
	struct span l = span_head(*wire, at);

	must(at > 0 && at < wire->n && wire->p[at - 1] == '\r');
	*wire = span_skip(*wire, at + 1);
	l.n--;
	return l;
}

/* What a client makes of the wire form is the message. */
static void
undo(struct span wire, struct span stored, uint64_t bytes)
{
	uint64_t seen = 0;
	bool open = stored.n > 0 && stored.p[stored.n - 1] != '\n';
	struct span l;

	for (;;) {
		struct span was = span_take(&stored, '\n');

		l = line(&wire);
		if (span_is(l, "."))
			break;
		if (l.n > 0 && l.p[0] == '.')
			l = span_skip(l, 1);
		if (was.n > 0 && was.p[was.n - 1] == '\r')
			was.n--;
		must(span_eq(was, l));
		seen += l.n + 2;
	}
	must(wire.n == 0 && stored.n == 0);
	must(open ? bytes == seen - 2 || bytes == seen - 1 : bytes == seen);
}

static void
check_wire(struct span s, size_t piece)
{
	struct buf whole = buf_new(WIRE_CAP), parts = buf_new(WIRE_CAP);
	uint64_t n = send(s, s.n + 1, false, 0, &whole);

	must(n == send(s, piece, false, 0, &parts));
	must(span_eq(buf_span(&whole), buf_span(&parts)));
	undo(buf_span(&whole), s, n);
	buf_reset(&whole);
	buf_reset(&parts);
	send(s, s.n + 1, true, piece, &whole);
	send(s, piece, true, piece, &parts);
	must(span_eq(buf_span(&whole), buf_span(&parts)));
	buf_free(&whole);
	buf_free(&parts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span s = span_of((const char *)data, n);
	struct command c;

	if (n == 0 || n > WIRE_CAP / 4)
		return 0;
	if (command_parse(s, &c))
		must(c.word.n > 0 && c.word.n <= COMMAND_WORD &&
		     c.nargs <= COMMAND_ARGS);
	check_wire(span_skip(s, 1), data[0] % 5 + 1u);
	return 0;
}
