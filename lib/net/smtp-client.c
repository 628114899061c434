/* The client's side of one SMTP connection. */
#include "net/smtp-client.h"

#include "base/io.h"
#include "base/num.h"
#include "net/smtp-data.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* RFC 5321 4.5.3.2 */
enum {
	MINUTE = 60000,
	COMMAND_MS = 5 * MINUTE,
	DATA_MS = 2 * MINUTE,
	BLOCK_MS = 3 * MINUTE,
	DOT_MS = 10 * MINUTE,
	QUIT_MS = 2000,
	TEXT_MS = 10 * MINUTE, /* for the text, and a kibibyte a second */
	READ = 8192            /* bytes of the message at a time */
};

void
smtp_client_begin(struct smtp_client *c, int fd)
{
	memset(c, 0, sizeof *c);
	c->fd = fd;
	c->in = in_fd(fd, c->in_buf, sizeof c->in_buf);
	c->out = out_fd(fd, c->out_buf, sizeof c->out_buf);
	c->out.timeout_ms = BLOCK_MS;
}

static void
note_extension(struct smtp_client *c, struct span text)
{
	struct span name = span_take(&text, ' ');

	if (span_is_nocase(name, "STARTTLS")) {
		c->has_starttls = true;
	} else if (span_is_nocase(name, "8BITMIME")) {
		c->has_8bitmime = true;
	} else if (span_is_nocase(name, "SIZE")) {
		c->has_size = true;
		(void)num_parse(span_trim(text), UINT64_MAX, &c->size_limit);
	}
}

/* One reply: its code, or 0. */
static unsigned
read_reply(struct smtp_client *c, int64_t ms, bool hello)
{
	int last = 0;

	c->reply = (struct smtp_reply){ 0 };
	if (out_flush(&c->out) == -1)
		return 0;
	in_deadline(&c->in, ms);
	while (last == 0) {
		struct span line;
		int r = in_line(&c->in, &line);

		if (r == 0)
			errno = EPIPE;
		else if (r == -1 && errno == EMSGSIZE)
			errno = EBADMSG;
		if (r <= 0)
			return 0;
		last = smtp_reply_line(&c->reply, line);
		if (hello && c->reply.lines > 1)
			note_extension(c, smtp_reply_text(line));
	}
	if (last == 1)
		return c->reply.code;
	errno = EBADMSG;
	return 0;
}

/*
 * A command and its reply.  What the server says before it was asked is no
 * answer: it must not pass for one.
 */
static unsigned command(struct smtp_client *c, int64_t ms, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static unsigned
command(struct smtp_client *c, int64_t ms, const char *fmt, ...)
{
	char text[SMTP_CLIENT_COMMAND];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof text - 2, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof text - 2) {
		errno = EMSGSIZE;
		return 0;
	}
	if (in_pending(&c->in).n > 0) {
		errno = EBADMSG;
		return 0;
	}
	memcpy(text + n, "\r\n", 2);
	out_add(&c->out, text, (size_t)n + 2);
	return read_reply(c, ms, strncmp(text, "EHLO ", 5) == 0);
}

unsigned
smtp_client_greeting(struct smtp_client *c)
{
	return read_reply(c, COMMAND_MS, false);
}

unsigned
smtp_client_hello(struct smtp_client *c, const char *name)
{
	unsigned code;

	c->has_size = c->has_8bitmime = c->has_starttls = false;
	c->size_limit = 0;
	code = command(c, COMMAND_MS, "EHLO %s", name);
	if (code >= 500)
		code = command(c, COMMAND_MS, "HELO %s", name);
	return code;
}

unsigned
smtp_client_starttls(
    struct smtp_client *c, struct tls_client *t, const char *name)
{
	unsigned code = command(c, COMMAND_MS, "STARTTLS");

	if (code != 220)
		return code;
	/* T-CLI-1: what came in clear would pass for a reply within TLS. */
	if (in_pending(&c->in).n > 0) {
		errno = EBADMSG;
		return 0;
	}
	in_discard(&c->in);
	c->tls = tls_connect(t, c->fd, name, io_now_ms() + TLS_HANDSHAKE_MS);
	if (c->tls == NULL)
		return 0;
	c->in.read = tls_read;
	c->in.ctx = c->tls;
	c->out.write = tls_write;
	c->out.ctx = c->tls;
	return code;
}

unsigned
smtp_client_mail(
    struct smtp_client *c, struct span sender, uint64_t size, bool eight_bit)
{
	char parameter[64] = "";

	if (c->has_size && size > 0)
		snprintf(parameter, sizeof parameter, " SIZE=%llu",
		    (unsigned long long)size);
	return command(c, COMMAND_MS, "MAIL FROM:<%.*s>%s%s", (int)sender.n,
	    sender.n ? sender.p : "", parameter,
	    c->has_8bitmime && eight_bit ? " BODY=8BITMIME" : "");
}

unsigned
smtp_client_rcpt(struct smtp_client *c, struct span address)
{
	return command(
	    c, COMMAND_MS, "RCPT TO:<%.*s>", (int)address.n, address.p);
}

/* 0, or -1 with errno. */
static int
send_text(struct smtp_client *c, int fd, int64_t offset, uint64_t size)
{
	struct smtp_stuff stuff = { .bol = true };
	int64_t end = io_now_ms() + TEXT_MS + (int64_t)(size / 1024) * 1000;
	char bytes[READ], wire[READ];
	struct span in;

	while (size > 0) {
		ssize_t n = pread(fd, bytes,
		    size < sizeof bytes ? (size_t)size : sizeof bytes, offset);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = EIO;
			return -1;
		}
		offset += n;
		size -= (uint64_t)n;
		in = span_of(bytes, (size_t)n);
		while (in.n > 0)
			out_add(&c->out, wire,
			    smtp_stuff(&stuff, &in, wire, sizeof wire));
		if (c->out.error == 0 && io_now_ms() > end)
			c->out.error = ETIMEDOUT;
		if (c->out.error) {
			errno = c->out.error;
			return -1;
		}
	}
	out_add(&c->out, wire, smtp_stuff_end(&stuff, wire));
	return 0;
}

/* A server that hung up while the text went out may have said why. */
static unsigned
last_words(struct smtp_client *c)
{
	int error = c->out.error;
	unsigned code;

	c->out.error = 0;
	c->out.n = 0;
	code = read_reply(c, QUIT_MS, false);
	c->out.error = error;
	if (code >= 400)
		return code;
	errno = error;
	return 0;
}

unsigned
smtp_client_data(struct smtp_client *c, int fd, int64_t offset, uint64_t size)
{
	unsigned code = command(c, DATA_MS, "DATA");

	if (code != 354)
		/* Nothing but 354 lets us go on: 250 here is a lie. */
		return code >= 400 ? code : (errno = EBADMSG, 0U);
	if (in_pending(&c->in).n > 0) {
		errno = EBADMSG;
		return 0;
	}
	if (send_text(c, fd, offset, size) == -1)
		return errno == EIO ? 0 : last_words(c);
	c->text_sent = true;
	code = read_reply(c, DOT_MS, false);
	if (code >= 300 && code < 400) {
		errno = EBADMSG;
		return 0;
	}
	return code;
}

void
smtp_client_end(struct smtp_client *c)
{
	if (c->out.error == 0 && in_pending(&c->in).n == 0) {
		c->out.timeout_ms = QUIT_MS;
		(void)command(c, QUIT_MS, "QUIT");
	}
	if (c->tls)
		tls_close(c->tls, io_now_ms() + QUIT_MS);
	c->tls = NULL;
}
