/*
 * Any charset to UTF-8.
 *
 * UTF-8, ASCII and the two Latin charsets that most mail is written in are
 * done here, so that they need no file of the C library; a jailed program
 * may have no other.  The rest is iconv's, and only charsets that mail
 * really uses: what the network names is not what is loaded.
 */
#include "text/charset.h"

#include "text/utf8.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>

enum {
	STEP = 4096,   /* bytes of output between looks at the limit */
	CHARACTER = 16 /* that a charset may hold back */
};

/* What 0x80 to 0x9f mean in windows-1252; 0: nothing. */
static const uint16_t c1_1252[32] = { 0x20ac, 0, 0x201a, 0x0192, 0x201e,
	0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,
	0x017d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178 };

/* As people name them, and as iconv does. */
static const struct {
	const char *name, *iconv;
} charsets[] = {
	{ "iso-8859-2", "ISO-8859-2" },
	{ "iso-8859-3", "ISO-8859-3" },
	{ "iso-8859-4", "ISO-8859-4" },
	{ "iso-8859-5", "ISO-8859-5" },
	{ "iso-8859-6", "ISO-8859-6" },
	{ "iso-8859-7", "ISO-8859-7" },
	{ "iso-8859-8", "ISO-8859-8" },
	{ "iso-8859-8-i", "ISO-8859-8" },
	{ "iso-8859-9", "ISO-8859-9" },
	{ "iso-8859-10", "ISO-8859-10" },
	{ "iso-8859-11", "ISO-8859-11" },
	{ "iso-8859-13", "ISO-8859-13" },
	{ "iso-8859-14", "ISO-8859-14" },
	{ "iso-8859-15", "ISO-8859-15" },
	{ "latin-9", "ISO-8859-15" },
	{ "iso-8859-16", "ISO-8859-16" },
	{ "windows-1250", "CP1250" },
	{ "windows-1251", "CP1251" },
	{ "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" },
	{ "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" },
	{ "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" },
	{ "cp1250", "CP1250" },
	{ "cp1251", "CP1251" },
	{ "cp850", "CP850" },
	{ "ibm850", "CP850" },
	{ "cp866", "CP866" },
	{ "ibm866", "CP866" },
	{ "koi8-r", "KOI8-R" },
	{ "koi8", "KOI8-R" },
	{ "koi8-u", "KOI8-U" },
	{ "macintosh", "MACINTOSH" },
	{ "tis-620", "TIS-620" },
	{ "windows-874", "CP874" },
	{ "viscii", "VISCII" },
	{ "iso-2022-jp", "ISO-2022-JP-2" },
	{ "iso-2022-jp-2", "ISO-2022-JP-2" },
	{ "cp50220", "ISO-2022-JP-2" },
	{ "shift_jis", "CP932" },
	{ "shift-jis", "CP932" },
	{ "sjis", "CP932" },
	{ "windows-31j", "CP932" },
	{ "cp932", "CP932" },
	{ "euc-jp", "EUC-JP" },
	{ "iso-2022-kr", "ISO-2022-KR" },
	{ "euc-kr", "UHC" },
	{ "ks_c_5601-1987", "UHC" },
	{ "ks_c_5601", "UHC" },
	{ "cp949", "UHC" },
	{ "gb2312", "GB18030" },
	{ "gbk", "GB18030" },
	{ "cp936", "GB18030" },
	{ "gb18030", "GB18030" },
	{ "hz-gb-2312", "HZ" },
	{ "big5", "BIG5-HKSCS" },
	{ "big5-hkscs", "BIG5-HKSCS" },
	{ "cp950", "CP950" },
	{ "utf-7", "UTF-7" },
	{ "unicode-1-1-utf-7", "UTF-7" },
	{ "utf-16", "UTF-16" },
	{ "utf-16le", "UTF-16LE" },
	{ "utf-16be", "UTF-16BE" },
	{ "utf-32", "UTF-32" },
};

static bool
is_one_of(struct span name, const char *const *list)
{
	for (; *list; list++)
		if (span_is_nocase(name, *list))
			return true;
	return false;
}

/* Takes the ASCII at the front, which most mail is, all at once. */
static int
take_ascii(struct span *s, struct buf *out)
{
	size_t n = 0;

	while (n < s->n && (unsigned char)s->p[n] < 0x80)
		n++;
	if (buf_add(out, s->p, n) == -1)
		return -1;
	*s = span_skip(*s, n);
	return 0;
}

