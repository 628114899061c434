/* What FETCH asks for, parsed. */
#include "fetch.h"

static struct fetch_item *
add(struct parse *p, struct fetch *f, enum fetch_kind kind)
{
	struct fetch_item *item = &f->item[f->n];

	if (f->n == FETCH_ITEMS) {
		parse_fail(p, "too many items");
		return &f->item[0];
	}
	f->n++;
	*item = (struct fetch_item){ .kind = kind, .peek = true };
	return item;
}

static void
numbers(struct parse *p, struct section *s)
{
	s->number = arena_alloc(p->arena, FETCH_DEPTH, sizeof *s->number);
	if (s->number == NULL)
		parse_fail(p, "too many items");
	while (p->error == NULL && span_at(p->rest, 0) >= '0' &&
	       span_at(p->rest, 0) <= '9') {
		if (s->depth == FETCH_DEPTH) {
			parse_fail(p, "the section is too deep");
			return;
		}
		s->number[s->depth++] = parse_nz_number(p);
		if (!parse_try(p, '.'))
			return;
		if (span_at(p->rest, 0) == ']')
			parse_fail(p, "the section is wrong");
	}
}

static void
fields(struct parse *p, struct section *s)
{
	size_t size = 8;

	parse_space(p);
	parse_byte(p, '(');
	s->field = arena_alloc(p->arena, size, sizeof *s->field);
	while (p->error == NULL && s->field) {
		if (s->nfields == size) {
			struct span *more =
			    arena_alloc(p->arena, size * 2, sizeof *more);

			if (more == NULL || size >= FETCH_FIELDS) {
				parse_fail(p, "too many fields");
				return;
			}
			memcpy(more, s->field, size * sizeof *more);
			s->field = more;
			size *= 2;
		}
		s->field[s->nfields++] = parse_astring(p);
		if (!parse_try(p, ' '))
			break;
	}
	parse_byte(p, ')');
}

static void
section_text(struct parse *p, struct section *s)
{
	if (parse_try_word(p, "HEADER.FIELDS.NOT"))
		s->text = SECTION_FIELDS_NOT;
	else if (parse_try_word(p, "HEADER.FIELDS"))
		s->text = SECTION_FIELDS;
	else if (parse_try_word(p, "HEADER"))
		s->text = SECTION_HEADER;
	else if (parse_try_word(p, "TEXT"))
		s->text = SECTION_TEXT;
	else if (s->depth > 0 && parse_try_word(p, "MIME"))
		s->text = SECTION_MIME;
	else
		parse_fail(p, "the section is wrong");
	if (s->text == SECTION_FIELDS || s->text == SECTION_FIELDS_NOT)
		fields(p, s);
}

/* "[" is taken. */
static void
section(struct parse *p, struct fetch_item *item)
{
	struct section *s = &item->section;

	numbers(p, s);
	if (parse_try(p, ']'))
		goto partial;
	/* After "1" the next must have been a dot. */
	if (s->depth > 0 && p->rest.n > 0 && p->rest.p[-1] != '.')
		parse_fail(p, "the section is wrong");
	section_text(p, s);
	parse_byte(p, ']');
partial:
	if (!parse_try(p, '<'))
		return;
	item->partial = true;
	item->offset = parse_number(p);
	parse_byte(p, '.');
	item->count = parse_nz_number(p);
	parse_byte(p, '>');
}

static void
rfc822(struct parse *p, struct fetch *f, const char *label, bool peek,
    enum section_text text)
{
	struct fetch_item *item = add(p, f, FETCH_SECTION);

	item->label = label;
	item->peek = peek;
	item->section.text = text;
}

