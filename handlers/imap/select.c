/* SELECT, EXAMINE, and what ends them (RFC 3501 6.3.1, 6.4.2; RFC 3691). */
#include "session.h"

#include <errno.h>

void
session_unselect(struct imap *s)
{
	shown_close(&s->shown);
	known_close(&s->known, s->box);
	if (s->box)
		mailbox_close(s->box);
	s->box = NULL;
	s->box_name[0] = '\0';
	s->exists = s->nkeywords = 0;
}

static void
tell_first_unseen(struct imap *s)
{
	size_t i = mailbox_first_unseen(s->box);

	if (i < s->box->n)
		out_fmt(
		    &s->out, "* OK [UNSEEN %zu] First unseen\r\n", i + 1);
}

static void
tell_mailbox(struct imap *s)
{
	mailbox_forget(s->box);
	for (size_t i = 0; i < s->box->n && s->box->nchanged > 0; i++)
		mailbox_told(s->box, i);
	reply_flags(s);
	reply_exists(s);
	tell_first_unseen(s);
	out_fmt(&s->out,
	    "* OK [UIDVALIDITY %u] Valid\r\n* OK [UIDNEXT %u] Next\r\n",
	    s->box->uidvalidity, s->box->uidnext);
}

static void
open_mailbox(struct imap *s, struct parse *p, bool read_only)
{
	struct span name;

	parse_space(p);
	name = parse_mailbox(p);
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	session_unselect(s);
	errno = EINVAL;
	if (name.p && span_copy(name, s->box_name, sizeof s->box_name) == 0)
		s->box = mailbox_open_vague(&s->account, name, read_only);
	if (s->box == NULL) {
		reply_errno(s);
		return;
	}
	known_open(&s->known, s->box);
	tell_mailbox(s);
	reply_ok_code(s,
	    span_str(s->box->read_only ? "READ-ONLY" : "READ-WRITE"),
	    "Selected");
}

void
cmd_select(struct imap *s, struct parse *p)
{
	open_mailbox(s, p, false);
}

void
cmd_examine(struct imap *s, struct parse *p)
{
	open_mailbox(s, p, true);
}

/* Expunges without telling: 0, or -1 after an answer was given. */
static int
expunge_silently(struct imap *s)
{
	size_t *which = arena_alloc(&s->arena, s->box->n + 1, sizeof *which);
	size_t n = 0;

	if (which == NULL) {
		reply_errno(s);
		return -1;
	}
	for (size_t i = 0; i < s->box->n; i++)
		if ((s->box->msgs[i].flags & FLAG_DELETED) &&
		    !s->box->msgs[i].gone)
			which[n++] = i;
	if (n > 0 && mailbox_expunge(s->box, which, n) == -1) {
		reply_errno(s);
		return -1;
	}
	return 0;
}

void
cmd_close(struct imap *s, struct parse *p)
{
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	if (!s->box->read_only && expunge_silently(s) == -1)
		return;
	session_unselect(s);
	reply_ok(s, "Closed");
}

void
cmd_unselect(struct imap *s, struct parse *p)
{
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	session_unselect(s);
	reply_ok(s, "Closed");
}
