/* Reading commands, and who runs them. */
#include "session.h"

#include "base/io.h"
#include "base/rest.h"

#include <errno.h>
#include <poll.h>

static const struct command {
	const char *name;
	command_fn *run;
	bool selected; /* needs a mailbox */
	bool uid;      /* has a UID form */
	bool holds;    /* no EXPUNGE before its end, without UID */
} commands[] = {
	{ "APPEND", cmd_append, false, false, false },
	{ "AUTHENTICATE", cmd_logged_in, false, false, false },
	{ "CAPABILITY", cmd_capability, false, false, false },
	{ "CHECK", cmd_noop, true, false, false },
	{ "CLOSE", cmd_close, true, false, false },
	{ "COPY", cmd_copy, true, true, false },
	{ "CREATE", cmd_create, false, false, false },
	{ "DELETE", cmd_delete, false, false, false },
	{ "ENABLE", cmd_enable, false, false, false },
	{ "EXAMINE", cmd_examine, false, false, false },
	{ "EXPUNGE", cmd_expunge, true, true, false },
	{ "FETCH", cmd_fetch, true, true, true },
	{ "GETQUOTA", cmd_getquota, false, false, false },
	{ "GETQUOTAROOT", cmd_getquotaroot, false, false, false },
	{ "ID", cmd_id, false, false, false },
	{ "IDLE", cmd_idle, false, false, false },
	{ "LIST", cmd_list, false, false, false },
	{ "LOGIN", cmd_logged_in, false, false, false },
	{ "LOGOUT", cmd_logout, false, false, false },
	{ "LSUB", cmd_lsub, false, false, false },
	{ "MOVE", cmd_move, true, true, false },
	{ "NAMESPACE", cmd_namespace, false, false, false },
	{ "NOOP", cmd_noop, false, false, false },
	{ "RENAME", cmd_rename, false, false, false },
	{ "SEARCH", cmd_search, true, true, true },
	{ "SELECT", cmd_select, false, false, false },
	{ "SETQUOTA", cmd_setquota, false, false, false },
	{ "STARTTLS", cmd_logged_in, false, false, false },
	{ "STATUS", cmd_status, false, false, false },
	{ "STORE", cmd_store, true, true, true },
	{ "SUBSCRIBE", cmd_subscribe, false, false, false },
	{ "UNSELECT", cmd_unselect, true, false, false },
	{ "UNSUBSCRIBE", cmd_unsubscribe, false, false, false },
};

