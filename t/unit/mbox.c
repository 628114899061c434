/* mbox files: vectors. */
#include "mail/mbox.h"

#include "tap.h"

#include <stdio.h>
#include <stdlib.h>

#define FROM "From a@example.org Mon Jan  5 10:00:00 2026\n"
#define FROM_CRLF "From a@example.org Mon Jan  5 10:00:00 2026\r\n"

/* What is expected is written as show() does. */
static const struct {
	const char *name, *file, *wanted;
} vectors[] = {
	{ "two messages", FROM "S: 1\n\nbody\n\n" FROM "S: 2\n\nbody\n\n",
	    "[S: 1\n\nbody\n][S: 2\n\nbody\n]" },
	{ "the last empty line is missing", FROM "S: 1\n\nbody\n",
	    "[S: 1\n\nbody\n]" },
	{ "the last line has no end", FROM "S: 1\n\nbody", "[S: 1\n\nbody]" },
	{ "no empty line before From_", FROM "S: 1\n\nbody\n" FROM "S: 2\n\n\n",
	    "[S: 1\n\nbody\n][S: 2\n\n]" },
	{ "more empty lines are the message's",
	    FROM "S: 1\n\nbody\n\n\n\n" FROM "S: 2\n\n\n",
	    "[S: 1\n\nbody\n\n\n][S: 2\n\n]" },
	{ "From_ in bodies: quoted, and without a date",
	    FROM "S: 1\n\n>From x\n>>From y\n>>>Fromage\n From z\n\n"
		 "From me to you\n\nFrom Mon to Fri\n",
	    "[S: 1\n\nFrom x\n>From y\n>>>Fromage\n From z\n\nFrom me to "
	    "you\n\nFrom Mon to Fri\n]" },
	{ "a header's lines are not unquoted", FROM ">From x\nS: 1\n\n\n",
	    "[>From x\nS: 1\n\n]" },
	{ "no header, no body", FROM "\n" FROM, "[][]" },
	{ "an empty file", "", "" },
	{ "empty lines in front", "\n\n" FROM "S: 1\n\n\n", "[S: 1\n\n]" },
	{ "not an mbox", "S: 1\n\nbody\n", "error" },
	{ "From_ without a date is none", "From a@b\nS: 1\n\n", "error" },
	{ "CRLF",
	    FROM_CRLF "S: 1\r\nStatus: R\r\n\r\nbody\r\n\r\n" FROM_CRLF
		      "S: 2\r\n\r\n>From a\r\n",
	    "[crlf S S: 1\r\n\r\nbody\r\n][crlf S: 2\r\n\r\nFrom a\r\n]" },
	{ "CRs in an mbox with LF", FROM "S: 1\n\nbody\r\n\r\n\n",
	    "[S: 1\n\nbody\r\n\r\n]" },
	{ "Status and the like are taken out",
	    FROM "Status: RO\nS: 1\nX-Status: AFDT\nX-Keywords: a, b\n "
		 "$Forwarded\nT: 2\nX-Mozilla-Keys: c\n\nbody\n",
	    "[SAFDTP {a b c} S: 1\nT: 2\n\nbody\n]" },
	{ "Mozilla's bits",
	    FROM "X-Mozilla-Status: 1007\nX-Mozilla-Status2: 0\nS: 1\n\n\n" FROM
		 "X-Mozilla-Status: 0008\n\nx\n",
	    "[SAFP S: 1\n\n][D \nx\n]" },
	{ "the writer's three: what is behind them stays",
	    FROM "Status: O\nX-Status: A\nX-Keywords: k\nStatus: RO\n"
		 ">From x\nContent-Length: 5\n\nbody\n" FROM "S: 2\n\n\n",
	    "[A {k} Status: RO\nFrom x\nContent-Length: 5\n\nbody\n]"
	    "[S: 2\n\n]" },
	{ "the writer's mark for a last line without an end",
	    FROM "Status: O\nX-Status: n\nX-Keywords: \nS: 1\n\nbody\n\n",
	    "[S: 1\n\nbody]" },
	{ "a right Content-Length: From_ lines are text",
	    FROM "Content-Length: 49\n\nx\n>From y\n"          /* 10 */
		 "From b Mon Jan  5 10:00:00 2026\nA: b\n\n\n" /* 39 */
		 "\n" FROM "S: 2\n\n\n",
	    "[Content-Length: 49\n\nx\n>From y\nFrom b Mon Jan  5 10:00:00 "
	    "2026\nA: b\n\n\n][S: 2\n\n]" },
	{ "a wrong one is none",
	    FROM "Content-Length: 48\n\nx\n>From y\n\n" FROM "S: 2\n\n\n",
	    "[Content-Length: 48\n\nx\nFrom y\n][S: 2\n\n]" },
	{ "one that leads behind the end is none",
	    FROM "Content-Length: 999\n\nx\n\n" FROM "S: 2\n\n\n",
	    "[Content-Length: 999\n\nx\n][S: 2\n\n]" },
	{ "one that leads to the end", FROM "Content-Length: 2\n\nx\n",
	    "[Content-Length: 2\n\nx\n]" },
	{ "an empty body", FROM "Content-Length: 0\n\n\n" FROM "S: 2\n\nx\n",
	    "[Content-Length: 0\n\n][S: 2\n\nx\n]" },
	{ "another program's own data",
	    FROM "Subject: DON'T DELETE THIS MESSAGE -- FOLDER\nX-IMAP: 1\n\n"
		 "x\n\n",
	    "[internal Subject: DON'T DELETE THIS MESSAGE -- FOLDER\nX-IMAP: "
	    "1\n\nx\n]" },
};

