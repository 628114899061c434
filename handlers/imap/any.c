/* Commands of any state, and those that come too late. */
#include "session.h"

enum {
	ID_PAIRS = 30 /* RFC 2971 3.3 */
};

void
cmd_capability(struct imap *s, struct parse *p)
{
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	out_fmt(&s->out, "* CAPABILITY %s\r\n", reply_capabilities);
	reply_ok(s, "Done");
}

/* CHECK too: whatever is answered is on the disk already. */
void
cmd_noop(struct imap *s, struct parse *p)
{
	if (parse_end(p))
		reply_ok(s, "Done");
	else
		reply_bad(s, p->error);
}

void
cmd_logout(struct imap *s, struct parse *p)
{
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	/* Without this no EXPUNGE could come between the two lines. */
	session_unselect(s);
	s->end = "logout";
	reply_bye(s, "Goodbye");
	reply_ok(s, "Done");
}

void
cmd_logged_in(struct imap *s, struct parse *p)
{
	reply_bad(s, "you are logged in");
}

/* RFC 2971: what a client says of itself is not kept. */
static void
parse_id(struct parse *p)
{
	size_t n = 0;

	if (parse_try_word(p, "NIL"))
		return;
	parse_byte(p, '(');
	while (p->error == NULL && !parse_try(p, ')')) {
		if (n > 0)
			parse_space(p);
		parse_string(p);
		parse_space(p);
		parse_nstring(p);
		if (++n > ID_PAIRS)
			parse_fail(p, "too many fields");
	}
}

void
cmd_id(struct imap *s, struct parse *p)
{
	parse_space(p);
	parse_id(p);
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	out_str(&s->out,
	    "* ID (\"name\" \"Postern\" \"version\" \"" VERSION "\")\r\n");
	reply_ok(s, "Done");
}

/* RFC 5161: there is nothing yet that could be enabled. */
void
cmd_enable(struct imap *s, struct parse *p)
{
	do {
		parse_space(p);
		parse_atom(p);
	} while (p->error == NULL && p->rest.n > 0);
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	out_str(&s->out, "* ENABLED\r\n");
	reply_ok(s, "Done");
}
