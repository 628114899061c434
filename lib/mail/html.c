/* HTML to readable text. */
#include "mail/html.h"

#include "text/utf8.h"

enum {
	NAME = 16,  /* bytes of a tag's name that are looked at */
	ENTITY = 12,
	LINK = 1000 /* longer ones are not shown */
};

struct state {
	struct span rest;
	struct buf *out;
	struct span link;    /* href of the open <a> */
	size_t link_start;   /* where its text begins in out */
	unsigned pre;        /* depth of <pre> */
	unsigned newlines;   /* wanted before the next text */
	bool space;          /* likewise */
	bool begun;          /* there is text already */
	bool no_quotes;      /* a quote was not closed: they mean nothing */
	bool no_tags;        /* there is no ">" any more */
	bool failed;
};

enum kind {
	INLINE,
	BREAK,     /* a new line */
	PARAGRAPH, /* an empty line */
	ITEM,
	CELL,
	SKIPPED, /* with all that is in it */
	PRE,
	ANCHOR,
	IMAGE
};

static const struct {
	const char *name;
	enum kind kind;
} tags[] = {
	{ "a", ANCHOR }, { "address", BREAK }, { "article", PARAGRAPH },
	{ "blockquote", PARAGRAPH }, { "br", BREAK }, { "center", BREAK },
	{ "dd", BREAK }, { "div", BREAK }, { "dl", PARAGRAPH },
	{ "dt", BREAK }, { "footer", BREAK }, { "form", BREAK },
	{ "h1", PARAGRAPH }, { "h2", PARAGRAPH }, { "h3", PARAGRAPH },
	{ "h4", PARAGRAPH }, { "h5", PARAGRAPH }, { "h6", PARAGRAPH },
	{ "header", BREAK }, { "hr", PARAGRAPH }, { "img", IMAGE },
	{ "li", ITEM }, { "ol", PARAGRAPH }, { "p", PARAGRAPH },
	{ "pre", PRE }, { "script", SKIPPED }, { "section", PARAGRAPH },
	{ "style", SKIPPED }, { "table", PARAGRAPH }, { "td", CELL },
	{ "template", SKIPPED }, { "th", CELL }, { "title", SKIPPED },
	{ "tr", BREAK }, { "ul", PARAGRAPH },
};

/* U+00A0 to U+00FF by their names in HTML. */
static const char latin1[96][7] = { "nbsp", "iexcl", "cent", "pound",
	"curren", "yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo",
	"not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute",
	"micro", "para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14",
	"frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc", "Atilde",
	"Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute", "Ecirc",
	"Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde",
	"Ograve", "Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash",
	"Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN", "szlig",
	"agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig",
	"ccedil", "egrave", "eacute", "ecirc", "euml", "igrave", "iacute",
	"icirc", "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc",
	"otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc",
	"uuml", "yacute", "thorn", "yuml" };

static const struct {
	const char *name;
	uint32_t c;
} entities[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' },
	{ "quot", '"' }, { "apos", '\'' }, { "euro", 0x20ac },
	{ "hellip", 0x2026 }, { "mdash", 0x2014 }, { "ndash", 0x2013 },
	{ "lsquo", 0x2018 }, { "rsquo", 0x2019 }, { "ldquo", 0x201c },
	{ "rdquo", 0x201d }, { "sbquo", 0x201a }, { "bdquo", 0x201e },
	{ "lsaquo", 0x2039 }, { "rsaquo", 0x203a }, { "bull", 0x2022 },
	{ "trade", 0x2122 }, { "rarr", 0x2192 }, { "larr", 0x2190 },
	{ "OElig", 0x152 }, { "oelig", 0x153 }, { "Scaron", 0x160 },
	{ "scaron", 0x161 }, { "zwnj", 0 }, { "zwj", 0 }, { "shy", 0 } };

/* Writes what is owed before text: line ends or a space. */
static void
before_text(struct state *s)
{
	int r = 0;

	if (s->begun) {
		for (unsigned i = 0; i < s->newlines && r == 0; i++)
			r = buf_add_byte(s->out, '\n');
		if (r == 0 && s->newlines == 0 && s->space)
			r = buf_add_byte(s->out, ' ');
	}
	s->failed = s->failed || r == -1;
	s->newlines = 0;
	s->space = false;
	s->begun = true;
}

static void
add_text(struct state *s, struct span text)
{
	if (text.n == 0)
		return;
	before_text(s);
	if (buf_add_span(s->out, text) == -1)
		s->failed = true;
}

static void
want_newlines(struct state *s, unsigned n)
{
	s->newlines = s->newlines > n ? s->newlines : n;
}

