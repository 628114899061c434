/*
 * imapd: one IMAP session on a Maildir, for somebody who is logged in.
 *
 * Reads commands from fd 0, answers on fd 1, logs to fd 2; reads
 * postern.conf for its limits, then only what lies below the Maildir.
 * Runs as the owner of the Maildir, never as root for a network connection.
 * With AUTH_TAG in its environment it answers that command of the login
 * program and logs one line at its end, else it greets with PREAUTH.
 * With -n UID_MIN it is a nursery, as root where front is (net/session.h), and
 * a child of it serves each session that checkpw passes; with -1 it serves one
 * itself.  It reads no configuration then.
 * Exits with 0 at LOGOUT or the end of the input, 111 where it cannot
 * serve, 100 where it was started wrongly.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/jail.h"
#include "base/conf.h"
#include "base/log.h"
#include "net/session.h"
#include "session.h"
#include "store/quota.h"

enum { REFUSE_MS = 10 * 1000, MMAP_BYTES = 131072 };

/* A socket that came with a login is as good as the network behind it. */
static bool
is_network(const char *tag)
{
	struct sockaddr_storage a = { 0 };
	socklen_t n = sizeof a;

	if (getsockname(0, (struct sockaddr *)&a, &n) == -1)
		return false;
	return tag || a.ss_family == AF_INET || a.ss_family == AF_INET6;
}

static void
check_tag(const char *tag)
{
	struct arena a = arena_new(0);
	struct parse p = parse_of(span_str(tag), &a);

	parse_tag(&p);
	if (!parse_end(&p))
		err_die(EXIT_NEVER, "AUTH_TAG is not a tag");
}

/* A fault of ours, told to the client, which waits for an answer. */
_Noreturn static void
cannot_serve(const char *tag, const char *what, const char *why)
{
	char text[256];
	struct out o = out_fd(1, text, sizeof text);

	o.timeout_ms = REFUSE_MS;
	if (tag) {
		out_str(&o, tag);
		out_str(&o, " NO [UNAVAILABLE] Try again later\r\n");
	}
	out_str(&o, "* BYE [UNAVAILABLE] Try again later\r\n");
	(void)out_flush(&o); /* the peer may be gone */
	err_die(EXIT_LATER, "%s: %s", what, why);
}

/* By hand a wrong name must not become a Maildir. */
static void
open_maildir(
    struct imap *s, const struct session_user *who, const char *maildir)
{
	struct jail j = { .kind = JAIL_SESSION, .folder = maildir };
	int landlock;

	if (account_open(&s->account, maildir, who->tag != NULL) == -1)
		cannot_serve(who->tag, maildir, strerror(errno));
	if (who->quota)
		(void)quota_parse(span_str(who->quota), &s->account.limits);
	if (jail_enter(&j, &landlock) == -1)
		cannot_serve(
		    who->tag, "cannot enter the jail", strerror(errno));
}

static void
log_session(const char *user, const char *end)
{
	struct log l;

	log_start(&l, "logout");
	log_str(&l, "user", user ? user : "");
	log_str(&l, "end", end ? end : "closed");
	log_end(&l);
}

static void
serve(struct imap *s, const struct session_user *who, bool terminal)
{
	struct buf both = buf_new(OUT_BYTES + LINE_BYTES);
	/* Not cleared: pages that no input reaches are never touched. */
	char *room = buf_room(&both, OUT_BYTES + LINE_BYTES);

	s->out = out_fd(1, room, OUT_BYTES);
	s->in = in_fd(0, room + OUT_BYTES, LINE_BYTES);
	s->in.lf_ok = terminal;
	s->out.timeout_ms = WRITE_MS;
	s->arena = arena_new(ARENA_BYTES);
	s->command = buf_new(COMMAND_BYTES);
	s->shown = shown_none();
	s->known = known_none();
	session_run(s, who->tag, who->name);
	if (who->tag)
		log_session(who->name, s->end);
	arena_free(&s->arena);
	buf_free(&s->command);
	buf_free(&both);
}

_Noreturn static void
usage(void)
{
	err_die(EXIT_NEVER, "usage: imapd [-r root] maildir");
}

/* Who may be served, on fd 0. */
static struct session_user
begin(const struct frame_session *passed)
{
	struct session_user who = session_user(passed);

	if (who.tag)
		check_tag(who.tag);
	if (geteuid() == 0 && is_network(who.tag))
		err_die(EXIT_NEVER, "not as root for a network connection");
	return who;
}

/* By hand, or by a program with a login of its own. */
static const char *
begin_alone(struct imap *s, int argc, char **argv, struct session_user *who)
{
	char error[CONF_ERROR];
	const char *root = NULL;
	struct conf conf;
	int c;

	if (log_rescue_stderr() == -1)
		exit(EXIT_LATER);
	while ((c = getopt(argc, argv, "r:")) != -1)
		if (c == 'r')
			root = optarg;
		else
			usage();
	if (optind + 1 != argc)
		usage();
	*who = begin(NULL);
	if (conf_load(&conf, root, error) == -1)
		cannot_serve(who->tag, "configuration", error);
	s->idle_ms = (int64_t)conf.imap_idle_s * 1000;
	s->message_size = conf.message_size;
	s->pace = conf.pace;
	arena_free(&conf.arena);
	return argv[optind];
}

int
main(int argc, char **argv)
{
	const char *maildir;
	struct session_user who;
	struct frame_session passed;
	struct imap s = { 0 };
	bool terminal;
	int r;

	err_program("imapd");
	/* By itself malloc would keep what a command on a large mailbox used:
	 * a session sits idle for days. */
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
	/* Read the time zone while its file can be read. */
	tzset();
	r = session_passed(argc, argv, &passed);
	if (r == -1)
		err_die_sys(EXIT_LATER, "session");
	if (r == 0)
		return 0;
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail */
	if (r == 1) {
		who = begin(&passed);
		s.idle_ms = (int64_t)passed.idle_s * 1000;
		s.message_size = passed.message_size;
		s.pace = passed.pace;
		maildir = passed.maildir;
	} else {
		maildir = begin_alone(&s, argc, argv, &who);
	}
	terminal = r != 1 && isatty(0); /* no question for a jail */
	open_maildir(&s, &who, maildir);
	serve(&s, &who, terminal);
	return 0;
}
