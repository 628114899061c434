/* FETCH and UID FETCH (RFC 3501 6.4.5). */
#include "fetch.h"
#include "session.h"

#include "mail/header.h"
#include "mail/imap.h"
#include "text/date.h"

#include <errno.h>

enum {
	WINDOW = 64,              /* messages that become \Seen in one write */
	STRUCTURE_BYTES = 8 << 20 /* of one ENVELOPE or BODYSTRUCTURE */
};

struct fetching {
	struct fetch what;
	struct arena arena;    /* of one item */
	struct buf text, wire; /* of one item */
	int error;             /* of a message that could not be shown */
};

/* Reads what an item needs, so that it can be sent without an error. */
static int
prepare_item(struct imap *s, const struct fetch_item *item, size_t i)
{
	struct span header;
	uint64_t wire = 0;

	switch (item->kind) {
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
		return shown_parse(&s->shown);
	case FETCH_ENVELOPE:
		return shown_header(&s->shown, &header);
	case FETCH_SECTION:
		if (item->section.depth > 0)
			return shown_parse(&s->shown);
		return item->section.text == SECTION_ALL
			   ? 0
			   : shown_split(&s->shown);
	case FETCH_SIZE:
		if (shown_measure(&s->shown, 0, s->shown.size, &wire) == -1)
			return -1;
		mailbox_measured(s->box, i, wire);
		return 0;
	case FETCH_DATE:
	case FETCH_FLAGS:
	case FETCH_SAVED:
	case FETCH_UID:
		break;
	}
	return 0;
}

/* The part of the cache that has all of an item, or CACHE_PARTS. */
static enum cache_part
part_of(enum fetch_kind kind)
{
	if (kind == FETCH_ENVELOPE)
		return CACHE_ENVELOPE;
	if (kind == FETCH_BODYSTRUCTURE)
		return CACHE_BODYSTRUCTURE;
	return kind == FETCH_BODY ? CACHE_BODY : CACHE_PARTS;
}

static struct span
known(struct imap *s, enum fetch_kind kind, size_t i)
{
	return known_part(&s->known, &s->box->msgs[i], part_of(kind));
}

static void
learn(struct imap *s, enum fetch_kind kind, size_t i)
{
	const struct message *m = &s->box->msgs[i];

	if (kind == FETCH_ENVELOPE)
		known_learn_header(&s->known, m, &s->shown);
	else if (part_of(kind) != CACHE_PARTS)
		known_learn_structure(&s->known, m, &s->shown);
}

static bool
needs_file(struct imap *s, const struct fetch_item *item, size_t i)
{
	switch (item->kind) {
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
	case FETCH_ENVELOPE:
		return known(s, item->kind, i).p == NULL;
	case FETCH_SECTION:
		return true;
	case FETCH_SIZE:
		return s->box->msgs[i].wire == 0;
	case FETCH_DATE:
	case FETCH_FLAGS:
	case FETCH_SAVED:
	case FETCH_UID:
		break;
	}
	return false;
}

static int
prepare(struct imap *s, const struct fetch *f, size_t i)
{
	for (size_t k = 0; k < f->n; k++) {
		if (f->item[k].kind != FETCH_FLAGS &&
		    f->item[k].kind != FETCH_UID &&
		    mailbox_learn(s->box, i) == -1)
			return -1;
		if (f->item[k].kind == FETCH_SAVED &&
		    mailbox_saved(s->box, i) == 0)
			return -1;
		if (!needs_file(s, &f->item[k], i))
			continue;
		if (shown_open(&s->shown, s->box, i) == -1 ||
		    prepare_item(s, &f->item[k], i) == -1)
			return -1;
		learn(s, f->item[k].kind, i);
	}
	return 0;
}

/* Sends a literal, or the part of it that was asked for. */
static void
send_text(struct imap *s, const struct fetch_item *item, struct span text)
{
	if (item->partial)
		text = span_head(span_skip(text, item->offset), item->count);
	out_fmt(&s->out, " {%zu}\r\n", text.n);
	out_span(&s->out, text);
}

/* A literal's length is promised before its bytes: where they cannot be
 * had, the connection is of no more use. */
static void
send_range(
    struct imap *s, const struct fetch_item *item, uint64_t at, uint64_t n)
{
	uint64_t wire = 0, offset = 0;
	bool bad = shown_measure(&s->shown, at, n, &wire) == -1;

	if (item->partial) {
		offset = item->offset < wire ? item->offset : wire;
		wire -= offset;
		wire = item->count < wire ? item->count : wire;
	}
	out_fmt(&s->out, " {%llu}\r\n", (unsigned long long)wire);
	if (bad || shown_send(&s->shown, offset, wire, &s->out) == -1) {
		(void)out_flush(&s->out); /* as much as there is */
		s->out.error = EIO;
		s->end = "message cannot be read";
	}
}

static bool
is_listed(const struct section *s, struct span name)
{
	for (size_t i = 0; i < s->nfields; i++)
		if (span_eq_nocase(s->field[i], name))
			return true;
	return false;
}

