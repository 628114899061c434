/* APPEND (RFC 3501 6.3.11): the message goes from the connection straight
 * into its file. */
#include "session.h"

#include "base/io.h"
#include "store/quota.h"
#include "text/date.h"

#include <errno.h>
#include <unistd.h>

struct append {
	struct span mailbox;
	struct parse_flags flags;
	int64_t date; /* -1: now */
	int dir;      /* of the mailbox */
	struct maildir_draft draft;
	const char *no_code; /* a refusal that waits for the message's end */
	const char *no_text;
	int error; /* the same, by errno */
};

static void
parse_date(struct parse *p, int64_t *date)
{
	struct span text = parse_string(p);
	struct date d;

	if (p->error)
		return;
	if (date_parse_imap(text, &d))
		*date = date_seconds(&d);
	else
		parse_fail(p, "not a date and time");
}

/* All that stands before the message; its literal is the last. */
static void
parse_append(struct parse *p, struct append *a)
{
	parse_space(p);
	a->mailbox = parse_mailbox(p);
	parse_space(p);
	if (span_at(p->rest, 0) == '(') {
		parse_flag_list(p, false, &a->flags);
		parse_space(p);
	}
	if (span_at(p->rest, 0) == '"') {
		parse_date(p, &a->date);
		parse_space(p);
	}
	if (span_at(p->rest, 0) != '{' || span_rfind(p->rest, '{') != 0)
		parse_fail(p, "the message must follow as a literal");
}

static int
open_target(struct imap *s, struct append *a)
{
	int error;

	errno = EINVAL;
	if (a->mailbox.p)
		a->dir = account_folder_open(&s->account, a->mailbox);
	if (a->dir == -1)
		return -1;
	if (maildir_begin(&a->draft, a->dir) == 0)
		return 0;
	error = errno;
	close(a->dir);
	a->dir = -1;
	errno = error;
	return -1;
}

static void
drop(struct append *a)
{
	if (a->dir == -1)
		return;
	maildir_abort(&a->draft);
	close(a->dir);
	a->dir = -1;
}

/* Reads the message to its end, whether it is kept or not: 1, 0, -1. */
static int
take_message(struct imap *s, struct append *a)
{
	uint64_t left = s->append_size;
	int64_t start = io_now_ms();

	while (left > 0) {
		size_t n = left < SHOWN_PIECE ? (size_t)left : SHOWN_PIECE;
		struct span bytes;
		int64_t slow = conf_data_deadline(
		    &s->pace, start, s->append_size - left);
		int r;

		/* A trickle ends here and does not hold the file open. */
		in_deadline(&s->in, APPEND_IDLE_MS);
		if (slow < s->in.deadline_ms)
			s->in.deadline_ms = slow;
		r = session_some(s, n, &bytes);
		if (r <= 0)
			return r;
		left -= bytes.n;
		if (a->dir != -1 && maildir_write(&a->draft, bytes) == -1) {
			a->error = errno;
			drop(a);
		}
	}
	session_hurry(s);
	return 1;
}

static void
keep_message(struct imap *s, struct append *a)
{
	uint32_t uid, uidvalidity;
	char code[64];
	struct out o = out_fd(-1, code, sizeof code);

	if (mailbox_append(&s->account, a->mailbox, &a->draft, a->flags.system,
		a->flags.keyword, a->flags.n, a->date, &uid,
		&uidvalidity) == -1) {
		a->error = errno;
		close(a->dir);
		a->dir = -1;
		errno = a->error;
		reply_errno_target(s);
		return;
	}
	close(a->dir);
	a->dir = -1;
	out_fmt(&o, "APPENDUID %u %u", uidvalidity, uid);
	reply_ok_code(s, span_of(code, o.n), "Appended");
}

/* The input ended before the command did. */
static void
break_off(struct imap *s, struct append *a, int r)
{
	drop(a);
	session_end(s, r);
	if (r == 0)
		s->end = "truncated";
}

static void
after_message(struct imap *s, struct append *a)
{
	struct span line;
	int r = session_line(s, &line);

	if (r == 0 || (r == -1 && errno != EBADMSG && errno != EMSGSIZE)) {
		break_off(s, a, r);
	} else if (r == -1 || line.n > 0) {
		drop(a);
		/* Another message may follow: MULTIAPPEND is not offered. */
		session_refuse(s, line, "one message at a time");
	} else if (a->no_code)
		reply_no(s, a->no_code, a->no_text);
	else if (a->error) {
		errno = a->error;
		reply_errno_target(s);
	} else
		keep_message(s, a);
	drop(a);
}

/* Why a message is not even begun: true if it cannot be. */
static bool
is_refused(struct imap *s, struct append *a)
{
	if (s->append_size > s->message_size) {
		a->no_code = "TOOBIG";
		a->no_text = "The message is too large";
	} else if (s->append_size == 0) {
		a->no_code = "CANNOT";
		a->no_text = "A message cannot be empty";
	} else if (a->flags.n > MAILBOX_KEYWORDS) {
		a->no_code = "LIMIT";
		a->no_text = "Too many keywords";
	} else if (quota_look(&s->account, s->append_size, 1) == -1 ||
		   open_target(s, a) == -1) {
		a->error = errno;
	} else
		return false;
	return true;
}

static void
refuse_now(struct imap *s, const struct append *a)
{
	if (a->no_code)
		reply_no(s, a->no_code, a->no_text);
	else {
		errno = a->error;
		reply_errno_target(s);
	}
}

void
cmd_append(struct imap *s, struct parse *p)
{
	struct append a = { .dir = -1, .date = -1 };
	bool refused;
	int r;

	parse_append(p, &a);
	if (s->append == LITERAL_NONE)
		parse_fail(p, "the message must follow as a literal");
	if (p->error) {
		/* What came before the literal is wrong; its bytes would be
		 * read as commands. */
		session_refuse(s, buf_span(&s->command), p->error);
		return;
	}
	refused = is_refused(s, &a);
	if (refused && (s->append == LITERAL_SYNC ||
			   s->append_size > s->message_size)) {
		refuse_now(s, &a);
		if (s->append != LITERAL_SYNC)
			reply_bye(s, "the message is too large");
		return;
	}
	if (s->append == LITERAL_SYNC)
		out_str(&s->out, "+ go on\r\n");
	r = take_message(s, &a);
	if (r == 1)
		after_message(s, &a);
	else
		break_off(s, &a, r);
}
