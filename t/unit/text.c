/* Base64, quoted-printable, charsets and dates; prints TAP. */
#include "tap.h"

#include "text/base64.h"
#include "text/casemap.h"
#include "text/charset.h"
#include "text/date.h"
#include "text/qp.h"

static void
test_base64(struct tap *t)
{
	/* RFC 4648 10. */
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" },
		{ "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg===", "====",
		"=", "Zh==", "Zm9=", "Zg==Zg==", "Z g=", "Zm9v\n", "Zm9v=",
		"Zm9vYm\xc3\xa4", "Z===", "-_-_" };
	struct buf out = buf_new(100);

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		buf_reset(&out);
		(void)base64_encode(span_str(pairs[i][0]), &out);
		tap_is(t, buf_span(&out), pairs[i][1], "base64 encodes");
		buf_reset(&out);
		tap_ok(t, base64_decode(span_str(pairs[i][1]), &out),
		    "base64 decodes");
		tap_is(t, buf_span(&out), pairs[i][0], "to what it was");
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_reset(&out);
		tap_ok(t, !base64_decode(span_str(bad[i]), &out) &&
		    out.n == 0, bad[i]);
	}
	buf_reset(&out);
	(void)base64_decode_body(span_str("Zm9v\r\nYg==\r\n!Zm 8"), &out);
	tap_is(t, buf_span(&out), "foobfo", "a body with all sorts of things");
	tap_ok(t, base64_body_length(span_str("Zm9v\r\nYg==\r\n!Zm 8")) == 6,
	    "its length is known before");
	buf_free(&out);
}

static void
test_qp(struct tap *t)
{
	static const char *const pairs[][2] = {
		{ "caf=E9", "caf\xe9" }, { "a=3Db", "a=b" },
		{ "soft=\nline", "softline" }, { "soft= \t\r\nline",
		    "softline" }, { "blanks \t\nend", "blanks\nend" },
		{ "crlf \r\nend", "crlf\r\nend" }, { "bad=XY=4", "bad=XY=4" },
		{ "lower=c3=a9", "lower\xc3\xa9" }, { "end=", "end" },
		{ "==41", "=A" }, { "", "" }, { "=\n", "" } };
	struct buf out = buf_new(100);

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		buf_reset(&out);
		(void)qp_decode(span_str(pairs[i][0]), &out);
		tap_is(t, buf_span(&out), pairs[i][1], "quoted-printable");
	}
	buf_reset(&out);
	(void)qp_decode_word(span_str("a_b=5F=zz"), &out);
	tap_is(t, buf_span(&out), "a b_=zz", "the Q encoding");
	buf_free(&out);
}

static void
test_charset(struct tap *t)
{
	static const struct {
		const char *charset, *text, *utf8;
	} rows[] = {
		{ "utf-8", "\xc3\xa9\xff", "\xc3\xa9\xef\xbf\xbd" },
		{ "ISO-8859-1", "\xe9\x80", "\xc3\xa9\xe2\x82\xac" },
		{ "windows-1252", "\x93x\x94",
		    "\xe2\x80\x9cx\xe2\x80\x9d" },
		{ "iso-8859-15", "\xa4", "\xe2\x82\xac" },
		{ "KOI8-R", "\xf0\xd2", "\xd0\x9f\xd1\x80" },
		{ "iso-2022-jp", "\x1b$B$3$s\x1b(B",
		    "\xe3\x81\x93\xe3\x82\x93" },
		{ "shift_jis", "\x82\xb1\x82", "\xe3\x81\x93\xef\xbf\xbd" },
		{ "windows-1255", "\xe3\xe5\xe3", /* holds the last back */
		    "\xd7\x93\xd7\x95\xd7\x93" },
		{ "utf-16", "\x04\x1f\x04\x40", "\xd0\x9f\xd1\x80" },
		{ "utf-16", "\xfe\xff\x04\x1f\x04\x40", "\xd0\x9f\xd1\x80" },
		{ "utf-16", "\xff\xfe\x1f\x04\x40\x04", "\xd0\x9f\xd1\x80" },
		{ "us-ascii", "a\xe9", "a\xef\xbf\xbd" },
		{ "us-ascii", "a\xc3\xa9", "a\xc3\xa9" },
		{ "", "a\xc3\xa9", "a\xc3\xa9" },
		{ "no-such", "a\xe9", "a\xef\xbf\xbd" },
		{ "utf-8//TRANSLIT", "x", "x" },
		{ "../../lib/x", "x", "x" },
	};
	struct buf out = buf_new(100);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_reset(&out);
		(void)charset_to_utf8(span_str(rows[i].charset),
		    span_str(rows[i].text), &out);
		tap_is(t, buf_span(&out), rows[i].utf8, rows[i].charset);
	}
	buf_free(&out);
	out = buf_new(4);
	tap_ok(t, charset_to_utf8(span_str("koi8-r"),
	    span_str("\xf0\xf0\xf0"), &out) == -1, "no more than the limit");
	buf_free(&out);
}

