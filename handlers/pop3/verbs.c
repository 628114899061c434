/* What a client may say, and what it does. */
#include "command.h"
#include "pop3d.h"
#include "wire.h"

#include "auth/sasl.h"
#include "base/conf.h"
#include "base/log.h"

#include <errno.h>
#include <unistd.h>

void
pop3_reply(struct pop3 *p, const char *line)
{
	out_str(&p->out, line);
	out_str(&p->out, "\r\n");
}

static enum verdict
ok(struct pop3 *p, const char *line)
{
	pop3_reply(p, line);
	return GO_ON;
}

enum verdict
pop3_bad(struct pop3 *p, const char *line)
{
	pop3_reply(p, line);
	return BAD;
}

/* The message that argument i numbers; false when that was answered. */
static bool
numbered(struct pop3 *p, const struct command *c, size_t *i)
{
	uint32_t number = c->arg[0];

	if (number == 0 || number > p->drop.n) {
		pop3_reply(p, "-ERR no such message");
		return false;
	}
	*i = number - 1;
	if (p->drop.marks[*i] & DROP_DELETED) {
		pop3_reply(p, "-ERR that message is deleted");
		return false;
	}
	return true;
}

static enum verdict
pop3_stat(struct pop3 *p, const struct command *c)
{
	size_t n;
	uint64_t size;

	drop_count(&p->drop, &n, &size);
	out_fmt(&p->out, "+OK %zu %llu\r\n", n, (unsigned long long)size);
	return GO_ON;
}

static void
list_line(struct pop3 *p, size_t i)
{
	out_u64(&p->out, i + 1);
	out_add(&p->out, " ", 1);
	out_u64(&p->out, drop_size(&p->drop, i));
	out_add(&p->out, "\r\n", 2);
}

/* A name that the index lost is found by looking for the file. */
static const char *
file_of(struct mailbox *m, size_t i)
{
	uint64_t size;
	int fd;

	if (mailbox_file(m, i)[0] != '\0')
		return mailbox_file(m, i);
	fd = mailbox_read(m, i, &size);
	if (fd != -1)
		close(fd);
	return mailbox_file(m, i);
}

static void
uidl_line(struct pop3 *p, size_t i)
{
	struct span file = span_str(file_of(p->drop.mailbox, i));
	struct buf id = buf_new(UIDL_SIZE);
	struct maildir_name name;
	const char *given = NULL;

	if (maildir_parse(file, &name))
		given = uidls_find(&p->given, name.base);
	if (given == NULL)
		uidl_write(p->uidl, p->drop.mailbox, i, &id);
	out_u64(&p->out, i + 1);
	out_add(&p->out, " ", 1);
	pop3_reply(p, given ? given : buf_cstr(&id));
	buf_free(&id);
}

/* One line for the message asked for, or one for each. */
static enum verdict
each_or_one(struct pop3 *p, const struct command *c,
    void (*line)(struct pop3 *, size_t))
{
	size_t i;

	if (c->nargs == 1) {
		if (!numbered(p, c, &i))
			return GO_ON;
		out_str(&p->out, "+OK ");
		line(p, i);
		return GO_ON;
	}
	pop3_reply(p, "+OK");
	for (i = 0; i < p->drop.n; i++)
		if (!(p->drop.marks[i] & DROP_DELETED))
			line(p, i);
	pop3_reply(p, ".");
	return GO_ON;
}

static enum verdict
pop3_list(struct pop3 *p, const struct command *c)
{
	return each_or_one(p, c, list_line);
}

static enum verdict
pop3_uidl(struct pop3 *p, const struct command *c)
{
	/* Other ids now would have the client fetch all mail again. */
	if (!p->given_read &&
	    uidls_read(p->drop.account.dir, &p->given) == -1) {
		uidls_free(&p->given);
		return ok(p, "-ERR [SYS/TEMP] the ids cannot be read");
	}
	p->given_read = true;
	return each_or_one(p, c, uidl_line);
}

/* 0, or -1 with errno: the message cannot be read to its end. */
static int
send_pieces(struct pop3 *p, int fd, struct wire *w)
{
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(fd, p->piece, PIECE_SIZE, at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		at += n;
		if (!wire_add(w, span_of(p->piece, (size_t)n)))
			return 0;
	}
}

/*
 * A message that breaks off must not look whole: after a read error the
 * session ends without the final dot.
 */
static enum verdict
send_message(struct pop3 *p, size_t i, struct wire w)
{
	uint64_t size;
	int fd = mailbox_read(p->drop.mailbox, i, &size);
	int r;

	if (fd == -1 && errno == ENOENT)
		return ok(p, "-ERR that message is gone");
	if (fd == -1) {
		log_error("unreadable", "message", errno);
		return ok(p, "-ERR [SYS/TEMP] the message cannot be read");
	}
	out_fmt(&p->out, "+OK %llu octets\r\n",
	    (unsigned long long)drop_size(&p->drop, i));
	r = send_pieces(p, fd, &w);
	if (r == -1)
		log_error("unreadable", "message", errno);
	close(fd);
	p->bytes += w.bytes;
	if (r == -1) {
		p->end = "fault";
		return FAULT;
	}
	wire_end(&w);
	return p->out.error ? FAULT : GO_ON;
}

