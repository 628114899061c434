/* What the client is told. */
#include "session.h"

#include "text/utf7.h"

#include <errno.h>

const char reply_capabilities[] = "IMAP4rev1 LITERAL+ IDLE NAMESPACE UIDPLUS "
				  "CHILDREN UNSELECT ID ENABLE MOVE "
				  "SPECIAL-USE QUOTA QUOTA=RES-STORAGE "
				  "QUOTA=RES-MESSAGE SAVEDATE";

static void
tagged(struct imap *s, const char *status, struct span code, const char *text)
{
	if (s->tag.p)
		out_span(&s->out, s->tag);
	else
		out_str(&s->out, "*");
	out_str(&s->out, status);
	if (code.n > 0) {
		out_str(&s->out, "[");
		out_span(&s->out, code);
		out_str(&s->out, "] ");
	}
	out_str(&s->out, text);
	out_str(&s->out, "\r\n");
}

void
reply_ok_code(struct imap *s, struct span code, const char *text)
{
	s->bad = 0;
	reply_changes(s);
	tagged(s, " OK ", code, text);
}

void
reply_ok(struct imap *s, const char *text)
{
	reply_ok_code(s, span_of(NULL, 0), text);
}

void
reply_no(struct imap *s, const char *code, const char *text)
{
	s->bad = 0;
	reply_changes(s);
	tagged(s, " NO ", span_str(code), text);
}

void
reply_bad(struct imap *s, const char *text)
{
	s->bad++;
	tagged(s, " BAD ", span_of(NULL, 0), text);
}

void
reply_bye(struct imap *s, const char *text)
{
	out_str(&s->out, "* BYE ");
	out_str(&s->out, text);
	out_str(&s->out, "\r\n");
	s->done = true;
}

/* Response codes of RFC 5530. */
static const struct {
	int error;
	const char *code, *text;
} errors[] = {
	{ ENOSPC, "OVERQUOTA", "No space is left" },
	{ EDQUOT, "OVERQUOTA", "The quota is used up" },
	{ ETIMEDOUT, "INUSE", "Another program holds the mailbox" },
	{ EAGAIN, "INUSE", "Another program is changing it; try again" },
	{ ENOENT, "NONEXISTENT", "No such mailbox" },
	{ EEXIST, "ALREADYEXISTS", "There is such a mailbox" },
	{ EINVAL, "CANNOT", "Not a name that a mailbox can have" },
	{ ENAMETOOLONG, "CANNOT", "The name is too long" },
	{ EBUSY, "CANNOT", "Not with this mailbox" },
	{ EACCES, "NOPERM", "Not allowed" },
	{ EPERM, "NOPERM", "Not allowed" },
	{ EROFS, "READ-ONLY", "The mailbox is read-only" },
	{ EIDRM, "EXPUNGEISSUED", "Some messages are gone" },
	{ ENOBUFS, "LIMIT", "More than one command may ask for" },
	{ EFBIG, "LIMIT", "The message is too large for that" },
	{ EMFILE, "UNAVAILABLE", "Try again later" },
	{ ENFILE, "UNAVAILABLE", "Try again later" },
	{ EIO, "UNAVAILABLE", "The disk failed; try again later" },
	{ ESTALE, "UNAVAILABLE", "The disk failed; try again later" },
};

void
reply_errno(struct imap *s)
{
	int error = errno;

	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i].error == error) {
			reply_no(s, errors[i].code, errors[i].text);
			return;
		}
	reply_no(s, "SERVERBUG", "An unexpected error");
}

void
reply_errno_target(struct imap *s)
{
	if (errno == ENOENT)
		reply_no(s, "TRYCREATE", "No such mailbox");
	else
		reply_errno(s);
}

static const struct {
	unsigned bit;
	struct span name;
} flag_names[] = {
	{ FLAG_ANSWERED, SPAN("\\Answered") },
	{ FLAG_FLAGGED, SPAN("\\Flagged") },
	{ FLAG_DELETED, SPAN("\\Deleted") },
	{ FLAG_SEEN, SPAN("\\Seen") },
	{ FLAG_DRAFT, SPAN("\\Draft") },
	{ FLAG_PASSED, SPAN("$Forwarded") },
};

