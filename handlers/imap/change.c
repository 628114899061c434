/* What changes messages: STORE COPY MOVE EXPUNGE and their UID forms
 * (RFC 3501 6.4, RFC 4315, RFC 6851). */
#include "session.h"

#include <errno.h>

static enum flag_op
store_op(struct parse *p)
{
	if (parse_try(p, '+'))
		return FLAGS_ADD;
	return parse_try(p, '-') ? FLAGS_REMOVE : FLAGS_SET;
}

/* Only those that are still there; true if some are not. */
static bool
drop_gone(const struct imap *s, size_t *which, size_t *n)
{
	size_t left = 0;

	for (size_t i = 0; i < *n; i++)
		if (!s->box->msgs[which[i]].gone)
			which[left++] = which[i];
	if (left == *n)
		return false;
	*n = left;
	return true;
}

static void
store(struct imap *s, struct set *set, enum flag_op op, bool silent,
    const struct parse_flags *named)
{
	size_t *which, n;
	unsigned flags;
	uint64_t keywords;
	bool some_gone;

	if (session_messages(s, set, &which, &n) == -1)
		return;
	some_gone = drop_gone(s, which, &n);
	/* A new keyword is for ever: not for no message at all. */
	if (session_flags(s, named, n > 0 && op != FLAGS_REMOVE, &flags,
		&keywords) == -1)
		return;
	some_gone |= drop_gone(s, which, &n);
	if (n > 0 &&
	    mailbox_store(s->box, which, n, op, flags, keywords) == -1) {
		reply_errno(s);
		return;
	}
	some_gone |= drop_gone(s, which, &n);
	if (s->box->nkeywords != s->nkeywords)
		reply_flags(s);
	for (size_t i = 0; i < n && !silent; i++)
		reply_fetch_flags(s, which[i]);
	/* RFC 2180 4.2: who stored silently, or by UID, learns it from
	 * EXPUNGE. */
	if (some_gone && !silent && !s->by_uid)
		reply_no(s, "EXPUNGEISSUED", "Some messages are gone");
	else
		reply_ok(s, "Done");
}

void
cmd_store(struct imap *s, struct parse *p)
{
	struct set set;
	struct parse_flags flags;
	enum flag_op op;
	bool silent;

	parse_space(p);
	set_parse(p, &set);
	parse_space(p);
	op = store_op(p);
	if (!parse_try_word(p, "FLAGS"))
		parse_fail(p, "no such item");
	silent = parse_try_word(p, ".SILENT");
	parse_space(p);
	parse_flag_list(p, true, &flags);
	if (!parse_end(p))
		reply_bad(s, p->error);
	else if (s->box->read_only)
		reply_no(s, "READ-ONLY", "The mailbox is selected read-only");
	else
		store(s, &set, op, silent, &flags);
}

typedef int copy_fn(struct mailbox *m, const size_t *which, size_t n,
    const struct account *a, struct span to, uint32_t *uids,
    uint32_t *uidvalidity);

/* Copies or moves, and gives the COPYUID code (RFC 4315 3): 0, or -1 after
 * an answer was given. */
static int
copy(struct imap *s, copy_fn *how, struct span to, const size_t *which,
    size_t n, struct buf *code)
{
	uint32_t *from_uid = arena_alloc(&s->arena, n + 1, sizeof *from_uid);
	uint32_t *to_uid = arena_alloc(&s->arena, n + 1, sizeof *to_uid);
	uint32_t uidvalidity;

	if (from_uid == NULL || to_uid == NULL) {
		reply_errno(s);
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		from_uid[i] = s->box->msgs[which[i]].uid;
	if (how(s->box, which, n, &s->account, to, to_uid, &uidvalidity) ==
	    -1) {
		reply_errno_target(s);
		return -1;
	}
	(void)buf_addf(code, "COPYUID %u ", uidvalidity); /* it has room */
	uid_set(from_uid, n, code);
	(void)buf_add_byte(code, ' ');
	uid_set(to_uid, n, code);
	return 0;
}

/* The arguments of COPY and MOVE: 1; 0 after an answer was given. */
static int
copy_arguments(
    struct imap *s, struct parse *p, struct span *to, size_t **which, size_t *n)
{
	struct set set;

	parse_space(p);
	set_parse(p, &set);
	parse_space(p);
	*to = parse_mailbox(p);
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return 0;
	}
	if (session_messages(s, &set, which, n) == -1)
		return 0;
	errno = EINVAL;
	if (to->p == NULL) {
		reply_errno(s);
		return 0;
	}
	/* RFC 2180 4.4: all or none; but a UID that is not there is passed
	 * over (RFC 3501 6.4.8). */
	if (drop_gone(s, *which, n) && !s->by_uid) {
		reply_no(s, "EXPUNGEISSUED", "Some messages are gone");
		return 0;
	}
	if (*n == 0) {
		int there = account_exists(&s->account, *to);

		errno = there == 0 ? ENOENT : errno;
		if (there == 1)
			reply_ok(s, "No messages");
		else
			reply_errno_target(s);
		return 0;
	}
	return 1;
}

static struct buf
code_buf(size_t n)
{
	return buf_new(64 + n * 2 * sizeof "4294967295,");
}

void
cmd_copy(struct imap *s, struct parse *p)
{
	struct span to;
	size_t *which, n;
	struct buf code;

	if (copy_arguments(s, p, &to, &which, &n) == 0)
		return;
	code = code_buf(n);
	if (copy(s, mailbox_copy, to, which, n, &code) == 0)
		reply_ok_code(s, buf_span(&code), "Copied");
	buf_free(&code);
}

/* RFC 6851 3.3: COPYUID comes before the EXPUNGE responses. */
void
cmd_move(struct imap *s, struct parse *p)
{
	struct span to;
	size_t *which, n;
	struct buf code;

	if (copy_arguments(s, p, &to, &which, &n) == 0)
		return;
	if (s->box->read_only) {
		reply_no(s, "READ-ONLY", "The mailbox is selected read-only");
		return;
	}
	code = code_buf(n);
	if (copy(s, mailbox_move, to, which, n, &code) == 0) {
		out_str(&s->out, "* OK [");
		out_span(&s->out, buf_span(&code));
		out_str(&s->out, "] Moved\r\n");
		reply_ok(s, "Moved");
	}
	buf_free(&code);
}

/* Those of the named messages that are marked \Deleted. */
static size_t
only_deleted(const struct imap *s, size_t *which, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		const struct message *m = &s->box->msgs[which[i]];

		if ((m->flags & FLAG_DELETED) && !m->gone)
			which[left++] = which[i];
	}
	return left;
}

void
cmd_expunge(struct imap *s, struct parse *p)
{
	struct set_range range = { 1, SET_STAR };
	struct set set = { &range, 1 };
	size_t *which, n;

	if (s->by_uid) {
		parse_space(p);
		set_parse(p, &set);
	}
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	if (s->box->read_only) {
		reply_no(s, "READ-ONLY", "The mailbox is selected read-only");
		return;
	}
	if (session_messages(s, &set, &which, &n) == -1)
		return;
	n = only_deleted(s, which, n);
	if (n > 0 && mailbox_expunge(s->box, which, n) == -1)
		reply_errno(s);
	else
		reply_ok(s, "Expunged");
}
