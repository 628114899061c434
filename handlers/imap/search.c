/* SEARCH and UID SEARCH (RFC 3501 6.4.4). */
#include "search.h"
#include "session.h"

#include "mail/header.h"
#include "mail/word.h"
#include "text/casemap.h"
#include "text/charset.h"
#include "text/date.h"

#include <errno.h>
#include <time.h>

enum {
	TEXT_BYTES = 256 << 20 /* of one part, decoded */
};

struct searching {
	struct imap *s;
	struct buf raw, text; /* of one part or field */
	struct buf mapped;    /* the text, to be compared */
	int error;            /* of a message that could not be read */
	int64_t end_ms;       /* of processor time */
	bool late;
};

/* The text buffer, against a key that was mapped likewise. */
static bool
has_text(struct searching *g, struct span want)
{
	if (want.n == 0)
		return true;
	buf_reset(&g->mapped);
	/* What fits is searched, and the answer says that it is not all. */
	if (casemap_add(buf_span(&g->text), &g->mapped) == -1)
		g->error = EFBIG;
	return g->mapped.n >= want.n &&
	       memmem(g->mapped.p, g->mapped.n, want.p, want.n) != NULL;
}

static bool
field_has(struct searching *g, const struct header_field *f, struct span want)
{
	buf_reset(&g->text);
	(void)word_decode(f->value, &g->text); /* what fits is searched */
	return has_text(g, want);
}

static bool
header_has(struct searching *g, const struct search *key)
{
	struct span header;
	struct header_field f;

	if (shown_header(&g->s->shown, &header) == -1) {
		g->error = errno;
		return false;
	}
	while (header_next(&header, &f))
		if (span_eq_nocase(f.name, key->field) &&
		    field_has(g, &f, key->text))
			return true;
	return false;
}

/* Any field, with its name. */
static bool
fields_have(struct searching *g, struct span header, struct span want)
{
	struct header_field f;

	while (header_next(&header, &f)) {
		buf_reset(&g->text);
		(void)buf_add_span(&g->text, f.name);
		(void)buf_add_str(&g->text, ": ");
		(void)word_decode(f.value, &g->text);
		if (has_text(g, want))
			return true;
	}
	return false;
}

static bool
text_part_has(
    struct searching *g, const struct mime_part *part, struct span want)
{
	struct span charset = SPAN("us-ascii"), body;

	if (part->body.n > SHOWN_PART)
		g->error = EFBIG; /* as much as that is searched */
	if (shown_part(&g->s->shown, part->body.at, part->body.n, &body) ==
	    -1) {
		g->error = errno;
		return false;
	}
	buf_reset(&g->raw);
	buf_reset(&g->text);
	(void)mime_param(part->params, part->nparams, "charset", &charset);
	(void)mime_decode(body, part->encoding, &g->raw);
	(void)charset_to_utf8(charset, buf_span(&g->raw), &g->text);
	return has_text(g, want);
}

/* Of attachments only text is searched, and headers of messages. */
static bool
part_has(struct searching *g, const struct mime_part *part, struct span want)
{
	bool message = span_is(part->type, "message");
	const struct mime_range *r;
	struct span header;

	/* Reports of deliveries and their like are text, too. */
	if (span_is(part->type, "text") || (message && part->child == NULL))
		return text_part_has(g, part, want);
	if (!message)
		return false;
	r = &part->child->header;
	if (shown_part(&g->s->shown, r->at, r->n, &header) == -1) {
		g->error = errno;
		return false;
	}
	return fields_have(g, header, want);
}

static bool
body_has(struct searching *g, struct span want)
{
	const struct mime_part *part;

	if (shown_parse(&g->s->shown) == -1) {
		g->error = errno;
		return false;
	}
	for (part = g->s->shown.root; part;) {
		if (part_has(g, part, want))
			return true;
		if (part->child)
			part = part->child;
		else {
			while (part && part->next == NULL)
				part = part->parent;
			part = part ? part->next : NULL;
		}
	}
	return false;
}

static bool
anything_has(struct searching *g, struct span want)
{
	struct span header;

	if (shown_header(&g->s->shown, &header) == -1) {
		g->error = errno;
		return false;
	}
	return fields_have(g, header, want) || body_has(g, want);
}

static int64_t
day_of(int64_t seconds)
{
	int64_t day = seconds / 86400;

	return seconds % 86400 < 0 ? day - 1 : day;
}

/* RFC 3501: times and zones are disregarded. */
static bool
sent_day(struct searching *g, int64_t *day)
{
	struct span header;
	struct header_field f;
	struct date d;

	if (shown_header(&g->s->shown, &header) == -1) {
		g->error = errno;
		return false;
	}
	if (!header_get(header, "Date", &f) || !date_parse_mail(f.value, &d))
		return false;
	d.zone = 0;
	*day = day_of(date_seconds(&d));
	return true;
}

static int64_t
cpu_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* cannot fail */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One that was expunged meanwhile is no error. */
static void
unreadable(struct searching *g)
{
	if (errno != ENOENT)
		g->error = errno;
}

static bool
reading_key_holds(struct searching *g, const struct search *key, size_t i)
{
	int64_t day = 0;

	g->late = g->late || cpu_ms() > g->end_ms;
	if (g->late)
		return false;
	if (shown_open(&g->s->shown, g->s->box, i) == -1) {
		unreadable(g);
		return false;
	}
	if (key->kind == SEARCH_HEADER)
		return header_has(g, key);
	if (key->kind == SEARCH_BODY)
		return body_has(g, key->text);
	if (key->kind == SEARCH_TEXT)
		return anything_has(g, key->text);
	if (!sent_day(g, &day))
		return false;
	if (key->kind == SEARCH_SENTBEFORE)
		return day < key->day;
	if (key->kind == SEARCH_SENTON)
		return day == key->day;
	return day >= key->day;
}

