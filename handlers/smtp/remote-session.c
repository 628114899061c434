/* One connection: the message goes out, or it is known why not. */
#include "remote.h"

#include "base/io.h"
#include "base/log.h"
#include "net/smtp-client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

struct session {
	struct remote *r;
	const struct host *host;
	struct smtp_client c;
	bool clear;      /* no TLS this time */
	bool tls_failed; /* and without it, it may work */
	char address[64];
	char cipher[128];
};

static void
log_step(const struct session *s, const char *event, const char *what)
{
	struct log l;

	log_start(&l, event);
	log_span(&l, "id", s->r->envelope.id);
	log_str(&l, "host", s->host->name);
	log_str(&l, "address", s->address);
	log_str(&l, "tls", s->c.tls ? s->cipher : "none");
	log_str(&l, "what", what);
	log_end(&l);
}

/* A step that failed; what it means for the whole is to be seen. */
static void
fail(struct session *s, const char *step, unsigned code)
{
	char status[SMTP_STATUS];

	if (code == 0) {
		note_failure(s->r, false, "4.4.2", "%s[%s]: %s: %s",
		    s->host->name, s->address, step,
		    errno == EBADMSG ? "the server breaks the protocol"
				     : strerror(errno));
	} else {
		smtp_reply_status(&s->c.reply, status);
		note_failure(s->r, code >= 500, status, "%s[%s]: %s: %s",
		    s->host->name, s->address, step, s->c.reply.text);
	}
	log_step(s, "step-failed", s->r->failure.text);
}

/* The code's class as the queue's word; what is no answer is no decision. */
static const char *
class_of(unsigned code)
{
	if (code >= 500)
		return "perm";
	return code >= 200 && code < 300 ? "ok" : "temp";
}

static void
report_reply(struct session *s, struct target *t, unsigned code)
{
	char status[SMTP_STATUS], text[REMOTE_TEXT];
	struct buf b = buf_new(sizeof text);

	smtp_reply_status(&s->c.reply, status);
	if (code < 400 && code >= 300)
		memcpy(status, "4.5.0", sizeof "4.5.0");
	/* 552 means too many: RFC 5321 4.5.3.1.10. */
	if (code == 552 && t->outcome == OPEN) {
		code = 452;
		status[0] = '4';
	}
	/* The reply's text is cut to fit with the host's name before it. */
	(void)buf_addf(
	    &b, "%s[%s]: %s", s->host->name, s->address, s->c.reply.text);
	report(t, class_of(code), status, buf_cstr(&b));
	buf_free(&b);
}

static void
report_accepted(struct session *s, unsigned code)
{
	for (size_t i = 0; i < s->r->ntargets; i++)
		if (s->r->target[i].outcome == ACCEPTED)
			report_reply(s, &s->r->target[i], code);
}

/* The next host may try for those. */
static void
reopen(struct remote *r)
{
	for (size_t i = 0; i < r->ntargets; i++)
		if (r->target[i].outcome == ACCEPTED)
			r->target[i].outcome = OPEN;
}

/* Opportunistic (RFC 7435): what the server is cannot be told, but who only
 * listens hears nothing.  False: this connection is over. */
static bool
start_tls(struct session *s)
{
	unsigned code = smtp_client_starttls(&s->c, s->r->tls, s->host->name);

	if (code == 0) {
		s->tls_failed = errno != EBADMSG;
		fail(s, "STARTTLS", code);
		return false;
	}
	if (s->c.tls == NULL) {
		log_step(s, "tls-refused", s->c.reply.text);
		return code != 421;
	}
	tls_describe(s->c.tls, s->cipher, sizeof s->cipher);
	code = smtp_client_hello(&s->c, s->r->conf.hostname);
	if (code >= 200 && code < 300)
		return true;
	fail(s, "EHLO", code);
	return false;
}

/* From the greeting to a session that may send mail. */
static bool
open_session(struct session *s)
{
	unsigned code = smtp_client_greeting(&s->c);

	if (code != 220) {
		fail(s, "greeting", code);
		/* Another exchanger may be in a better mood. */
		s->r->failure.any_later = true;
		return false;
	}
	code = smtp_client_hello(&s->c, s->r->conf.hostname);
	if (code < 200 || code >= 300) {
		fail(s, "EHLO", code);
		return false;
	}
	return s->clear || !s->c.has_starttls || start_tls(s);
}

