/* One batch of the journal: built, checked, taken in. */
#include "store/bytes.h"
#include "store/state.h"
#include "store/sum.h"

#include <errno.h>
#include <stdio.h>

/* Records: type, bits, length of the whole record, body. */
enum {
	RECORD_HEAD = 4,
	RECORD_NEW = 1,
	RECORD_FLAGS = 2,
	RECORD_NAME = 3,
	RECORD_GONE = 4,
	RECORD_KEYWORD = 5,
	RECORD_TIMES = 6,
	RECORD_UIDNEXT = 7,
	RECORD_FACTS = 8,
	BIT_IN_NEW = 1, /* NEW and NAME */
	BIT_VAGUE = 2,  /* NEW */
	BIT_PROVEN = 1, /* TIMES */
	BIT_LATE = 1,   /* FLAGS */
	NEW_BODY = 52,  /* and the name */
	FLAGS_BODY = 14,
	NAME_BODY = 4, /* and the name */
	GONE_BODY = 12,
	KEYWORD_BODY = 1, /* and the keyword */
	TIMES_BODY = 24,
	UIDNEXT_BODY = 4,
	FACTS = 24,
	FACTS_BODY = 28,
	ALIGN = 8
};

struct batch
batch_begin(void)
{
	static const char head[JOURNAL_FRAME];
	struct batch f = { .b = buf_new(JOURNAL_FRAME_MAX) };

	buf_add(&f.b, head, sizeof head);
	return f;
}

void
batch_free(struct batch *f)
{
	buf_free(&f->b);
}

static void
add_record(
    struct batch *f, int type, int bits, struct span body, struct span text)
{
	char head[RECORD_HEAD] = { (char)type, (char)bits };

	put16(head + 2, (uint16_t)(sizeof head + body.n + text.n));
	buf_add(&f->b, head, sizeof head);
	buf_add_span(&f->b, body);
	buf_add_span(&f->b, text);
	f->n++;
}

/* Date, size, save date and wire, as NEW and FACTS have them. */
static void
put_facts(char out[FACTS], const struct message *msg)
{
	put64(out, (uint64_t)msg->date);
	put32(out + 8, msg->size);
	put32(out + 12, msg->saved);
	put64(out + 16, msg->wire);
}

static void
get_facts(const char in[FACTS], struct message *msg)
{
	msg->date = (int64_t)get64(in);
	msg->size = get32(in + 8);
	msg->saved = get32(in + 12);
	msg->wire = get64(in + 16);
}

void
batch_new(struct batch *f, const struct message *msg, const char *name)
{
	char body[NEW_BODY];

	put32(body, msg->uid);
	put64(body + 4, msg->flags);
	put64(body + 12, msg->keywords);
	put64(body + 20, msg->id);
	put_facts(body + 28, msg);
	add_record(f, RECORD_NEW,
	    (msg->in_new ? BIT_IN_NEW : 0) | (msg->vague ? BIT_VAGUE : 0),
	    span_of(body, sizeof body), span_str(name));
	f->counts = true;
}

static void
add_flags(struct batch *f, int bits, uint32_t uid, unsigned flags,
    uint64_t keywords)
{
	char body[FLAGS_BODY];

	put32(body, uid);
	put16(body + 4, (uint16_t)flags);
	put64(body + 6, keywords);
	add_record(f, RECORD_FLAGS, bits, span_of(body, sizeof body),
	    span_of(NULL, 0));
	f->counts = true;
}

void
batch_flags(struct batch *f, uint32_t uid, unsigned flags, uint64_t keywords)
{
	add_flags(f, 0, uid, flags, keywords);
}

void
batch_late_flags(
    struct batch *f, uint32_t uid, unsigned flags, uint64_t keywords)
{
	add_flags(f, BIT_LATE, uid, flags, keywords);
}

void
batch_facts(struct batch *f, const struct message *msg)
{
	char body[FACTS_BODY];

	put32(body, msg->uid);
	put_facts(body + 4, msg);
	add_record(
	    f, RECORD_FACTS, 0, span_of(body, sizeof body), span_of(NULL, 0));
}

