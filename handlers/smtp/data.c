/* DATA: from the wire into the queue, in one pass. */
#include "session.h"

#include "base/arena.h"
#include "base/io.h"
#include "base/log.h"
#include "header.h"
#include "net/frame.h"
#include "net/smtp-data.h"
#include "queue/envelope.h"
#include "queue/submit.h"
#include "text/date.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	CHUNK = 8192, /* bytes decoded at a time */
	SUBMIT_OUT = 8192,
	ADDED = 1024, /* bytes of the fields that are added */
	DRAIN_SLACK = 65536
};

#define BARE "550 5.5.2 bare CR, LF or NUL"

/* One message on its way. */
struct body {
	struct submit submit;
	int queue_fd; /* to enqueue; -1 when the message was given up */
	struct smtp_unstuff unstuff;
	struct header header;
	uint64_t wire;     /* bytes as RFC 1870 counts them */
	size_t line;       /* of the line so far */
	const char *wrong; /* the refusal that it earned, or NULL */
	bool dirty;        /* wrong is BARE */
	bool hopeless;     /* the refusal is the last word */
	int64_t start_ms, now;
	char id[40]; /* ours, of the Received field */
	char out[SUBMIT_OUT];
};

/* From here on the message is only drained; enqueue forgets it. */
static void
give_up(struct body *b, const char *wrong)
{
	if (b->wrong == NULL)
		b->wrong = wrong;
	if (b->queue_fd != -1)
		close(b->queue_fd);
	b->queue_fd = -1;
}

/* RFC 3848 */
static const char *
protocol(const struct smtp *s)
{
	if (!s->esmtp)
		return "SMTP";
	if (s->c.tls)
		return s->logged_in ? "ESMTPSA" : "ESMTPS";
	return s->logged_in ? "ESMTPA" : "ESMTP";
}

static bool
write_envelope(const struct smtp *s, struct buf *out)
{
	struct arena a = arena_new(ENVELOPE_SIZE * 2);
	struct span rest = buf_span(&s->t.rcpt);
	struct envelope e = {
		.helo = span_str(s->helo),
		.proto = span_str(protocol(s)),
		.body = span_str(s->t.eight_bit ? "8BITMIME" : "7BIT"),
		.sender = span_str(s->t.sender),
		.rcpt = arena_alloc(&a, s->t.nrcpt, sizeof *e.rcpt),
	};
	int r = -1;

	while (e.rcpt && rest.n > 0)
		e.rcpt[e.nrcpt++] = span_take(&rest, '\0');
	if (e.rcpt)
		r = envelope_write(&e, out);
	arena_free(&a);
	return r == 0;
}

/* A new enqueue process, with the envelope. */
static bool
open_queue(struct smtp *s, struct body *b)
{
	struct frame_request q = { .type = FRAME_ENQUEUE,
		.tls = s->c.tls != NULL };
	struct buf envelope = buf_new(ENVELOPE_SIZE);
	struct frame_reply a;
	bool ok = write_envelope(s, &envelope);

	if (ok && frame_ask(FRAME_FD, &q, &a, &b->queue_fd) == -1)
		ok = false;
	if (ok && (a.status != FRAME_OK || b->queue_fd == -1))
		ok = false;
	if (ok)
		submit_begin(&b->submit, b->queue_fd, b->out, sizeof b->out,
		    buf_span(&envelope));
	else if (b->queue_fd != -1)
		close(b->queue_fd);
	buf_free(&envelope);
	return ok;
}

/* [192.0.2.1] or [IPv6:2001:db8::1]: RFC 5321 4.1.3. */
static void
write_source(const struct smtp *s, struct buf *out)
{
	bool six = span_find(span_str(s->c.peer), ':') < strlen(s->c.peer);

	if (strcmp(s->c.peer, "local") == 0)
		return;
	(void)buf_addf(out, " ([%s%s])", six ? "IPv6:" : "", s->c.peer);
}

/* RFC 5321 4.4; the recipient only where no other could learn of him. */
static void
write_received(const struct smtp *s, struct body *b)
{
	struct buf text = buf_new(ADDED * 2);
	char date[DATE_TEXT], cipher[128];

	(void)buf_addf(&text, "Received: from %s", s->helo);
	write_source(s, &text);
	(void)buf_addf(&text, "\n\tby %s with %s id %s", s->c.conf.hostname,
	    protocol(s), b->id);
	if (s->c.tls)
		(void)buf_addf(&text, "\n\t(%s)",
		    tls_describe(s->c.tls, cipher, sizeof cipher));
	if (s->t.nrcpt == 1)
		(void)buf_addf(&text, "\n\tfor <%s>", s->t.rcpt.p);
	(void)buf_addf(
	    &text, ";\n\t%s\n", date_mail(b->now, date_zone(b->now), date));
	submit_body(&b->submit, buf_span(&text));
	buf_free(&text);
}

