/*
 * pop3-login: what a POP3 client may say before it has logged in (RFC 1939
 * 4, RFC 2449, RFC 2595, RFC 5034), TLS, and the relay of a session over
 * TLS.
 *
 * Reads:   the connection on fd 0, postern.conf, certificates (fd 4 and from
 *          7 on), the porter's replies (fd 3)
 * Writes:  the connection on fd 1, frames to the porter, requests to the
 *          signer (fd 5)
 * Runs as: postern.conf's net_user, jailed before the first byte
 * Exits:   0 the connection is done or the session's; 100 usage; 111 a fault
 */
#include "base/err.h"
#include "base/io.h"
#include "net/exchange.h"
#include "net/login.h"

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
	int session;  /* the socket to relay to, or -1 */
	size_t nuser; /* 0: no USER yet */
	char user[USER];
	struct login l; /* last: net/conn.h */
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
		: errno == E2BIG  ? "-ERR Too many commands"
				  : "-ERR Line too long");
	return BYE;
}

static enum verdict
refuse_clear(struct pop3 *s)
{
	return bad(s, "-ERR [AUTH] STLS first");
}

/* USER and PASS are as good as AUTH PLAIN. */
static bool
may_pass(const struct pop3 *s)
{
	return exchange_offers(&s->l.c, sasl_mechanism(SASL_PLAIN));
}

static enum verdict
refuse_user(struct pop3 *s)
{
	return conn_may_login(&s->l.c) ? bad(s, "-ERR AUTH is wanted")
				       : refuse_clear(s);
}

/* The end of an exchange. */
static enum verdict
told(struct pop3 *s, struct exchange *x, enum exchange_next next)
{
	exchange_end(x, &s->l.c);
	s->session = x->session;
	s->nuser = 0;
	switch (next) {
	case EXCHANGE_OK:
		return SESSION;
	case EXCHANGE_CANCELLED:
		bad(s, "-ERR Cancelled");
		break;
	case EXCHANGE_WRONG:
		bad(s, "-ERR Not base64");
		break;
	case EXCHANGE_NO:
		say(s, "-ERR [AUTH] Wrong name or password");
		break;
	case EXCHANGE_MORE:
	case EXCHANGE_LATER:
		say(s, "-ERR [SYS/TEMP] Temporary failure, try later");
		break;
	}
	return s->l.errors >= LOGIN_ERRORS || exchange_is_spent(&s->l.c)
		   ? BYE
		   : GO_ON;
}

static enum verdict
do_user(struct pop3 *s, struct span args)
{
	if (!may_pass(s))
		return refuse_user(s);
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
	struct exchange x;

	if (!may_pass(s))
		return refuse_user(s);
	if (s->nuser == 0)
		return bad(s, "-ERR USER first");
	return told(s, &x,
	    exchange_password(
		&x, &s->l.c, no_tag, span_of(s->user, s->nuser), args));
}

/* Challenges, until the exchange is over. */
static enum verdict
converse(struct pop3 *s, struct exchange *x, enum exchange_next next)
{
	struct span line;
	int r;

	while (next == EXCHANGE_MORE) {
		out_str(&s->l.c.out, "+ ");
		out_span(&s->l.c.out, buf_span(&x->challenge));
		say(s, "");
		r = login_line(&s->l, &line);
		if (r != 1) {
			int error = errno;

			exchange_end(x, &s->l.c);
			errno = error;
			return no_line(s, r);
		}
		next = exchange_next(x, &s->l.c, line);
	}
	return told(s, x, next);
}

static enum verdict
do_auth(struct pop3 *s, struct span args)
{
	size_t all = args.n;
	struct span name = span_take(&args, ' ');
	const struct sasl_mechanism *m = exchange_find(&s->l.c, name);
	struct exchange x;

	if (!conn_may_login(&s->l.c))
		return refuse_clear(s);
	/* Without an argument it lists: an old habit of clients. */
	if (name.n == 0) {
		say(s, "+OK Mechanisms follow");
		exchange_list(&s->l.c, "", "\r\n");
		return say(s, ".");
	}
	if (m == NULL)
		return bad(s, "-ERR No such mechanism");
	return converse(s, &x,
	    exchange_begin(
		&x, &s->l.c, m, no_tag, name.n < all ? &args : NULL));
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
	if (may_pass(s))
		say(s, "USER");
	if (conn_may_login(&s->l.c)) {
		out_str(&s->l.c.out, "SASL");
		exchange_list(&s->l.c, " ", "");
		say(s, "");
	}
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
