/*
 * sendmail: takes a message from a local program into the queue.
 *
 * Reads:   the message on fd 0; postern.conf.
 * Writes:  a submission to enqueue; errors to fd 2.
 * Runs as: its caller, who must be root or the owner of the queue.
 * Exits:   0 the message is in the queue; else as sysexits.h says: 64 usage,
 *          65 refused for what it is, 75 try later, 78 configuration.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/priv.h"
#include "base/proc.h"
#include "mail/address.h"
#include "mail/header.h"
#include "queue/envelope.h"
#include "queue/queue.h"
#include "queue/submit.h"
#include "sendmail-incoming.h"
#include "text/date.h"

enum {
	HEADER_SIZE = 1048576,
	ROOM = 6144,
	ANSWER_MS = 600000
};

struct sendmail {
	struct conf conf;
	const char *root, *from, *name; /* as given */
	bool from_header;
	char user[64];
	struct arena arena;
	struct buf sender, fields;
	struct span *rcpt;
	size_t nrcpt;
	struct incoming message;
	struct submit submit;
};

/* ---- addresses ---- */

static bool
is_atom(struct span s)
{
	static const char others[] = "!#$%&'*+-/=?^_`{|}~.";

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') ||
			memchr(others, c, sizeof others - 1)))
			return false;
	}
	return s.n > 0;
}

/* local@host as it stands in an envelope: quoted where it must be. */
static void
put_address(struct sendmail *s, struct buf *out, struct span local,
    struct span host)
{
	bool plain = is_atom(local);

	if (!plain)
		(void)buf_add_byte(out, '"');
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			(void)buf_add_byte(out, '\\');
		(void)buf_add_byte(out, local.p[i]);
	}
	if (!plain)
		(void)buf_add_byte(out, '"');
	(void)buf_add_byte(out, '@');
	if (host.n > 0)
		(void)buf_add_span(out, host);
	else
		(void)buf_add_str(out, s->conf.domain);
}

static bool
is_host(struct span s)
{
	bool literal = span_at(s, 0) == '[' && span_ends(s, "]");

	for (size_t i = literal; i < s.n - literal; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '-' || c == '.' ||
			(literal && c == ':')))
			return false;
	}
	return true;
}

static void
add_rcpt(struct sendmail *s, const struct address *a)
{
	struct buf text = buf_new(ENVELOPE_FIELD);
	struct span copy;

	if (!is_host(a->host) || a->mailbox.n == 0)
		err_die(EX_DATAERR, "bad address: %.*s@%.*s",
		    (int)span_head(a->mailbox, 256).n,
		    a->mailbox.n ? a->mailbox.p : "",
		    (int)span_head(a->host, 256).n,
		    a->host.n ? a->host.p : "");
	put_address(s, &text, a->mailbox, a->host);
	copy = arena_copy(&s->arena, buf_span(&text));
	if (text.full || copy.p == NULL)
		err_die(EX_DATAERR, "an address is too long");
	buf_free(&text);
	for (size_t i = 0; i < s->nrcpt; i++)
		if (span_eq(s->rcpt[i], copy))
			return;
	if (s->nrcpt == s->conf.recipients)
		err_die(EX_DATAERR, "more than %zu recipients", s->nrcpt);
	s->rcpt[s->nrcpt++] = copy;
}

/* Group names and ends have no host, and no route to anywhere. */
static bool
is_group(const struct address *list, size_t n, size_t i, bool *inside)
{
	if (list[i].host.p != NULL)
		return false;
	if (list[i].mailbox.p == NULL) {
		*inside = false;
		return true;
	}
	for (size_t k = i + 1; !*inside && k < n; k++)
		if (list[k].host.p == NULL && list[k].mailbox.p == NULL) {
			*inside = true;
			return true;
		}
	return false;
}

static void
add_list(struct sendmail *s, struct span value)
{
	struct arena arena = arena_new(HEADER_SIZE * 16);
	struct address *list;
	size_t n = address_parse(value, &arena, &list);
	bool inside = false;

	for (size_t i = 0; i < n; i++)
		if (!is_group(list, n, i, &inside))
			add_rcpt(s, &list[i]);
	arena_free(&arena);
}

static bool
names_rcpts(struct span name, bool resent)
{
	if (resent)
		return span_is_nocase(name, "resent-to") ||
		    span_is_nocase(name, "resent-cc") ||
		    span_is_nocase(name, "resent-bcc");
	return span_is_nocase(name, "to") || span_is_nocase(name, "cc") ||
	    span_is_nocase(name, "bcc");
}

static void
add_from_header(struct sendmail *s)
{
	struct span rest = buf_span(&s->message.header);
	struct header_field f;
	bool resent = header_get(rest, "resent-to", &f) ||
	    header_get(rest, "resent-cc", &f) ||
	    header_get(rest, "resent-bcc", &f);

	while (header_next(&rest, &f))
		if (names_rcpts(f.name, resent))
			add_list(s, f.value);
}

