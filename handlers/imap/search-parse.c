/* What SEARCH asks for, parsed. */
#include "search.h"

#include "text/casemap.h"
#include "text/charset.h"
#include "text/date.h"

enum argument { NOTHING, DAY, NUMBER, STRING, KEYWORD, FIELD_STRING, UID_SET };

static const struct key {
	const char *name;
	enum search_kind kind;
	enum argument argument;
	const char *field; /* of a header */
	unsigned flag;
	bool not ;
} keys[] = {
	{ "ALL", SEARCH_ALL, NOTHING, NULL, 0, false },
	{ "ANSWERED", SEARCH_FLAG, NOTHING, NULL, FLAG_ANSWERED, false },
	{ "BCC", SEARCH_HEADER, STRING, "Bcc", 0, false },
	{ "BEFORE", SEARCH_BEFORE, DAY, NULL, 0, false },
	{ "BODY", SEARCH_BODY, STRING, NULL, 0, false },
	{ "CC", SEARCH_HEADER, STRING, "Cc", 0, false },
	{ "DELETED", SEARCH_FLAG, NOTHING, NULL, FLAG_DELETED, false },
	{ "DRAFT", SEARCH_FLAG, NOTHING, NULL, FLAG_DRAFT, false },
	{ "FLAGGED", SEARCH_FLAG, NOTHING, NULL, FLAG_FLAGGED, false },
	{ "FROM", SEARCH_HEADER, STRING, "From", 0, false },
	{ "HEADER", SEARCH_HEADER, FIELD_STRING, NULL, 0, false },
	{ "KEYWORD", SEARCH_KEYWORD, KEYWORD, NULL, 0, false },
	{ "LARGER", SEARCH_LARGER, NUMBER, NULL, 0, false },
	{ "OLD", SEARCH_RECENT, NOTHING, NULL, 0, true },
	{ "ON", SEARCH_ON, DAY, NULL, 0, false },
	{ "RECENT", SEARCH_RECENT, NOTHING, NULL, 0, false },
	/* All mailboxes have save dates. */
	{ "SAVEDATESUPPORTED", SEARCH_ALL, NOTHING, NULL, 0, false },
	{ "SAVEDBEFORE", SEARCH_SAVEDBEFORE, DAY, NULL, 0, false },
	{ "SAVEDON", SEARCH_SAVEDON, DAY, NULL, 0, false },
	{ "SAVEDSINCE", SEARCH_SAVEDSINCE, DAY, NULL, 0, false },
	{ "SEEN", SEARCH_FLAG, NOTHING, NULL, FLAG_SEEN, false },
	{ "SENTBEFORE", SEARCH_SENTBEFORE, DAY, NULL, 0, false },
	{ "SENTON", SEARCH_SENTON, DAY, NULL, 0, false },
	{ "SENTSINCE", SEARCH_SENTSINCE, DAY, NULL, 0, false },
	{ "SINCE", SEARCH_SINCE, DAY, NULL, 0, false },
	{ "SMALLER", SEARCH_SMALLER, NUMBER, NULL, 0, false },
	{ "SUBJECT", SEARCH_HEADER, STRING, "Subject", 0, false },
	{ "TEXT", SEARCH_TEXT, STRING, NULL, 0, false },
	{ "TO", SEARCH_HEADER, STRING, "To", 0, false },
	{ "UID", SEARCH_UIDS, UID_SET, NULL, 0, false },
	{ "UNANSWERED", SEARCH_FLAG, NOTHING, NULL, FLAG_ANSWERED, true },
	{ "UNDELETED", SEARCH_FLAG, NOTHING, NULL, FLAG_DELETED, true },
	{ "UNDRAFT", SEARCH_FLAG, NOTHING, NULL, FLAG_DRAFT, true },
	{ "UNFLAGGED", SEARCH_FLAG, NOTHING, NULL, FLAG_FLAGGED, true },
	{ "UNKEYWORD", SEARCH_KEYWORD, KEYWORD, NULL, 0, true },
	{ "UNSEEN", SEARCH_FLAG, NOTHING, NULL, FLAG_SEEN, true },
};

enum {
	KEY = 65536 /* bytes of a string to look for */
};

struct parsing {
	struct parse *p;
	struct span charset; /* of strings */
	size_t keys;
};

static struct search *
new_key(struct parsing *g, enum search_kind kind)
{
	struct search *key = arena_alloc(g->p->arena, 1, sizeof *key);

	if (key == NULL || g->keys++ == SEARCH_KEYS) {
		parse_fail(g->p, "too many keys");
		return NULL;
	}
	key->kind = kind;
	return key;
}

static int64_t
days(struct parse *p)
{
	bool quoted = span_at(p->rest, 0) == '"';
	struct span text = quoted ? parse_string(p) : parse_atom(p);
	struct date d;

	if (p->error)
		return 0;
	if (!date_parse_imap_day(text, &d)) {
		parse_fail(p, "not a date");
		return 0;
	}
	d.zone = 0;
	return date_seconds(&d) / 86400;
}

/* A string, as it will be compared. */
static struct span
mapped(struct parsing *g, struct span text)
{
	struct buf utf8 = buf_new(KEY), out = buf_new(KEY);

	if (charset_to_utf8(g->charset, text, &utf8) == -1 ||
	    casemap_add(buf_span(&utf8), &out) == -1)
		parse_fail(g->p, "string is too long");
	else if ((text = arena_copy(g->p->arena, buf_span(&out))).p == NULL)
		parse_fail(g->p, "too many keys");
	buf_free(&utf8);
	buf_free(&out);
	return text;
}

