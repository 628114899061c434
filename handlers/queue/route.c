/* Where a recipient's mail goes: look-ups and aliases. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "auth/users.h"
#include "base/io.h"
#include "base/log.h"
#include "qsend.h"

/* The recipients that are there before aliases add more, by address: a table
 * of their numbers, each plus one, at least half of it free. */
struct named {
	uint32_t *slot; /* NULL: there was no memory for it */
	size_t mask;
};

struct routing {
	struct qsend *q;
	struct work *w;
	int users; /* -1: the database cannot be opened */
	int64_t now;
	struct named named;
};

/* A clock that went back must not stop the queue. */
static bool
is_due(const struct qsend *q, const char *id, const struct rcpt *r,
    int64_t now)
{
	return retry_due(&q->conf, id, r) <= now || r->last > now;
}

static int
open_users(const struct qsend *q)
{
	char path[PATH_MAX];
	int fd;

	if (conf_etc(&q->conf, "users.cdb", path) == -1)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		log_error("users", path, errno);
	return fd;
}

static enum users_kind
look_up(const struct routing *r, struct span address,
    struct users_record *record)
{
	if (r->users == -1)
		return USERS_TEMPFAIL;
	return users_find(r->users, address, r->q->conf.domain, record);
}

static void
outcome(const struct routing *r, size_t i, enum outcome_word word,
    const char *code, struct span text)
{
	struct outcome o = { .index = i, .word = word, .time = r->now,
		.code = span_str(code), .text = text };

	work_record(r->w, &o);
}

/* ---- who is named twice ---- */

static struct named
name_all(const struct state *s, struct arena *a)
{
	struct named n = { .mask = 4 };

	while (n.mask < 2 * s->n)
		n.mask *= 2;
	n.slot = arena_alloc(a, n.mask--, sizeof *n.slot);
	for (size_t i = 0; n.slot && i < s->n && i < UINT32_MAX; i++) {
		size_t at = span_hash_nocase(s->rcpt[i].address) & n.mask;

		while (n.slot[at] != 0)
			at = (at + 1) & n.mask;
		n.slot[at] = (uint32_t)i + 1;
	}
	return n;
}

/* RFC 5321 2.4: what stands before the @ is for its own host to read. */
static bool
is_same(struct span a, struct span b, bool foreign)
{
	size_t at = span_rfind(a, '@');

	return span_eq_nocase(a, b) &&
	    (!foreign || span_eq(span_head(a, at), span_head(b, at)));
}

/* Whether a recipient before number i is the same address. */
static bool
is_named_before(const struct routing *r, size_t i, bool foreign)
{
	const struct rcpt *rcpt = r->w->state.rcpt;
	const struct named *n = &r->named;
	size_t at;

	if (n->slot == NULL)
		return false;
	at = span_hash_nocase(rcpt[i].address) & n->mask;
	for (; n->slot[at] != 0; at = (at + 1) & n->mask)
		if (n->slot[at] <= i &&
		    is_same(rcpt[n->slot[at] - 1].address, rcpt[i].address,
			foreign))
			return true;
	return false;
}

/* ---- aliases: the addresses at the end of all of them ---- */

struct expansion {
	struct arena arena;
	struct span *seen; /* EXPAND_MAX addresses, each looked at once */
	size_t n;
	struct buf list; /* those that are no alias, with commas */
};

#define ROUTE_FAULT "4.3.5"

/*
 * Not the sender's fault: it waits.  A look-up costs little, so it is made
 * often; what counts as a try is when the recipient is due.
 */
static void
local_fault(const struct routing *r, size_t i, const char *what)
{
	const char *id = table_entry(&r->q->table, r->w->entry)->id;
	struct outcome o = { .index = i, .word = OUTCOME_TEMP, .time = r->now,
		.code = SPAN(ROUTE_FAULT), .text = span_str(what) };
	struct log l;

	r->w->local_fault = true;
	log_start(&l, "not-routed");
	log_span(&l, "id", r->w->envelope.id);
	log_span(&l, "to", r->w->state.rcpt[i].address);
	log_str(&l, "what", what);
	log_end(&l);
	if (is_due(r->q, id, &r->w->state.rcpt[i], r->now))
		work_outcome(r->q, r->w, &o, true);
}

/* Adds the members of one alias; false: too many. */
static bool
add_members(const struct routing *r, struct expansion *x, struct span members)
{
	while (members.n > 0) {
		struct span one = span_trim(span_take(&members, ','));
		char full[USERS_ADDRESS];
		size_t i = 0;

		if (users_login(one, r->q->conf.domain, full) == -1)
			continue;
		while (i < x->n && !span_is_nocase(x->seen[i], full))
			i++;
		if (i < x->n)
			continue;
		if (x->n == EXPAND_MAX)
			return false;
		x->seen[x->n] = arena_copy(&x->arena, span_str(full));
		if (x->seen[x->n].p == NULL)
			return false;
		x->n++;
	}
	return true;
}

static bool
is_rcpt(const struct state *s, struct span address)
{
	for (size_t i = 0; i < s->n; i++)
		if (span_eq_nocase(s->rcpt[i].address, address))
			return true;
	return false;
}

/* A member that has the message already, as a recipient, gets it once. */
static void
add_final(const struct routing *r, struct expansion *x, struct span address)
{
	if (is_rcpt(&r->w->state, address))
		return;
	if (x->list.n > 0)
		(void)buf_add_byte(&x->list, ',');
	(void)buf_add_span(&x->list, address);
}

enum expanded {
	EXPAND_OK,
	EXPAND_LATER,
	EXPAND_TOO_MANY,
	EXPAND_LOOP
};