/* How many were accepted; -1: the connection is lost. */
static int
send_recipients(struct session *s)
{
	struct remote *r = s->r;
	int accepted = 0;

	for (size_t i = 0; i < r->ntargets; i++) {
		struct target *t = &r->target[i];
		unsigned code;

		if (t->outcome != OPEN)
			continue;
		code = smtp_client_rcpt(&s->c, t->address);
		if (code == 0 || code == 421) {
			fail(s, "RCPT", code);
			return -1;
		}
		if (code < 300) {
			t->outcome = ACCEPTED;
			accepted++;
		} else {
			report_reply(s, t, code);
		}
	}
	return accepted;
}

/* The text is out and no answer came: it may be there.  Trying another host
 * now would make the second copy sure. */
static void
report_lost(struct session *s)
{
	log_step(s, "possible-duplicate", "no answer after the final dot");
	for (size_t i = 0; i < s->r->ntargets; i++)
		if (s->r->target[i].outcome == ACCEPTED)
			report(&s->r->target[i], "temp", "4.4.2",
			    "no answer after the message was sent");
}

static void
send_message(struct session *s)
{
	struct remote *r = s->r;
	unsigned code = smtp_client_data(&s->c, 0, r->start, r->envelope.size);

	if (code > 0) {
		report_accepted(s, code);
		log_step(s, code < 300 ? "sent" : "not-sent", s->c.reply.text);
		return;
	}
	if (s->c.text_sent) {
		report_lost(s);
		return;
	}
	if (errno == EIO) {
		report_all(r, "temp", "4.3.0", "cannot read the queue file");
		return;
	}
	fail(s, "DATA", code);
	reopen(r);
}

static void
transact(struct session *s)
{
	struct remote *r = s->r;
	unsigned code;
	int accepted;

	if (s->c.has_size && s->c.size_limit > 0 && r->wire > s->c.size_limit) {
		report_all(r, "perm", "5.3.4",
		    "the message is bigger than the host takes");
		return;
	}
	code =
	    smtp_client_mail(&s->c, r->envelope.sender, r->wire, r->eight_bit);
	if (code < 200 || code >= 300) {
		fail(s, "MAIL", code);
		if (code >= 500)
			report_all(
			    r, "perm", r->failure.status, r->failure.text);
		return;
	}
	accepted = send_recipients(s);
	if (accepted > 0)
		send_message(s);
	else if (accepted == -1)
		reopen(r);
}

/* A connected socket, or -1. */
static int
connect_to(const struct sockaddr_storage *a)
{
	int fd =
	    socket(a->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t n = a->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					      : sizeof(struct sockaddr_in6);
	int error = 0;
	socklen_t size = sizeof error;

	if (fd == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)a, n) == -1)
		error = errno;
	if (error == EINPROGRESS &&
	    (io_wait(fd, POLLOUT, io_now_ms() + REMOTE_CONNECT_MS) == -1 ||
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1))
		error = errno;
	if (error == 0) {
		/* The end of a text must not wait for an acknowledgement. */
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		return fd;
	}
	close(fd);
	errno = error;
	return -1;
}

static void
run(struct session *s, const struct sockaddr_storage *a)
{
	int fd = connect_to(a);

	s->r->attempts++;
	s->tls_failed = false;
	if (fd == -1) {
		note_failure(s->r, false, "4.4.1", "%s[%s]: connect: %s",
		    s->host->name, s->address, strerror(errno));
		log_step(s, "step-failed", s->r->failure.text);
		return;
	}
	smtp_client_begin(&s->c, fd);
	if (open_session(s))
		transact(s);
	smtp_client_end(&s->c);
	close(fd);
}

void
remote_try(
    struct remote *r, const struct host *h, const struct sockaddr_storage *a)
{
	struct session s = { .r = r, .host = h };

	address_text(a, s.address, sizeof s.address);
	run(&s, a);
	if (s.tls_failed && has_open(r)) {
		log_step(&s, "tls-failed", "trying without");
		s.clear = true;
		run(&s, a);
	}
}
