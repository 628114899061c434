/*
 * pop3d: a POP3 session after the login (RFC 1939, 2449, 3206).
 *
 * Reads commands from fd 0, answers on fd 1.  Reads and changes the Maildir
 * given, and nothing else: it enters its jail before the first command.
 * Runs as the owner of the mail.  Exits with 0 after QUIT or when the client
 * leaves, 111 after a local fault, 100 on wrong usage.
 *
 * With AUTH_TAG in the environment (+OK, from front) the first line answers
 * the login.  USER is for the log.  With -n it is a nursery, as root where
 * front is (net/session.h), and a child of it serves each session that front
 * passes.
 */
#include "command.h"
#include "drop.h"
#include "uidl.h"
#include "wire.h"

#include "auth/sasl.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/in.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/priv.h"
#include "net/session.h"
#include "store/uidls.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	INPUT_SIZE = 4096,   /* holds the longest line, and pipelined ones */
	OUTPUT_SIZE = 32768, /* a write to the client */
	PIECE_SIZE = 65536,  /* a read from a message */
	BAD_COMMANDS = 10,   /* one after the other, then the session ends */
	LONG_LINE = 65536,   /* bytes of a line that are passed over */
	MEMORY_SIZE = INPUT_SIZE + OUTPUT_SIZE + PIECE_SIZE
};

enum verdict {
	GO_ON, /* answered */
	BAD,   /* answered; the command was none of ours */
	LEAVE, /* QUIT was answered */
	FAULT  /* the session cannot go on; nothing more is sent */
};

struct pop3 {
	struct in in;
	struct out out;
	struct drop drop;
	int64_t idle_ms, command_ms;
	uint32_t mechanisms; /* of enum conf_mechanism */
	char uidl[UIDL_FORMAT];
	struct uidls given; /* ids that another server gave, once read */
	bool given_read;
	bool logged_in; /* by the login program; else we are used by hand */
	char *piece;    /* PIECE_SIZE bytes */
	unsigned bad;   /* commands in a row */
	size_t fetched, deleted;
	uint64_t bytes;
	const char *end; /* how it ended, for the log */
};

static void
reply(struct pop3 *p, const char *line)
{
	out_str(&p->out, line);
	out_str(&p->out, "\r\n");
}

static enum verdict
ok(struct pop3 *p, const char *line)
{
	reply(p, line);
	return GO_ON;
}

static enum verdict
bad(struct pop3 *p, const char *line)
{
	reply(p, line);
	return BAD;
}