static void
flag_list(struct imap *s, unsigned flags, uint64_t keywords, const char *last)
{
	const char *blank = "";

	out_str(&s->out, "(");
	for (size_t i = 0; i < sizeof flag_names / sizeof *flag_names; i++)
		if (flags & flag_names[i].bit) {
			out_str(&s->out, blank);
			out_span(&s->out, flag_names[i].name);
			blank = " ";
		}
	for (size_t i = 0; keywords && i < s->box->nkeywords; i++)
		if (keywords & UINT64_C(1) << i) {
			out_str(&s->out, blank);
			out_str(&s->out, s->box->keyword[i]);
			blank = " ";
		}
	if (last) {
		out_str(&s->out, blank);
		out_str(&s->out, last);
	}
	out_str(&s->out, ")");
}

void
reply_flags(struct imap *s)
{
	bool more = s->box->nkeywords < MAILBOX_KEYWORDS;

	s->nkeywords = s->box->nkeywords;
	out_str(&s->out, "* FLAGS ");
	flag_list(s, FLAG_ALL, UINT64_MAX, NULL);
	out_str(&s->out, "\r\n* OK [PERMANENTFLAGS ");
	if (s->box->read_only)
		out_str(&s->out, "()");
	else
		flag_list(s, FLAG_ALL, UINT64_MAX, more ? "\\*" : NULL);
	out_str(&s->out, "] Flags that last\r\n");
}

void
reply_message_flags(struct imap *s, size_t i)
{
	const struct message *m = &s->box->msgs[i];

	flag_list(s, m->flags, m->keywords, m->recent ? "\\Recent" : NULL);
}

void
reply_number(struct imap *s, const char *before, uint64_t n, const char *after)
{
	out_str(&s->out, before);
	out_u64(&s->out, n);
	out_str(&s->out, after);
}

void
reply_fetch_flags(struct imap *s, size_t i)
{
	const struct message *m = &s->box->msgs[i];

	if (s->box->nkeywords != s->nkeywords)
		reply_flags(s);
	reply_number(s, "* ", i + 1, " FETCH (");
	if (s->by_uid)
		reply_number(s, "UID ", m->uid, " ");
	out_str(&s->out, "FLAGS ");
	reply_message_flags(s, i);
	out_str(&s->out, ")\r\n");
	mailbox_told(s->box, i);
}

void
reply_exists(struct imap *s)
{
	s->exists = s->box->n;
	out_fmt(&s->out, "* %zu EXISTS\r\n* %zu RECENT\r\n", s->exists,
	    s->box->nrecent);
}

static void
tell_changed(struct imap *s)
{
	struct mailbox *m = s->box;

	for (size_t i = 0; i < m->n && m->nchanged > 0; i++) {
		if (!m->msgs[i].changed)
			continue;
		if (i < s->exists && !m->msgs[i].gone)
			reply_fetch_flags(s, i);
		else
			mailbox_told(m, i);
	}
}

/* Of messages that the client never heard of it need not hear that they
 * went. */
static void
tell_gone(struct imap *s)
{
	size_t told = 0;

	for (size_t i = 0; s->box->ngone > 0 && i < s->exists; i++)
		if (s->box->msgs[i].gone) {
			reply_number(s, "* ", i + 1 - told, " EXPUNGE\r\n");
			told++;
		}
	s->exists -= told;
	mailbox_forget(s->box);
}

/* Another session deleted the mailbox (RFC 2180 3.2), all its UIDs are others
 * now, or the disk failed: a client can only begin again. */
static void
lose_mailbox(struct imap *s)
{
	bool deleted = errno == ENOENT;

	s->end = deleted ? "mailbox deleted" : "mailbox lost";
	session_unselect(s);
	reply_bye(s, deleted ? "the mailbox was deleted"
			     : "the mailbox must be opened anew");
}

void
reply_changes(struct imap *s)
{
	if (s->box == NULL)
		return;
	if (mailbox_sync(s->box) == -1 &&
	    (errno == ENOENT || errno == ESTALE)) {
		lose_mailbox(s);
		return;
	}
	if (s->box->nkeywords != s->nkeywords)
		reply_flags(s);
	if (s->box->nchanged > 0)
		tell_changed(s);
	if (s->box->ngone > 0 && !s->hold)
		tell_gone(s);
	if (s->box->n != s->exists)
		reply_exists(s);
}

void
reply_mailbox(struct imap *s, struct span name)
{
	struct buf wire = buf_new((size_t)MAILBOX_NAME * 3);

	if (!utf7_encode(name, &wire))
		buf_reset(&wire);
	out_str(&s->out, "\"");
	for (size_t i = 0; i < wire.n; i++) {
		if (wire.p[i] == '"' || wire.p[i] == '\\')
			out_str(&s->out, "\\");
		out_add(&s->out, wire.p + i, 1);
	}
	out_str(&s->out, "\"");
	buf_free(&wire);
}
