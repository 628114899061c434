/*
 * Messages made to cost much: four times the size may cost four times the
 * time.
 *
 * Every bomb is made in two sizes; the larger one may take at most eight
 * times as long (quadratic work takes sixteen), the best of a few runs each,
 * measured again where a busy machine may have been in the way.  Prints TAP.
 */
#include "tap.h"

#include "mail/address.h"
#include "mail/attach.h"
#include "mail/header.h"
#include "mail/html.h"
#include "mail/imap.h"
#include "mail/msgid.h"
#include "mail/render.h"
#include "mail/subject.h"
#include "mail/word.h"
#include "text/date.h"

#include <time.h>

enum {
	RUNS = 3,
	TRIES = 3,
	SIZE = 1 << 26,
	QUICK_US = 4000 /* what takes no longer is not measured further */
};

typedef void run_fn(struct span text, struct buf *out);

static void
run_message(struct span text, struct buf *out)
{
	struct arena a = arena_new(2 * (size_t)MIME_ARENA);
	struct mime_part *part = mime_parse(text, &a);
	struct attach *list;

	if (part) {
		(void)imap_bodystructure(text, part, true, &a, out);
		(void)attach_list(text, part, &a, &list);
	}
	(void)imap_envelope(span_head(text, header_length(text)), &a, out);
	arena_free(&a);
}

static void
run_render(struct span text, struct buf *out)
{
	(void)render_text(text, span_str("P"), out);
}

static void
run_address(struct span text, struct buf *out)
{
	struct arena a = arena_new(SIZE);
	struct address_reader r = { .rest = text };
	struct address adr;

	while (address_next(&r, &a, &adr) == 1)
		arena_reset(&a);
	arena_free(&a);
}

static void
run_word(struct span text, struct buf *out)
{
	(void)word_decode(text, out);
}

static void
run_html(struct span text, struct buf *out)
{
	(void)html_to_text(text, out);
}

static void
run_date(struct span text, struct buf *out)
{
	struct date d;

	(void)date_parse_mail(text, &d);
}

static void
run_subject(struct span text, struct buf *out)
{
	bool reply;

	(void)subject_base(text, out, &reply);
}

static void
run_msgid(struct span text, struct buf *out)
{
	while (msgid_next(&text, out) == 1)
		;
}