/* The message that argument i numbers; false when that was answered. */
static bool
numbered(struct pop3 *p, const struct command *c, size_t *i)
{
	uint32_t number = c->arg[0];

	if (number == 0 || number > p->drop.n) {
		reply(p, "-ERR no such message");
		return false;
	}
	*i = number - 1;
	if (p->drop.marks[*i] & DROP_DELETED) {
		reply(p, "-ERR that message is deleted");
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
	reply(p, given ? given : buf_cstr(&id));
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
	reply(p, "+OK");
	for (i = 0; i < p->drop.n; i++)
		if (!(p->drop.marks[i] & DROP_DELETED))
			line(p, i);
	reply(p, ".");
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
	if (!p->given_read && uidls_read(p->drop.account.dir, &p->given) == -1) {
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
		reply(p, "USER");
	for (enum sasl_id id = 0; id < SASL_MECHANISMS; id++) {
		const struct sasl_mechanism *m = sasl_mechanism(id);

		if (m->plus || id == SASL_EXTERNAL || (m->setting & p->mechanisms) == 0)
			continue;
		out_str(&p->out, before);
		out_str(&p->out, m->name);
		before = " ";
	}
	reply(p, "");
}

/*
 * RFC 2449 section 6: USER and SASL are announced in both states alike, and
 * who came through the login program was offered both.  STLS is announced
 * before the login only (RFC 2595 section 4).
 */
static enum verdict
pop3_capa(struct pop3 *p, const struct command *c)
{
	reply(p, "+OK\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\n"
		 "AUTH-RESP-CODE");
	if (p->logged_in)
		offer_logins(p);
	reply(p, "EXPIRE NEVER\r\nIMPLEMENTATION Postern\r\n.");
	return GO_ON;
}

/* RFC 1939 section 6: the UPDATE state, and its one answer. */
static enum verdict
pop3_quit(struct pop3 *p, const struct command *c)
{
	p->end = "quit";
	if (drop_update(&p->drop) == 0) {
		reply(p, "+OK bye");
		return LEAVE;
	}
	log_error("update-failed", "INBOX", errno);
	p->end = "update-failed";
	p->deleted = 0;
	reply(p, "-ERR [SYS/TEMP] some deleted messages were not removed");
	return LEAVE;
}

static enum verdict
pop3_login(struct pop3 *p, const struct command *c)
{
	return bad(p, "-ERR you are logged in");
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
		return bad(p, "-ERR wrong arguments");
	return v->run(p, c);
}

static enum verdict
obey(struct pop3 *p, struct span line)
{
	struct command c;

	if (line.n > COMMAND_LINE)
		return bad(p, "-ERR line too long");
	if (!command_parse(line, &c))
		return bad(p, "-ERR not a command");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (span_is_nocase(c.word, verbs[i].name))
			return run(p, &verbs[i], &c);
	for (size_t i = 0; i < sizeof logins / sizeof *logins; i++)
		if (span_is_nocase(c.word, logins[i]))
			return pop3_login(p, &c);
	return bad(p, "-ERR no such command");
}

/* Passes over the rest of a line that does not fit: as in_line. */
static int
skip_line(struct pop3 *p)
{
	size_t passed = 0;

	while (!in_has_line(&p->in)) {
		int r;

		passed += in_pending(&p->in).n;
		if (passed > LONG_LINE) {
			errno = EMSGSIZE;
			return -1;
		}
		in_discard(&p->in);
		if ((r = in_fill(&p->in)) <= 0)
			return r;
	}
	in_consume(&p->in, span_find(in_pending(&p->in), '\n') + 1);
	return 1;
}

/* Why no more lines can be read; 0 is the end of input. */
static enum verdict
no_line(struct pop3 *p, int r)
{
	p->end = r == 0 ? "dropped" : "error";
	if (r == -1 && errno == ETIMEDOUT)
		p->end = "idle";
	if (r == -1 && errno == EMSGSIZE) {
		p->end = "long-line";
		reply(p, "-ERR line too long, bye");
	}
	return FAULT;
}

/* Silence may last long; a line that has begun may not. */
static int
wait_for_command(struct pop3 *p)
{
	int r = 1;

	in_deadline(&p->in, p->idle_ms);
	if (in_pending(&p->in).n == 0)
		r = in_fill(&p->in);
	in_deadline(&p->in, p->command_ms);
	return r;
}

/* One line read and answered. */
static enum verdict
next(struct pop3 *p)
{
	struct span line;
	int r;

	/* One write for the answers to all commands that came together. */
	if (!in_has_line(&p->in) && out_flush(&p->out) == -1)
		return FAULT;
	r = wait_for_command(p);
	if (r == 1)
		r = in_line(&p->in, &line);
	if (r == 1)
		return obey(p, line);
	if (r == -1 && errno == EBADMSG)
		return bad(p, "-ERR lines end in CRLF");
	if (r == -1 && errno == EMSGSIZE) {
		r = skip_line(p);
		if (r == 1)
			return bad(p, "-ERR line too long");
	}
	return no_line(p, r);
}

/* True after QUIT was answered and the answer is on its way. */
static bool
serve(struct pop3 *p)
{
	enum verdict v = GO_ON;

	while (v != LEAVE && v != FAULT) {
		v = next(p);
		p->bad = v == BAD ? p->bad + 1 : 0;
		if (p->bad < BAD_COMMANDS)
			continue;
		reply(p, "-ERR too many bad commands, bye");
		p->end = "bad-commands";
		v = FAULT;
	}
	return out_flush(&p->out) == 0 && v == LEAVE;
}

static void
log_session(const struct pop3 *p)
{
	struct log l;
	const char *user = getenv("USER");

	log_start(&l, "session");
	log_str(&l, "user", user ? user : "");
	log_str(&l, "end", p->end);
	log_num(&l, "messages", p->drop.n);
	log_num(&l, "fetched", p->fetched);
	log_num(&l, "bytes", p->bytes);
	log_num(&l, "deleted", p->deleted);
	log_end(&l);
}

/*
 * A session for the network never runs as root.  By hand, on a terminal or a
 * pipe, it may: it can do no more than its user.
 */
static void
refuse_root(void)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;

	if (geteuid() != 0 || getsockname(0, (struct sockaddr *)&a, &n) == -1)
		return;
	if (a.ss_family == AF_INET || a.ss_family == AF_INET6 ||
	    getenv("AUTH_TAG"))
		err_die(EXIT_NEVER, "a network session never runs as root");
}

static void
enter_jail(const char *maildir)
{
	struct jail j = { .kind = JAIL_SESSION, .folder = maildir };
	int landlock;

	if (jail_enter(&j, &landlock) == -1)
		err_die_sys(EXIT_LATER, "jail");
}

static int
session(struct pop3 *p, const char *maildir)
{
	size_t n;
	uint64_t size;

	if (drop_open(&p->drop, maildir) == -1) {
		bool in_use = errno == EBUSY;

		log_error("open-failed", maildir, errno);
		reply(p, in_use
			     ? "-ERR [IN-USE] another POP3 session is going on"
			     : "-ERR [SYS/TEMP] the mailbox cannot be opened");
		(void)out_flush(&p->out); /* the exit code says it all */
		return EXIT_LATER;
	}
	drop_count(&p->drop, &n, &size);
	out_fmt(&p->out, "+OK %zu messages, %llu octets\r\n", n,
	    (unsigned long long)size);
	if (!serve(p) && p->end == NULL)
		p->end = "dropped";
	if (strcmp(p->end, "quit") != 0)
		p->deleted = 0;
	if (p->logged_in)
		log_session(p);
	if (p->given_read)
		uidls_free(&p->given);
	drop_close(&p->drop);
	return 0;
}

static void
usage(void)
{
	err_die(EXIT_NEVER, "usage: pop3d [-r root] {MAILDIR | -n}");
}

/* The rest of postern.conf is not ours. */
static void
read_conf(struct pop3 *p, const char *root)
{
	struct conf conf;
	char error[CONF_ERROR];

	if (conf_load(&conf, root, error) == -1)
		err_die(EXIT_LATER, "%s", error);
	p->idle_ms = (int64_t)conf.pop3_idle_s * 1000;
	p->command_ms = (int64_t)conf.command_s * 1000;
	p->mechanisms = conf.mechanisms;
	if (span_copy(span_str(conf.pop3_uidl), p->uidl, sizeof p->uidl) ==
	    -1)
		err_die(EXIT_LATER, "pop3_uidl: too long");
	arena_free(&conf.arena);
}

static void
set_up(struct pop3 *p, struct buf *memory, bool terminal)
{
	char *m = buf_room(memory, MEMORY_SIZE);

	p->in = in_fd(0, m, INPUT_SIZE);
	p->in.lf_ok = terminal;
	p->out = out_fd(1, m + INPUT_SIZE, OUTPUT_SIZE);
	p->out.timeout_ms = p->idle_ms;
	p->piece = m + INPUT_SIZE + OUTPUT_SIZE;
}

/* False in the nursery, when it is done. */
static bool
be_born(struct frame_session *passed)
{
	int r = session_nursery(passed);

	if (r == -1)
		err_die_sys(EXIT_LATER, "nursery");
	return r == 1;
}

int
main(int argc, char **argv)
{
	struct pop3 p = { 0 };
	struct buf memory = buf_new(MEMORY_SIZE);
	struct frame_session passed;
	const char *root = NULL, *maildir;
	bool nursery = false;
	int c;

	err_program("pop3d");
	while ((c = getopt(argc, argv, "nr:")) != -1)
		if (c == 'r')
			root = optarg;
		else if (c == 'n')
			nursery = true;
		else
			usage();
	if (argc - optind != !nursery)
		usage();
	if (log_rescue_stderr() == -1)
		return EXIT_LATER;
	if (nursery && priv_limit_to_users() == -1)
		err_die_sys(EXIT_LATER, "capabilities");
	signal(SIGPIPE, SIG_IGN);
	read_conf(&p, root);
	if (nursery && !be_born(&passed))
		return 0;
	maildir = nursery ? passed.maildir : argv[optind];
	refuse_root();
	p.logged_in = getenv("AUTH_TAG") != NULL;
	set_up(&p, &memory, !nursery && isatty(0));
	enter_jail(maildir);
	return session(&p, maildir);
}
