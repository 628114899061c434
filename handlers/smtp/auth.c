/* AUTH (RFC 4954): PLAIN, and LOGIN for the mail programs that know no
 * other.  The proof comes from front; here only base64 is undone. */
#include "session.h"

#include "auth/sasl.h"
#include "base/log.h"
#include "net/frame.h"
#include "text/base64.h"

#include <errno.h>
#include <unistd.h>

enum {
	SECRET = SMTP_SASL /* bytes that a response can decode to */
};

bool
auth_offered(const struct smtp *s)
{
	return s->c.service->kind == SERVICE_SUBMISSION &&
	       conn_may_login(&s->c) && !s->logged_in;
}

static void
log_login(const struct smtp *s, const char *event)
{
	struct log l;

	log_start(&l, event);
	log_str(&l, "service", s->c.service->name);
	log_str(&l, "peer", s->c.peer);
	if (s->logged_in)
		log_str(&l, "user", s->user);
	log_end(&l);
}

static enum verdict
login_failed(struct smtp *s)
{
	log_login(s, "login-failed");
	if (++s->auth_failures >= s->c.conf.auth_tries) {
		reply(s, "421 4.7.0 too many failed logins");
		return STOP;
	}
	reply(s, "535 5.7.8 name or password is wrong");
	return GO_ON;
}

static enum verdict
check(struct smtp *s, struct span plain)
{
	struct sasl_plain parts;
	struct frame_request q;
	struct frame_reply a;
	int fd = -1, r;

	if (!sasl_plain_parse(plain, &parts) ||
	    frame_auth(&q, span_of(NULL, 0), plain, s->c.tls != NULL) == -1)
		return login_failed(s);
	r = frame_ask(FRAME_FD, &q, &a, &fd);
	explicit_bzero(&q, sizeof q);
	if (fd != -1)
		close(fd);
	if (r == -1 || a.status == FRAME_TEMPFAIL)
		return refuse_later(
		    s, "454 4.7.0 cannot check that now", span_of(NULL, 0));
	if (a.status != FRAME_OK ||
	    span_copy(span_str(a.user), s->user, sizeof s->user) == -1)
		return login_failed(s);
	s->logged_in = true;
	s->login_deadline_ms = -1;
	log_login(s, "login");
	reply(s, "235 2.7.0 welcome");
	return GO_ON;
}

/* The client's answer to a challenge, still encoded. */
static enum verdict
ask(struct smtp *s, const char *challenge, struct span *answer)
{
	enum verdict v;

	reply(s, challenge);
	v = read_line(s, answer);
	if (v == GO_ON && answer->n + 2 > SMTP_SASL)
		return refuse_all(
		    s, "500 5.5.6 line too long", span_of(NULL, 0));
	return v;
}

/* True with the bytes in *out; else the reply was given. */
static bool
decode(struct smtp *s, struct span encoded, struct buf *out, enum verdict *v)
{
	if (span_is(encoded, "*")) {
		*v = refuse(s, "501 5.7.0 login given up", span_of(NULL, 0));
		return false;
	}
	/* An empty initial response is "=": RFC 4954 4. */
	if (span_is(encoded, "=") || base64_decode(encoded, out))
		return true;
	*v = refuse(s, "501 5.5.2 not base64", span_of(NULL, 0));
	return false;
}

static enum verdict
auth_plain(struct smtp *s, struct span initial)
{
	struct buf message = buf_new(SECRET);
	enum verdict v = GO_ON;

	if (initial.n == 0)
		v = ask(s, "334 ", &initial);
	if (v == GO_ON && decode(s, initial, &message, &v))
		v = check(s, buf_span(&message));
	buf_wipe(&message);
	return v;
}

static enum verdict
auth_login(struct smtp *s, struct span initial)
{
	struct buf user = buf_new(SECRET), password = buf_new(SECRET);
	struct buf message = buf_new(SECRET);
	enum verdict v = GO_ON;

	/* "Username:" and "Password:" */
	if (initial.n == 0)
		v = ask(s, "334 VXNlcm5hbWU6", &initial);
	if (v == GO_ON && decode(s, initial, &user, &v) &&
	    (v = ask(s, "334 UGFzc3dvcmQ6", &initial)) == GO_ON &&
	    decode(s, initial, &password, &v)) {
		if (sasl_plain_make(
			buf_span(&user), buf_span(&password), &message) == 0)
			v = check(s, buf_span(&message));
		else
			v = login_failed(s);
	}
	buf_wipe(&user);
	buf_wipe(&password);
	buf_wipe(&message);
	return v;
}

enum verdict
smtp_auth(struct smtp *s, struct span arg)
{
	struct span mechanism = span_take(&arg, ' ');
	enum verdict v;

	if (s->c.service->kind != SERVICE_SUBMISSION)
		return refuse(s, "502 5.5.1 no logins here", span_of(NULL, 0));
	if (s->logged_in)
		return refuse(s, "503 5.5.1 already logged in", mechanism);
	if (!conn_may_login(&s->c))
		return refuse(s, "538 5.7.11 TLS is needed first", mechanism);
	if (span_is_nocase(mechanism, "PLAIN"))
		v = auth_plain(s, arg);
	else if (span_is_nocase(mechanism, "LOGIN"))
		v = auth_login(s, arg);
	else
		return refuse(s, "504 5.5.4 no such mechanism", mechanism);
	/* The password was there; what is still to be read stays. */
	explicit_bzero(s->in_buf, s->c.in.start);
	explicit_bzero(s->in_buf + s->c.in.end, sizeof s->in_buf - s->c.in.end);
	return v;
}