static void
test_mail_dates(struct tap *t)
{
	/* RFC 5322 A.1 to A.6 and what real mail holds; NULL: no date. */
	static const char *const pairs[][2] = {
		{ "Fri, 21 Nov 1997 09:55:06 -0600", "" },
		{ "Tue, 01 Jul 2003 10:52:37 +0200", "" },
		{ "Thu,\r\n      13\r\n        Feb\r\n  1969\r\n      23:32\r\n"
		  "     -0330 (Newfoundland Time)",
		    "Thu, 13 Feb 1969 23:32:00 -0330" },
		{ "21 Nov 97 09:55:06 GMT",
		    "Fri, 21 Nov 1997 09:55:06 +0000" },
		{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600",
		    "Fri, 21 Nov 1997 09:55:06 -0600" },
		{ "Mon Jan  2 15:04:05 2006",
		    "Mon, 02 Jan 2006 15:04:05 +0000" },
		{ "Mon Jan  2 15:04:05 PST 2006",
		    "Mon, 02 Jan 2006 15:04:05 -0800" },
		{ "1 Jan 00 00:00:60 EST", "Sat, 01 Jan 2000 00:01:00 -0500" },
		{ "1 Jan 101 1:2 Z", "Mon, 01 Jan 2001 01:02:00 +0000" },
		{ "Wed, 2 March 2022 10.20.30 +0000",
		    "Wed, 02 Mar 2022 10:20:30 +0000" },
		{ "Wednesday, April 03, 2002 5:56 AM",
		    "Wed, 03 Apr 2002 05:56:00 +0000" },
		{ "Wed, April 3, 2002 12:56:01 pm -0500",
		    "Wed, 03 Apr 2002 12:56:01 -0500" },
		{ "3 Apr 2002 12:56 AM EST",
		    "Wed, 03 Apr 2002 00:56:00 -0500" },
		{ "3 Apr 2002 11:56:00 PM", "Wed, 03 Apr 2002 23:56:00 +0000" },
		{ "29 Feb 2000 0:0:0 +0000",
		    "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ "29 Feb 1900 0:0:0 +0000", NULL },
		{ "31 Apr 2020 0:0:0 +0000", NULL },
		{ "1 Jan 2020 24:00:00 +0100",
		    "Wed, 01 Jan 2020 00:00:00 +0000" },
		{ "1 Jan 2020 23:60:00 +0000",
		    "Wed, 01 Jan 2020 00:00:00 +0000" },
		{ "Wed, 2 Foo 2022 10:20:30 +0000", NULL },
		{ "99999999999999999999 Jan 2020", NULL },
		{ "", NULL }, { "(", NULL }, { "Mon,", NULL },
		{ "1 Jan 2020 10:00 +9999",
		    "Wed, 01 Jan 2020 10:00:00 +0000" },
		{ "1 Jan 2020 10:00 -0000 (unclosed",
		    "Wed, 01 Jan 2020 10:00:00 +0000" },
	};
	char text[DATE_TEXT];
	struct date d;

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		const char *in = pairs[i][0], *want = pairs[i][1];
		bool good = date_parse_mail(span_str(in), &d);

		if (want == NULL || !good)
			tap_ok(t, good == (want != NULL), in);
		else
			tap_is(t, span_str(date_mail(date_seconds(&d), d.zone,
			    text)), want[0] ? want : in, "a date of mail");
	}
}