static const struct {
	const char *line;
	int64_t date; /* -1: no From_ line */
} froms[] = {
	{ "From a@b Mon Jan  5 10:00:00 2026", 1767607200 },
	{ "From - Mon Jan 05 10:00:00 2026", 1767607200 },
	{ "From a at b  Mon Jan  5 10:00:00 2026", 1767607200 },
	{ "From \"a b\"@c Mon Jan  5 10:00:00 +0100 2026", 1767603600 },
	{ "From 17@xxx Mon Jan 05 10:00:00 +0000 2026", 1767607200 },
	{ "From a@b Mon Jan  5 10:00 2026", 1767607200 },
	{ "From a@b Mon Jan  5 10:00:00 GMT 2026 remote from c", 1767607200 },
	{ "From a@b Mon, 5 Jan 2026 10:00:00 +0100", 1767603600 },
	{ "From a@b", -1 },
	{ "From Monday to Friday 10:00 to 11:00", -1 },
	{ "From Mon, 5 Jan 2026 we meet at 10:00", -1 },
	{ "From a@b Mon Jan 35 10:00:00 2026", -1 },
	{ "From a@b Mon Foo  5 10:00:00 2026", -1 },
	{ "from a@b Mon Jan  5 10:00:00 2026", -1 },
	{ "From: a@b Mon Jan  5 10:00:00 2026", -1 },
};

static ssize_t
read_at(void *ctx, uint64_t at, char *p, size_t n)
{
	const struct span *file = ctx;
	struct span rest =
	    span_skip(*file, at < file->n ? (size_t)at : file->n);

	n = n < rest.n ? n : rest.n;
	if (n > 0)
		memcpy(p, rest.p, n);
	return (ssize_t)n;
}

static void
show(const struct mbox_message *m, struct buf *out)
{
	static const char letters[] = "AFDSTP";
	size_t before = out->n;

	if (m->crlf)
		(void)buf_add_str(out, "crlf ");
	if (m->internal)
		(void)buf_add_str(out, "internal ");
	if (m->flags & MBOX_SEEN)
		(void)buf_add_byte(out, 'S');
	for (size_t i = 0; i < 6; i++)
		if (m->flags >> i & 1 && letters[i] != 'S')
			(void)buf_add_byte(out, letters[i]);
	if (out->n > before && m->flags)
		(void)buf_add_byte(out, ' ');
	if (m->keywords.n > 0) {
		(void)buf_add_byte(out, '{');
		(void)buf_add_span(out, m->keywords);
		(void)buf_add_str(out, "} ");
	}
}

static void
try(struct tap *t, struct mbox *b, const char *name, struct span file,
    const char *wanted)
{
	struct buf out = buf_new(1 << 20);
	struct mbox_message m;
	struct span bytes;
	int r;

	mbox_open(b, read_at, &file, true);
	while ((r = mbox_next(b, &m)) == 1) {
		(void)buf_add_byte(&out, '[');
		show(&m, &out);
		while ((r = mbox_read(b, &bytes)) == 1)
			(void)buf_add_span(&out, bytes);
		(void)buf_add_byte(&out, ']');
	}
	if (r == -1)
		(void)buf_add_str(&out, "error");
	if (strlen(wanted) < 1000)
		tap_is(t, buf_span(&out), wanted, name);
	else
		tap_ok(t, span_is(buf_span(&out), wanted), name);
	mbox_close(b);
	buf_free(&out);
}

/* Lines and runs of `>' that are longer than the window. */
static void
try_long(struct tap *t, struct mbox *b)
{
	enum { LONG = 3 * MBOX_WINDOW };
	struct buf file = buf_new(1 << 22), wanted = buf_new(1 << 22);
	char *run = malloc(LONG + 1);

	memset(run, '>', LONG);
	run[LONG] = '\0';
	(void)buf_addf(&file, FROM "S: 1\n\n%sFrom x\n%s\n\n", run, run);
	(void)buf_addf(&wanted, "[S: 1\n\n%sFrom x\n%s\n]", run + 1, run);
	try(t, b, "huge lines", buf_span(&file), buf_cstr(&wanted));
	buf_reset(&file);
	buf_reset(&wanted);
	(void)buf_addf(
	    &file, FROM "Status: RO\nS: %s%s\n\nx\n\n" FROM "\n", run, run);
	(void)buf_addf(&wanted, "[Status: RO\nS: %s%s\n\nx\n][]", run, run);
	try(t, b, "a header that is too long to look into", buf_span(&file),
	    buf_cstr(&wanted));
	buf_free(&file);
	buf_free(&wanted);
	free(run);
}

static void
try_nul(struct tap *t, struct mbox *b)
{
	static const char nuls[] = FROM "S: 1\n\na\0b\n\n" FROM "\0\n";
	struct span file = span_of(nuls, sizeof nuls - 1), bytes;
	struct mbox_message m;
	size_t n = 0, messages = 0;

	mbox_open(b, read_at, &file, true);
	while (mbox_next(b, &m) == 1) {
		messages++;
		while (mbox_read(b, &bytes) == 1)
			n += bytes.n;
	}
	tap_ok(t, messages == 2 && n == 12, "NULs are bytes like others");
	mbox_close(b);
}

int
main(void)
{
	struct mbox *b = malloc(sizeof *b);
	struct tap t = { 0 };
	int64_t date;

	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
		try(&t, b, vectors[i].name, span_str(vectors[i].file),
		    vectors[i].wanted);
	try_long(&t, b);
	try_nul(&t, b);
	for (size_t i = 0; i < sizeof froms / sizeof *froms; i++)
		tap_ok(&t,
		    mbox_is_from(span_str(froms[i].line), &date)
			? date == froms[i].date
			: froms[i].date == -1,
		    froms[i].line);
	free(b);
	return tap_end(&t);
}
