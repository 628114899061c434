/*
 * pop3d: a POP3 session after the login (RFC 1939, 2449, 3206).
 *
 * Reads commands from fd 0, answers on fd 1.  Reads and changes the Maildir
 * given, and nothing else: it enters its jail before the first command.
 * Runs as the owner of the mail.  Exits with 0 after QUIT or when the client
 * leaves, 111 after a local fault, 100 on wrong usage.
 *
 * With AUTH_TAG in the environment (+OK) the first line answers the login.
 * USER is for the log.  With -n UID_MIN it is a nursery, as root where front is
 * (net/session.h), and a child of it serves each session that checkpw passes;
 * with -1 it serves one itself.
 */
#include "pop3d.h"

#include "base/conf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "net/session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	INPUT_SIZE = 4096,   /* holds the longest line, and pipelined ones */
	OUTPUT_SIZE = 32768, /* a write to the client */
	BAD_COMMANDS = 10,   /* one after the other, then the session ends */
	LONG_LINE = 65536,   /* bytes of a line that are passed over */
	MEMORY_SIZE = INPUT_SIZE + OUTPUT_SIZE + PIECE_SIZE
};

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
		pop3_reply(p, "-ERR line too long, bye");
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
		return pop3_obey(p, line);
	if (r == -1 && errno == EBADMSG)
		return pop3_bad(p, "-ERR lines end in CRLF");
	if (r == -1 && errno == EMSGSIZE) {
		r = skip_line(p);
		if (r == 1)
			return pop3_bad(p, "-ERR line too long");
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
		pop3_reply(p, "-ERR too many bad commands, bye");
		p->end = "bad-commands";
		v = FAULT;
	}
	return out_flush(&p->out) == 0 && v == LEAVE;
}

static void
log_session(const struct pop3 *p)
{
	struct log l;

	log_start(&l, "session");
	log_str(&l, "user", p->user ? p->user : "");
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
refuse_root(const struct pop3 *p)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;

	if (geteuid() != 0 || getsockname(0, (struct sockaddr *)&a, &n) == -1)
		return;
	if (a.ss_family == AF_INET || a.ss_family == AF_INET6 || p->logged_in)
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
		pop3_reply(
		    p, in_use ? "-ERR [IN-USE] another POP3 session is going on"
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
	err_die(EXIT_NEVER, "usage: pop3d [-r root] MAILDIR");
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
	p->command_ms = (int64_t)conf.pace.command_s * 1000;
	p->mechanisms = conf.mechanisms;
	if (span_copy(span_str(conf.pop3_uidl), p->uidl, sizeof p->uidl) == -1)
		err_die(EXIT_LATER, "pop3_uidl: too long");
	arena_free(&conf.arena);
}

/* By hand, or by a program with a login of its own: the Maildir. */
static const char *
begin_alone(struct pop3 *p, int argc, char **argv)
{
	const char *root = NULL;
	int c;

	while ((c = getopt(argc, argv, "r:")) != -1)
		if (c == 'r')
			root = optarg;
		else
			usage();
	if (argc - optind != 1)
		usage();
	if (log_rescue_stderr() == -1)
		exit(EXIT_LATER);
	read_conf(p, root);
	return argv[optind];
}

static const char *
begin_passed(struct pop3 *p, const struct frame_session *passed)
{
	p->idle_ms = (int64_t)passed->idle_s * 1000;
	p->command_ms = (int64_t)passed->pace.command_s * 1000;
	p->mechanisms = passed->mechanisms;
	memcpy(p->uidl, passed->uidl, sizeof p->uidl);
	return passed->maildir;
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

int
main(int argc, char **argv)
{
	struct pop3 p = { 0 };
	struct buf memory = buf_new(MEMORY_SIZE);
	struct frame_session passed;
	struct session_user who;
	const char *maildir;
	int r;

	err_program("pop3d");
	r = session_passed(argc, argv, &passed);
	if (r == -1)
		err_die_sys(EXIT_LATER, "session");
	if (r == 0)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	maildir = r == 1 ? begin_passed(&p, &passed)
			 : begin_alone(&p, argc, argv);
	who = session_user(r == 1 ? &passed : NULL);
	p.logged_in = who.tag != NULL;
	p.user = who.name;
	refuse_root(&p);
	set_up(&p, &memory, r != 1 && isatty(0));
	enter_jail(maildir);
	return session(&p, maildir);
}