/*
 * What a mail program may leave to its server: RFC 6409 8.2, 8.3.  From is what
 * RFC 5322 3.6 asks for, and other servers refuse mail without it.
 */
static void
write_missing(const struct smtp *s, const struct body *b, struct submit *out)
{
	struct buf text = buf_new(ADDED);
	char date[DATE_TEXT];

	if (s->c.service->kind != SERVICE_SUBMISSION)
		return;
	if (!b->header.has_from)
		(void)buf_addf(&text, "From: <%s>\n",
		    s->t.sender[0] != '\0' ? s->t.sender : s->user);
	if (!b->header.has_date)
		(void)buf_addf(&text, "Date: %s\n",
		    date_mail(b->now, date_zone(b->now), date));
	if (!b->header.has_id)
		(void)buf_addf(
		    &text, "Message-ID: <%s@%s>\n", b->id, s->c.conf.hostname);
	submit_body(out, buf_span(&text));
	buf_free(&text);
}

/*
 * The header's end: what it lacks, the empty line, what was held back.  Where
 * the empty line is missing it is added: else the first line of the text
 * would become part of the header that is in front of it, ours.
 */
static void
end_header(const struct smtp *s, struct body *b)
{
	write_missing(s, b, &b->submit);
	submit_body(&b->submit, (struct span)SPAN("\n"));
	submit_body(&b->submit, header_rest(&b->header));
}

static void
take_text(const struct smtp *s, struct body *b, struct span text)
{
	while (text.n > 0 && b->header.state != HEADER_OVER) {
		submit_body(&b->submit, header_take(&b->header, &text));
		if (header_wrong(&b->header)) {
			give_up(b, header_wrong(&b->header));
			return;
		}
		if (b->header.state == HEADER_OVER)
			end_header(s, b);
	}
	submit_body(&b->submit, text);
}

/* Sizes, before anything is kept. */
static void
measure(const struct smtp *s, struct body *b, struct span text)
{
	b->wire += text.n;
	while (text.n > 0) {
		size_t end = span_find(text, '\n');

		b->line += end < text.n ? end : text.n;
		if (b->line > SMTP_TEXT_LINE)
			give_up(b, "554 5.6.0 line too long");
		if (end < text.n) {
			b->line = 0;
			b->wire++; /* the CR */
		}
		text = span_skip(text, end + 1);
	}
	if (b->wire > s->c.conf.message_size)
		give_up(b, "552 5.3.4 message too big");
	if (b->wire / 2 > s->c.conf.message_size + DRAIN_SLACK)
		b->hopeless = true;
}

/* By the rate, and by silence. */
static int64_t
data_deadline(const struct smtp *s, const struct body *b)
{
	int64_t now = io_now_ms();
	int64_t rate = conf_data_deadline(&s->c.conf.pace, b->start_ms, b->wire);
	int64_t idle = now + (b->dirty ? SMTP_DIRTY_MS
				       : (int64_t)s->c.conf.smtp_idle_s * 1000);

	return rate < idle ? rate : idle;
}

/* Decodes what was read.  True at the end of the text. */
static bool
take_input(struct smtp *s, struct body *b)
{
	char text[CHUNK];

	while (in_pending(&s->c.in).n > 0) {
		struct span in = in_pending(&s->c.in);
		size_t before = in.n, n;
		enum smtp_data r =
		    smtp_unstuff(&b->unstuff, &in, text, sizeof text, &n);

		in_consume(&s->c.in, before - in.n);
		measure(s, b, span_of(text, n));
		if (b->queue_fd != -1)
			take_text(s, b, span_of(text, n));
		if (r == SMTP_DATA_END)
			return true;
		if (r == SMTP_DATA_BARE) {
			b->wrong = NULL;
			b->dirty = b->hopeless = true;
			give_up(b, BARE);
		}
	}
	return false;
}

/*
 * Until the end of the text.  GO_ON when the client may have its answer,
 * else what to do.  After a bare CR, LF or NUL where the end is, is what the
 * two sides disagree on: a true one is looked for, but not for long.
 */