static void
find_sender(struct sendmail *s)
{
	struct passwd *pw = getpwuid(getuid());
	struct address *list;

	if (pw == NULL || !is_atom(span_str(pw->pw_name)) ||
	    span_copy(span_str(pw->pw_name), s->user, sizeof s->user) == -1)
		snprintf(s->user, sizeof s->user, "uid-%lu",
		    (unsigned long)getuid());
	if (s->from == NULL) {
		put_address(s, &s->sender, span_str(s->user), span_str(""));
	} else if (s->from[0] != '\0' && strcmp(s->from, "<>") != 0) {
		if (address_parse(span_str(s->from), &s->arena, &list) != 1 ||
		    list[0].mailbox.n == 0)
			err_die(EX_USAGE, "bad sender: %s", s->from);
		put_address(s, &s->sender, list[0].mailbox, list[0].host);
	}
	if (s->sender.full)
		err_die(EX_USAGE, "the sender is too long");
}

/* ---- submitting ---- */

static void
add_missing(struct sendmail *s, struct buf *out)
{
	struct span header = buf_span(&s->message.header);
	struct header_field f;
	char date[DATE_TEXT], id[QUEUE_ID];
	uint32_t usec;
	int64_t now;

	io_wall(&now, &usec);
	date_mail(now, date_zone(now), date);
	(void)buf_addf(out, "Received: by %s (Postern, from uid %lu);\n\t%s\n",
	    s->conf.hostname, (unsigned long)getuid(), date);
	if (!header_get(header, "date", &f))
		(void)buf_addf(out, "Date: %s\n", date);
	if (!header_get(header, "message-id", &f)) {
		if (queue_id(id) == -1)
			err_die_sys(EX_OSERR, "random numbers");
		(void)buf_addf(out, "Message-ID: <%s@%s>\n", id,
		    s->conf.hostname);
	}
	if (header_get(header, "from", &f))
		return;
	(void)buf_add_str(out, "From: ");
	if (s->name && s->name[0] != '\0') {
		(void)buf_add_byte(out, '"');
		for (const char *c = s->name; *c; c++)
			if ((unsigned char)*c >= ' ' && *c != '"' && *c != '\\')
				(void)buf_add_byte(out, *c);
		(void)buf_add_str(out, "\" ");
	}
	(void)buf_add_byte(out, '<');
	if (s->sender.n > 0)
		(void)buf_add_span(out, buf_span(&s->sender));
	else
		put_address(s, out, span_str(s->user), span_str(""));
	(void)buf_add_str(out, ">\n");
}

static void
send_message(struct sendmail *s)
{
	struct span rest = buf_span(&s->message.header);
	struct buf added = buf_new(HEADER_SIZE);
	struct header_field f;
	char out[INCOMING_ROOM];
	size_t n;

	add_missing(s, &added);
	if (added.full)
		err_die(EX_DATAERR, "the header is too large");
	submit_body(&s->submit, buf_span(&added));
	while (header_next(&rest, &f))
		if (!s->from_header ||
		    !(span_is_nocase(f.name, "bcc") ||
			span_is_nocase(f.name, "resent-bcc")))
			submit_body(&s->submit, f.whole);
	submit_body(&s->submit, span_of("\n", 1));
	submit_body(&s->submit, buf_span(&s->message.rest));
	while ((n = incoming_some(&s->message, out)) > 0)
		submit_body(&s->submit, span_of(out, n));
	if (!s->message.line_begins)
		submit_body(&s->submit, span_of("\n", 1));
	buf_free(&added);
}

/* Whom enqueue runs as when we start it; false: it is not ours to start. */
static bool
may_enqueue(const struct sendmail *s, uid_t *uid, gid_t *gid)
{
	char path[PATH_MAX];
	struct stat st;

	*uid = 0;
	*gid = 0;
	if (conf_path(&s->conf, QUEUE_FOLDER, path) == -1)
		err_die_sys(EX_CONFIG, "%s", s->conf.root);
	if (geteuid() != 0)
		return stat(path, &st) == -1 || st.st_uid == geteuid();
	if (priv_find(s->conf.queue_user, uid, gid) == -1)
		err_die(EX_CONFIG, "there is no user %s (queue_user)",
		    s->conf.queue_user);
	return true;
}

static pid_t
start_enqueue(struct sendmail *s, int fd, uid_t uid, gid_t gid)
{
	char path[PATH_MAX];
	const char *argv[] = { "enqueue", "--", "local", s->user, NULL, NULL,
		NULL };
	const char *const envp[] = { NULL };
	const int fds[] = { fd, -1, 2 };
	struct proc p = { .path = path, .argv = argv, .envp = envp,
		.fds = fds, .nfds = 3, .uid = uid, .gid = gid };

	if (s->conf.root[0] != '\0') {
		memmove(argv + 3, argv + 1, 3 * sizeof *argv);
		argv[1] = "-r";
		argv[2] = s->conf.root;
	}
	if (conf_program(&s->conf, "enqueue", path) == -1)
		return -1;
	return proc_spawn(&p);
}

