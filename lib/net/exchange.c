/* One SASL exchange. */
#include "net/exchange.h"

#include "text/base64.h"

#include <unistd.h>

static const struct span no_bytes = SPAN("");

bool
exchange_offers(const struct conn *c, const struct sasl_mechanism *m)
{
	unsigned char data[TLS_BINDING];

	if (!conn_may_login(c) || (m->setting & c->conf.mechanisms) == 0)
		return false;
	/* RFC 4422 A: only where there is something outside to go by. */
	if (m->id == SASL_EXTERNAL)
		return c->tls && tls_client_print(c->tls, data) > 0;
	/* Where a connection lacks the best binding, the mechanism is not
	 * announced: clients would choose it and fail.  So do some that
	 * have no bindings at all, hence the setting. */
	if (m->plus && (c->conf.scram_plus & service_conf(c->service)) == 0)
		return false;
	return !m->plus || (c->tls && tls_bind(c->tls, TLS_EXPORTER, data) > 0);
}

void
exchange_list(struct conn *c, const char *before, const char *after)
{
	for (enum sasl_id id = 0; id < SASL_MECHANISMS; id++) {
		const struct sasl_mechanism *m = sasl_mechanism(id);

		if (!exchange_offers(c, m))
			continue;
		out_str(&c->out, before);
		out_str(&c->out, m->name);
		out_str(&c->out, after);
	}
}

const struct sasl_mechanism *
exchange_find(const struct conn *c, struct span name)
{
	const struct sasl_mechanism *m = sasl_find(name);

	return m && exchange_offers(c, m) ? m : NULL;
}

static void
add_bindings(const struct conn *c, struct frame_request *q)
{
	static const enum tls_binding types[] = {
		[FRAME_EXPORTER] = TLS_EXPORTER,
		[FRAME_ENDPOINT] = TLS_END_POINT,
		[FRAME_UNIQUE] = TLS_UNIQUE,
	};

	_Static_assert((int)FRAME_BINDING == (int)TLS_BINDING, "one size");
	if (c->tls == NULL)
		return;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		q->bindings[i].n = (uint32_t)tls_bind(
		    c->tls, types[i], q->bindings[i].data);
	if (c->conf.mechanisms & CONF_EXTERNAL)
		q->bindings[FRAME_CLIENT].n = (uint32_t)tls_client_print(
		    c->tls, q->bindings[FRAME_CLIENT].data);
}

/* What stands between a client and another session is the porter's answer. */
static enum exchange_next
told(struct exchange *x, struct conn *c, const struct frame_reply *a)
{
	bool sound = (x->session != -1) ==
		     (a->status == FRAME_OK && c->service->session && c->tls);

	if (!sound)
		return EXCHANGE_LATER;
	switch (a->status) {
	case FRAME_OK:
		memcpy(x->name, a->user, sizeof x->name);
		return EXCHANGE_OK;
	case FRAME_REJECT:
		return EXCHANGE_NO;
	case FRAME_MORE:
		buf_reset(&x->challenge);
		return base64_encode(span_of(a->data, a->n), &x->challenge) == 0
			   ? EXCHANGE_MORE
			   : EXCHANGE_LATER;
	default:
		return EXCHANGE_LATER;
	}
}

static enum exchange_next
ask(struct exchange *x, struct conn *c, struct span message)
{
	enum frame_type type = x->asked ? FRAME_STEP : FRAME_AUTH;
	enum exchange_next next = EXCHANGE_NO;
	struct frame_reply a = { .status = FRAME_TEMPFAIL };
	struct frame_request q;

	/* The session may be the next to speak, and the relay has our array. */
	if (out_flush(&c->out) == -1)
		return EXCHANGE_LATER;
	/* What does not fit into a frame is no password of ours. */
	if (frame_fill(&q, type, x->tag, message, c->tls != NULL) == 0) {
		q.mechanism = x->m->id;
		if (!x->asked)
			add_bindings(c, &q);
		(void)frame_ask(FRAME_FD, &q, &a, &x->session);
		next = told(x, c, &a);
		x->asked = next == EXCHANGE_MORE;
	}
	explicit_bzero(&q, sizeof q);
	/* The password is in what was read, too. */
	explicit_bzero(c->in.buf, c->in.start);
	if (next != EXCHANGE_OK && !x->asked)
		c->tries++;
	return next;
}

