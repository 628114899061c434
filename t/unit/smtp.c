/* SMTP's addresses, texts and replies, and DNS answers; prints TAP. */
#include "base/buf.h"
#include "net/dns.h"
#include "net/smtp-data.h"
#include "net/smtp-path.h"
#include "net/smtp-reply.h"

#include <arpa/nameser.h>
#include <stdio.h>

struct tap {
	int n, failed;
};

static void
ok(struct tap *t, bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++t->n, name);
	t->failed += !good;
}

static void
test_paths(struct tap *t)
{
	static const struct {
		const char *path, *text; /* NULL: no path */
		const char *rest;
	} rows[] = {
		{ "<>", "", "" },
		{ "<> X", "", " X" },
		{ "<a@b>", "a@b", "" },
		{ "<A.b+c@X.Y>z", "A.b+c@x.y", "z" },
		{ "<Postmaster>", "Postmaster", "" },
		{ "<alice>", NULL, "" },
		{ "<@a,@b.c:d@e>", "d@e", "" },
		{ "<@a:postmaster>", "postmaster", "" },
		{ "<@a,b:d@e>", NULL, "" },
		{ "<@:d@e>", NULL, "" },
		{ "<@a>", NULL, "" },
		{ "<\"a\"@b>", "a@b", "" },
		{ "<\"a b\"@b>", "\"a b\"@b", "" },
		{ "<\"a.b\"@b>", "a.b@b", "" },
		{ "<\"a.\"@b>", "\"a.\"@b", "" },
		{ "<\"\\a\\\"\"@b>", "\"a\\\"\"@b", "" },
		{ "<\"\"@b>", NULL, "" },
		{ "<\"a@b>", NULL, "" },
		{ "<\"a\\\"@b>", NULL, "" },
		{ "<\"\x7f\"@b>", NULL, "" },
		{ "<a@[1.2.3.4]>", "a@[1.2.3.4]", "" },
		{ "<a@[1.2.3]>", NULL, "" },
		{ "<a@[IPv6:::1]>", "a@[ipv6:::1]", "" },
		{ "<a@[::1]>", NULL, "" },
		{ "<a@1.2.3.4>", "a@1.2.3.4", "" },
		{ "<a@b_c>", NULL, "" },
		{ "<a@b-c>", "a@b-c", "" },
		{ "<a@b-.c>", NULL, "" },
		{ "<a@-b>", NULL, "" },
		{ "<a@.b>", NULL, "" },
		{ "<a@b.>", NULL, "" },
		{ "<a@b", NULL, "" },
		{ "a@b", NULL, "" },
		{ "<a@b c>", NULL, "" },
		{ "", NULL, "" },
	};
	char text[SMTP_ADDRESS], longest[SMTP_PATH + 2] = "<";
	struct smtp_path p;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span rest = span_str(rows[i].path);
		bool good = smtp_path_take(&rest, &p);

		if (good)
			smtp_path_text(&p, text);
		ok(t,
		    good == (rows[i].text != NULL) &&
			(!good || (strcmp(text, rows[i].text) == 0 &&
				      span_is(rest, rows[i].rest))),
		    rows[i].path);
	}
	for (size_t n = SMTP_PATH; n <= SMTP_PATH + 1; n++) {
		struct span rest = span_of(longest, n);

		memset(longest + 1, 'a', n - 5);
		memcpy(longest + n - 4, "@bc>", 4);
		ok(t, smtp_path_take(&rest, &p) == (n == SMTP_PATH),
		    "a path of 256 bytes and no more");
	}
	ok(t, !smtp_path_take(&(struct span){ "<a@b\0c>", 7 }, &p),
	    "a NUL in a domain");
}

/* The text with its ends, in pieces of every size; the result must not
 * depend on it. */
static enum smtp_data
unstuff(
    struct span in, size_t step, size_t room, struct buf *out, size_t *taken)
{
	struct smtp_unstuff u = { .state = UNSTUFF_START };
	enum smtp_data r = SMTP_DATA_MORE;
	char text[64];

	*taken = 0;
	while (r == SMTP_DATA_MORE && in.n > 0) {
		struct span piece = span_head(in, step);
		size_t before = piece.n, n;

		r = smtp_unstuff(&u, &piece, text, room, &n);
		buf_add(out, text, n);
		*taken += before - piece.n;
		in = span_skip(in, before - piece.n);
	}
	return r;
}

static bool
same_in_pieces(
    struct span in, enum smtp_data want, struct span text, size_t want_taken)
{
	struct buf out = buf_new(4096);
	size_t taken;

