/*
 * imap-login: what an IMAP client may say before it has logged in
 * (RFC 3501 6.1 and 6.2), TLS, and the relay of a session over TLS.
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
#include "base/num.h"
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

struct imap {
	int session; /* the socket to relay to, or -1 */
	struct span tag;
	char tag_text[FRAME_TAG];
	struct login l; /* last: net/conn.h */
};

/* A string of the client's, copied because a literal moves the line. */
struct text {
	size_t n;
	char p[LOGIN_PASSWORD];
};

enum parsed {
	PARSED,
	WRONG, /* BAD, and the client is in step */
	TOO_BIG,
	LOST /* out of step, or the connection is gone */
};

static enum verdict
answer(struct imap *s, const char *what)
{
	struct out *o = &s->l.c.out;

	out_span(o, s->tag);
	out_str(o, " ");
	out_str(o, what);
	out_str(o, "\r\n");
	return GO_ON;
}

static enum verdict
bye(struct imap *s, const char *why)
{
	out_str(&s->l.c.out, "* BYE ");
	out_str(&s->l.c.out, why);
	out_str(&s->l.c.out, "\r\n");
	return BYE;
}

static enum verdict
bad(struct imap *s, const char *why)
{
	answer(s, why);
	if (++s->l.errors < LOGIN_ERRORS)
		return GO_ON;
	return bye(s, "Too many bad commands");
}

/* After a read that gave r and no line. */
static enum verdict
no_line(struct imap *s, int r)
{
	if (r == -1 && errno == ETIMEDOUT)
		return bye(s, "Login took too long");
	if (r == -1 && errno == EMSGSIZE)
		return bye(s, "Line too long");
	if (r == -1 && errno == E2BIG)
		return bye(s, "Too many commands");
	return LEAVE;
}

/* The LOGIN command is as good as AUTHENTICATE PLAIN. */
static bool
may_login(const struct imap *s)
{
	return exchange_offers(&s->l.c, sasl_mechanism(SASL_PLAIN));
}

static void
capabilities(struct imap *s)
{
	struct out *o = &s->l.c.out;

	out_str(o, "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR");
	if (conn_may_tls(&s->l.c))
		out_str(o, " STARTTLS");
	exchange_list(&s->l.c, " AUTH=", "");
	if (!may_login(s))
		out_str(o, " LOGINDISABLED");
}

static bool
is_atom_char(int c)
{
	return c > 0x20 && c < 0x7f && strchr("(){%*\"\\", c) == NULL;
}

