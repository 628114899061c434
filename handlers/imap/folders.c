/* CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE STATUS (RFC 3501 6.3). */
#include "session.h"

#include <errno.h>

/* One mailbox name and nothing else: false after an answer was given. */
static bool
one_mailbox(struct imap *s, struct parse *p, bool creating, struct span *name)
{
	struct span wire;

	parse_space(p);
	wire = parse_astring(p);
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return false;
	}
	/* RFC 3501 6.3.3: the separator says that there will be children. */
	if (creating && span_ends(wire, "/"))
		wire.n--;
	*name = name_of_wire(p, wire);
	if (name->p)
		return true;
	errno = EINVAL;
	reply_errno(s);
	return false;
}

static void
answer(struct imap *s, int r)
{
	if (r == -1)
		reply_errno(s);
	else
		reply_ok(s, "Done");
}

void
cmd_create(struct imap *s, struct parse *p)
{
	struct span name;

	if (one_mailbox(s, p, true, &name))
		answer(s, account_create(&s->account, name));
}

void
cmd_delete(struct imap *s, struct parse *p)
{
	struct span name;
	int r;

	if (!one_mailbox(s, p, false, &name))
		return;
	r = account_delete(&s->account, name);
	/* It cannot stay selected. */
	if (r == 0 && s->box && span_is(name, s->box_name))
		session_unselect(s);
	answer(s, r);
}

void
cmd_subscribe(struct imap *s, struct parse *p)
{
	struct span name;

	if (one_mailbox(s, p, false, &name))
		answer(s, account_subscribe(&s->account, name, true));
}

void
cmd_unsubscribe(struct imap *s, struct parse *p)
{
	struct span name;

	if (one_mailbox(s, p, false, &name))
		answer(s, account_subscribe(&s->account, name, false));
}

/* The selected mailbox, or one below that was renamed, goes on under its new
 * name. */
static void
follow_name(struct imap *s, struct span from, struct span to)
{
	struct span old = span_str(s->box_name);
	char name[sizeof s->box_name];
	struct span below;

	if (old.n < from.n || !span_eq(span_head(old, from.n), from) ||
	    (old.n > from.n && old.p[from.n] != '/'))
		return;
	below = span_skip(old, from.n);
	if (span_copy(to, name, sizeof name) == 0 &&
	    span_copy(below, name + to.n, sizeof name - to.n) == 0)
		memcpy(s->box_name, name, to.n + below.n + 1);
}

void
cmd_rename(struct imap *s, struct parse *p)
{
	struct span from, to, wire;
	int r;

	parse_space(p);
	from = parse_mailbox(p);
	parse_space(p);
	wire = parse_astring(p);
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	if (span_ends(wire, "/"))
		wire.n--;
	to = name_of_wire(p, wire);
	errno = EINVAL;
	r = from.p && to.p ? account_rename(&s->account, from, to) : -1;
	if (r == 0 && s->box && !span_is(from, "INBOX"))
		follow_name(s, from, to);
	answer(s, r);
}

enum status_item {
	STATUS_MESSAGES,
	STATUS_RECENT,
	STATUS_UIDNEXT,
	STATUS_UIDVALIDITY,
	STATUS_UNSEEN,
	STATUS_DELETED, /* RFC 9208 4.1.4, as the next */
	STATUS_DELETED_STORAGE,
	STATUS_ITEMS
};

static const char *const status_names[STATUS_ITEMS] = {
	[STATUS_MESSAGES] = "MESSAGES",
	[STATUS_RECENT] = "RECENT",
	[STATUS_UIDNEXT] = "UIDNEXT",
	[STATUS_UIDVALIDITY] = "UIDVALIDITY",
	[STATUS_UNSEEN] = "UNSEEN",
	[STATUS_DELETED] = "DELETED",
	[STATUS_DELETED_STORAGE] = "DELETED-STORAGE",
};

/* "(" 1*item ")": a bit for each. */
static unsigned
parse_status_items(struct parse *p)
{
	unsigned items = 0;

	parse_byte(p, '(');
	do {
		struct span word = parse_atom(p);
		size_t i = 0;

		while (
		    i < STATUS_ITEMS && !span_is_nocase(word, status_names[i]))
			i++;
		if (i == STATUS_ITEMS)
			parse_fail(p, "no such item");
		else
			items |= 1u << i;
	} while (parse_try(p, ' '));
	parse_byte(p, ')');
	return items;
}

static void
tell_status(struct imap *s, struct span name, unsigned items,
    const struct mailbox_status *status)
{
	const uint64_t values[STATUS_ITEMS] = {
		[STATUS_MESSAGES] = status->messages,
		[STATUS_RECENT] = status->recent,
		[STATUS_UIDNEXT] = status->uidnext,
		[STATUS_UIDVALIDITY] = status->uidvalidity,
		[STATUS_UNSEEN] = status->unseen,
		[STATUS_DELETED] = status->deleted,
		[STATUS_DELETED_STORAGE] = status->deleted_size,
	};
	const char *blank = "";

	out_str(&s->out, "* STATUS ");
	reply_mailbox(s, name);
	out_str(&s->out, " (");
	for (size_t i = 0; i < STATUS_ITEMS; i++)
		if (items & 1u << i) {
			out_fmt(&s->out, "%s%s %llu", blank, status_names[i],
			    (unsigned long long)values[i]);
			blank = " ";
		}
	out_str(&s->out, ")\r\n");
}

void
cmd_status(struct imap *s, struct parse *p)
{
	struct mailbox_status status;
	struct span name;
	unsigned items;

	parse_space(p);
	name = parse_mailbox(p);
	parse_space(p);
	items = parse_status_items(p);
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	errno = EINVAL;
	if (name.p == NULL ||
	    mailbox_status(&s->account, name,
		(items & 1U << STATUS_DELETED_STORAGE) != 0, &status) == -1) {
		reply_errno(s);
		return;
	}
	tell_status(s, name, items, &status);
	reply_ok(s, "Done");
}
