/*
 * pop3-login: what a POP3 client may say before it has logged in (RFC 1939
 * 4, RFC 2449, RFC 2595, RFC 5034), TLS, and the relay of a session over
 * TLS.
 *
 * Reads:   the connection on fd 0, postern.conf, certificate and key (fd 4
 *          and 5), front's replies (fd 3)
 * Writes:  the connection on fd 1, frames to front
 * Runs as: postern.conf's net_user, jailed before the first byte
 * Exits:   0 the connection is done or the session's; 100 usage; 111 a fault
 */
#include "auth/sasl.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "net/login.h"
#include "text/base64.h"

#include <errno.h>

enum {
	USER = 256 /* bytes of a user name */
};

enum verdict {
	GO_ON,
	BYE,    /* said; linger and leave */
	LEAVE,  /* without a word */
	SESSION /* the session goes on */
};

struct pop3 {
	struct login l;
	int session;  /* the socket to relay to, or -1 */
	size_t nuser; /* 0: no USER yet */
	char user[USER];
};

static const struct span no_tag = SPAN("");

static enum verdict
say(struct pop3 *s, const char *line)
{
	out_str(&s->l.c.out, line);
	out_str(&s->l.c.out, "\r\n");
	return GO_ON;
}

static enum verdict
bad(struct pop3 *s, const char *line)
{
	say(s, line);
	return ++s->l.errors < LOGIN_ERRORS ? GO_ON : BYE;
}

/* After a read that gave r and no line. */
static enum verdict
no_line(struct pop3 *s, int r)
{
	if (r == 0)
		return LEAVE;
	if (errno == EBADMSG)
		return bad(s, "-ERR A bare CR, LF or NUL");
	say(s, errno == ETIMEDOUT ? "-ERR Login took too long"
				  : "-ERR Line too long");
	return BYE;
}

static enum verdict
refuse_clear(struct pop3 *s)
{
	return bad(s, "-ERR [AUTH] STLS first");
}

static enum verdict
told(struct pop3 *s, enum frame_status status)
{
	s->nuser = 0;
	if (status == FRAME_OK)
		return SESSION;
	say(s, status == FRAME_REJECT
		   ? "-ERR [AUTH] Wrong name or password"
		   : "-ERR [SYS/TEMP] Temporary failure, try later");
	return login_is_spent(&s->l) ? BYE : GO_ON;
}

static enum verdict
attempt(struct pop3 *s, struct span plain)
{
	if (out_flush(&s->l.c.out) == -1)
		return LEAVE;
	return told(s, login_attempt(&s->l, no_tag, plain, &s->session));
}

static enum verdict
do_user(struct pop3 *s, struct span args)
{
	if (!conn_may_login(&s->l.c))
		return refuse_clear(s);
	if (args.n == 0 || args.n > sizeof s->user)
		return bad(s, "-ERR Wrong name");
	memcpy(s->user, args.p, args.n);
	s->nuser = args.n;
	/* The same whether there is such a user or not. */
	return say(s, "+OK Now the password");
}

/* The password is the rest of the line, blanks and all (RFC 1939 7). */
static enum verdict
do_pass(struct pop3 *s, struct span args)
{
	struct buf plain = buf_new(LOGIN_LINE);
	enum verdict v;

	if (!conn_may_login(&s->l.c))
		return refuse_clear(s);
	if (s->nuser == 0)
		return bad(s, "-ERR USER first");
	/* What is cut is too long for any frame, and refused. */
	(void)sasl_plain_make(
	    span_of(s->user, s->nuser), span_head(args, FRAME_DATA), &plain);
	v = attempt(s, buf_span(&plain));
	buf_wipe(&plain);
	return v;
}

static enum verdict
auth_plain(struct pop3 *s, struct span response)
{
	struct buf plain = buf_new(LOGIN_LINE);
	bool sound = span_is(response, "=") || base64_decode(response, &plain);
	enum verdict v =
	    sound ? attempt(s, buf_span(&plain)) : bad(s, "-ERR Not base64");

	buf_wipe(&plain);
	return v;
}

