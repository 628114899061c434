/* lib/mail, module by module; prints TAP. */
#include "tap.h"

#include "mail/address.h"
#include "mail/attach.h"
#include "mail/header.h"
#include "mail/html.h"
#include "mail/imap.h"
#include "mail/render.h"
#include "mail/word.h"

#include <string.h>

static void
test_header(struct tap *t)
{
	struct span text = span_str("From x\nA: 1\r\n \t2\nno colon\nB :3\n"
				    " : x\nC:\n\nbody: 4\n");
	struct span rest = text;
	struct header_field f;
	struct buf out = buf_new(1000);

	while (header_next(&rest, &f)) {
		(void)buf_add_span(&out, f.name);
		(void)buf_add_byte(&out, '=');
		(void)header_unfold(f.value, &out);
		(void)buf_add_byte(&out, ';');
	}
	tap_is(t, buf_span(&out), "A=1 2;B=3 : x;C=;", "fields");
	tap_is(t, rest, "body: 4\n", "and the body is left");
	tap_ok(t, header_length(text) == text.n - rest.n, "its length");
	tap_ok(t, header_get(text, "b", &f) && !header_get(text, "body", &f),
	    "a field by name");
	tap_ok(t, header_length(span_str("A: 1\nB: 2\nGood morning\nx")) ==
	    10, "a header without an empty line ends before the text");
	tap_ok(t, header_length(span_str("\r\t")) == 0,
	    "a CR alone is no empty line");
	tap_ok(t, header_length(span_str("")) == 0, "no header");
	buf_free(&out);
}

static void
print_addresses(struct span value, struct buf *out)
{
	struct arena a = arena_new(1 << 20);
	struct address *list;
	size_t n = address_parse(value, &a, &list);

	buf_reset(out);
	for (size_t i = 0; i < n; i++) {
		struct span s[] = { list[i].name, list[i].route,
			list[i].mailbox, list[i].host };

		for (size_t k = 0; k < 4; k++) {
			(void)buf_add_span(out, s[k].p ? s[k] :
			    span_str("NIL"));
			(void)buf_add_byte(out, k < 3 ? '|' : '\n');
		}
	}
	arena_free(&a);
}

static void
test_address(struct tap *t)
{
	static const char *const pairs[][2] = {
		{ "a@b", "NIL|NIL|a|b\n" },
		{ "", "" }, { " , ,", "" }, { "(c)", "" },
		{ "\"Doe, J. \\\"X\\\"\" <j@x.org>",
		    "Doe, J. \"X\"|NIL|j|x.org\n" },
		{ "John Q. Public <a@b>", "John Q. Public|NIL|a|b\n" },
		{ "John\r\n  Doe <a@b>", "John Doe|NIL|a|b\n" },
		{ "a@b (Name \\) here)", "Name ) here|NIL|a|b\n" },
		{ "<a@b> (Name)", "Name|NIL|a|b\n" },
		{ "<@x,@y:a@b>", "NIL|@x,@y|a|b\n" },
		{ "a . b @ c . d", "NIL|NIL|a.b|c.d\n" },
		{ "\"a b\"@c", "NIL|NIL|a b|c\n" },
		{ "a@[IPv6:2001:db8::1]", "NIL|NIL|a|[IPv6:2001:db8::1]\n" },
		{ "undisclosed-recipients:;",
		    "NIL|NIL|undisclosed-recipients|NIL\nNIL|NIL|NIL|NIL\n" },
		{ "g: a@b, X <c@d>; e@f", "NIL|NIL|g|NIL\nNIL|NIL|a|b\n"
		    "X|NIL|c|d\nNIL|NIL|NIL|NIL\nNIL|NIL|e|f\n" },
		{ "g: a@b", "NIL|NIL|g|NIL\nNIL|NIL|a|b\nNIL|NIL|NIL|NIL\n" },
		{ "<>", "NIL|NIL||\n" }, { "user", "NIL|NIL|user|\n" },
		{ "John Doe", "John Doe|NIL||\n" },
		{ "John a@b", "John|NIL|a|b\n" },
		{ "a@b@c", "NIL|NIL|a@b|c\n" },
		{ "a@b; c@d", "NIL|NIL|a|b\nNIL|NIL|c|d\n" },
		{ "\"open <a@b>", "open|NIL|a|b\n" },
		{ "<a@b, c@d>", "NIL|NIL|a|b\nNIL|NIL|c|d\n" },
		{ "X <<a@b>>", "X|NIL|a|b\n" },
		{ "\"=?utf-8?q?x?=\" <a@b>", "=?utf-8?q?x?=|NIL|a|b\n" },
		{ "[List] x <a@b>, c@d", "[List] x|NIL|a|b\nNIL|NIL|c|d\n" },
		{ "a@[b, c@d", "NIL|NIL|a|[b\nNIL|NIL|c|d\n" },
		{ "\"\" <a@b>", "NIL|NIL|a|b\n" },
		{ "J\xf6rg <a@b>", "J\xf6rg|NIL|a|b\n" },
		{ "a@b (open", "open|NIL|a|b\n" },
	};
	struct buf out = buf_new(4096);

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		print_addresses(span_str(pairs[i][0]), &out);
		tap_is(t, buf_span(&out), pairs[i][1], pairs[i][0]);
	}
	buf_free(&out);
}