static const struct command *
find_command(struct span name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (span_is_nocase(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static void
run_command(struct imap *s, struct parse *p)
{
	struct span name = parse_atom(p);
	const struct command *c;

	if (p->error == NULL && span_is_nocase(name, "UID")) {
		s->by_uid = true;
		parse_space(p);
		name = parse_atom(p);
	}
	c = find_command(name);
	if (p->error)
		reply_bad(s, p->error);
	else if (c == NULL || (s->by_uid && !c->uid))
		reply_bad(s, "no such command");
	else if (c->selected && s->box == NULL)
		reply_bad(s, "no mailbox is selected");
	else {
		s->hold = c->holds && !s->by_uid;
		c->run(s, p);
	}
}

/* Nothing is left of the output when it waits, and often of the input, which
 * lies behind it (imapd.c). */
void
session_rest(struct imap *s)
{
	shown_close(&s->shown);
	known_rest(&s->known);
	if (s->box)
		mailbox_rest(s->box);
	if (s->in.start == s->in.end && s->in.buf == s->out.buf + OUT_BYTES)
		rest_forget(s->out.buf, OUT_BYTES + LINE_BYTES);
	rest();
}

/* All output goes out before the wait; memory goes when nobody asks. */
static int
wait_for_input(struct imap *s)
{
	int64_t soon = io_now_ms() + QUIET_MS;

	if (out_flush(&s->out) == -1)
		return -1;
	io_ack_now(s->in.fd);
	if (s->in.fd != -1 && s->in.deadline_ms > soon &&
	    io_wait(s->in.fd, POLLIN, soon) == -1 && errno == ETIMEDOUT)
		session_rest(s);
	return 0;
}

int
session_line(struct imap *s, struct span *line)
{
	if (!in_has_line(&s->in) && wait_for_input(s) == -1)
		return -1;
	return in_line(&s->in, line);
}

/* The tag at the front of a line, where there is a good one. */
static struct span
tag_of(struct imap *s, struct span line)
{
	struct parse p = parse_of(line, &s->arena);
	struct span tag = parse_tag(&p);

	if (p.rest.n > 0)
		parse_space(&p);
	if (p.error || tag.n > TAG_BYTES)
		return span_of(NULL, 0);
	return arena_copy(&s->arena, tag);
}

void
session_refuse(struct imap *s, struct span line, const char *why)
{
	uint64_t n;
	enum literal kind = parse_literal(line, &n);

	reply_bad(s, why);
	if (kind == LITERAL_NONSYNC || kind == LITERAL_BROKEN) {
		s->end = "literal";
		reply_bye(s, "cannot tell where the next command begins");
	}
}

/* A line without an end in LINE_BYTES: passes over it. */
static int
refuse_long_line(struct imap *s)
{
	char tail[32] = { 0 };
	struct span piece = span_head(in_pending(&s->in), TAG_BYTES + 1);
	int r;

	/* Within a command this is no front. */
	if (s->command.n == 0)
		s->tag = tag_of(s, piece);
	while ((r = in_some(&s->in, LINE_BYTES, &piece)) == 1) {
		struct span all = piece;
		size_t keep;

		/* Who sends without a pause must come to an end, too. */
		if (io_now_ms() > s->in.deadline_ms) {
			errno = ETIMEDOUT;
			return -1;
		}
		piece = span_head(all, span_find(all, '\n'));
		keep = piece.n < sizeof tail ? piece.n : sizeof tail;
		memmove(tail, tail + keep, sizeof tail - keep);
		if (keep > 0)
			memcpy(tail + sizeof tail - keep,
			    piece.p + piece.n - keep, keep);
		if (piece.n == all.n)
			continue;
		/* in_some took what follows the line too. */
		s->in.start -= all.n - piece.n - 1;
		piece = span_of(tail, sizeof tail);
		if (tail[sizeof tail - 1] == '\r')
			piece.n--;
		session_refuse(s, piece, "the command line is too long");
		return 1;
	}
	return r;
}

int
session_some(struct imap *s, size_t n, struct span *bytes)
{
	if (s->in.start == s->in.end && wait_for_input(s) == -1)
		return -1;
	return in_some(&s->in, n, bytes);
}

void
session_end(struct imap *s, int r)
{
	bool late = r == -1 && errno == ETIMEDOUT;

	s->end = r == 0 ? "closed" : late ? "timeout" : "error";
	if (late)
		reply_bye(s, "you took too long");
	s->done = true;
}

/* True for "tag APPEND " and a mailbox, when the literal that follows is
 * the message.  A mailbox name may be a literal too. */
static bool
is_append_message(struct imap *s, struct span text)
{
	struct parse p = parse_of(text, &s->arena);
	struct span name;
	uint64_t n;

	parse_tag(&p);
	parse_space(&p);
	name = parse_atom(&p);
	parse_space(&p);
	if (p.error || !span_is_nocase(name, "APPEND"))
		return false;
	return span_at(p.rest, 0) != '{' ||
	       span_find(p.rest, '\n') < p.rest.n ||
	       parse_literal(p.rest, &n) == LITERAL_NONE;
}

static int
read_literal(struct imap *s, uint64_t n)
{
	while (n > 0) {
		struct span bytes;
		int r = session_some(s, (size_t)n, &bytes);

		if (r <= 0)
			return r;
		if (buf_add_span(&s->command, bytes) == -1)
			return -1;
		n -= bytes.n;
	}
	return 1;
}

enum next {
	NEXT_ERROR,
	NEXT_EOF,
	NEXT_RUN,    /* the command is whole */
	NEXT_MORE,   /* another line of it follows */
	NEXT_REFUSED /* it was answered */
};

static enum next
after_line(struct imap *s, struct span line, uint64_t *literals)
{
	uint64_t n;
	enum literal kind = parse_literal(line, &n);
	int r;

	if (kind == LITERAL_NONE)
		return NEXT_RUN;
	if (kind == LITERAL_BROKEN) {
		session_refuse(s, line, "a literal is wrong");
		return NEXT_REFUSED;
	}
	if (is_append_message(s, buf_span(&s->command))) {
		s->append = kind;
		s->append_size = n;
		return NEXT_RUN;
	}
	if (n > LITERAL_BYTES - *literals) {
		reply_no(s, "TOOBIG", "literals are too long");
		if (kind == LITERAL_NONSYNC)
			reply_bye(s, "a literal is too long");
		return NEXT_REFUSED;
	}
	*literals += n;
	if (kind == LITERAL_SYNC)
		out_str(&s->out, "+ go on\r\n");
	if (buf_add_str(&s->command, "\r\n") == -1 ||
	    (r = read_literal(s, n)) == -1)
		return NEXT_ERROR;
	return r == 0 ? NEXT_EOF : NEXT_MORE;
}

/* More lines of a command; the first is in line. */
static enum next
read_rest(struct imap *s, struct span line)
{
	uint64_t literals = 0;
	size_t lines = 0;
	enum next next;
	int r;

	for (;;) {
		lines += line.n + 1;
		if (lines > LINE_BYTES) {
			session_refuse(s, line, "the command line is too long");
			return NEXT_REFUSED;
		}
		if (buf_add_span(&s->command, line) == -1)
			return NEXT_ERROR;
		next = after_line(s, line, &literals);
		if (next != NEXT_MORE)
			return next;
		if ((r = session_line(s, &line)) == 1)
			continue;
		if (r == -1 && errno == EBADMSG) {
			session_refuse(s, line, "bare CR or LF, or NUL");
			return NEXT_REFUSED;
		}
		if (r == -1 && errno == EMSGSIZE)
			return refuse_long_line(s) == 1 ? NEXT_REFUSED
							: NEXT_ERROR;
		return r == 0 ? NEXT_EOF : NEXT_ERROR;
	}
}

void
session_hurry(struct imap *s)
{
	in_deadline(&s->in, (int64_t)s->pace.command_s * 1000);
}

/* The idle time runs until a command begins; then it has its own. */
static int
wait_for_command(struct imap *s)
{
	int r = 1;

	in_deadline(&s->in, s->idle_ms);
	if (s->in.start == s->in.end) {
		if (wait_for_input(s) == -1)
			return -1;
		r = in_fill(&s->in);
	}
	session_hurry(s);
	return r;
}

static enum next
read_command(struct imap *s)
{
	struct span line;
	int r = wait_for_command(s);

	s->tag = span_of(NULL, 0);
	if (r == 1)
		r = session_line(s, &line);
	if (r == 1 || (r == -1 && errno == EBADMSG)) {
		int error = errno;

		s->tag = tag_of(s, line);
		if (r == 1)
			return read_rest(s, line);
		errno = error;
		session_refuse(s, line, "bare CR or LF, or NUL");
		return NEXT_REFUSED;
	}
	if (r == -1 && errno == EMSGSIZE)
		return refuse_long_line(s) == 1 ? NEXT_REFUSED : NEXT_ERROR;
	return r == 0 ? NEXT_EOF : NEXT_ERROR;
}

static void
start_command(struct imap *s)
{
	if (s->command.size > LINE_BYTES)
		buf_free(&s->command);
	buf_reset(&s->command);
	arena_reset(&s->arena);
	s->by_uid = s->hold = false;
	s->append = LITERAL_NONE;
}

static void
one_command(struct imap *s)
{
	struct parse p;
	enum next next;

	start_command(s);
	next = read_command(s);
	if (next == NEXT_RUN) {
		p = parse_of(buf_span(&s->command), &s->arena);
		parse_tag(&p);
		parse_space(&p);
		if (s->tag.p == NULL)
			session_refuse(s, p.rest, "no tag, or no command");
		else
			run_command(s, &p);
	} else if (next == NEXT_EOF || next == NEXT_ERROR)
		session_end(s, next == NEXT_EOF ? 0 : -1);
}

static void
greet(struct imap *s, const char *tag, const char *user)
{
	out_str(&s->out, tag ? tag : "* PREAUTH");
	if (tag)
		out_str(&s->out, " OK");
	out_str(&s->out, " [CAPABILITY ");
	out_str(&s->out, reply_capabilities);
	out_str(&s->out, "] Logged in");
	if (user) {
		out_str(&s->out, " as ");
		out_str(&s->out, user);
	}
	out_str(&s->out, "\r\n");
}

void
session_run(struct imap *s, const char *tag, const char *user)
{
	greet(s, tag, user);
	while (!s->done && s->out.error == 0) {
		one_command(s);
		if (s->bad >= BAD_COMMANDS && !s->done) {
			s->end = "bad commands";
			reply_bye(s, "too many commands that are wrong");
		}
	}
	session_unselect(s);
	(void)out_flush(&s->out); /* the peer may be gone */
}
