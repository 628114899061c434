/* The commands: what, when, how long, and who answers. */
#include "session.h"

#include "base/io.h"
#include "base/log.h"
#include "net/exchange.h"

#include <errno.h>

static enum verdict smtp_ehlo(struct smtp *s, struct span arg);
static enum verdict smtp_helo(struct smtp *s, struct span arg);
static enum verdict smtp_help(struct smtp *s, struct span arg);
static enum verdict smtp_noop(struct smtp *s, struct span arg);
static enum verdict smtp_quit(struct smtp *s, struct span arg);
static enum verdict smtp_bdat(struct smtp *s, struct span arg);
static enum verdict smtp_rset(struct smtp *s, struct span arg);
static enum verdict smtp_starttls(struct smtp *s, struct span arg);
static enum verdict smtp_unknown(struct smtp *s, struct span arg);
static enum verdict smtp_vrfy(struct smtp *s, struct span arg);

enum argument { NONE, SOME, MAYBE };

static const struct verb {
	const char *name;
	unsigned stages;
	enum argument argument;
	bool ends_group; /* nothing may follow unasked: RFC 2920 3.1 */
	bool idle;       /* brings no message nearer */
	size_t limit;    /* of the line with its end */
	enum verdict (*run)(struct smtp *, struct span arg);
} verbs[] = {
	{ "AUTH", GREETED, SOME, true, false, SMTP_SASL, smtp_auth },
	{ "BDAT", ANY, MAYBE, false, false, SMTP_COMMAND, smtp_bdat },
	{ "DATA", RCPT, NONE, true, false, SMTP_COMMAND, smtp_data },
	{ "EHLO", ANY, SOME, true, true, SMTP_COMMAND, smtp_ehlo },
	{ "EXPN", ANY, MAYBE, true, false, SMTP_COMMAND, smtp_unknown },
	{ "HELO", ANY, SOME, true, true, SMTP_COMMAND, smtp_helo },
	{ "HELP", ANY, MAYBE, false, true, SMTP_COMMAND, smtp_help },
	{ "MAIL", GREETED, SOME, false, false, SMTP_MAIL, smtp_mail },
	{ "NOOP", ANY, MAYBE, false, true, SMTP_COMMAND, smtp_noop },
	{ "QUIT", ANY, NONE, true, false, SMTP_COMMAND, smtp_quit },
	{ "RCPT", MAIL | RCPT, SOME, false, false, SMTP_COMMAND, smtp_rcpt },
	{ "RSET", ANY, NONE, false, true, SMTP_COMMAND, smtp_rset },
	{ "STARTTLS", START | GREETED, NONE, true, true, SMTP_COMMAND,
	    smtp_starttls },
	{ "VRFY", ANY, SOME, true, true, SMTP_COMMAND, smtp_vrfy },
};

/*
 * RFC 5321 4.1.4: a wrong name is no reason to refuse mail.  It goes into
 * Received, so that what names and address literals are not made of (but the
 * underscore that some have) becomes a hyphen.
 */
static bool
set_helo(struct smtp *s, struct span name)
{
	if (span_copy(name, s->helo, sizeof s->helo) == -1)
		return false;
	for (char *c = s->helo; *c; c++)
		if (!(*c >= '0' && *c <= '9') && !(*c >= 'a' && *c <= 'z') &&
		    !(*c >= 'A' && *c <= 'Z') && !strchr("-._:[]", *c))
			*c = '-';
	return true;
}

static bool
greet(struct smtp *s, struct span name, bool esmtp)
{
	if (!set_helo(s, name))
		return false;
	transaction_reset(s);
	s->stage = GREETED;
	s->esmtp = esmtp;
	return true;
}

static enum verdict
smtp_helo(struct smtp *s, struct span arg)
{
	if (!greet(s, arg, false))
		return refuse(s, "501 5.5.4 the name is too long", arg);
	replyf(s, "250 %s", s->c.conf.hostname);
	return GO_ON;
}

static enum verdict
smtp_ehlo(struct smtp *s, struct span arg)
{
	if (!greet(s, arg, true))
		return refuse(s, "501 5.5.4 the name is too long", arg);
	replyf(s, "250-%s", s->c.conf.hostname);
	reply(s, "250-PIPELINING");
	replyf(s, "250-SIZE %llu", (unsigned long long)s->c.conf.message_size);
	reply(s, "250-8BITMIME");
	if (conn_may_tls(&s->c))
		reply(s, "250-STARTTLS");
	if (auth_offered(s)) {
		out_str(&s->c.out, "250-AUTH");
		exchange_list(&s->c, " ", "");
		reply(s, "");
	}
	reply(s, "250 ENHANCEDSTATUSCODES");
	return GO_ON;
}