static void
test_words(struct tap *t)
{
	static const char *const pairs[][2] = {
		{ "plain", "plain" },
		{ "=?utf-8?q?J=C3=B6rg_M.?=", "J\xc3\xb6rg M." },
		{ "=?ISO-8859-1?B?SvZyZw==?= x", "J\xc3\xb6rg x" },
		{ "a =?utf-8?q?b?= =?utf-8?q?c?= d", "a bc d" },
		{ "=?utf-8?b?w7?=\r\n =?utf-8?b?w=?=", "\xef\xbf\xbd" },
		{ "=?utf-8?q?=C3?= =?utf-8?q?=B6?=", "\xc3\xb6" },
		{ "=?utf-8?q?=C3?= =?koi8-r?q?=F0?=",
		    "\xef\xbf\xbd\xd0\x9f" },
		{ "=?utf-8?q?a=0D=0ABcc:_x=00?=", "aBcc: x" },
		{ "=?us-ascii?Q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=",
		    "=?utf-8?q?x?=" },
		{ "=?x?= =?utf-8?z?a?= =?utf-8?q?a", "=?x?= =?utf-8?z?a?= "
		    "=?utf-8?q?a" },
		{ "=?utf-8*en?q?caf=C3=A9?=", "caf\xc3\xa9" },
		{ "[=?utf-8?q?a?=]", "[a]" },
		{ "=?utf-8?q?what?\?= x", "what? x" },
		{ "=?no-such?q?a=E9?=", "a\xef\xbf\xbd" },
		{ "folded\r\n\tline", "folded line" },
		{ "raw \xc3\xb6 \xf6", "raw \xef\xbf\xbd\xef\xbf\xbd "
		    "\xef\xbf\xbd" },
		{ "raw \xc3\xb6", "raw \xc3\xb6" },
		{ "a=?utf-8?q?\?=", "a" },
	};
	struct buf out = buf_new(4096);

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		buf_reset(&out);
		(void)word_decode(span_str(pairs[i][0]), &out);
		tap_is(t, buf_span(&out), pairs[i][1], pairs[i][0]);
	}
	buf_free(&out);
}

