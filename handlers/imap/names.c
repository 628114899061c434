/* What a client's arguments name: mailboxes, messages, flags. */
#include "session.h"

#include "text/utf7.h"

#include <errno.h>

/* lib/store takes "inbox/x" for a child of INBOX; one spelling is enough. */
struct span
name_of_wire(struct parse *p, struct span wire)
{
	struct buf name = buf_new(MAILBOX_NAME - 1);
	struct span copy = { NULL, 0 };

	if (span_is_nocase(wire, "INBOX"))
		return span_str("INBOX");
	if (utf7_decode(wire, &name) && !name.full) {
		if (span_starts_nocase(buf_span(&name), "INBOX/"))
			memcpy(name.p, "INBOX", 5);
		copy = arena_copy(p->arena, buf_span(&name));
	}
	buf_free(&name);
	return copy;
}

struct span
parse_mailbox(struct parse *p)
{
	struct span wire = parse_astring(p);

	if (p->error)
		return span_of(NULL, 0);
	return name_of_wire(p, wire);
}

/* Calls for messages at indices [from, to). */
static void
add_run(size_t *which, size_t *n, size_t from, size_t to)
{
	while (from < to)
		which[(*n)++] = from++;
}

static size_t
find_uid(const struct imap *s, uint32_t uid)
{
	size_t i = mailbox_find(s->box, uid);

	return i < s->exists ? i : s->exists;
}

static void
messages_by_uid(
    const struct imap *s, const struct set *set, size_t *which, size_t *n)
{
	for (size_t r = 0; r < set->n; r++) {
		size_t to = set->range[r].hi == UINT32_MAX
				? s->exists
				: find_uid(s, set->range[r].hi + 1);

		add_run(which, n, find_uid(s, set->range[r].lo), to);
	}
}

static void
messages_by_number(
    const struct imap *s, const struct set *set, size_t *which, size_t *n)
{
	for (size_t r = 0; r < set->n; r++) {
		size_t hi = set->range[r].hi, lo = set->range[r].lo;

		/* "*" of an empty mailbox settles to 0. */
		add_run(which, n, lo > 0 ? lo - 1 : 0,
		    hi < s->exists ? hi : s->exists);
	}
}

/* RFC 3501 9, seq-number: a number that no message has is an error. */
static bool
beyond(const struct imap *s, const struct set *set)
{
	return s->exists > 0 && set->n > 0 &&
	       set->range[set->n - 1].lo > s->exists;
}

int
session_messages(struct imap *s, struct set *set, size_t **which, size_t *n)
{
	size_t last = s->exists;
	uint32_t star = (uint32_t)last;

	*n = 0;
	*which = arena_alloc(&s->arena, last + 1, sizeof **which);
	if (*which == NULL) {
		reply_errno(s);
		return -1;
	}
	if (s->by_uid && last > 0)
		star = s->box->msgs[last - 1].uid;
	set_settle(set, star);
	if (!s->by_uid && beyond(s, set)) {
		reply_bad(s, "no message has such a number");
		return -1;
	}
	if (s->by_uid)
		messages_by_uid(s, set, *which, n);
	else
		messages_by_number(s, set, *which, n);
	return 0;
}

void
uid_set(const uint32_t *uids, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n;) {
		size_t j = i + 1;

		while (j < n && uids[j] == uids[j - 1] + 1)
			j++;
		if (i > 0)
			(void)buf_add_byte(out, ','); /* full is sticky */
		(void)buf_add_u64(out, uids[i]);
		if (j > i + 1) {
			(void)buf_add_byte(out, ':');
			(void)buf_add_u64(out, uids[j - 1]);
		}
		i = j;
	}
}

/* A keyword is for ever: none is made where not all of them can be.  0, or
 * -1 with errno. */
static int
look_at_keywords(struct imap *s, const struct parse_flags *f)
{
	size_t fresh = 0;

	for (size_t i = 0; i < f->n; i++) {
		uint64_t bit;
		size_t k = 0;

		if (mailbox_keyword(s->box, f->keyword[i], false, &bit) == 1)
			continue;
		if (!mailbox_is_keyword(f->keyword[i])) {
			errno = EINVAL;
			return -1;
		}
		while (!span_eq_nocase(f->keyword[k], f->keyword[i]))
			k++;
		fresh += k == i; /* named the first time */
	}
	if (s->box->nkeywords + fresh <= MAILBOX_KEYWORDS)
		return 0;
	errno = ENOSPC;
	return -1;
}

static int
refuse_keywords(struct imap *s)
{
	if (errno == ENOSPC)
		reply_no(s, "LIMIT", "Too many keywords");
	else if (errno == EINVAL)
		reply_no(s, "CANNOT", "Not a name that a keyword can have");
	else
		reply_errno(s);
	return -1;
}

int
session_flags(struct imap *s, const struct parse_flags *f, bool create,
    unsigned *flags, uint64_t *keywords)
{
	*flags = f->system;
	*keywords = 0;
	if (create && look_at_keywords(s, f) == -1)
		return refuse_keywords(s);
	for (size_t i = 0; i < f->n; i++) {
		uint64_t bit = 0;
		int r = mailbox_keyword(s->box, f->keyword[i], create, &bit);

		if (r == -1)
			return refuse_keywords(s);
		*keywords |= r == 1 ? bit : 0;
	}
	return 0;
}