/* RFC 3501 6.4.5: the fields, and always an empty line. */
static void
send_fields(struct imap *s, struct fetching *f, const struct fetch_item *item,
    struct span header)
{
	bool wanted = item->section.text == SECTION_FIELDS;
	struct header_field field;

	buf_reset(&f->wire);
	while (header_next(&header, &field)) {
		if (is_listed(&item->section, field.name) != wanted)
			continue;
		(void)shown_wire(field.whole, &f->wire); /* it has room */
		if (!span_ends(field.whole, "\n"))
			(void)buf_add_str(&f->wire, "\r\n");
	}
	(void)buf_add_str(&f->wire, "\r\n");
	send_text(s, item, buf_span(&f->wire));
}

static bool
is_fields(const struct section *s)
{
	return s->text == SECTION_FIELDS || s->text == SECTION_FIELDS_NOT;
}

static void
send_top(struct imap *s, struct fetching *f, const struct fetch_item *item)
{
	struct shown *m = &s->shown;
	struct span header;

	if (is_fields(&item->section)) {
		(void)shown_header(m, &header); /* it is in memory */
		send_fields(s, f, item, header);
	} else if (item->section.text == SECTION_HEADER)
		send_range(s, item, 0, m->head);
	else if (item->section.text == SECTION_TEXT)
		send_range(s, item, m->head, m->size - m->head);
	else
		send_range(s, item, 0, m->size);
}

static bool
is_message(const struct mime_part *part)
{
	return span_is(part->type, "message") &&
	       span_is(part->subtype, "rfc822") && part->child;
}

static void
send_part_fields(struct imap *s, struct fetching *f,
    const struct fetch_item *item, const struct mime_range *r)
{
	struct span header = { "", 0 };

	if (shown_part(&s->shown, r->at, r->n, &header) == -1)
		f->error = errno;
	send_fields(s, f, item, header);
}

static void
send_part(struct imap *s, struct fetching *f, const struct fetch_item *item)
{
	const struct section *section = &item->section;
	const struct mime_part *part =
	    mime_section(s->shown.root, section->number, section->depth);
	const struct mime_range *r = NULL;

	if (part && section->text == SECTION_ALL)
		r = &part->body;
	else if (part && section->text == SECTION_MIME)
		r = &part->header;
	else if (part && is_message(part))
		r = section->text == SECTION_TEXT ? &part->child->body
						  : &part->child->header;
	if (r == NULL)
		out_str(&s->out, " NIL");
	else if (is_fields(section))
		send_part_fields(s, f, item, r);
	else
		send_range(s, item, r->at, r->n);
}

static void
send_section(struct imap *s, struct fetching *f, const struct fetch_item *item)
{
	buf_reset(&f->text);
	fetch_label(item, &f->text);
	out_span(&s->out, buf_span(&f->text));
	if (item->section.depth > 0)
		send_part(s, f, item);
	else
		send_top(s, f, item);
}

/* Where even this is too much, an empty one is sent and the command ends
 * with NO. */
static void
send_built(struct imap *s, struct fetching *f, int built, const char *name,
    const char *empty)
{
	out_str(&s->out, name);
	if (built == 0)
		out_span(&s->out, buf_span(&f->text));
	else {
		out_str(&s->out, empty);
		f->error = EFBIG;
	}
}

static void
send_envelope(struct imap *s, struct fetching *f)
{
	struct span header;
	int r = shown_header(&s->shown, &header);

	buf_reset(&f->text);
	arena_reset(&f->arena);
	if (r == 0)
		r = imap_envelope(header, &f->arena, &f->text);
	send_built(
	    s, f, r, "ENVELOPE ", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
}

static void
send_structure(struct imap *s, struct fetching *f, bool extended)
{
	struct source source = shown_source(&s->shown);
	int r;

	buf_reset(&f->text);
	arena_reset(&f->arena);
	r = imap_bodystructure_from(
	    &source, s->shown.root, extended, &f->arena, &f->text);
	send_built(s, f, r, extended ? "BODYSTRUCTURE " : "BODY ",
	    "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0)");
}

/* As it is known, or else made. */
static void
send_parsed(struct imap *s, struct fetching *f, enum fetch_kind kind, size_t i)
{
	struct span text = known(s, kind, i);

	if (text.p == NULL && kind == FETCH_ENVELOPE)
		send_envelope(s, f);
	else if (text.p == NULL)
		send_structure(s, f, kind == FETCH_BODYSTRUCTURE);
	else {
		out_str(&s->out, kind == FETCH_ENVELOPE ? "ENVELOPE "
				 : kind == FETCH_BODY   ? "BODY "
							: "BODYSTRUCTURE ");
		out_span(&s->out, text);
	}
}

static void
send_flags(struct imap *s, size_t i)
{
	out_str(&s->out, "FLAGS ");
	reply_message_flags(s, i);
	mailbox_told(s->box, i);
}

/* RFC 8514 4.2 */
static void
send_saved(struct imap *s, size_t i)
{
	int64_t saved = mailbox_saved(s->box, i);
	char date[DATE_TEXT];

	out_fmt(&s->out, "SAVEDATE \"%s\"",
	    date_imap(saved, date_zone(saved), date));
}

static void
send_item(
    struct imap *s, struct fetching *f, const struct fetch_item *item, size_t i)
{
	const struct message *m = &s->box->msgs[i];
	char date[DATE_TEXT];

	switch (item->kind) {
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
	case FETCH_ENVELOPE:
		send_parsed(s, f, item->kind, i);
		break;
	case FETCH_DATE:
		out_str(&s->out, "INTERNALDATE \"");
		out_str(&s->out, date_imap(m->date, date_zone(m->date), date));
		out_str(&s->out, "\"");
		break;
	case FETCH_FLAGS:
		send_flags(s, i);
		break;
	case FETCH_SAVED:
		send_saved(s, i);
		break;
	case FETCH_SECTION:
		send_section(s, f, item);
		break;
	case FETCH_SIZE:
		reply_number(s, "RFC822.SIZE ", m->wire, "");
		break;
	case FETCH_UID:
		reply_number(s, "UID ", m->uid, "");
		break;
	}
}

/* True if one of the items sets \Seen, or tells the flags. */
static bool
has_kind(const struct fetch *f, enum fetch_kind kind)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->item[i].kind == kind)
			return true;
	return false;
}