static void
test_strings(struct tap *t)
{
	struct buf out = buf_new(8192);
	char longer[IMAP_QUOTED + 2];

	(void)imap_nstring(span_of(NULL, 0), &out);
	(void)imap_nstring(span_of("", 0), &out);
	(void)imap_string(span_str("a\"b\\c"), &out);
	tap_is(t, buf_span(&out), "NIL\"\"\"a\\\"b\\\\c\"", "quoted strings");
	buf_reset(&out);
	(void)imap_string(span_of("a\0\xe9", 3), &out);
	tap_is(t, buf_span(&out), "{2}\r\na\xe9", "a literal without NUL");
	buf_reset(&out);
	(void)imap_nstring_folded(span_str(" a\r\n\tb\n "), &out);
	tap_is(t, buf_span(&out), "\"a b\"", "an unfolded value");
	buf_reset(&out);
	(void)imap_nstring_folded(span_str(" a\rTo: b\r\r\n c\r"), &out);
	tap_is(t, buf_span(&out), "\"a To: b  c\"", "with bare CRs");
	buf_reset(&out);
	memset(longer, 'x', sizeof longer);
	(void)imap_string(span_of(longer, sizeof longer - 1), &out);
	tap_ok(t, span_starts(buf_span(&out), "{1001}\r\nx"),
	    "a long string is a literal");
	buf_free(&out);
}

/* The value of a parameter of `Content-Type: a/b; ...'. */
static void
one_param(const char *params, const char *name, struct buf *out)
{
	struct arena a = arena_new(MIME_ARENA);
	struct buf text = buf_new(4096);
	struct mime_part *part;

	(void)buf_addf(&text, "Content-Type: a/b; %s\n\n", params);
	part = mime_parse(buf_span(&text), &a);
	buf_reset(out);
	if (mime_param_utf8(part->params, part->nparams, name, out) != 1)
		(void)buf_add_str(out, "NONE");
	arena_free(&a);
	buf_free(&text);
}

static void
test_params(struct tap *t)
{
	static const char *const rows[][2] = {
		{ "name=x.pdf", "x.pdf" }, { "NAME = \"x y\"", "x y" },
		{ "name=\"a\\\"b\"", "a\"b" }, { "other=1", "NONE" },
		{ "name*=utf-8''%C3%BC.txt", "\xc3\xbc.txt" },
		{ "name*=iso-8859-1'de'%FC", "\xc3\xbc" },
		{ "name*0*=utf-8''%C3; name*1*=%BC; name*2=.txt",
		    "\xc3\xbc.txt" },
		{ "name*1=b; name*0=a", "ab" }, { "name*0=a; name*2=c", "a" },
		{ "name=plain; name*=utf-8''better", "better" },
		{ "name*=no-quotes", "no-quotes" },
		{ "name=\"=?utf-8?q?=C3=BC?=\"", "\xc3\xbc" },
		{ "name*=utf-8''a%0D%0Ab%00", "ab" },
		{ "name*=utf-8''%zz%", "%zz%" }, { "name=", "" },
		{ "name=my file (1).pdf; x=y", "my file (1).pdf" },
		{ "name=\"open", "open" }, { "name=\"a\" junk; x", "a" },
		{ "; ;; =x; name=z", "z" }, { "name*99999999999=x", "NONE" },
		{ "name*65=x; name*x=y", "NONE" },
		{ "name=\"open; x\n y=z", "open; x" },
		{ "name=a; name=b", "a" },
	};
	struct buf out = buf_new(4096);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		one_param(rows[i][0], "name", &out);
		tap_is(t, buf_span(&out), rows[i][1], rows[i][0]);
	}
	buf_free(&out);
}

/* BODYSTRUCTURE of a message given as text. */
static void
structure(const char *text, struct buf *out)
{
	struct arena a = arena_new(MIME_ARENA);
	struct mime_part *part = mime_parse(span_str(text), &a);

	buf_reset(out);
	(void)imap_bodystructure(span_str(text), part, true, &a, out);
	arena_free(&a);
}