static enum verdict
do_auth(struct pop3 *s, struct span args)
{
	struct span mechanism = span_take(&args, ' ');
	int r = 1;

	if (!conn_may_login(&s->l.c))
		return refuse_clear(s);
	/* Without an argument it lists: an old habit of clients. */
	if (mechanism.n == 0) {
		say(s, "+OK Mechanisms follow");
		say(s, "PLAIN");
		return say(s, ".");
	}
	if (!span_is_nocase(mechanism, "PLAIN"))
		return bad(s, "-ERR No such mechanism");
	if (args.n == 0) {
		say(s, "+ ");
		r = login_line(&s->l, &args);
	}
	if (r != 1)
		return no_line(s, r);
	if (span_is(args, "*"))
		return bad(s, "-ERR Cancelled");
	return auth_plain(s, args);
}

static enum verdict
do_stls(struct pop3 *s, struct span args)
{
	if (!conn_may_tls(&s->l.c))
		return bad(s, s->l.c.tls ? "-ERR TLS is active already"
					 : "-ERR No TLS here");
	if (conn_has_bytes(&s->l.c)) {
		say(s, "-ERR Nothing may follow STLS");
		return BYE;
	}
	say(s, "+OK Begin TLS negotiation now");
	s->nuser = 0;
	if (out_flush(&s->l.c.out) == -1 || login_tls(&s->l) == -1)
		return LEAVE;
	return GO_ON;
}

static enum verdict
do_capa(struct pop3 *s, struct span args)
{
	say(s, "+OK Capabilities follow");
	say(s, "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE");
	if (conn_may_tls(&s->l.c))
		say(s, "STLS");
	if (conn_may_login(&s->l.c))
		say(s, "USER\r\nSASL PLAIN");
	say(s, "EXPIRE NEVER\r\nIMPLEMENTATION Postern");
	return say(s, ".");
}

static enum verdict
do_quit(struct pop3 *s, struct span args)
{
	say(s, "+OK Goodbye");
	return BYE;
}

enum arguments { NONE, MAYBE, SOME };

static const struct command {
	const char *name;
	enum arguments arguments;
	enum verdict (*run)(struct pop3 *, struct span args);
} commands[] = {
	{ "AUTH", MAYBE, do_auth },
	{ "CAPA", NONE, do_capa },
	{ "PASS", SOME, do_pass },
	{ "QUIT", NONE, do_quit },
	{ "STLS", NONE, do_stls },
	{ "USER", SOME, do_user },
};

static enum verdict
run(struct pop3 *s, struct span line)
{
	struct span args = line, name = span_take(&args, ' ');
	bool has_args = name.n < line.n;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const struct command *c = &commands[i];

		if (!span_is_nocase(name, c->name))
			continue;
		if (c->arguments != MAYBE && (c->arguments == SOME) != has_args)
			return bad(s, "-ERR Wrong arguments");
		return c->run(s, args);
	}
	return bad(s, "-ERR Not a command, or not before the login");
}

static enum verdict
next(struct pop3 *s)
{
	struct span line;
	int r = login_line(&s->l, &line);

	return r == 1 ? run(s, line) : no_line(s, r);
}

int
main(int argc, char *argv[])
{
	struct pop3 s = { .session = -1 };
	enum verdict v = GO_ON;
	int code;

	err_program("pop3-login");
	if (!login_begin(&s.l, argc, argv, &code))
		return code;
	out_str(&s.l.c.out, "+OK ");
	out_str(&s.l.c.out, s.l.c.conf.hostname);
	out_str(&s.l.c.out, " ready\r\n");
	while (v == GO_ON)
		v = next(&s);
	if (v == SESSION && s.session != -1)
		login_relay(&s.l, s.session);
	else if (v == BYE || v == LEAVE)
		conn_linger(&s.l.c);
	return 0;
}