void
batch_name(struct batch *f, uint32_t uid, const char *name, bool in_new)
{
	char body[NAME_BODY];

	put32(body, uid);
	add_record(f, RECORD_NAME, in_new ? BIT_IN_NEW : 0,
	    span_of(body, sizeof body), span_str(name));
}

void
batch_gone(struct batch *f, const struct message *msg)
{
	char body[GONE_BODY];

	put32(body, msg->uid);
	put64(body + 4, msg->id);
	add_record(
	    f, RECORD_GONE, 0, span_of(body, sizeof body), span_of(NULL, 0));
	f->counts = true;
}

void
batch_keyword(struct batch *f, size_t slot, struct span name)
{
	char body[KEYWORD_BODY] = { (char)slot };

	add_record(f, RECORD_KEYWORD, 0, span_of(body, sizeof body), name);
}

void
batch_times(struct batch *f, const struct scan_times *t)
{
	char body[TIMES_BODY];

	put64(body, (uint64_t)t->cur.tv_sec);
	put32(body + 8, (uint32_t)t->cur.tv_nsec);
	put64(body + 12, (uint64_t)t->fresh.tv_sec);
	put32(body + 20, (uint32_t)t->fresh.tv_nsec);
	add_record(f, RECORD_TIMES, t->proven ? BIT_PROVEN : 0,
	    span_of(body, sizeof body), span_of(NULL, 0));
}

void
batch_uidnext(struct batch *f, uint32_t uidnext)
{
	char body[UIDNEXT_BODY];

	put32(body, uidnext);
	add_record(
	    f, RECORD_UIDNEXT, 0, span_of(body, sizeof body), span_of(NULL, 0));
}

static uint32_t
batch_sum(struct span frame, uint32_t seed)
{
	return sum_crc(sum_crc(seed, span_head(frame, 4)), span_skip(frame, 8));
}

struct span
batch_end(struct batch *f, uint64_t modseq, uint32_t seed)
{
	while (f->b.n % ALIGN != 0)
		buf_add_byte(&f->b, '\0');
	if (f->b.full)
		return span_of(NULL, 0);
	put32(f->b.p, (uint32_t)f->b.n);
	put64(f->b.p + 8, modseq);
	put32(f->b.p + 16, f->n);
	put32(f->b.p + 4, batch_sum(buf_span(&f->b), seed));
	return buf_span(&f->b);
}

size_t
batch_check(struct span s, uint32_t seed)
{
	size_t n;

	if (s.n < JOURNAL_FRAME)
		return 0;
	n = get32(s.p);
	if (n < JOURNAL_FRAME || n > s.n || n > JOURNAL_FRAME_MAX ||
	    n % ALIGN != 0)
		return 0;
	return batch_sum(span_head(s, n), seed) == get32(s.p + 4) ? n : 0;
}

static int
damaged(void)
{
	errno = EBADMSG;
	return -1;
}

static bool
is_name(struct span name)
{
	struct maildir_name parsed;

	return maildir_parse(name, &parsed);
}

static int
apply_new(struct mailbox *m, int bits, struct span body, uint64_t modseq)
{
	struct span name = span_skip(body, NEW_BODY);
	struct message msg = { .modseq = modseq,
		.in_new = (bits & BIT_IN_NEW) != 0,
		.vague = (bits & BIT_VAGUE) != 0 };

	if (body.n < NEW_BODY || !is_name(name))
		return damaged();
	msg.uid = get32(body.p);
	msg.flags = (unsigned)get16(body.p + 4) & FLAG_ALL;
	msg.keywords = get64(body.p + 12);
	msg.id = get64(body.p + 20);
	get_facts(body.p + 28, &msg);
	if (msg.uid < m->uidnext || msg.uid == UINT32_MAX)
		return damaged();
	m->uidnext = msg.uid + 1;
	return m->state->light ? 0 : view_add(m, &msg, name);
}

/* The file's name follows from the flags; it is a hint, and where it is
 * too long for a name the old one stays. */