static void
test_structure(struct tap *t)
{
	static const char *const rows[][2] = {
		{ "", "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL "
		    "\"7bit\" 0 0 NIL NIL NIL NIL)" },
		{ "Content-Type: text/html; charset=utf-8\n"
		  "Content-Language: en, de\nContent-Disposition: inline\n"
		  "Content-MD5: x\nContent-Location: y\n\na\nb\n",
		    "(\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL "
		    "\"7bit\" 6 2 \"x\" (\"inline\" NIL) (\"en\" \"de\") "
		    "\"y\")" },
		{ "Content-Type: multipart/mixed; boundary=x\n\n--x\n\none\n"
		  "--x\nContent-Type: image/png; name*1=b;\n name*0=\"a \"\n"
		  "Content-Disposition: attachment; filename=z\n\n--x--\n",
		    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL "
		    "\"7bit\" 3 1 NIL NIL NIL NIL)(\"image\" \"png\" (\"name\" "
		    "\"a b\") NIL NIL \"7bit\" 0 NIL (\"attachment\" "
		    "(\"filename\" \"z\")) NIL NIL) \"mixed\" (\"boundary\" "
		    "\"x\") NIL NIL NIL)" },
	};
	struct buf out = buf_new(4096);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		structure(rows[i][0], &out);
		tap_is(t, buf_span(&out), rows[i][1], "BODYSTRUCTURE");
	}
	buf_free(&out);
}

static void
test_boundary(struct tap *t)
{
	struct buf out = buf_new(4096);

	structure("Content-Type: multipart/mixed; boundary*0=a;"
		  " boundary*1*=%62\n\n--ab\n\nx\n--ab--\n", &out);
	tap_ok(t, span_starts(buf_span(&out), "((\"text\" \"plain\""),
	    "a boundary in pieces");
	structure("Content-Type: multipart/mixed; boundary=x\n\n"
		  "--xy\n\none\n--x--z\n--x\n", &out);
	tap_ok(t, span_starts(buf_span(&out), "((\"text\" \"plain\" "
	    "(\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL "
	    "NIL) \"mixed\""), "a delimiter with more behind it");
	buf_free(&out);
}

/* RFC 3501 6.4.5: the example's numbers, and ours. */
static void
test_sections(struct tap *t)
{
	static const char text[] =
	    "Content-Type: multipart/mixed; boundary=o\n\n"
	    "--o\n\n1\n--o\nContent-Type: message/rfc822\n\n"
	    "Content-Type: multipart/mixed; boundary=i\n\n"
	    "--i\n\n2.1\n--i\nContent-Type: message/rfc822\n\nSubject: x\n\n"
	    "2.2.1\n--i--\n--o--\n";
	static const struct {
		uint32_t numbers[4];
		size_t n;
		const char *body; /* NULL: none */
	} rows[] = { { { 1 }, 1, "1" }, { { 2, 1 }, 2, "2.1" },
		{ { 2, 2, 1 }, 3, "2.2.1" }, { { 3 }, 1, NULL },
		{ { 0 }, 1, NULL }, { { 1, 1 }, 2, "1" },
		{ { 1, 1, 1 }, 3, NULL }, { { 1, 2 }, 2, NULL },
		{ { 2, 3 }, 2, NULL }, { { 2, 2, 2 }, 3, NULL },
		{ { 2, 2, 1, 1 }, 4, NULL }, { { 4294967295 }, 1, NULL } };
	struct arena a = arena_new(MIME_ARENA);
	struct mime_part *message = mime_parse(span_str(text), &a);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mime_part *part = mime_section(message,
		    rows[i].numbers, rows[i].n);

		if (part == NULL || rows[i].body == NULL)
			tap_ok(t, part == NULL && rows[i].body == NULL,
			    "no such part");
		else
			tap_is(t, span_of(text + part->body.at, part->body.n),
			    rows[i].body, "a part by its number");
	}
	arena_free(&a);
}

