/*
 * A whole session of smtpd on bytes from anybody: it ends, every line that it
 * says is a reply, nothing is said after the last one, and a transaction is
 * either whole or not there.  There is no front: some passwords are right, and
 * no message gets further than into a broken pipe.  The first byte says how
 * many bytes a read gives, and whether it is submission.
 */
#include <cdb.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../handlers/smtp/session.h"
#include "auth/sasl.h"
#include "base/log.h"
#include "net/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct wire {
	struct span in;
	size_t step;
	bool by_line; /* as a client that waits for each reply */
	struct buf out;
};

/* The log's and front's parts, played here. */
void
log_start(struct log *l, const char *event)
{
	l->n = 0;
}

void
log_span(struct log *l, const char *key, struct span value)
{
	l->n += value.n;
}

void
log_str(struct log *l, const char *key, const char *value)
{
	l->n += strlen(value);
}

void
log_num(struct log *l, const char *key, uint64_t value)
{
	l->n++;
}

void
log_errno(struct log *l, const char *key, int e)
{
	l->n++;
}

void
log_end(struct log *l)
{
	l->n = 0;
}

void
log_error(const char *event, const char *what, int e)
{
}

int
frame_ask(
    int channel, const struct frame_request *q, struct frame_reply *a, int *fd)
{
	static const char end[] = "@example.test";
	int pair[2];

	*a = (struct frame_reply){ .status = FRAME_TEMPFAIL };
	*fd = -1;
	if (q->type == FRAME_AUTH && q->n > 0 && (q->data[q->n - 1] & 1)) {
		a->status = FRAME_OK;
		memcpy(a->user, "alice", 5);
		memcpy(a->user + 5, end, sizeof end);
	}
	if (q->type == FRAME_AUTH && q->mechanism == SASL_SCRAM_SHA_1) {
		a->status = FRAME_MORE;
		a->n = 5;
		memcpy(a->data, "r=x,i", 5);
	}
	/* An enqueue that died: the text is taken all the same. */
	if (q->type == FRAME_ENQUEUE &&
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
		close(pair[1]);
		*fd = pair[0];
		a->status = FRAME_OK;
	}
	return 0;
}

int
frame_fill(struct frame_request *q, enum frame_type type, struct span tag,
    struct span message, bool tls)
{
	*q = (struct frame_request){ .type = type };
	if (message.n > sizeof q->data) {
		errno = EMSGSIZE;
		return -1;
	}
	if (message.n > 0)
		memcpy(q->data, message.p, message.n);
	q->n = (uint32_t)message.n;
	return 0;
}

static ssize_t
read_wire(void *ctx, char *p, size_t n, int64_t deadline_ms)
{
	struct wire *w = ctx;
	struct span some = span_head(w->in, n < w->step ? n : w->step);

	if (w->by_line)
		some.n = span_find(some, '\n') < some.n
			     ? span_find(some, '\n') + 1
			     : some.n;
	if (some.n > 0)
		memcpy(p, some.p, some.n);
	w->in = span_skip(w->in, some.n);
	return (ssize_t)some.n;
}

static int
write_wire(void *ctx, const char *p, size_t n, int64_t deadline_ms)
{
	struct wire *w = ctx;

	if (buf_add(&w->out, p, n) == -1)
		abort();
	return 0;
}

static int
make_users(void)
{
	static const char users[][2][64] = {
		{ "example.test", "domain" },
		{ "alice@example.test", "uid=1 gid=1 maildir=/a" },
		{ "info@example.test", "alias=alice@example.test,b@c" },
	};
	struct cdb_make m;
	int fd = memfd_create("users", 0);

	if (fd == -1 || cdb_make_start(&m, fd) == -1)
		abort();
	for (size_t i = 0; i < sizeof users / sizeof *users; i++)
		if (cdb_make_add(&m, users[i][0], (unsigned)strlen(users[i][0]),
			users[i][1], (unsigned)strlen(users[i][1])) == -1)
			abort();
	if (cdb_make_finish(&m) == -1)
		abort();
	return fd;
}

/* "ddd text" or "ddd-text" in CR LF; the last is of the verdict's kind. */
static void
check_replies(struct span out)
{
	while (out.n > 0) {
		size_t end = span_find(out, '\n');
		struct span line = span_head(out, end);

		if (end == out.n || line.n < 5 || line.p[line.n - 1] != '\r' ||
		    line.p[0] < '2' || line.p[0] > '5' ||
		    (line.p[3] != ' ' && line.p[3] != '-'))
			abort();
		for (size_t i = 0; i + 1 < line.n; i++)
			if (line.p[i] < ' ' || line.p[i] > '~')
				abort();
		out = span_skip(out, end + 1);
	}
}

static void
check_transaction(const struct smtp *s)
{
	bool open = s->stage == MAIL || s->stage == RCPT;

	if ((s->stage == RCPT) != (s->t.nrcpt > 0) ||
	    (!open && (s->t.sender[0] || s->t.eight_bit || s->t.rcpt.n > 0 ||
			  s->t.over_rcpt > 0)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf room = buf_new(sizeof(struct smtp));
	struct smtp *s = (struct smtp *)(void *)buf_room(&room, sizeof *s);
	struct wire w = { .in = span_of((const char *)data, size),
		.out = buf_new(1 << 22),
		.step = 4096 };
	int users = make_users();

	memset(s, 0, sizeof *s);
	if (size > 0) {
		w.step = data[0] & 1 ? 4096 : 1U + data[0] / 4;
		w.by_line = !(data[0] & 1);
		w.in = span_skip(w.in, 1);
	}
	s->c.service =
	    service_find(size > 0 && data[0] & 2 ? "submission" : "smtp");
	s->c.conf.hostname = s->c.conf.domain = "example.test";
	s->c.conf.message_size = 10000;
	s->c.conf.recipients = 5;
	s->c.conf.auth_tries = 3;
	s->c.conf.mechanisms = UINT32_MAX;
	s->c.conf.smtp_idle_s = 300;
	s->c.conf.pace.command_s = s->c.conf.pace.data_s = 60;
	s->c.conf.pace.data_rate = 1024;
	s->c.peer = "local";
	s->c.clear_login = true;
	s->stage = START;
	s->users_fd = users;
	s->login_deadline_ms = -1;
	s->c.in = in_fd(-1, s->in_buf, sizeof s->in_buf);
	s->c.in.read = read_wire;
	s->c.in.ctx = &w;
	s->c.out = out_fd(-1, s->c.out_buf, sizeof s->c.out_buf);
	s->c.out.write = write_wire;
	s->c.out.ctx = &w;
	(void)smtp_serve(s);
	(void)out_flush(&s->c.out);
	check_replies(buf_span(&w.out));
	check_transaction(s);
	buf_free(&s->t.rcpt);
	buf_free(&w.out);
	buf_free(&room);
	close(users);
	return 0;
}
