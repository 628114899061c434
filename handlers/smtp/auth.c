/* AUTH (RFC 4954).  The proof comes from the porter, which logs it. */
#include "session.h"

#include "net/exchange.h"

bool
auth_offered(const struct smtp *s)
{
	return s->c.service->kind == SERVICE_SUBMISSION &&
	       conn_may_login(&s->c) && !s->logged_in;
}

/* After an answer: the porter hears no more than so many tries. */
static enum verdict
count_try(struct smtp *s, enum verdict v)
{
	if (v != GO_ON || !exchange_is_spent(&s->c))
		return v;
	reply(s, "421 4.7.0 too many failed logins");
	return STOP;
}

static enum verdict
login_failed(struct smtp *s)
{
	if (!exchange_is_spent(&s->c))
		reply(s, "535 5.7.8 name or password is wrong");
	return count_try(s, GO_ON);
}

static enum verdict
unchecked(struct smtp *s)
{
	return count_try(s,
	    refuse_later(
		s, "454 4.7.0 cannot check that now", span_of(NULL, 0)));
}

static enum verdict
welcome(struct smtp *s, const struct exchange *x)
{
	if (span_copy(span_str(x->name), s->user, sizeof s->user) == -1)
		return unchecked(s);
	s->logged_in = true;
	s->login_deadline_ms = -1;
	reply(s, "235 2.7.0 welcome");
	return GO_ON;
}

/* No login was tried, or one was given up, which counts as one. */
static enum verdict
broken_off(struct smtp *s, const char *text)
{
	return count_try(s, refuse(s, text, span_of(NULL, 0)));
}

/* The end of an exchange. */
static enum verdict
told(struct smtp *s, const struct exchange *x, enum exchange_next next)
{
	switch (next) {
	case EXCHANGE_OK:
		return welcome(s, x);
	case EXCHANGE_CANCELLED:
		return broken_off(s, "501 5.7.0 login given up");
	case EXCHANGE_WRONG:
		return broken_off(s, "501 5.5.2 not base64");
	case EXCHANGE_NO:
		return login_failed(s);
	case EXCHANGE_MORE:
	case EXCHANGE_LATER:
		break;
	}
	return unchecked(s);
}

/* A challenge, and the client's answer to it, still encoded. */
static enum verdict
ask(struct smtp *s, const struct exchange *x, struct span *answer)
{
	enum verdict v;

	out_str(&s->c.out, "334 ");
	out_span(&s->c.out, buf_span(&x->challenge));
	reply(s, "");
	v = read_line(s, answer);
	if (v == GO_ON && answer->n + 2 > SMTP_SASL)
		return refuse_all(
		    s, "500 5.5.6 line too long", span_of(NULL, 0));
	return v;
}

static enum verdict
converse(struct smtp *s, struct exchange *x, enum exchange_next next)
{
	enum verdict v = GO_ON;

	while (next == EXCHANGE_MORE && v == GO_ON) {
		struct span answer;

		v = ask(s, x, &answer);
		if (v == GO_ON)
			next = exchange_next(x, &s->c, answer);
	}
	exchange_end(x, &s->c);
	return v == GO_ON ? told(s, x, next) : v;
}

enum verdict
smtp_auth(struct smtp *s, struct span arg)
{
	size_t all = arg.n;
	struct span name = span_take(&arg, ' ');
	const struct sasl_mechanism *m = exchange_find(&s->c, name);
	struct exchange x;
	enum verdict v;

	if (s->c.service->kind != SERVICE_SUBMISSION)
		return refuse(s, "502 5.5.1 no logins here", span_of(NULL, 0));
	if (s->logged_in)
		return refuse(s, "503 5.5.1 already logged in", name);
	if (!conn_may_login(&s->c))
		return refuse(s, "538 5.7.11 TLS is needed first", name);
	if (m == NULL)
		return refuse(s, "504 5.5.4 no such mechanism", name);
	v = converse(s, &x,
	    exchange_begin(
		&x, &s->c, m, span_of(NULL, 0), name.n < all ? &arg : NULL));
	/* The password was there; what is still to be read stays. */
	explicit_bzero(s->in_buf, s->c.in.start);
	explicit_bzero(s->in_buf + s->c.in.end, sizeof s->in_buf - s->c.in.end);
	return v;
}