static void
test_limits(struct tap *t)
{
	struct buf b = buf_new(1 << 24);
	struct arena a = arena_new(MIME_ARENA);
	const struct mime_part *part;
	size_t n = 0;

	for (int i = 0; i < 100; i++)
		(void)buf_addf(&b, "Content-Type: multipart/mixed; "
		    "boundary=b%d.\n\n--b%d.\n", i, i);
	for (part = mime_parse(buf_span(&b), &a); part && part->child; n++)
		part = part->child;
	tap_ok(t, n == MIME_DEPTH - 1 &&
	    span_is(part->subtype, "octet-stream"), "the deepest level");
	buf_reset(&b);
	arena_reset(&a);
	(void)buf_add_str(&b, "Content-Type: multipart/mixed; boundary=x\n\n");
	for (int i = 0; i < 20000; i++)
		(void)buf_add_str(&b, "--x\n\n");
	(void)buf_add_str(&b, "--x--\nend\n");
	n = 1;
	for (part = mime_parse(buf_span(&b), &a)->child; part->next; n++)
		part = part->next;
	tap_ok(t, n == MIME_PARTS - 1 && part->body.at + part->body.n == b.n &&
	    span_is(part->subtype, "octet-stream"), "the last part");
	buf_reset(&b);
	arena_reset(&a);
	(void)buf_add_str(&b, "Content-Type: a/b");
	for (int i = 0; i < 1000; i++)
		(void)buf_addf(&b, "; a%d=\"\\b\"", i);
	part = mime_parse(buf_span(&b), &a);
	tap_ok(t, part->nparams == MIME_PARAMS, "the last parameter");
	arena_free(&a);
	buf_free(&b);
}

/* 10,000 parts with all that costs memory fit in MIME_ARENA. */
static void
test_arena(struct tap *t)
{
	struct buf b = buf_new(1 << 26), out = buf_new(1 << 28);
	struct arena a = arena_new(MIME_ARENA);
	const struct mime_part *part;

	(void)buf_add_str(&b, "Content-Type: multipart/mixed; boundary=x\n\n");
	for (int i = 0; i < 10000; i++) {
		(void)buf_addf(&b, "--x\nContent-Type: %0120d/%0120d", i, i);
		for (int k = 0; k < 64; k++)
			(void)buf_addf(&b, "; a%d=\"\\b%d\"", k, i);
		(void)buf_addf(&b, "\nContent-Disposition: %0120d; a=b\n\n",
		    i);
	}
	part = mime_parse(buf_span(&b), &a);
	tap_ok(t, part != NULL, "no message overruns the arena");
	tap_ok(t, part && imap_bodystructure(buf_span(&b), part, true, &a,
	    &out) == 0, "nor does its structure");
	arena_free(&a);
	buf_free(&b);
	buf_free(&out);
}

static void
test_html(struct tap *t)
{
	static const char *const rows[][2] = {
		{ "<p>One<p>Two<br>three", "One\n\nTwo\nthree\n" },
		{ "a &lt;b&gt; &amp;amp; &#65;&#x42; &eacute;&euro;&nbsp;x",
		    "a <b> &amp; AB \xc3\xa9\xe2\x82\xac x\n" },
		{ "<style>p{}</style>x<!-- <b>no</b> -->y<script>1<2</script>",
		    "xy\n" },
		{ "<ul><li>a</li><li>b</li></ul>c", "* a\n* b\n\nc\n" },
		{ "<a href=\"http://x/\">y</a> <a href='http://z/'>http://z/"
		  "</a> <a href=javascript:x>j</a>",
		    "y <http://x/> http://z/ j\n" },
		{ "<pre>a\n  b</pre>", "a\n  b\n" },
		{ "1 < 2 & 3 > 2 <", "1 < 2 & 3 > 2 <\n" },
		{ "<img alt=\"A > B\" src=x>z", "[A > B]z\n" },
		{ "<img src=\"x\" alt=\"C\">", "[C]\n" },
		{ "x<unclosed", "x<unclosed\n" }, { "", "" },
		{ "&#0;&#99999999;&nosuch;&", "&#99999999;&nosuch;&\n" },
		{ "<title>t</title><table><tr><td>a<td>b<tr><td>c</table>",
		    "a b\nc\n" },
	};
	struct buf out = buf_new(4096);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_reset(&out);
		(void)html_to_text(span_str(rows[i][0]), &out);
		tap_is(t, buf_span(&out), rows[i][1], rows[i][0]);
	}
	buf_free(&out);
}