static enum verdict
smtp_help(struct smtp *s, struct span arg)
{
	reply(s, "214 2.0.0 see RFC 5321");
	return GO_ON;
}

static enum verdict
smtp_noop(struct smtp *s, struct span arg)
{
	reply(s, "250 2.0.0 ok");
	return GO_ON;
}

static enum verdict
smtp_quit(struct smtp *s, struct span arg)
{
	transaction_reset(s);
	replyf(s, "221 2.0.0 %s closing", s->c.conf.hostname);
	return STOP;
}

static enum verdict
smtp_rset(struct smtp *s, struct span arg)
{
	transaction_reset(s);
	reply(s, "250 2.0.0 ok");
	return GO_ON;
}

static enum verdict
smtp_unknown(struct smtp *s, struct span arg)
{
	return refuse(s, "502 5.5.1 not implemented", arg);
}

/* Its chunk would be taken for commands. */
static enum verdict
smtp_bdat(struct smtp *s, struct span arg)
{
	return refuse_all(s, "502 5.5.1 not implemented", arg);
}

/* RFC 5321 3.5.3: who there is, is told at RCPT. */
static enum verdict
smtp_vrfy(struct smtp *s, struct span arg)
{
	reply(s, "252 2.1.5 send some mail, I will try");
	return GO_ON;
}

/*
 * RFC 3207 4.2: nothing that was said in clear lives on.  Bytes that came
 * behind the command in clear would be the attacker's of T-TLS-1.
 */
static enum verdict
smtp_starttls(struct smtp *s, struct span arg)
{
	if (s->c.tls || s->logged_in)
		return refuse(s, "503 5.5.1 TLS is no more to be had", arg);
	if (!conn_may_tls(&s->c))
		return refuse(s, "502 5.5.1 TLS is not to be had", arg);
	if (conn_has_bytes(&s->c))
		return refuse_all(s, "554 5.5.1 bytes behind STARTTLS", arg);
	reply(s, "220 2.0.0 go ahead");
	if (out_flush(&s->c.out) == -1)
		return lost(s, "STARTTLS", errno);
	transaction_reset(s);
	s->stage = START;
	s->esmtp = false;
	s->helo[0] = '\0';
	if (shake_hands(s) == -1)
		return GONE;
	return GO_ON;
}

static const struct verb *
find_verb(struct span name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (span_is_nocase(name, verbs[i].name))
			return &verbs[i];
	return NULL;
}

/* A word to be logged.  What is no word may be a password, from a client
 * that has not seen its AUTH refused. */
static struct span
as_word(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.n > 10 ||
		    !((name.p[i] | 32) >= 'a' && (name.p[i] | 32) <= 'z'))
			return span_of(NULL, 0);
	return name;
}

static bool
fits(const struct verb *v, struct span arg)
{
	return v->argument == MAYBE || (v->argument == SOME) == (arg.n > 0);
}

static enum verdict
run_line(struct smtp *s, struct span line)
{
	struct span arg = line;
	struct span name = span_take(&arg, ' ');
	const struct verb *v = find_verb(name);

	name = as_word(name);
	if (line.n + 2 > (v ? v->limit : SMTP_COMMAND))
		return refuse(s, "500 5.5.2 line too long", name);
	if (v == NULL)
		return refuse(s, "500 5.5.1 no such command", name);
	arg = span_trim(arg);
	/* First, for what follows may be the text that goes with a DATA which
	 * is refused.  STARTTLS looks for itself, into the kernel too. */
	if (v->ends_group && v->run != smtp_starttls &&
	    in_pending(&s->c.in).n > 0)
		return refuse_all(s, "554 5.5.0 improper pipelining", name);
	if (!(v->stages & s->stage))
		return refuse(s, "503 5.5.1 not at this point", name);
	if (!fits(v, arg))
		return refuse(s, "501 5.5.4 wrong argument", line);
	if (v->idle && ++s->idle_commands > SMTP_IDLE_COMMANDS)
		return refuse_all(s, "421 4.7.0 too many commands", name);
	return v->run(s, arg);
}

enum verdict
smtp_serve(struct smtp *s)
{
	struct span line;
	enum verdict v;

	while ((v = read_line(s, &line)) == GO_ON) {
		/* A web page made a browser talk to us: T-TLS-13. */
		if (s->stage == START && conn_is_http(line))
			return lost(s, "HTTP", 0);
		v = run_line(s, line);
		if (v != GO_ON)
			break;
	}
	return v;
}
