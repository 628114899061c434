/*
 * deliver: puts one message into one mailbox.
 *
 * Reads:   fd 0, a queue file (see QUEUE).
 * Writes:  the Maildir; one report line to fd 1: `0 CLASS CODE TEXT'.
 * Runs as: the recipient.
 * Exits:   0 it is there, durably; 100 never; 111 try later.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "queue/envelope.h"
#include "queue/trace.h"
#include "store/account.h"
#include "store/maildir.h"

enum {
	CHUNK = 32768,
	REPORT = 512
};

struct deliver {
	struct span address;
	const char *folder;
	struct account account;
	struct arena arena;
	struct buf text;
	struct envelope envelope;
	int64_t start;
	struct maildir_draft draft;
};

_Noreturn static void
report(const char *class, const char *code, const char *text, int status)
{
	char line[REPORT];
	int n = snprintf(line, sizeof line, "0 %s %s %s\n", class, code, text);

	if (n > 0 && (size_t)n < sizeof line)
		(void)io_write(1, line, (size_t)n); /* the exit code counts */
	exit(status);
}

/* A fault of our own, or of this machine: never the sender's. */
_Noreturn static void
later(const struct deliver *d, const char *what, int e)
{
	char text[256];
	struct log l;
	const char *code = e == ENOSPC || e == EDQUOT ? "4.3.1" : "4.3.0";

	log_start(&l, "not-delivered");
	log_span(&l, "to", d->address);
	log_str(&l, "what", what);
	log_errno(&l, "error", e);
	log_end(&l);
	snprintf(text, sizeof text, "%s: %s", what, strerror(e));
	report("temp", code, text, EXIT_LATER);
}

/*
 * Opens the Maildir.  The tools make it; here it is only made where its
 * owner could have made it too.
 */
static void
open_maildir(struct deliver *d)
{
	struct stat st;

	if (stat(d->folder, &st) == -1 &&
	    (errno != ENOENT ||
		maildir_create(AT_FDCWD, d->folder) == -1 ||
		stat(d->folder, &st) == -1))
		later(d, "Maildir", errno);
	if (st.st_uid != geteuid())
		later(d, "Maildir of another user", EPERM);
	if (account_open(&d->account, d->folder, true) == -1)
		later(d, "Maildir", errno);
}

/* Messages of strangers are only read in here. */
static void
enter_jail(const struct deliver *d)
{
	struct jail j = { .kind = JAIL_SESSION, .folder = d->folder };
	int landlock;

	if (jail_enter(&j, &landlock) == -1)
		later(d, "jail", errno);
}

static void
put(struct deliver *d, struct span bytes)
{
	int e;

	if (maildir_write(&d->draft, bytes) == 0)
		return;
	e = errno;
	maildir_abort(&d->draft);
	later(d, "write", e);
}

/* RFC 5321 4.4; Delivered-To is what a loop is known by. */
static void
put_trace(struct deliver *d)
{
	put(d, span_str("Return-Path: <"));
	put(d, d->envelope.sender);
	put(d, span_str(">\nDelivered-To: "));
	put(d, d->address);
	put(d, span_of("\n", 1));
}

static ssize_t
read_at(const struct deliver *d, char *chunk, uint64_t at)
{
	uint64_t left = d->envelope.size - at;
	ssize_t n;

	do
		n = pread(0, chunk, left < CHUNK ? left : CHUNK,
		    d->start + (int64_t)at);
	while (n == -1 && errno == EINTR);
	if (n == 0)
		errno = EBADMSG;
	return n;
}

static void
copy(struct deliver *d)
{
	struct trace trace = trace_new(d->address);
	char chunk[CHUNK];

	for (uint64_t at = 0; at < d->envelope.size;) {
		ssize_t n = read_at(d, chunk, at);

		if (n <= 0) {
			int e = errno;

			maildir_abort(&d->draft);
			later(d, "queue file", e);
		}
		put(d, span_of(chunk, (size_t)n));
		trace_feed(&trace, span_of(chunk, (size_t)n));
		at += (uint64_t)n;
		if (trace.delivered) {
			maildir_abort(&d->draft);
			report("perm", "5.4.6",
			    "Mail loop: it was delivered here before",
			    EXIT_NEVER);
		}
	}
}

static void
log_delivered(const struct deliver *d, const char *name)
{
	struct log l;

	log_start(&l, "delivered");
	log_span(&l, "id", d->envelope.id);
	log_span(&l, "to", d->address);
	log_str(&l, "file", name);
	log_end(&l);
}

static void
deliver(struct deliver *d)
{
	char name[MAILDIR_NAME];

	if (envelope_load(0, &d->text, &d->arena, &d->envelope, &d->start) ==
	    -1)
		later(d, "queue file", errno);
	if (maildir_begin(&d->draft, d->account.dir) == -1)
		later(d, "create", errno);
	put_trace(d);
	copy(d);
	if (maildir_commit(&d->draft, -1, name) == -1)
		later(d, "commit", errno);
	log_delivered(d, name);
}

int
main(int argc, char **argv)
{
	struct deliver d = { .arena = arena_new(ENVELOPE_SIZE),
		.text = buf_new(ENVELOPE_SIZE) };
	int c;

	err_program("deliver");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	umask(077);
	while ((c = getopt(argc, argv, "r:")) != -1)
		if (c != 'r')
			err_die(EXIT_NEVER,
			    "usage: deliver [-r root] address maildir");
	if (argc - optind != 2)
		err_die(EXIT_NEVER, "usage: deliver [-r root] address maildir");
	d.address = span_str(argv[optind]);
	d.folder = argv[optind + 1];
	if (geteuid() == 0 || getuid() == 0)
		later(&d, "must not run as root", EPERM);
	open_maildir(&d);
	enter_jail(&d);
	deliver(&d);
	report("ok", "2.0.0", "Delivered", 0);
}