/*
 * Goes through the addresses in the order found.  What is looked at grows
 * by the members of each alias, and nothing is looked at twice: a loop ends
 * by itself, and if there is nothing but a loop, nothing comes out.
 */
static enum expanded
expand(const struct routing *r, struct expansion *x, struct span first)
{
	bool any = false;

	if (!add_members(r, x, first))
		return EXPAND_TOO_MANY;
	for (size_t i = 0; i < x->n; i++) {
		struct users_record record;

		switch (look_up(r, x->seen[i], &record)) {
		case USERS_TEMPFAIL:
			return EXPAND_LATER;
		case USERS_ALIAS:
			if (!add_members(r, x, span_str(record.alias)))
				return EXPAND_TOO_MANY;
			break;
		case USERS_NONE:
		case USERS_FOREIGN:
		case USERS_MAILBOX:
			any = true;
			add_final(r, x, x->seen[i]);
			break;
		}
	}
	return any ? EXPAND_OK : EXPAND_LOOP;
}

static size_t
count(struct span list)
{
	size_t n = list.n > 0;

	for (size_t i = 0; i < list.n; i++)
		n += list.p[i] == ',';
	return n;
}

static void
take_expansion(const struct routing *r, size_t i, struct expansion *x,
    enum expanded result)
{
	const struct state *s = &r->w->state;
	size_t more = count(buf_span(&x->list));

	if (result == EXPAND_OK && (x->list.full || s->n + more > r->w->routes))
		result = EXPAND_TOO_MANY;
	switch (result) {
	case EXPAND_LATER:
		local_fault(r, i, "users.cdb");
		return;
	case EXPAND_TOO_MANY:
		outcome(r, i, OUTCOME_PERM, "5.2.4",
		    span_str("The alias leads to too many addresses"));
		return;
	case EXPAND_LOOP:
		outcome(r, i, OUTCOME_PERM, "5.4.6",
		    span_str("The alias leads back to itself"));
		return;
	case EXPAND_OK:
		break;
	}
	if (more > 0)
		outcome(r, i, OUTCOME_ALIAS, "2.1.5", buf_span(&x->list));
	else
		outcome(r, i, OUTCOME_OK, "2.1.5",
		    span_str("All its addresses are recipients already"));
}

static void
route_alias(const struct routing *r, size_t i, const char *members)
{
	struct expansion x = { .arena = arena_new(EXPAND_MAX * 512),
		.list = buf_new(EXPAND_MAX * USERS_ADDRESS) };

	x.seen = arena_alloc(&x.arena, EXPAND_MAX, sizeof *x.seen);
	if (x.seen)
		take_expansion(r, i, &x, expand(r, &x, span_str(members)));
	else
		local_fault(r, i, "memory");
	arena_free(&x.arena);
	buf_free(&x.list);
}

/* ---- one recipient ---- */

static void
route_local(const struct routing *r, size_t i,
    const struct users_record *record)
{
	struct work *w = r->w;
	char path[PATH_MAX];
	struct route *to = &w->route[i];

	if (users_maildir(&r->q->conf, record, path) == -1) {
		local_fault(r, i, "path");
		return;
	}
	to->maildir = arena_copy(&w->arena, span_str(path));
	to->dest = arena_copy(&w->arena, span_str(record->key));
	if (to->maildir.p == NULL || to->dest.p == NULL) {
		local_fault(r, i, "memory");
		return;
	}
	to->uid = record->uid;
	to->gid = record->gid;
	to->quota.known = users_quota(&r->q->conf, record, &to->quota.bytes,
	    &to->quota.count);
	to->kind = ROUTE_LOCAL;
}

static void
route_remote(const struct routing *r, size_t i)
{
	struct span a = r->w->state.rcpt[i].address;
	struct route *to = &r->w->route[i];

	to->dest = span_skip(a, span_rfind(a, '@') + 1);
	to->kind = ROUTE_REMOTE;
}

static void
route_one(const struct routing *r, size_t i)
{
	struct span address = r->w->state.rcpt[i].address;
	struct users_record record;
	enum users_kind kind = look_up(r, address, &record);

	if (kind != USERS_TEMPFAIL &&
	    is_named_before(r, i, kind == USERS_FOREIGN)) {
		outcome(r, i, OUTCOME_OK, "2.1.5",
		    span_str("The address is a recipient already"));
		return;
	}
	switch (kind) {
	case USERS_TEMPFAIL:
		local_fault(r, i, "users.cdb");
		break;
	case USERS_NONE:
		outcome(r, i, OUTCOME_PERM, "5.1.1",
		    span_str("There is no such address here"));
		break;
	case USERS_FOREIGN:
		route_remote(r, i);
		break;
	case USERS_MAILBOX:
		route_local(r, i, &record);
		break;
	case USERS_ALIAS:
		route_alias(r, i, record.alias);
		break;
	}
}

/* Aliases add recipients behind the one they are found for, so that the
 * loop comes to those too. */
void
route_all(struct qsend *q, struct work *w, int64_t now)
{
	const char *id = table_entry(&q->table, w->entry)->id;
	struct routing r = { .q = q, .w = w, .now = now };

	r.users = open_users(q);
	r.named = name_all(&w->state, &w->arena);
	for (size_t i = 0; i < w->state.n; i++) {
		const struct rcpt *x = &w->state.rcpt[i];

		if (x->state == RCPT_PENDING &&
		    (is_due(q, id, x, now) ||
			(x->fault && span_is(x->code, ROUTE_FAULT))))
			route_one(&r, i);
	}
	if (r.users != -1)
		close(r.users);
}