static bool
is_space(int c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static int
digit(int c, unsigned base)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return base == 16 && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "#8364" or "#x20ac"; false: no number. */
static bool
number(struct span s, uint32_t *c)
{
	unsigned base = (span_at(s, 1) | 0x20) == 'x' ? 16 : 10;
	size_t i = base == 16 ? 2 : 1;

	*c = 0;
	if (i >= s.n)
		return false;
	for (; i < s.n; i++) {
		int d = digit(s.p[i], base);

		if (d == -1 || *c > 0x10ffff)
			return false;
		*c = *c * base + (uint32_t)d;
	}
	return true;
}

static bool
named(struct span name, uint32_t *c)
{
	for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
		if (span_is(name, entities[i].name)) {
			*c = entities[i].c;
			return true;
		}
	}
	for (size_t i = 0; i < 96; i++) {
		if (span_is(name, latin1[i])) {
			*c = (uint32_t)(0xa0 + i);
			return true;
		}
	}
	return false;
}

/* The character reference at the front of s ("&"): its length, or 0. */
static size_t
reference(struct span s, uint32_t *c)
{
	size_t n = span_find(span_head(s, ENTITY), ';');
	struct span name;

	if (n >= s.n || n >= ENTITY || n < 2)
		return 0;
	name = span_of(s.p + 1, n - 1);
	if (name.p[0] == '#' ? !number(name, c) : !named(name, c))
		return 0;
	return n + 1;
}

static void
take_reference(struct state *s)
{
	uint32_t c;
	size_t n = reference(s->rest, &c);

	if (n == 0) {
		add_text(s, span_head(s->rest, 1));
		s->rest = span_skip(s->rest, 1);
		return;
	}
	s->rest = span_skip(s->rest, n);
	if (c == 0xa0 || c == '\n' || c == '\t' || c == ' ') {
		s->space = true;
	} else if (c != 0) {
		before_text(s);
		if (utf8_add(s->out, c) == -1)
			s->failed = true;
	}
}

/* Length of the tag at the front of s with its ">", or 0. */
static size_t
tag_length(struct state *s)
{
	struct span rest = s->rest;
	char quote = '\0';
	size_t n;

	for (size_t i = 1; i < rest.n && !s->no_quotes; i++) {
		char c = rest.p[i];

		if (quote != '\0')
			quote = c == quote ? '\0' : quote;
		else if (c == '>')
			return i + 1;
		else if ((c == '"' || c == '\'') && rest.p[i - 1] == '=')
			quote = c;
	}
	if (quote != '\0')
		s->no_quotes = true;
	n = span_find(rest, '>');
	s->no_tags = n == rest.n;
	return s->no_tags ? 0 : n + 1;
}

/* The value of an attribute of the tag: false if there is none. */
static bool
attribute(struct span tag, const char *name, struct span *value)
{
	size_t length = strlen(name);

	while (tag.n > 0) {
		size_t n = span_find(tag, '=');
		struct span before = span_trim(span_head(tag, n));
		bool hit = before.n >= length && span_is_nocase(
		    span_skip(before, before.n - length), name) &&
		    (before.n == length ||
			is_space(before.p[before.n - length - 1]));
		char quote;

		tag = span_skip(tag, n + 1);
		while (is_space(span_at(tag, 0)))
			tag = span_skip(tag, 1);
		if (tag.n == 0)
			return false;
		quote = tag.p[0];
		if (quote == '"' || quote == '\'') {
			tag = span_skip(tag, 1);
			*value = span_take(&tag, quote);
		} else {
			for (n = 0; n < tag.n && !is_space(tag.p[n]);)
				n++;
			*value = span_head(tag, n);
			tag = span_skip(tag, n);
		}
		if (hit)
			return true;
	}
	return false;
}

static enum kind
kind_of(struct span name)
{
	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
		if (span_is_nocase(name, tags[i].name))
			return tags[i].kind;
	return INLINE;
}

/* Behind the end tag of an element whose inside is not shown. */
static void
skip_element(struct state *s, struct span name)
{
	while (s->rest.n > 0) {
		size_t n = span_find(s->rest, '<');

		s->rest = span_skip(s->rest, n);
		if (span_at(s->rest, 1) == '/' &&
		    span_eq_nocase(span_head(span_skip(s->rest, 2), name.n),
			name)) {
			(void)span_take(&s->rest, '>');
			return;
		}
		s->rest = span_skip(s->rest, 1);
	}
}