static enum exchange_next
challenge(struct exchange *x, const char *text)
{
	buf_reset(&x->challenge);
	return base64_encode(span_str(text), &x->challenge) == 0
		   ? EXCHANGE_MORE
		   : EXCHANGE_LATER;
}

/* LOGIN, for the mail programs that know no other: a name, a password. */
static enum exchange_next
login_step(struct exchange *x, struct conn *c, struct span answer)
{
	struct buf plain = buf_new(FRAME_DATA + 1);
	enum exchange_next next;

	if (x->step == 1) {
		/* What is cut is too long for any frame, and refused. */
		(void)buf_add_span(&x->user, span_head(answer, EXCHANGE_NAME));
		return challenge(x, "Password:");
	}
	(void)sasl_plain_make(buf_span(&x->user), answer, &plain);
	next = ask(x, c, plain.full ? no_bytes : buf_span(&plain));
	buf_wipe(&plain);
	return next;
}

static enum exchange_next
step(struct exchange *x, struct conn *c, struct span answer)
{
	x->step++;
	if (x->m->id == SASL_LOGIN)
		return login_step(x, c, answer);
	return ask(x, c, answer);
}

static void
start(struct exchange *x, const struct sasl_mechanism *m, struct span tag)
{
	*x = (struct exchange){ .m = m,
		.tag = tag,
		.user = buf_new(EXCHANGE_NAME),
		.challenge = buf_new(2 * FRAME_CHALLENGE),
		.session = -1 };
}

enum exchange_next
exchange_begin(struct exchange *x, struct conn *c,
    const struct sasl_mechanism *m, struct span tag,
    const struct span *initial)
{
	start(x, m, tag);
	if (initial)
		return exchange_next(x, c, *initial);
	return challenge(x, m->id == SASL_LOGIN ? "Username:" : "");
}

enum exchange_next
exchange_next(struct exchange *x, struct conn *c, struct span line)
{
	struct buf answer = buf_new(CONN_LINE);
	enum exchange_next next = EXCHANGE_WRONG;

	if (span_is(line, "*"))
		return EXCHANGE_CANCELLED;
	/* An initial response of no bytes is "=" (RFC 4954 4, RFC 4959 3). */
	if ((x->step == 0 && span_is(line, "=")) ||
	    base64_decode(line, &answer))
		next = step(x, c, buf_span(&answer));
	buf_wipe(&answer);
	return next;
}

enum exchange_next
exchange_password(struct exchange *x, struct conn *c, struct span tag,
    struct span user, struct span password)
{
	struct buf plain = buf_new(FRAME_DATA + 1);
	enum exchange_next next;

	start(x, sasl_mechanism(SASL_PLAIN), tag);
	(void)sasl_plain_make(user, password, &plain);
	next = ask(x, c, plain.full ? no_bytes : buf_span(&plain));
	buf_wipe(&plain);
	return next;
}

void
exchange_end(struct exchange *x, struct conn *c)
{
	struct frame_request q;
	struct frame_reply a;
	int fd = -1;

	/* The porter has counted it. */
	if (x->asked) {
		c->tries++;
		(void)frame_fill(
		    &q, FRAME_CANCEL, x->tag, no_bytes, c->tls != NULL);
		(void)frame_ask(FRAME_FD, &q, &a, &fd);
		if (fd != -1)
			close(fd);
	}
	buf_wipe(&x->user);
	buf_wipe(&x->challenge);
}

bool
exchange_is_spent(const struct conn *c)
{
	return c->tries >= c->conf.auth_tries;
}