static int
apply_flags(struct mailbox *m, int bits, struct span body, uint64_t modseq)
{
	char name[MAILDIR_NAME];
	unsigned flags;
	size_t i;

	if (body.n != FLAGS_BODY)
		return damaged();
	i = view_at(m, get32(body.p));
	if (i == SIZE_MAX)
		return 0;
	flags = get16(body.p + 4) & FLAG_ALL;
	if (bits & BIT_LATE)
		view_edit(m, i)->late = m->state->late = true;
	else if (flags != m->msgs[i].flags &&
	    maildir_rename(
		span_str(mailbox_file(m, i)), 0, flags, name) == 0 &&
	    view_set_name(m, i, span_str(name), false) == -1)
		return -1;
	view_flags(m, i, flags, get64(body.p + 6), modseq);
	return 0;
}

static int
apply_name(struct mailbox *m, int bits, struct span body)
{
	struct span name = span_skip(body, NAME_BODY);
	size_t i;

	if (body.n < NAME_BODY || !is_name(name))
		return damaged();
	i = view_at(m, get32(body.p));
	if (i == SIZE_MAX)
		return 0;
	return view_set_name(m, i, name, (bits & BIT_IN_NEW) != 0);
}

static int
apply_facts(struct mailbox *m, struct span body)
{
	struct message facts;
	size_t i;

	if (body.n != FACTS_BODY)
		return damaged();
	i = view_at(m, get32(body.p));
	get_facts(body.p + 4, &facts);
	if (i != SIZE_MAX)
		facts_take(m, i, &facts);
	return 0;
}

static int
apply_gone(struct mailbox *m, struct span body, uint64_t modseq)
{
	uint32_t uid;
	size_t i;

	if (body.n != GONE_BODY)
		return damaged();
	uid = get32(body.p);
	i = view_at(m, uid);
	if (i != SIZE_MAX) {
		view_gone(m, i, modseq);
	} else {
		m->state->lost_digest += sum_message(uid, get64(body.p + 4));
		m->state->lost_count++;
	}
	return 0;
}

static int
apply_times(struct mailbox *m, int bits, struct span body)
{
	struct scan_times *t = &m->state->times;

	if (body.n != TIMES_BODY)
		return damaged();
	t->cur.tv_sec = (time_t)get64(body.p);
	t->cur.tv_nsec = (long)get32(body.p + 8);
	t->fresh.tv_sec = (time_t)get64(body.p + 12);
	t->fresh.tv_nsec = (long)get32(body.p + 20);
	t->proven = (bits & BIT_PROVEN) != 0;
	return 0;
}

static int
apply_uidnext(struct mailbox *m, struct span body)
{
	if (body.n != UIDNEXT_BODY || get32(body.p) < m->uidnext)
		return damaged();
	m->uidnext = get32(body.p);
	return 0;
}

static int
apply_record(
    struct mailbox *m, int type, int bits, struct span body, uint64_t modseq)
{
	switch (type) {
	case RECORD_NEW:
		return apply_new(m, bits, body, modseq);
	case RECORD_FLAGS:
		return apply_flags(m, bits, body, modseq);
	case RECORD_NAME:
		return apply_name(m, bits, body);
	case RECORD_FACTS:
		return apply_facts(m, body);
	case RECORD_GONE:
		return apply_gone(m, body, modseq);
	case RECORD_KEYWORD:
		if (body.n < KEYWORD_BODY)
			return damaged();
		return view_keyword(
		    m, (unsigned char)body.p[0], span_skip(body, KEYWORD_BODY));
	case RECORD_TIMES:
		return apply_times(m, bits, body);
	case RECORD_UIDNEXT:
		return apply_uidnext(m, body);
	default:
		return damaged();
	}
}

int
batch_apply(struct mailbox *m, struct span frame)
{
	uint64_t modseq = get64(frame.p + 8);
	uint32_t n = get32(frame.p + 16);

	if (modseq < m->highestmodseq || modseq > INT64_MAX)
		return damaged();
	frame = span_skip(frame, JOURNAL_FRAME);
	while (n-- > 0) {
		size_t length;
		struct span body;

		if (frame.n < RECORD_HEAD)
			return damaged();
		length = get16(frame.p + 2);
		if (length < RECORD_HEAD || length > frame.n)
			return damaged();
		body = span_skip(span_head(frame, length), RECORD_HEAD);
		if (apply_record(m, frame.p[0], frame.p[1], body, modseq) == -1)
			return -1;
		frame = span_skip(frame, length);
	}
	m->highestmodseq = modseq;
	return 0;
}