static void
item(struct parse *p, struct fetch *f)
{
	if (parse_try_word(p, "BODY.PEEK["))
		section(p, add(p, f, FETCH_SECTION));
	else if (parse_try_word(p, "BODY[")) {
		struct fetch_item *i = add(p, f, FETCH_SECTION);

		i->peek = false;
		section(p, i);
	} else if (parse_try_word(p, "BODYSTRUCTURE"))
		add(p, f, FETCH_BODYSTRUCTURE);
	else if (parse_try_word(p, "BODY"))
		add(p, f, FETCH_BODY);
	else if (parse_try_word(p, "ENVELOPE"))
		add(p, f, FETCH_ENVELOPE);
	else if (parse_try_word(p, "FLAGS"))
		add(p, f, FETCH_FLAGS);
	else if (parse_try_word(p, "INTERNALDATE"))
		add(p, f, FETCH_DATE);
	else if (parse_try_word(p, "RFC822.HEADER"))
		rfc822(p, f, "RFC822.HEADER", true, SECTION_HEADER);
	else if (parse_try_word(p, "RFC822.SIZE"))
		add(p, f, FETCH_SIZE);
	else if (parse_try_word(p, "RFC822.TEXT"))
		rfc822(p, f, "RFC822.TEXT", false, SECTION_TEXT);
	else if (parse_try_word(p, "RFC822"))
		rfc822(p, f, "RFC822", false, SECTION_ALL);
	else if (parse_try_word(p, "SAVEDATE"))
		add(p, f, FETCH_SAVED);
	else if (parse_try_word(p, "UID"))
		add(p, f, FETCH_UID);
	else
		parse_fail(p, "no such item");
}

/* A word must end where it ends: "FASTER" is none. */
static bool
macro(struct parse *p, const char *word, const enum fetch_kind *kinds, size_t n,
    struct fetch *f)
{
	if (!parse_try_word(p, word))
		return false;
	for (size_t i = 0; i < n; i++)
		add(p, f, kinds[i]);
	return true;
}

void
fetch_parse(struct parse *p, struct fetch *out)
{
	static const enum fetch_kind full[] = { FETCH_FLAGS, FETCH_DATE,
		FETCH_SIZE, FETCH_ENVELOPE, FETCH_BODY };

	*out = (struct fetch){ .item = arena_alloc(
				   p->arena, FETCH_ITEMS, sizeof *out->item) };
	if (out->item == NULL)
		parse_fail(p, "too many items");
	if (p->error || macro(p, "ALL", full, 4, out) ||
	    macro(p, "FAST", full, 3, out) || macro(p, "FULL", full, 5, out))
		return;
	if (!parse_try(p, '(')) {
		item(p, out);
		return;
	}
	do
		item(p, out);
	while (parse_try(p, ' '));
	parse_byte(p, ')');
}

/* A field name as a string that any client reads back as it wrote it. */
static void
add_field(struct span name, struct buf *out)
{
	bool quoted = name.n == 0, literal = false;

	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		quoted |= c <= 0x20 || c == 0x7f || strchr("(){%*\"\\]", c);
		literal |= c == '\r' || c == '\n' || c > 0x7e;
	}
	/* Results are looked at once, by the caller: full is sticky. */
	if (literal) {
		(void)buf_addf(out, "{%zu}\r\n", name.n);
		(void)buf_add_span(out, name);
		return;
	}
	if (quoted)
		(void)buf_add_byte(out, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			(void)buf_add_byte(out, '\\');
		(void)buf_add_byte(out, name.p[i]);
	}
	if (quoted)
		(void)buf_add_byte(out, '"');
}

static void
add_fields(const struct section *s, struct buf *out)
{
	(void)buf_add_str(out, " (");
	for (size_t i = 0; i < s->nfields; i++) {
		if (i > 0)
			(void)buf_add_byte(out, ' ');
		add_field(s->field[i], out);
	}
	(void)buf_add_byte(out, ')');
}

static const char *const texts[] = {
	[SECTION_ALL] = "",
	[SECTION_HEADER] = "HEADER",
	[SECTION_FIELDS] = "HEADER.FIELDS",
	[SECTION_FIELDS_NOT] = "HEADER.FIELDS.NOT",
	[SECTION_MIME] = "MIME",
	[SECTION_TEXT] = "TEXT",
};

void
fetch_label(const struct fetch_item *item, struct buf *out)
{
	const struct section *s = &item->section;

	if (item->label) {
		(void)buf_add_str(out, item->label);
		return;
	}
	(void)buf_add_str(out, "BODY[");
	for (size_t i = 0; i < s->depth; i++) {
		if (i > 0)
			(void)buf_add_byte(out, '.');
		(void)buf_add_u64(out, s->number[i]);
	}
	if (s->depth > 0 && s->text != SECTION_ALL)
		(void)buf_add_byte(out, '.');
	(void)buf_add_str(out, texts[s->text]);
	if (s->text == SECTION_FIELDS || s->text == SECTION_FIELDS_NOT)
		add_fields(s, out);
	(void)buf_add_byte(out, ']');
	if (item->partial)
		(void)buf_addf(out, "<%u>", item->offset);
}