static enum verdict
pop3_retr(struct pop3 *p, const struct command *c)
{
	enum verdict v;
	size_t i;

	if (!numbered(p, c, &i))
		return GO_ON;
	v = send_message(p, i, wire_new(&p->out, false, 0));
	if (v == GO_ON) {
		p->drop.marks[i] |= DROP_FETCHED;
		p->fetched++;
	}
	return v;
}

static enum verdict
pop3_top(struct pop3 *p, const struct command *c)
{
	size_t i;

	if (!numbered(p, c, &i))
		return GO_ON;
	return send_message(p, i, wire_new(&p->out, true, c->arg[1]));
}

static enum verdict
pop3_dele(struct pop3 *p, const struct command *c)
{
	size_t i;

	if (!numbered(p, c, &i))
		return GO_ON;
	p->drop.marks[i] |= DROP_DELETED;
	p->deleted++;
	return ok(p, "+OK deleted at QUIT");
}

static enum verdict
pop3_rset(struct pop3 *p, const struct command *c)
{
	for (size_t i = 0; i < p->drop.n; i++)
		p->drop.marks[i] &= (unsigned char)~DROP_DELETED;
	p->deleted = 0;
	return ok(p, "+OK nothing is deleted");
}

static enum verdict
pop3_noop(struct pop3 *p, const struct command *c)
{
	return ok(p, "+OK");
}

/* EXTERNAL and those with -PLUS, of TLS alone, are left out: who would take
 * them has. */
static void
offer_logins(struct pop3 *p)
{
	const char *before = "SASL ";

	if (p->mechanisms & CONF_PLAIN)
		pop3_reply(p, "USER");
	for (enum sasl_id id = 0; id < SASL_MECHANISMS; id++) {
		const struct sasl_mechanism *m = sasl_mechanism(id);

		if (m->plus || id == SASL_EXTERNAL ||
		    (m->setting & p->mechanisms) == 0)
			continue;
		out_str(&p->out, before);
		out_str(&p->out, m->name);
		before = " ";
	}
	pop3_reply(p, "");
}

/*
 * RFC 2449 section 6: USER and SASL are announced in both states alike, and
 * who came through the login program was offered both.  STLS is announced
 * before the login only (RFC 2595 section 4).
 */
static enum verdict
pop3_capa(struct pop3 *p, const struct command *c)
{
	pop3_reply(p, "+OK\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\n"
		      "AUTH-RESP-CODE");
	if (p->logged_in)
		offer_logins(p);
	pop3_reply(p, "EXPIRE NEVER\r\nIMPLEMENTATION Postern\r\n.");
	return GO_ON;
}

/* RFC 1939 section 6: the UPDATE state, and its one answer. */
static enum verdict
pop3_quit(struct pop3 *p, const struct command *c)
{
	p->end = "quit";
	if (drop_update(&p->drop) == 0) {
		pop3_reply(p, "+OK bye");
		return LEAVE;
	}
	log_error("update-failed", "INBOX", errno);
	p->end = "update-failed";
	p->deleted = 0;
	pop3_reply(p, "-ERR [SYS/TEMP] some deleted messages were not removed");
	return LEAVE;
}

static enum verdict
pop3_login(struct pop3 *p, const struct command *c)
{
	return pop3_bad(p, "-ERR you are logged in");
}

/* What a client may say, with how many numbers, and who answers. */
static const struct verb {
	const char *name;
	size_t min, max;
	enum verdict (*run)(struct pop3 *p, const struct command *c);
} verbs[] = {
	{ "CAPA", 0, 0, pop3_capa },
	{ "DELE", 1, 1, pop3_dele },
	{ "LIST", 0, 1, pop3_list },
	{ "NOOP", 0, 0, pop3_noop },
	{ "QUIT", 0, 0, pop3_quit },
	{ "RETR", 1, 1, pop3_retr },
	{ "RSET", 0, 0, pop3_rset },
	{ "STAT", 0, 0, pop3_stat },
	{ "TOP", 2, 2, pop3_top },
	{ "UIDL", 0, 1, pop3_uidl },
};

/* Commands of the other state: whatever follows them is not looked at. */
static const char *const logins[] = { "APOP", "AUTH", "PASS", "STLS", "USER" };

static enum verdict
run(struct pop3 *p, const struct verb *v, const struct command *c)
{
	if (!c->numbers || c->nargs < v->min || c->nargs > v->max)
		return pop3_bad(p, "-ERR wrong arguments");
	return v->run(p, c);
}

enum verdict
pop3_obey(struct pop3 *p, struct span line)
{
	struct command c;

	if (line.n > COMMAND_LINE)
		return pop3_bad(p, "-ERR line too long");
	if (!command_parse(line, &c))
		return pop3_bad(p, "-ERR not a command");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (span_is_nocase(c.word, verbs[i].name))
			return run(p, &verbs[i], &c);
	for (size_t i = 0; i < sizeof logins / sizeof *logins; i++)
		if (span_is_nocase(c.word, logins[i]))
			return pop3_login(p, &c);
	return pop3_bad(p, "-ERR no such command");
}
