/* Replies, reading, and the end of things. */
#include "session.h"

#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void
reply(struct smtp *s, const char *text)
{
	out_str(&s->c.out, text);
	out_str(&s->c.out, "\r\n");
}

void
replyf(struct smtp *s, const char *fmt, ...)
{
	char text[SMTP_COMMAND];
	va_list args;

	va_start(args, fmt);
	/* What does not fit is cut; our texts fit. */
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	reply(s, text);
}

static void
log_refusal(struct smtp *s, const char *text, struct span about)
{
	struct log l;

	if (s->log_lines++ >= SMTP_LOG_LINES)
		return;
	log_start(&l, "refused");
	log_str(&l, "service", s->c.service->name);
	log_str(&l, "peer", s->c.peer);
	if (s->logged_in)
		log_str(&l, "user", s->user);
	log_str(&l, "reply", text);
	if (about.n > 0)
		log_span(&l, "about", about);
	log_end(&l);
}

enum verdict
refuse(struct smtp *s, const char *text, struct span about)
{
	if (++s->errors > SMTP_ERRORS)
		return refuse_all(s, "421 4.7.0 too many errors", about);
	return refuse_later(s, text, about);
}

enum verdict
refuse_later(struct smtp *s, const char *text, struct span about)
{
	log_refusal(s, text, about);
	reply(s, text);
	return GO_ON;
}

enum verdict
refuse_all(struct smtp *s, const char *text, struct span about)
{
	log_refusal(s, text, about);
	reply(s, text);
	return STOP;
}

enum verdict
lost(const struct smtp *s, const char *where, int error)
{
	struct log l;

	log_start(&l, error == EPIPE ? "truncated" : "lost");
	log_str(&l, "service", s->c.service->name);
	log_str(&l, "peer", s->c.peer);
	log_str(&l, "where", where);
	if (error)
		log_errno(&l, "error", error);
	log_end(&l);
	return GONE;
}

void
transaction_reset(struct smtp *s)
{
	buf_free(&s->t.rcpt);
	s->t = (struct transaction){ .rcpt = s->t.rcpt };
	if (s->stage & (MAIL | RCPT))
		s->stage = GREETED;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return b >= 0 && b < a ? b : a;
}

int
shake_hands(struct smtp *s)
{
	int64_t now = io_now_ms();
	int64_t idle = now + (int64_t)s->c.conf.smtp_idle_s * 1000;

	return conn_tls(&s->c,
	    earlier(
		earlier(now + TLS_HANDSHAKE_MS, idle), s->login_deadline_ms));
}

/* Silence may last long; a line that has begun may not. */
static int
wait_line(struct smtp *s)
{
	int64_t idle = io_now_ms() + (int64_t)s->c.conf.smtp_idle_s * 1000;
	int r = 1;

	s->c.in.deadline_ms = earlier(idle, s->login_deadline_ms);
	if (!in_has_line(&s->c.in) && out_flush(&s->c.out) == -1)
		return -1;
	if (in_pending(&s->c.in).n == 0)
		r = in_fill(&s->c.in);
	s->c.in.deadline_ms =
	    earlier(io_now_ms() + (int64_t)s->c.conf.pace.command_s * 1000,
		s->login_deadline_ms);
	return r;
}

/* Of a line that is not hopeless. */
static size_t
longest(const struct smtp *s)
{
	return auth_offered(s) ? SMTP_SASL : SMTP_HOPELESS;
}

enum verdict
read_line(struct smtp *s, struct span *line)
{
	int r = wait_line(s);

	if (r == 1)
		r = in_line(&s->c.in, line);
	if (r == 1 && line->n <= longest(s))
		return GO_ON;
	if (r == 0)
		return GONE;
	if (r == 1 || errno == EMSGSIZE)
		return refuse_all(
		    s, "500 5.5.2 line too long", span_of(NULL, 0));
	if (errno == EBADMSG)
		return refuse_all(
		    s, "500 5.5.2 bare CR, LF or NUL", span_of(NULL, 0));
	if (errno == ETIMEDOUT)
		return refuse_all(
		    s, "421 4.4.2 you took too long", span_of(NULL, 0));
	return lost(s, "command", errno);
}