/* {N} or {N+} with the line's end behind it (RFC 3501 9, RFC 7888). */
static enum parsed
parse_literal(struct span *rest, uint64_t max, uint64_t *n, bool *wait)
{
	struct span digits = *rest;
	enum parsed big = TOO_BIG;

	if (!span_starts(digits, "{") || !span_ends(digits, "}"))
		return LOST;
	digits = span_skip(span_head(digits, digits.n - 1), 1);
	*wait = !span_ends(digits, "+");
	if (!*wait) {
		digits.n--;
		big = LOST;
	}
	for (size_t i = 0; i < digits.n; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return LOST;
	if (digits.n == 0)
		return LOST;
	*rest = span_skip(*rest, rest->n);
	return num_parse(digits, max, n) ? PARSED : big;
}

static enum parsed
read_literal(struct imap *s, struct span *rest, size_t max, struct text *out)
{
	struct in *in = &s->l.c.in;
	uint64_t n;
	bool wait;
	enum parsed p = parse_literal(rest, max, &n, &wait);

	if (p != PARSED)
		return p;
	if (wait)
		out_str(&s->l.c.out, "+ OK\r\n");
	if (out_flush(&s->l.c.out) == -1)
		return LOST;
	for (out->n = 0; out->n < n;) {
		struct span some;

		if (in_some(in, (size_t)n - out->n, &some) != 1)
			return LOST;
		memcpy(out->p + out->n, some.p, some.n);
		out->n += some.n;
	}
	if (in_line(in, rest) != 1)
		return LOST;
	return span_find(span_of(out->p, out->n), '\0') < out->n ? WRONG
								 : PARSED;
}

static enum parsed
parse_quoted(struct span *rest, size_t max, struct text *out)
{
	size_t i = 1;

	out->n = 0;
	for (; i < rest->n && rest->p[i] != '"'; i++) {
		if (rest->p[i] == '\\') {
			int c = span_at(*rest, ++i);

			if (c != '"' && c != '\\')
				return WRONG;
		}
		if (out->n == max)
			return WRONG;
		out->p[out->n++] = rest->p[i];
	}
	if (i >= rest->n)
		return WRONG;
	*rest = span_skip(*rest, i + 1);
	return PARSED;
}

static enum parsed
parse_atom(struct span *rest, size_t max, struct text *out)
{
	size_t n = 0;

	while (n < rest->n && is_atom_char(span_at(*rest, n)))
		n++;
	if (n == 0 || n > max)
		return WRONG;
	memcpy(out->p, rest->p, n);
	out->n = n;
	*rest = span_skip(*rest, n);
	return PARSED;
}

/* astring (RFC 3501 9), of at most max bytes. */
static enum parsed
parse_astring(struct imap *s, struct span *rest, size_t max, struct text *out)
{
	if (span_starts(*rest, "{") || span_starts(*rest, "~{"))
		return read_literal(s, rest, max, out);
	if (span_starts(*rest, "\""))
		return parse_quoted(rest, max, out);
	return parse_atom(rest, max, out);
}

/* rest: what was not taken of the last line that came. */
static enum parsed
parse_login(struct imap *s, struct span *rest, struct text *user,
    struct text *password)
{
	enum parsed p = parse_astring(s, rest, USER, user);

	if (p != PARSED)
		return p;
	if (!span_starts(*rest, " "))
		return WRONG;
	*rest = span_skip(*rest, 1);
	p = parse_astring(s, rest, LOGIN_PASSWORD, password);
	return p == PARSED && rest->n > 0 ? WRONG : p;
}

/*
 * A command that is refused without a look at its arguments may have
 * announced a literal that the client sends without waiting: its bytes
 * would be taken for commands.
 */
static bool
ends_in_literal(struct span line)
{
	return span_ends(line, "+}") && span_find(line, '{') < line.n;
}

static enum verdict
refuse(struct imap *s, struct span args, const char *why)
{
	if (ends_in_literal(args)) {
		answer(s, why);
		return bye(s, "Out of step");
	}
	return bad(s, why);
}

static enum verdict
parse_failed(struct imap *s, enum parsed p, struct span rest)
{
	if (p == TOO_BIG)
		return answer(s, "NO [TOOBIG] Too long");
	if (p == WRONG)
		return refuse(s, rest, "BAD Wrong arguments");
	answer(s, "BAD Wrong literal");
	return bye(s, "Out of step");
}

/* The end of an exchange. */
static enum verdict
told(struct imap *s, struct exchange *x, enum exchange_next next)
{
	exchange_end(x, &s->l.c);
	s->session = x->session;
	switch (next) {
	case EXCHANGE_OK:
		return SESSION;
	case EXCHANGE_CANCELLED:
		bad(s, "BAD Cancelled");
		break;
	case EXCHANGE_WRONG:
		bad(s, "BAD Not base64");
		break;
	case EXCHANGE_NO:
		answer(s, "NO [AUTHENTICATIONFAILED] Wrong name or password");
		break;
	case EXCHANGE_MORE:
	case EXCHANGE_LATER:
		answer(s, "NO [UNAVAILABLE] Temporary failure, try later");
		break;
	}
	if (s->l.errors >= LOGIN_ERRORS)
		return BYE;
	return exchange_is_spent(&s->l.c) ? bye(s, "Too many attempts") : GO_ON;
}

static enum verdict
do_login(struct imap *s, struct span args)
{
	struct text user, password = { 0 };
	struct exchange x;
	enum exchange_next next;
	enum parsed p;

	if (!may_login(s)) {
		answer(s, conn_may_login(&s->l.c)
			      ? "NO AUTHENTICATE is wanted"
			      : "NO [PRIVACYREQUIRED] STARTTLS first");
		return ends_in_literal(args) ? bye(s, "Out of step") : GO_ON;
	}
	p = parse_login(s, &args, &user, &password);
	if (p != PARSED)
		return parse_failed(s, p, args);
	next = exchange_password(&x, &s->l.c, s->tag,
	    span_of(user.p, user.n), span_of(password.p, password.n));
	explicit_bzero(&password, sizeof password);
	return told(s, &x, next);
}

/* Challenges, until the exchange is over. */
static enum verdict
converse(struct imap *s, struct exchange *x, enum exchange_next next)
{
	struct span line;
	int r;

	while (next == EXCHANGE_MORE) {
		out_str(&s->l.c.out, "+ ");
		out_span(&s->l.c.out, buf_span(&x->challenge));
		out_str(&s->l.c.out, "\r\n");
		r = login_line(&s->l, &line);
		if (r == 0 || (r == -1 && errno != EBADMSG)) {
			int error = errno;

			exchange_end(x, &s->l.c);
			errno = error;
			return no_line(s, r);
		}
		next = r == 1 ? exchange_next(x, &s->l.c, line)
			      : EXCHANGE_WRONG;
	}
	return told(s, x, next);
}

static enum verdict
do_authenticate(struct imap *s, struct span args)
{
	const struct span line = args;
	struct span name = span_take(&args, ' ');
	const struct sasl_mechanism *m = exchange_find(&s->l.c, name);
	struct exchange x;

	/* The initial response is base64 or "=" (RFC 4959), and no literal. */
	if (ends_in_literal(line))
		return refuse(s, line, "BAD Wrong arguments");
	if (!conn_may_login(&s->l.c))
		return answer(s, "NO [PRIVACYREQUIRED] STARTTLS first");
	if (m == NULL)
		return bad(s, "NO No such mechanism");
	return converse(s, &x,
	    exchange_begin(
		&x, &s->l.c, m, s->tag, name.n < line.n ? &args : NULL));
}

static enum verdict
do_starttls(struct imap *s, struct span args)
{
	if (!conn_may_tls(&s->l.c))
		return bad(s, s->l.c.tls ? "BAD TLS is active already"
					 : "BAD No TLS here");
	if (conn_has_bytes(&s->l.c)) {
		answer(s, "BAD Nothing may follow STARTTLS");
		return bye(s, "Out of step");
	}
	answer(s, "OK Begin TLS negotiation now");
	if (out_flush(&s->l.c.out) == -1 || login_tls(&s->l) == -1)
		return LEAVE;
	return GO_ON;
}

static enum verdict
do_capability(struct imap *s, struct span args)
{
	out_str(&s->l.c.out, "* ");
	capabilities(s);
	out_str(&s->l.c.out, "\r\n");
	return answer(s, "OK Done");
}

static enum verdict
do_noop(struct imap *s, struct span args)
{
	return answer(s, "OK Done");
}

static enum verdict
do_logout(struct imap *s, struct span args)
{
	bye(s, "Goodbye");
	answer(s, "OK Done");
	return BYE;
}

static const struct command {
	const char *name;
	bool wants_args;
	enum verdict (*run)(struct imap *, struct span args);
} commands[] = {
	{ "AUTHENTICATE", true, do_authenticate },
	{ "CAPABILITY", false, do_capability },
	{ "LOGIN", true, do_login },
	{ "LOGOUT", false, do_logout },
	{ "NOOP", false, do_noop },
	{ "STARTTLS", false, do_starttls },
};

static enum verdict
run(struct imap *s, struct span name, struct span args, bool has_args)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const struct command *c = &commands[i];

		if (!span_is_nocase(name, c->name))
			continue;
		if (c->wants_args != has_args)
			return refuse(s, args, "BAD Wrong arguments");
		return c->run(s, args);
	}
	return refuse(s, has_args ? args : name,
	    "BAD Not a command, or not before the login");
}