/* </a>: the link, where its text does not say it already. */
static void
end_link(struct state *s)
{
	struct span link = span_trim(s->link), text;

	s->link = span_of(NULL, 0);
	if (link.n == 0 || link.n > LINK || s->link_start > s->out->n)
		return;
	text = span_trim(span_skip(buf_span(s->out), s->link_start));
	if (!span_starts_nocase(link, "http:") &&
	    !span_starts_nocase(link, "https:") &&
	    !span_starts_nocase(link, "mailto:"))
		return;
	if (span_eq(text, link) || (span_starts(link, "mailto:") &&
	    span_eq(text, span_skip(link, 7))))
		return;
	if (text.n > 0)
		s->space = true;
	add_text(s, span_str("<"));
	add_text(s, link);
	add_text(s, span_str(">"));
}

static void
image(struct state *s, struct span tag)
{
	struct span alt;

	if (!attribute(tag, "alt", &alt) || span_trim(alt).n == 0)
		return;
	add_text(s, span_str("["));
	add_text(s, span_trim(alt));
	add_text(s, span_str("]"));
}

static void
anchor(struct state *s, struct span tag, bool end)
{
	end_link(s); /* also where the one before was not closed */
	if (!end && attribute(tag, "href", &s->link))
		s->link_start = s->out->n;
}

static void
item(struct state *s, bool end)
{
	want_newlines(s, 1);
	if (end)
		return;
	add_text(s, span_str("*"));
	s->space = true;
}

static void
apply_tag(struct state *s, struct span name, struct span tag, bool end)
{
	switch (kind_of(name)) {
	case BREAK:
		if (span_is_nocase(name, "br") && s->newlines < 2)
			s->newlines++;
		else
			want_newlines(s, 1);
		break;
	case PARAGRAPH:
		want_newlines(s, 2);
		break;
	case PRE:
		want_newlines(s, 2);
		s->pre = end ? 0 : 1;
		break;
	case ITEM:
		item(s, end);
		break;
	case CELL:
		s->space = true;
		break;
	case SKIPPED:
		if (!end)
			skip_element(s, name);
		break;
	case ANCHOR:
		anchor(s, tag, end);
		break;
	case IMAGE:
		image(s, tag);
		break;
	case INLINE:
		break;
	}
}

static void
skip_comment(struct state *s)
{
	struct span rest = span_skip(s->rest, 4);

	while (rest.n > 0 && !span_starts(rest, "-->")) {
		rest = span_skip(rest, 1);
		rest = span_skip(rest, span_find(rest, '-'));
	}
	s->rest = span_skip(rest, 3);
}

static void
take_tag(struct state *s)
{
	struct span tag, name;
	bool end = span_at(s->rest, 1) == '/';
	int first = span_at(s->rest, end ? 2 : 1);
	bool is_tag = first == '!' || first == '?' ||
	    ((first | 0x20) >= 'a' && (first | 0x20) <= 'z');
	size_t n = 0;

	if (span_starts(s->rest, "<!--")) {
		skip_comment(s);
		return;
	}
	if (is_tag && !s->no_tags)
		n = tag_length(s);
	if (n == 0) {
		add_text(s, span_head(s->rest, 1));
		s->rest = span_skip(s->rest, 1);
		return;
	}
	tag = span_head(s->rest, n - 1);
	s->rest = span_skip(s->rest, n);
	name = span_skip(tag, end ? 2 : 1);
	for (n = 0; n < name.n && n < NAME && !is_space(name.p[n]) &&
	    name.p[n] != '/';)
		n++;
	apply_tag(s, span_head(name, n), tag, end);
}

static void
take_text(struct state *s)
{
	size_t n = 0;
	int c = span_at(s->rest, 0);

	if (is_space(c)) {
		if (!s->pre)
			s->space = true;
		else if (c == '\n')
			want_newlines(s, s->newlines + 1);
		else if (c != '\r')
			add_text(s, span_head(s->rest, 1));
		s->rest = span_skip(s->rest, 1);
		return;
	}
	while ((c = span_at(s->rest, n)) != -1 && c != '<' && c != '&' &&
	    !is_space(c))
		n++;
	add_text(s, span_head(s->rest, n));
	s->rest = span_skip(s->rest, n);
}

int
html_to_text(struct span html, struct buf *out)
{
	struct state s = { .rest = html, .out = out };

	while (s.rest.n > 0 && !s.failed) {
		if (s.rest.p[0] == '<')
			take_tag(&s);
		else if (s.rest.p[0] == '&')
			take_reference(&s);
		else
			take_text(&s);
	}
	end_link(&s);
	if (s.begun && buf_add_byte(out, '\n') == -1)
		return -1;
	return s.failed ? -1 : 0;
}