static enum verdict
receive(struct smtp *s, struct body *b)
{
	while (!take_input(s, b)) {
		int r;

		if (b->wrong && b->hopeless && !b->dirty)
			return GO_ON;
		if (b->dirty && b->wire > s->c.conf.message_size)
			return GO_ON;
		s->c.in.deadline_ms = data_deadline(s, b);
		r = in_fill(&s->c.in);
		if (r == 1)
			continue;
		if (r == -1 && errno == ETIMEDOUT && b->dirty)
			return GO_ON;
		if (r == -1 && errno == ETIMEDOUT)
			return refuse_all(
			    s, "421 4.4.2 you took too long", span_str("DATA"));
		return lost(s, "DATA", r == 0 ? EPIPE : errno);
	}
	return GO_ON;
}

static enum verdict
accepted(struct smtp *s, const struct body *b, const char *queue_id)
{
	struct log l;

	log_start(&l, "accepted");
	log_str(&l, "service", s->c.service->name);
	log_str(&l, "id", queue_id);
	log_str(&l, "trace", b->id);
	log_str(&l, "peer", s->c.peer);
	log_str(&l, "helo", s->helo);
	log_str(&l, "proto", protocol(s));
	if (s->logged_in)
		log_str(&l, "user", s->user);
	log_str(&l, "from", s->t.sender);
	log_str(&l, "to", s->t.rcpt.p);
	log_num(&l, "rcpts", s->t.nrcpt);
	log_num(&l, "size", b->wire);
	log_end(&l);
	s->messages++;
	s->idle_commands = 0;
	replyf(s, "250 2.0.0 ok, queued as %s", queue_id);
	return GO_ON;
}

/* Ends the submission: the one place where 250 is said to a message. */
static enum verdict
submit(struct smtp *s, struct body *b)
{
	char answer[SUBMIT_ANSWER];
	char verdict;

	if (b->header.state != HEADER_OVER) {
		submit_body(&b->submit, header_rest(&b->header));
		write_missing(s, b, &b->submit);
	}
	verdict = submit_end(&b->submit, answer, io_now_ms() + SMTP_QUEUE_MS);
	close(b->queue_fd);
	if (verdict == 'K')
		return accepted(s, b, answer);
	if (verdict == 'D')
		return refuse(s,
		    span_starts(span_str(answer), "5.4.6 ")
			? "554 5.4.6 mail loop: it was delivered here before"
			: "554 5.3.0 the queue refuses it",
		    span_str(answer));
	return refuse_later(
	    s, "451 4.3.0 cannot queue it now", span_str(answer));
}

static enum verdict
finish(struct smtp *s, struct body *b)
{
	if (b->wrong == NULL)
		return submit(s, b);
	return b->hopeless ? refuse_all(s, b->wrong, span_str("DATA"))
			   : refuse(s, b->wrong, span_str("DATA"));
}

static void
begin_body(struct body *b)
{
	unsigned char random[6] = { 0 };
	uint32_t usec;

	b->start_ms = io_now_ms();
	io_wall(&b->now, &usec);
	/* Not a secret: where there are no random bytes, time will do. */
	(void)!getrandom(random, sizeof random, GRND_NONBLOCK);
	snprintf(b->id, sizeof b->id, "%llx.%05x.%02x%02x%02x%02x%02x%02x",
	    (unsigned long long)b->now, (unsigned)usec, random[0], random[1],
	    random[2], random[3], random[4], random[5]);
}

enum verdict
smtp_data(struct smtp *s, struct span arg)
{
	struct body b = { .queue_fd = -1 };
	enum verdict v;

	begin_body(&b);
	if (!open_queue(s, &b)) {
		transaction_reset(s);
		return refuse_later(
		    s, "451 4.3.0 cannot queue it now", span_str("DATA"));
	}
	write_received(s, &b);
	reply(s, "354 end with a dot");
	if (out_flush(&s->c.out) == -1)
		v = lost(s, "DATA", errno);
	else
		v = receive(s, &b);
	if (v == GO_ON) {
		unsigned before = s->messages;

		v = finish(s, &b);
		/* What was sent ahead counted on a yes: T-SMTP-3. */
		if (s->messages == before && in_pending(&s->c.in).n > 0)
			v = STOP;
	} else
		give_up(&b, "");
	transaction_reset(s);
	return v;
}