/* tag = 1*<any ASTRING-CHAR except "+">, and as long as a frame takes. */
static bool
keep_tag(struct imap *s, struct span tag)
{
	if (tag.n == 0 || tag.n >= sizeof s->tag_text)
		return false;
	for (size_t i = 0; i < tag.n; i++)
		if (!is_atom_char(span_at(tag, i)) || tag.p[i] == '+')
			return false;
	memcpy(s->tag_text, tag.p, tag.n);
	s->tag = span_of(s->tag_text, tag.n);
	return true;
}

static enum verdict
command(struct imap *s, struct span line, bool sound)
{
	struct span rest = line, tag = span_take(&rest, ' ');
	struct span name = span_take(&rest, ' ');
	bool has_args = tag.n + 1 + name.n < line.n;

	s->tag = (struct span)SPAN("*");
	if (!keep_tag(s, tag) || name.n == 0)
		return refuse(s, line, "BAD Not a command");
	if (!sound && span_ends(line, "}")) {
		answer(s, "BAD A bare CR, LF or NUL");
		return bye(s, "Out of step");
	}
	if (!sound)
		return bad(s, "BAD A bare CR, LF or NUL");
	return run(s, name, rest, has_args);
}

static enum verdict
next(struct imap *s)
{
	struct span line;
	int r = login_line(&s->l, &line);

	if (r == 1 || (r == -1 && errno == EBADMSG))
		return command(s, line, r == 1);
	return no_line(s, r);
}

int
main(int argc, char *argv[])
{
	struct imap s = { .session = -1 };
	enum verdict v = GO_ON;
	int code;

	err_program("imap-login");
	if (!login_begin(&s.l, argc, argv, &code))
		return code;
	out_str(&s.l.c.out, "* OK [");
	capabilities(&s);
	out_str(&s.l.c.out, "] ");
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