	for (size_t step = 1; step <= in.n; step++)
		for (size_t room = 1; room <= 64; room += 9) {
			buf_reset(&out);
			if (unstuff(in, step, room, &out, &taken) != want ||
			    taken != want_taken ||
			    !span_eq(buf_span(&out), text)) {
				buf_free(&out);
				return false;
			}
		}
	buf_free(&out);
	return true;
}

static void
test_unstuff(struct tap *t)
{
	static const struct {
		const char *in, *out;
		enum smtp_data end;
		size_t left;
		const char *name;
	} rows[] = {
		{ ".\r\n", "", SMTP_DATA_END, 0, "an empty text" },
		{ "\r\n.\r\n", "\n", SMTP_DATA_END, 0, "an empty line" },
		{ "a\r\n.\r\nMAIL", "a\n", SMTP_DATA_END, 4, "what follows" },
		{ "..\r\n.x\r\n...\r\n.\r\n", ".\nx\n..\n", SMTP_DATA_END, 0,
		    "stuffed dots" },
		{ ". \r\n.\r\n", " \n", SMTP_DATA_END, 0, "a dot and a blank" },
		{ "a\r\n.", "a\n", SMTP_DATA_MORE, 0, "no end yet" },
		{ "a\r\n.\r", "a\n", SMTP_DATA_MORE, 0, "nor here" },
		{ "a.\r\nb", "a.\nb", SMTP_DATA_MORE, 0, "nor in a line" },
		{ "a\nb", "a", SMTP_DATA_BARE, 1, "a bare LF" },
		{ "a\rb", "a", SMTP_DATA_BARE, 0, "a bare CR" },
		{ "\n", "", SMTP_DATA_BARE, 0, "a bare LF at the front" },
		{ ".\n", "", SMTP_DATA_BARE, 0, "a bare LF behind a dot" },
		{ ".\r.", "", SMTP_DATA_BARE, 0, "a bare CR behind a dot" },
		{ "..\rx", ".", SMTP_DATA_BARE, 0, "and behind two" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span in = span_str(rows[i].in);

		ok(t,
		    same_in_pieces(in, rows[i].end, span_str(rows[i].out),
			in.n - rows[i].left),
		    rows[i].name);
	}
}

/* 2.3 of the catalogue: every end of data that is not the one. */
static const struct span ends_a[] = { SPAN("\r\n"), SPAN("\n"), SPAN("\r"),
	SPAN("\r\r\n"), SPAN("\n\r"), SPAN("\r\n\0"), SPAN("\0\r\n") };
static const struct span ends_m[] = { SPAN(""), SPAN("\0") };
static const struct span ends_b[] = { SPAN("\r\n"), SPAN("\n"), SPAN("\r"),
	SPAN("\r\r\n"), SPAN("\0\r\n"), SPAN(" \r\n") };

enum {
	ENDS_A = sizeof ends_a / sizeof *ends_a,
	ENDS_M = sizeof ends_m / sizeof *ends_m,
	ENDS_B = sizeof ends_b / sizeof *ends_b
};

/* True if the text is refused before anything behind it is looked at, cut
 * at every place. */
static bool
is_refused(struct span text)
{
	struct buf out = buf_new(4096);
	size_t taken;
	bool good = true;

	for (size_t step = 1; step <= text.n; step++)
		for (size_t room = 1; room <= 64; room += 21) {
			buf_reset(&out);
			good &= unstuff(text, step, room, &out, &taken) ==
				SMTP_DATA_BARE;
		}
	buf_free(&out);
	return good;
}

static void
test_smuggling(struct tap *t)
{
	size_t refused = 0, clean = 0;

	for (size_t i = 0; i < ENDS_A * ENDS_M * ENDS_B; i++) {
		struct buf text = buf_new(4096);

		buf_add_str(&text, "body");
		buf_add_span(&text, ends_a[i / (ENDS_M * ENDS_B)]);
		buf_add_str(&text, ".");
		buf_add_span(&text, ends_m[i / ENDS_B % ENDS_M]);
		buf_add_span(&text, ends_b[i % ENDS_B]);
		buf_add_str(&text, "MAIL FROM:<x@y>\r\n.\r\n");
		if (is_refused(buf_span(&text)))
			refused++;
		else
			clean++;
		buf_free(&text);
	}
	ok(t, refused == 82, "82 false ends are refused at every cut");
	ok(t, clean == 2, "the end, and a line of a dot and a blank");
}

/* Sent and read back, a text is what it was. */
static bool
goes_round(struct span text, struct span want, size_t step, size_t room)
{
	struct buf wire = buf_new(65536), back = buf_new(65536);
	struct smtp_stuff s = { .bol = true };
	char out[64];
	size_t taken;
	bool good;

	while (text.n > 0) {
		struct span piece = span_head(text, step);
		size_t before = piece.n;

		buf_add(&wire, out, smtp_stuff(&s, &piece, out, room));
		text = span_skip(text, before - piece.n);
	}
	buf_add(&wire, out, smtp_stuff_end(&s, out));
	good = unstuff(buf_span(&wire), 7, sizeof out, &back, &taken) ==
		   SMTP_DATA_END &&
	       taken == wire.n && span_eq(buf_span(&back), want);
	buf_free(&wire);
	buf_free(&back);
	return good;
}

static void
test_stuff(struct tap *t)
{
	static const struct {
		struct span text, want;
		const char *name;
	} rows[] = {
		{ SPAN(""), SPAN(""), "nothing" },
		{ SPAN("a\n.b\n..\n"), SPAN("a\n.b\n..\n"), "dots" },
		{ SPAN("a"), SPAN("a\n"), "no line end" },
		{ SPAN("."), SPAN(".\n"), "a dot" },
		{ SPAN("a\r\nb\r\n"), SPAN("a\nb\n"), "CRLF" },
		{ SPAN("a\rb\r"), SPAN("a b \n"), "bare CR" },
		{ SPAN("\r\r\n\r.\r.\n"), SPAN(" \n . .\n"), "and dots" },
		{ SPAN("a\0b"), SPAN("a b\n"), "NUL" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool good = true;

		for (size_t step = 1; step < 9; step++)
			for (size_t room = 4; room < 20; room++)
				good &= goes_round(
				    rows[i].text, rows[i].want, step, room);
		ok(t, good, rows[i].name);
	}
}

/* Lines separated by "|". */
static int
feed(struct smtp_reply *r, const char *lines)
{
	struct span rest = span_str(lines);
	int last = 0;

	*r = (struct smtp_reply){ 0 };
	while (last == 0 && rest.n > 0)
		last = smtp_reply_line(r, span_take(&rest, '|'));
	return last;
}

static void
test_replies(struct tap *t)
{
	static const struct {
		const char *lines;
		int last;
		unsigned code;
		const char *status, *text;
	} rows[] = {
		{ "250 ok", 1, 250, "2.0.0", "250 ok" },
		{ "250", 1, 250, "2.0.0", "250" },
		{ "250-a|250 b", 1, 250, "2.0.0", "250 a b" },
		{ "250-a|250-|250", 1, 250, "2.0.0", "250 a" },
		{ "250-a", 0, 250, "2.0.0", "250 a" },
		{ "550 5.1.1 no", 1, 550, "5.1.1", "550 5.1.1 no" },
		{ "550 4.1.1 no", 1, 550, "5.0.0", "550 4.1.1 no" },
		{ "550 5.1 no", 1, 550, "5.0.0", "550 5.1 no" },
		{ "550 5.1.1234 no", 1, 550, "5.0.0", "550 5.1.1234 no" },
		{ "550 5.123.123", 1, 550, "5.123.123", "550 5.123.123" },
		{ "250-a|550 b", 1, 450, "4.0.0", "250 a b" },
		{ "250 \x1b[2J\xff", 1, 250, "2.0.0", "250 ?[2J?" },
		{ "", 0, 0, NULL, NULL },
		{ "2", -1, 0, NULL, NULL },
		{ "2 50", -1, 0, NULL, NULL },
		{ "99999", -1, 0, NULL, NULL },
		{ "199 x", -1, 0, NULL, NULL },
		{ "600 x", -1, 0, NULL, NULL },
		{ "250x", -1, 0, NULL, NULL },
		{ "+50 x", -1, 0, NULL, NULL },
	};
	char status[SMTP_STATUS];
	struct smtp_reply r;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool good = feed(&r, rows[i].lines) == rows[i].last;

		if (good && rows[i].last == 1) {
			smtp_reply_status(&r, status);
			good = r.code == rows[i].code &&
			       strcmp(r.text, rows[i].text) == 0 &&
			       strcmp(status, rows[i].status) == 0;
		}
		ok(t, good, rows[i].lines);
	}
}

/* One answer's header and question for x.y, and what follows. */
static size_t
answer(unsigned char out[512], unsigned count, const char *rest, size_t n)
{
	static const unsigned char head[] = { 0, 1, 0x81, 0x80, 0, 1, 0, 0, 0,
		0, 0, 0, 1, 'x', 1, 'y', 0, 0, 15, 0, 1 };

	memcpy(out, head, sizeof head);
	out[7] = (unsigned char)count;
	memcpy(out + sizeof head, rest, n);
	return sizeof head + n;
}

#define RR(type, length) "\xc0\x0c\0" type "\0\1\0\0\0\x3c\0" length
#define MX1                                                                    \
	RR("\x0f", "\x07")                                                     \
	"\0\x0a\x01"                                                           \
	"a\x01"                                                                \
	"b\0"
#define MX2                                                                    \
	RR("\x0f", "\x07")                                                     \
	"\0\x05\x01"                                                           \
	"c\x01"                                                                \
	"d\0"
#define ROWS(s) s, sizeof(s) - 1

static void
test_dns(struct tap *t)
{
	static const struct {
		const char *rest;
		size_t size;
		unsigned count;
		enum dns_result want;
		size_t n;
		const char *first, *name;
	} rows[] = {
		{ ROWS(MX1 MX2), 2, DNS_OK, 2, "c.d", "two, sorted" },
		{ ROWS(""), 0, DNS_NONE, 0, NULL, "none" },
		{ ROWS(RR("\x0f", "\x03") "\0\0\0"), 1, DNS_NULL_MX, 0, NULL,
		    "a null MX" },
		{ ROWS(MX1 RR("\x0f", "\x03") "\0\0\0"), 2, DNS_OK, 1, "a.b",
		    "a null MX beside another" },
		{ ROWS(RR("\x0f", "\x02") "\0\0"), 1, DNS_TEMPFAIL, 0, NULL,
		    "two bytes of MX" },
		{ ROWS(RR("\x0f", "\x04") "\0\0\xc0\xff"), 1, DNS_TEMPFAIL, 0,
		    NULL, "a pointer past the end" },
		{ ROWS(RR("\x0f", "\x04") "\0\0\xc0\x23"), 1, DNS_TEMPFAIL, 0,
		    NULL, "a pointer to itself" },
		{ ROWS(MX1), 9, DNS_TEMPFAIL, 0, NULL, "too few records" },
		{ ROWS(RR("\x0f", "\x08") "\0\x0a\x01"
					  "a"),
		    1, DNS_TEMPFAIL, 0, NULL, "a record that is cut" },
		{ ROWS(RR("\x0f", "\x05") "\0\x0a\x01"
					  "a\x01"
					  "b\0"),
		    1, DNS_TEMPFAIL, 0, NULL, "a name longer than its record" },
		{ ROWS(RR("\x0f", "\x06") "\0\x0a\x02 a\0"), 1, DNS_TEMPFAIL, 0,
		    NULL, "a blank in a name" },
		{ ROWS(RR("\x05", "\x03") "\1z\0" MX1), 2, DNS_OK, 1, "a.b",
		    "an alias before it" },
	};
	struct sockaddr_storage a[2];
	struct dns_mx mx[DNS_MX];
	unsigned char packet[512];
	size_t n;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t size =
		    answer(packet, rows[i].count, rows[i].rest, rows[i].size);
		enum dns_result r;

		n = 0;
		r = dns_parse_mx(packet, size, mx, &n);
		ok(t,
		    r == rows[i].want && n == rows[i].n &&
			(n == 0 || strcmp(mx[0].name, rows[i].first) == 0),
		    rows[i].name);
	}
	n = answer(packet, 3,
	    ROWS(RR("\1", "\4") "abcd" RR("\1", "\3") "abc" RR(
		"\1", "\4") "efgh"));
	size_t found = 0;
	ok(t,
	    dns_parse_addresses(packet, n, ns_t_a, 25, a, 2, &found) ==
		    DNS_OK &&
		found == 2,
	    "addresses; one of three bytes is none");
	found = 0;
	ok(t,
	    dns_parse_addresses(packet, n, ns_t_a, 25, a, 1, &found) ==
		    DNS_OK &&
		found == 1,
	    "no more than there is room for");
}

int
main(void)
{
	struct tap t = { 0 };

	test_paths(&t);
	test_unstuff(&t);
	test_smuggling(&t);
	test_stuff(&t);
	test_replies(&t);
	test_dns(&t);
	printf("1..%d\n", t.n);
	return t.failed > 0;
}