static void
string(struct parsing *g, struct search *key)
{
	key->text = parse_astring(g->p);
	if (g->p->error == NULL)
		key->text = mapped(g, key->text);
}

static void
arguments(struct parsing *g, const struct key *k, struct search *key)
{
	struct parse *p = g->p;

	if (k->argument != NOTHING)
		parse_space(p);
	switch (k->argument) {
	case NOTHING:
		break;
	case DAY:
		key->day = days(p);
		break;
	case NUMBER:
		key->number = parse_number(p);
		break;
	case FIELD_STRING:
		key->field = parse_astring(p);
		parse_space(p);
		string(g, key);
		break;
	case STRING:
		key->field = span_str(k->field);
		string(g, key);
		break;
	case KEYWORD:
		key->field = parse_atom(p);
		break;
	case UID_SET:
		set_parse(p, &key->set);
		break;
	}
}

static struct search *
negate(struct parsing *g, struct search *child)
{
	struct search *key = new_key(g, SEARCH_NOT);

	if (key)
		key->child = child;
	return key;
}

/* A key of the table; NEW is two of them. */
static struct search *
named_key(struct parsing *g, struct span name)
{
	struct search *key;

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (!span_is_nocase(name, keys[i].name))
			continue;
		if ((key = new_key(g, keys[i].kind)) == NULL)
			return NULL;
		key->flags = keys[i].flag;
		arguments(g, &keys[i], key);
		return keys[i].not ? negate(g, key) : key;
	}
	parse_fail(g->p, "no such search key");
	return NULL;
}

static struct search *
key_new(struct parsing *g)
{
	struct search *both = new_key(g, SEARCH_AND);
	struct search *recent = new_key(g, SEARCH_RECENT);
	struct search *seen = new_key(g, SEARCH_FLAG);
	struct search *unseen = negate(g, seen);

	if (g->p->error || both == NULL || recent == NULL || seen == NULL)
		return NULL;
	seen->flags = FLAG_SEEN;
	both->child = recent;
	recent->next = unseen;
	return both;
}

static struct search *one_key(struct parsing *g, unsigned depth);

/* One or more keys, all of which must hold; what needs no reading first. */
static struct search *
all_keys(struct parsing *g, unsigned depth)
{
	struct search *key = new_key(g, SEARCH_AND);
	struct search *cheap = NULL, *dear = NULL;
	struct search **cheap_end = &cheap, **dear_end = &dear;

	do {
		struct search *k = one_key(g, depth);

		if (k == NULL)
			return NULL;
		if (search_reads(k)) {
			*dear_end = k;
			dear_end = &k->next;
		} else {
			*cheap_end = k;
			cheap_end = &k->next;
		}
	} while (parse_try(g->p, ' '));
	*cheap_end = dear;
	if (key)
		key->child = cheap;
	return key;
}

static struct search *
either(struct parsing *g, unsigned depth)
{
	struct search *key = new_key(g, SEARCH_OR);
	struct search *a, *b;

	parse_space(g->p);
	a = one_key(g, depth);
	parse_space(g->p);
	b = one_key(g, depth);
	if (key == NULL || a == NULL || b == NULL)
		return NULL;
	key->child = a;
	a->next = b;
	if (search_reads(a) && !search_reads(b)) {
		key->child = b;
		b->next = a;
		a->next = NULL;
	}
	return key;
}

static struct search *
number_set(struct parsing *g)
{
	struct search *key = new_key(g, SEARCH_NUMBERS);

	if (key)
		set_parse(g->p, &key->set);
	return key;
}

static struct search *
word_key(struct parsing *g, unsigned depth)
{
	struct span name = parse_atom(g->p);

	if (g->p->error)
		return NULL;
	if (span_is_nocase(name, "NOT")) {
		struct search *child;

		parse_space(g->p);
		child = one_key(g, depth + 1);
		return child ? negate(g, child) : NULL;
	}
	if (span_is_nocase(name, "OR"))
		return either(g, depth + 1);
	if (span_is_nocase(name, "NEW"))
		return key_new(g);
	return named_key(g, name);
}

/* NULL with an error in g->p. */
static struct search *
one_key(struct parsing *g, unsigned depth)
{
	struct search *key;
	int c = span_at(g->p->rest, 0);

	if (depth > SEARCH_DEPTH)
		parse_fail(g->p, "keys are nested too deeply");
	if (g->p->error)
		return NULL;
	if ((c >= '0' && c <= '9') || c == '*')
		key = number_set(g);
	else if (parse_try(g->p, '(')) {
		key = all_keys(g, depth + 1);
		parse_byte(g->p, ')');
	} else
		key = word_key(g, depth);
	return g->p->error ? NULL : key;
}

bool
search_reads(const struct search *key)
{
	if (key->kind >= SEARCH_SENTBEFORE)
		return true;
	if (key->kind > SEARCH_OR)
		return false;
	for (const struct search *k = key->child; k; k = k->next)
		if (search_reads(k))
			return true;
	return false;
}

struct search *
search_parse(struct parse *p, enum search_charset *charset)
{
	struct parsing g = { .p = p, .charset = SPAN("us-ascii") };

	*charset = SEARCH_CHARSET_OK;
	if (parse_try_word(p, "CHARSET ")) {
		g.charset = parse_astring(p);
		if (!charset_is_known(g.charset))
			*charset = SEARCH_CHARSET_UNKNOWN;
		parse_space(p);
	}
	return all_keys(&g, 0);
}