/* A start, n times a piece ("%zu" in it is a number), and an end. */
static const struct bomb {
	const char *name;
	run_fn *run;
	const char *start, *piece, *end;
	size_t n;
} bombs[] = {
	{ "nested multiparts", run_message, "",
	    "Content-Type: multipart/mixed; boundary=b%zu.\n\n--b%zu.\n", "",
	    10000 },
	{ "nested multiparts, boundaries that begin alike", run_message, "",
	    "Content-Type: multipart/mixed; boundary=b%zu\n\n--b%zu\n", "",
	    20000 },
	{ "nested messages", run_message, "",
	    "Content-Type: message/rfc822\n\n", "", 10000 },
	{ "empty parts", run_message,
	    "Content-Type: multipart/mixed; boundary=x\n\n", "--x\n", "",
	    500000 },
	{ "lines that are nearly delimiters", run_message,
	    "Content-Type: multipart/mixed; boundary=xxxxxxxxxxxxxxxxxy\n\n",
	    "--xxxxxxxxxxxxxxxxx\n", "", 200000 },
	{ "To fields", run_message, "", "To: a@b\n", "", 250000 },
	{ "fields of all kinds", run_message, "", "X-%zu: %zu\n", "\n",
	    200000 },
	{ "one long folded field", run_message, "Subject: x\n", " y\n", "\n",
	    500000 },
	{ "parameters", run_message, "Content-Type: a/b", "; a*%zu=%zu", "\n",
	    20000 },
	{ "parts with parameters", run_message,
	    "Content-Type: multipart/mixed; boundary=x\n\n",
	    "--x\nContent-Type: a/b; n*0=a; n*1=b; n*2=c; m*0=%zu; "
	    "name=x%zu\n\n", "", 5000 },
	{ "attachments of one name", run_message,
	    "Content-Type: multipart/mixed; boundary=x\n\n",
	    "--x\nContent-Type: a/b; name=x\n\n", "", 5000 },
	{ "open comments in Content-Type", run_message, "Content-Type: a/b;",
	    "(", "\n", 100000 },
	{ "comments in Content-Type", run_message, "Content-Type: a/b;",
	    "()", "\n", 100000 },
	{ "open quotes in Content-Type", run_message, "Content-Type: a/b;",
	    "a=\\\"\";", "\n", 100000 },
	{ "addresses", run_address, "", "a@b,", "", 500000 },
	{ "comments", run_address, "", "()", "", 500000 },
	{ "open comments", run_address, "", "(", "", 1000000 },
	{ "comments in a phrase", run_address, "a", "(b) c ", "<d@e>",
	    200000 },
	{ "groups", run_address, "", "a:;", "", 300000 },
	{ "open groups", run_address, "", "a:", "", 300000 },
	{ "open quotes", run_address, "", "\\\"\"a", "", 300000 },
	{ "open angles", run_address, "", "<", "", 1000000 },
	{ "open angles with text", run_address, "", "a<", "", 500000 },
	{ "open routes", run_address, "", "<@a", "", 300000 },
	{ "open literals", run_address, "", "@[", "", 300000 },
	{ "at signs", run_address, "", "a@", "", 500000 },
	{ "words", run_word, "", "=?utf-8?q?a?= ", "", 100000 },
	{ "words in two charsets", run_word, "",
	    "=?utf-8?q?a?= =?iso-8859-1?q?b?= ", "", 50000 },
	{ "open words", run_word, "", "=?a?q?", "", 200000 },
	{ "open words with question marks", run_word, "", "=?a?q?b?c", "",
	    200000 },
	{ "beginnings of words", run_word, "", "=?", "", 500000 },
	{ "tags", run_html, "", "<p>a", "", 200000 },
	{ "open tags", run_html, "", "<a", "", 300000 },
	{ "tags with open quotes", run_html, "", "<a b=\">", "", 200000 },
	{ "open tags with quotes", run_html, "", "<a b='", "", 200000 },
	{ "open comments of HTML", run_html, "", "<!--", "", 200000 },
	{ "open scripts", run_html, "", "<script>", "", 200000 },
	{ "links", run_html, "", "<a href=http://x/>y</a>", "", 100000 },
	{ "open links", run_html, "", "<a href=http://x/>y", "", 100000 },
	{ "attributes", run_html, "<img ", "a=b ", ">", 200000 },
	{ "ampersands", run_html, "", "&", "", 500000 },
	{ "newlines in pre", run_html, "<pre>", "\n", "x", 500000 },
	{ "comments in a date", run_date, "", "()", "", 500000 },
	{ "open comments in a date", run_date, "", "(", "", 1000000 },
	{ "blobs in a subject", run_subject, "", "[a]", "", 300000 },
	{ "open blobs in a subject", run_subject, "", "[", "", 500000 },
	{ "replies", run_subject, "", "Re: [a] ", "", 200000 },
	{ "forwards", run_subject, "", "[fwd: ", "]", 200000 },
	{ "trailers", run_subject, "x", " (fwd)", "", 200000 },
	{ "identifiers", run_msgid, "", "<a@b>", "", 300000 },
	{ "open identifiers", run_msgid, "", "<a@", "", 300000 },
	{ "open quotes before identifiers", run_msgid, "\"", "\\\"", "",
	    300000 },
	{ "open comments before identifiers", run_msgid, "", "(<a@b>", "",
	    200000 },
	{ "quoted lines", run_render,
	    "Content-Type: text/plain; format=flowed\n\n", "> > a \n", "",
	    200000 },
	{ "parts to show", run_render,
	    "Content-Type: multipart/mixed; boundary=x\n\n", "--x\n\na\n", "",
	    4000 },
};

static void
make(const struct bomb *bomb, size_t n, struct buf *out)
{
	buf_reset(out);
	(void)buf_add_str(out, bomb->start);
	for (size_t i = 0; i < n; i++) {
		struct span rest = span_str(bomb->piece);

		while (rest.n > 0) {
			(void)buf_add_span(out, span_take(&rest, '%'));
			if (rest.n > 0 && buf_add_u64(out, i) == 0)
				rest = span_skip(rest, 2);
		}
	}
	(void)buf_add_str(out, bomb->end);
}

static long
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* The best of some runs, in microseconds of this process. */
static long
measure(const struct bomb *bomb, size_t n, struct buf *text, struct buf *out)
{
	long best = -1;

	make(bomb, n, text);
	for (int i = 0; i < RUNS && (best == -1 || best > QUICK_US); i++) {
		long start = now_us(), took;

		buf_reset(out);
		bomb->run(buf_span(text), out);
		took = now_us() - start;
		best = best == -1 || took < best ? took : best;
	}
	return best;
}

int
main(void)
{
	struct buf text = buf_new(SIZE), out = buf_new(SIZE);
	struct tap t = { 0, 0 };

	for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
		size_t n = bombs[i].n / 2;
		long small = 0, large = QUICK_US;

		for (int k = 0; k < TRIES && large > 8 * small; k++) {
			small = measure(&bombs[i], n, &text, &out);
			large = measure(&bombs[i], 4 * n, &text, &out);
		}
		tap_ok(&t, large <= QUICK_US || large <= 8 * small,
		    bombs[i].name);
		printf("# %ld us, four times the size %ld us, %zu bytes\n",
		    small, large, text.n);
	}
	buf_free(&text);
	buf_free(&out);
	return tap_end(&t);
}