static void
test_imap_dates(struct tap *t)
{
	static const char *const bad[] = { "17-Jul-1996 02:44:25",
		"7-Jul-1996 02:44:25 -0700", "17-Jul-96 02:44:25 -0700",
		"17-Foo-1996 02:44:25 -0700", "17-Jul-1996 02:44:25 0700",
		"17-Jul-1996 2:44:25 -0700", "17-Jul-1996  02:44:25 -0700",
		"17-Jul-1996 02:44:25 -0700x", "00-Jul-1996 02:44:25 -0700",
		"31-Jun-1996 02:44:25 -0700", "17-Jul-1996 02:44:25 -07",
		"17-Jul-1996 02:44:25 -0760", "17-Jul-0000 02:44:25 +0000" };
	char text[DATE_TEXT];
	struct date d;

	tap_ok(t, date_parse_imap(span_str("17-Jul-1996 02:44:25 -0700"),
	    &d) && date_seconds(&d) == 837596665, "a date-time of IMAP");
	tap_is(t, span_str(date_imap(837596665, -420, text)),
	    "17-Jul-1996 02:44:25 -0700", "and written again");
	tap_ok(t, date_parse_imap(span_str(" 7-Jul-1996 02:44:25 +0000"),
	    &d) && d.day == 7, "a day with a space before it");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		tap_ok(t, !date_parse_imap(span_str(bad[i]), &d), bad[i]);
	tap_ok(t, date_parse_imap_day(span_str("1-Feb-1994"), &d) &&
	    date_seconds(&d) == 760060800, "a day of IMAP");
	tap_ok(t, !date_parse_imap_day(span_str("1-Feb-94"), &d) &&
	    !date_parse_imap_day(span_str("\"1-Feb-1994\""), &d) &&
	    !date_parse_imap_day(span_str("001-Feb-1994"), &d),
	    "what is none");
	tap_is(t, span_str(date_imap(INT64_MAX, 840, text)),
	    "31-Dec-9999 13:59:59 +1400", "the last date there is");
	tap_is(t, span_str(date_imap(-1, 0, text)),
	    "31-Dec-1969 23:59:59 +0000", "before the epoch");
}

/* Every day of 800 years there and back. */
static void
test_calendar(struct tap *t)
{
	bool good = true;
	int64_t day = -134774; /* 1601-01-01 */

	for (; day < 157054 && good; day++) {
		struct date d = date_civil(day * 86400 + 12345, 330);

		good = date_seconds(&d) == day * 86400 + 12345;
	}
	tap_ok(t, good, "every day from 1601 to 2399");
}

static void
test_casemap(struct tap *t)
{
	static const char *const rows[][2] = {
		{ "Abc-1", "ABC-1" }, { "\xc3\xa4", "A\xcc\x88" },
		{ "\xc3\x84", "A\xcc\x88" }, { "\xc3\x9f", "\xc3\x9f" },
		{ "\xef\xac\x81", "fi" }, /* RFC 5051: mapped, then taken apart */
		{ "\xe2\x91\xa0", "1" }, { "\xcf\x82", "\xce\xa3" },
		{ "\xd0\xb9", "\xd0\x98\xcc\x86" },
		{ "\xea\xb0\x80", "\xe1\x84\x80\xe1\x85\xa1" },
		{ "a\xff" "b", "A\xef\xbf\xbd" "B" }, { "", "" },
	};
	struct buf out = buf_new(1000), little = buf_new(3);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_reset(&out);
		(void)casemap_add(span_str(rows[i][0]), &out);
		tap_is(t, buf_span(&out), rows[i][1], "i;unicode-casemap");
	}
	tap_ok(t, casemap_add(span_str("ab\xc3\xa4"), &little) == -1,
	    "i;unicode-casemap without room");
	buf_free(&out);
	buf_free(&little);
}

int
main(void)
{
	struct tap t = { 0, 0 };

	test_base64(&t);
	test_qp(&t);
	test_charset(&t);
	test_mail_dates(&t);
	test_imap_dates(&t);
	test_calendar(&t);
	test_casemap(&t);
	return tap_end(&t);
}