static int
from_1252(struct span s, struct buf *out)
{
	while (take_ascii(&s, out) == 0) {
		uint32_t c;

		if (s.n == 0)
			return 0;
		c = (unsigned char)s.p[0];
		if (c < 0xa0)
			c = c1_1252[c - 0x80] ? c1_1252[c - 0x80] : UTF8_BAD;
		if (utf8_add(out, c) == -1)
			return -1;
		s = span_skip(s, 1);
	}
	return -1;
}

/* Broken bytes become U+FFFD, in ASCII all that are none. */
static int
from_utf8(struct span s, struct buf *out)
{
	bool valid;

	while (take_ascii(&s, out) == 0) {
		if (s.n == 0)
			return 0;
		if (utf8_add(out, utf8_take(&s, &valid)) == -1)
			return -1;
	}
	return -1;
}

static int
from_ascii(struct span s, struct buf *out)
{
	if (utf8_valid(s))
		return buf_add_span(out, s);
	for (size_t i = 0; i < s.n; i++) {
		uint32_t c = (unsigned char)s.p[i];

		if (utf8_add(out, c < 0x80 ? c : UTF8_BAD) == -1)
			return -1;
	}
	return 0;
}

/* What a stateful charset holds back until it knows what follows. */
static int
convert_end(iconv_t cd, struct buf *out)
{
	size_t room = CHARACTER;
	char *start = buf_room(out, room), *to = start;

	if (start == NULL)
		return -1;
	(void)iconv(cd, NULL, NULL, &to, &room);
	out->n += (size_t)(to - start);
	return 0;
}

static int
convert(iconv_t cd, struct span s, struct buf *out)
{
	char *from = (char *)(uintptr_t)s.p; /* iconv does not write there */
	size_t left = s.n;

	while (left > 0) {
		size_t room = STEP, r;
		char *start, *to;

		if (room > out->cap - out->n)
			room = out->cap - out->n;
		if ((start = to = buf_room(out, room)) == NULL)
			return -1;
		r = iconv(cd, &from, &left, &to, &room);
		out->n += (size_t)(to - start);
		if (r != (size_t)-1)
			break;
		if (errno == E2BIG && to > start)
			continue;
		/* EILSEQ, or EINVAL: the text ends in a character's middle;
		 * or no room for even one. */
		if (utf8_add(out, UTF8_BAD) == -1)
			return -1;
		if (left > 0) {
			from++;
			left--;
		}
	}
	return convert_end(cd, out);
}

static const char *
iconv_name(struct span charset)
{
	for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++)
		if (span_is_nocase(charset, charsets[i].name))
			return charsets[i].iconv;
	return NULL;
}

static const char *const ascii[] = { "us-ascii", "ascii", NULL };
static const char *const utf8[] = { "utf-8", "utf8", "unicode-1-1-utf-8",
	NULL };
static const char *const latin[] = { "iso-8859-1", "iso8859-1", "iso_8859-1",
	"latin1", "latin-1", "windows-1252", "cp1252", NULL };

bool
charset_is_known(struct span charset)
{
	return is_one_of(charset, ascii) || is_one_of(charset, utf8) ||
	    is_one_of(charset, latin) || iconv_name(charset) != NULL;
}

int
charset_to_utf8(struct span charset, struct span s, struct buf *out)
{
	const char *name;
	iconv_t cd;
	int r;

	if (is_one_of(charset, utf8))
		return from_utf8(s, out);
	/* Who writes 0x80 to 0x9f and says Latin-1 means windows-1252. */
	if (is_one_of(charset, latin))
		return from_1252(s, out);
	if ((name = iconv_name(charset)) == NULL)
		return from_ascii(s, out);
	/* RFC 2781 4.3: without a byte order mark it is big-endian. */
	if (strcmp(name, "UTF-16") == 0 && !span_starts(s, "\xff\xfe") &&
	    !span_starts(s, "\xfe\xff"))
		name = "UTF-16BE";
	cd = iconv_open("UTF-8", name);
	if (cd == (iconv_t)-1)
		return from_ascii(s, out);
	r = convert(cd, s, out);
	iconv_close(cd);
	return r;
}