static void
test_names(struct tap *t)
{
	static const char text[] =
	    "Content-Type: multipart/mixed; boundary=x\n\n"
	    "--x\nContent-Type: a/b; name=\"../../etc/passwd\"\n\n"
	    "--x\nContent-Type: a/b; name=\"passwd\"\n\n"
	    "--x\nContent-Type: a/b; name=\"C:\\\\x\\\\y z$(id).exe\"\n\n"
	    "--x\nContent-Type: a/b; name=\"-rf\"\n\n"
	    "--x\nContent-Type: a/b; name=\".profile\"\n\n"
	    "--x\nContent-Type: image/png\n\n"
	    "--x\nContent-Type: a/b; name=\"2_passwd\"\n\n"
	    "--x\nContent-Type: a/b; name*=utf-8''a%E2%80%AEtxt.exe\n\n"
	    "--x\nContent-Type: a/b; name*=utf-8''%D7%90.exe\n\n"
	    "--x\nContent-Type: text/plain\n\nshown\n"
	    "--x\nContent-Type: text/plain; name=\"named  (text).txt\"\n\n"
	    "--x--\n";
	static const char *const names[] = { "passwd", "2_passwd",
		"y-z-id.exe", "rf", "profile", "part-6.png", "7_2_passwd",
		"a-txt.exe", "9_\xd7\x90.exe", "named-text.txt" };
	struct arena a = arena_new(MIME_ARENA);
	struct attach *list;
	size_t n = attach_list(span_str(text), mime_parse(span_str(text), &a),
	    &a, &list);

	tap_ok(t, n == sizeof names / sizeof *names, "all attachments");
	for (size_t i = 0; i < n; i++)
		tap_is(t, list[i].name, names[i], "a safe name");
	arena_free(&a);
}

static void
test_render(struct tap *t)
{
	static const char flowed[] =
	    "From: =?utf-8?q?=1B[2JJ=C3=B6rg?= <a@b>\nSubject: x\n y\n"
	    "Content-Type: text/plain; format=flowed; charset=utf-8\n\n"
	    ">> deep \n>> er\n> quoted \nnot\n soft \nline\n-- \nme \x1b[2J"
	    "\r\n\xe2\x80\xae\xc2\x9b";
	static const char mixed[] =
	    "Subject: s\nContent-Type: multipart/mixed; boundary=x\n\n"
	    "--x\nContent-Type: multipart/alternative; boundary=y\n\n"
	    "--y\nContent-Type: text/html\n\n<b>html</b>\n"
	    "--y\nContent-Type: text/plain\n\nplain\n--y--\n"
	    "--x\nContent-Type: application/pdf; name=a.pdf\n"
	    "Content-Transfer-Encoding: base64\n\nQUJD\n--x--\n";
	struct buf out = buf_new(4096);

	(void)render_text(span_str(flowed), span_of(NULL, 0), &out);
	tap_is(t, buf_span(&out),
	    "From: \xef\xbf\xbd[2JJ\xc3\xb6rg <a@b>\nSubject: x y\n\n"
	    ">> deep er\n> quoted \nnot\nsoft line\n-- \nme \xef\xbf\xbd[2J\n"
	    "\xef\xbf\xbd\xef\xbf\xbd\n", "a text for a terminal");
	buf_reset(&out);
	(void)render_text(span_str(mixed), span_str("P"), &out);
	tap_is(t, buf_span(&out), "Subject: s\n\nplain\n\n"
	    "[2 a.pdf application/pdf 3 bytes: P/attach/a.pdf]\n",
	    "the plain alternative, and a line for the rest");
	buf_free(&out);
}

int
main(void)
{
	struct tap t = { 0, 0 };

	test_header(&t);
	test_address(&t);
	test_words(&t);
	test_strings(&t);
	test_params(&t);
	test_structure(&t);
	test_boundary(&t);
	test_sections(&t);
	test_limits(&t);
	test_arena(&t);
	test_html(&t);
	test_names(&t);
	test_render(&t);
	return tap_end(&t);
}