static bool
sets_seen(const struct fetch *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->item[i].peek)
			return true;
	return false;
}

static void
send_message(struct imap *s, struct fetching *f, size_t i, bool flags)
{
	const char *blank = "";

	if (prepare(s, &f->what, i) == -1) {
		f->error = errno;
		return;
	}
	if (s->box->nkeywords != s->nkeywords)
		reply_flags(s);
	reply_number(s, "* ", i + 1, " FETCH (");
	if (s->by_uid && !has_kind(&f->what, FETCH_UID)) {
		reply_number(s, "UID ", s->box->msgs[i].uid, "");
		blank = " ";
	}
	for (size_t k = 0; k < f->what.n && s->out.error == 0; k++) {
		out_str(&s->out, blank);
		send_item(s, f, &f->what.item[k], i);
		blank = " ";
	}
	if (flags && !has_kind(&f->what, FETCH_FLAGS)) {
		out_str(&s->out, blank);
		send_flags(s, i);
	}
	out_str(&s->out, ")\r\n");
}

/* A window of messages: all become \Seen first, in one durable change. */
static void
send_window(struct imap *s, struct fetching *f, const size_t *which, size_t n)
{
	size_t unseen[WINDOW], nunseen = 0;
	size_t k = 0;

	if (!s->box->read_only && sets_seen(&f->what))
		for (size_t i = 0; i < n; i++)
			if (!(s->box->msgs[which[i]].flags & FLAG_SEEN) &&
			    !s->box->msgs[which[i]].gone)
				unseen[nunseen++] = which[i];
	/* The mail is shown even where the flag cannot be kept. */
	if (nunseen > 0 && mailbox_store(s->box, unseen, nunseen, FLAGS_ADD,
			       FLAG_SEEN, 0) == -1)
		nunseen = 0;
	for (size_t i = 0; i < n && s->out.error == 0; i++) {
		bool now_seen = k < nunseen && unseen[k] == which[i];

		k += now_seen;
		send_message(s, f, which[i], now_seen);
	}
}

static void
finish(struct imap *s, const struct fetching *f)
{
	if (s->out.error)
		s->done = true;
	else if (f->error == ENOENT && !s->by_uid)
		reply_no(s, "EXPUNGEISSUED", "Some messages are gone");
	else if (f->error && f->error != ENOENT) {
		errno = f->error;
		reply_errno(s);
	} else
		reply_ok(s, "Done");
}

static void
fetch(struct imap *s, const struct fetch *what, const size_t *which, size_t n)
{
	struct fetching f = { .what = *what,
		.arena = arena_new(ARENA_BYTES),
		.text = buf_new(STRUCTURE_BYTES),
		.wire = buf_new((size_t)MIME_HEADER * 3) };

	if (has_kind(what, FETCH_ENVELOPE) || has_kind(what, FETCH_BODY) ||
	    has_kind(what, FETCH_BODYSTRUCTURE))
		known_begin(&s->known, n);
	for (size_t i = 0; i < n && s->out.error == 0; i += WINDOW)
		send_window(
		    s, &f, which + i, n - i < WINDOW ? n - i : (size_t)WINDOW);
	known_end(&s->known);
	arena_free(&f.arena);
	buf_free(&f.text);
	buf_free(&f.wire);
	finish(s, &f);
}

void
cmd_fetch(struct imap *s, struct parse *p)
{
	struct set set;
	struct fetch what;
	size_t *which, n;

	parse_space(p);
	set_parse(p, &set);
	parse_space(p);
	fetch_parse(p, &what);
	if (!parse_end(p))
		reply_bad(s, p->error);
	else if (session_messages(s, &set, &which, &n) == 0)
		fetch(s, &what, which, n);
}