static uint64_t
wire_size(struct searching *g, size_t i)
{
	if (mailbox_measure(g->s->box, i) == -1)
		unreadable(g);
	return g->s->box->msgs[i].wire;
}

static int64_t
local_day(struct searching *g, size_t i)
{
	const struct message *m = &g->s->box->msgs[i];

	if (mailbox_learn(g->s->box, i) == -1)
		unreadable(g);
	return day_of(m->date + (int64_t)date_zone(m->date) * 60);
}

static int64_t
saved_day(struct searching *g, size_t i)
{
	int64_t saved = mailbox_saved(g->s->box, i);

	if (saved == 0)
		unreadable(g);
	return day_of(saved + (int64_t)date_zone(saved) * 60);
}

static bool holds(struct searching *g, const struct search *key, size_t i);

static bool
any_holds(struct searching *g, const struct search *key, size_t i, bool all)
{
	for (const struct search *k = key->child; k; k = k->next)
		if (holds(g, k, i) != all)
			return !all;
	return all;
}

/* As deep as SEARCH_DEPTH let the program be. */
static bool
holds(struct searching *g, const struct search *key, size_t i)
{
	const struct message *m = &g->s->box->msgs[i];

	switch (key->kind) {
	case SEARCH_AND:
		return any_holds(g, key, i, true);
	case SEARCH_OR:
		return any_holds(g, key, i, false);
	case SEARCH_NOT:
		return !holds(g, key->child, i);
	case SEARCH_ALL:
		return true;
	case SEARCH_FLAG:
		return (m->flags & key->flags) == key->flags;
	case SEARCH_KEYWORD:
		return (m->flags & key->flags) || (m->keywords & key->keywords);
	case SEARCH_RECENT:
		return m->recent;
	case SEARCH_NUMBERS:
		return set_has(&key->set, (uint32_t)(i + 1));
	case SEARCH_UIDS:
		return set_has(&key->set, m->uid);
	case SEARCH_LARGER:
		return wire_size(g, i) > key->number;
	case SEARCH_SMALLER:
		return wire_size(g, i) < key->number;
	case SEARCH_BEFORE:
		return local_day(g, i) < key->day;
	case SEARCH_ON:
		return local_day(g, i) == key->day;
	case SEARCH_SINCE:
		return local_day(g, i) >= key->day;
	case SEARCH_SAVEDBEFORE:
		return saved_day(g, i) < key->day;
	case SEARCH_SAVEDON:
		return saved_day(g, i) == key->day;
	case SEARCH_SAVEDSINCE:
		return saved_day(g, i) >= key->day;
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
	case SEARCH_HEADER:
	case SEARCH_BODY:
	case SEARCH_TEXT:
		break;
	}
	return reading_key_holds(g, key, i);
}

/* Gives sets and keywords the values that they have in this mailbox. */
static void
settle(struct imap *s, struct search *key)
{
	size_t n = s->exists;

	for (struct search *k = key->child; k; k = k->next)
		settle(s, k);
	if (key->kind == SEARCH_NUMBERS)
		set_settle(&key->set, (uint32_t)n);
	if (key->kind == SEARCH_UIDS)
		set_settle(&key->set, n > 0 ? s->box->msgs[n - 1].uid : 0);
	if (key->kind != SEARCH_KEYWORD)
		return;
	if (span_is_nocase(key->field, "$Forwarded"))
		key->flags = FLAG_PASSED;
	else if (mailbox_keyword(s->box, key->field, false, &key->keywords) !=
		 1)
		key->keywords = 0;
}

static void
search_all(struct searching *g, const struct search *key)
{
	struct imap *s = g->s;

	for (size_t i = 0; i < s->exists && !g->late; i++) {
		if (s->box->msgs[i].gone || !holds(g, key, i) || g->late)
			continue;
		out_str(&s->out, " ");
		out_u64(&s->out, s->by_uid ? s->box->msgs[i].uid : i + 1);
	}
}

static void
search(struct imap *s, struct search *key)
{
	struct searching g = {
		.s = s, .raw = buf_new(TEXT_BYTES), .text = buf_new(TEXT_BYTES),
		.mapped = buf_new(TEXT_BYTES)
	};

	g.end_ms = cpu_ms() + SEARCH_CPU_MS;
	settle(s, key);
	out_str(&s->out, "* SEARCH");
	search_all(&g, key);
	out_str(&s->out, "\r\n");
	buf_free(&g.raw);
	buf_free(&g.text);
	buf_free(&g.mapped);
	if (g.late)
		reply_no(s, "LIMIT", "The search takes too long");
	else if (g.error) {
		errno = g.error;
		reply_errno(s);
	} else
		reply_ok(s, "Done");
}

void
cmd_search(struct imap *s, struct parse *p)
{
	enum search_charset charset;
	struct search *key;

	parse_space(p);
	key = search_parse(p, &charset);
	if (!parse_end(p) || key == NULL)
		reply_bad(s, p->error ? p->error : "wrong search");
	else if (charset == SEARCH_CHARSET_UNKNOWN)
		reply_no(s, "BADCHARSET (US-ASCII UTF-8)",
		    "Not a charset of this server");
	else
		search(s, key);
}