/* The door for users who cannot start enqueue themselves. */
static int
knock(const struct sendmail *s)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char path[PATH_MAX];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || conf_path(&s->conf, SUBMIT_SOCKET, path) == -1)
		err_die_sys(EX_TEMPFAIL, "local socket");
	if (span_copy(span_str(path), a.sun_path, sizeof a.sun_path) == -1 ||
	    connect(fd, (struct sockaddr *)&a, sizeof a) == -1)
		err_die_sys(EX_TEMPFAIL,
		    "the queue belongs to another user, and at %s", path);
	return fd;
}

/* A stream socket to enqueue. */
static int
open_queue(struct sendmail *s)
{
	int pair[2];
	uid_t uid;
	gid_t gid;

	if (!may_enqueue(s, &uid, &gid))
		return knock(s);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1 ||
	    start_enqueue(s, pair[1], uid, gid) == -1)
		err_die_sys(EX_TEMPFAIL, "enqueue");
	close(pair[1]);
	return pair[0];
}

static int
submit(struct sendmail *s)
{
	struct envelope e = { .sender = buf_span(&s->sender),
		.proto = SPAN("local"), .rcpt = s->rcpt, .nrcpt = s->nrcpt };
	char room[ROOM], text[SUBMIT_ANSWER];
	char verdict;

	if (envelope_write(&e, &s->fields) == -1)
		err_die(EX_DATAERR, "bad address");
	submit_begin(&s->submit, open_queue(s), room, sizeof room,
	    buf_span(&s->fields));
	send_message(s);
	verdict = submit_end(&s->submit, text, io_now_ms() + ANSWER_MS);
	if (verdict == 'K')
		return EX_OK;
	err_warn("not accepted: %s", text);
	return verdict == 'D' ? EX_DATAERR : EX_TEMPFAIL;
}

/* ---- the command line ---- */

static const char usage[] =
    "usage: sendmail [-it] [-F name] [-f sender] [-r root] [recipient ...]";

/* -oX: only i says something; -bX: only m is here. */
static void
letter_option(struct sendmail *s, int option, const char *value)
{
	if (option == 'o' && strcmp(value, "i") == 0)
		s->message.ignore_dots = true;
	if (option == 'b' && strcmp(value, "m") != 0)
		err_die(EX_USAGE, "-b%s is not there", value);
}

static void
options(struct sendmail *s, int argc, char **argv)
{
	static const char known[] =
	    "A:B:b:C:d::e:F:f:Gh:iL:mN:nO:o:p:q::R:r:tUV:vX:";
	int c;

	while ((c = getopt(argc, argv, known)) != -1)
		switch (c) {
		case 'F':
			s->name = optarg;
			break;
		case 'f':
			s->from = optarg;
			break;
		case 'i':
			s->message.ignore_dots = true;
			break;
		case 'b':
		case 'o':
			letter_option(s, c, optarg);
			break;
		case 'r':
			/* Elsewhere another name for -f. */
			if (optarg[0] == '/')
				s->root = optarg;
			else
				s->from = optarg;
			break;
		case 't':
			s->from_header = true;
			break;
		case '?':
			err_die(EX_USAGE, "%s", usage);
		default:
			break; /* said elsewhere, without a meaning here */
		}
}

/* Started with closed descriptors, our own files must not become them. */
static void
fill_descriptors(void)
{
	int fd;

	if (fcntl(0, F_GETFD) == -1)
		err_die_sys(EX_IOERR, "read the message");
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd == 1 || fd == 2);
	if (fd == -1)
		err_die_sys(EX_OSERR, "/dev/null");
	close(fd);
}

int
main(int argc, char **argv)
{
	struct sendmail s = { .arena = arena_new(HEADER_SIZE * 16),
		.message = { .header = buf_new(HEADER_SIZE),
			.rest = buf_new(HEADER_SIZE) },
		.sender = buf_new(ENVELOPE_FIELD),
		.fields = buf_new(ENVELOPE_SIZE) };
	char error[CONF_ERROR];

	err_program("sendmail");
	fill_descriptors();
	signal(SIGPIPE, SIG_IGN);
	options(&s, argc, argv);
	if (conf_load(&s.conf, s.root, error) == -1)
		err_die(EX_CONFIG, "%s", error);
	s.rcpt = arena_alloc(&s.arena, s.conf.recipients, sizeof *s.rcpt);
	if (s.rcpt == NULL)
		err_die(EX_CONFIG, "recipients: too many");
	find_sender(&s);
	for (int i = optind; i < argc; i++)
		add_list(&s, span_str(argv[i]));
	incoming_header(&s.message);
	if (s.from_header)
		add_from_header(&s);
	if (s.nrcpt == 0)
		err_die(EX_USAGE, "no recipients; %s", usage);
	return submit(&s);
}
