/*
 * deliver: puts one message into one mailbox.
 *
 * Reads:   fd 0, a queue file (see QUEUE); postern.conf.
 * Writes:  the Maildir; one report line to fd 1: `0 CLASS CODE TEXT'; then,
 *          as far as that goes, what the message's header and parts say, to
 *          postern.cache.
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

#include "base/conf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "queue/envelope.h"
#include "queue/trace.h"
#include "store/account.h"
#include "store/cache.h"
#include "store/maildir.h"
#include "store/quota.h"

enum {
	CHUNK = 32768,
	REPORT = 512
};

struct deliver {
	struct span address;
	const char *folder;
	struct conf conf;
	struct quota_limits limits;
	struct account account;
	struct arena arena;
	struct buf text;
	struct envelope envelope;
	int64_t start;
	struct maildir_draft draft;
};

static void
say(const char *class, const char *code, const char *text)
{
	char line[REPORT];
	int n = snprintf(line, sizeof line, "0 %s %s %s\n", class, code, text);

	if (n > 0 && (size_t)n < sizeof line)
		(void)io_write(1, line, (size_t)n); /* the exit code counts */
}

_Noreturn static void
report(const char *class, const char *code, const char *text, int status)
{
	say(class, code, text);
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
	d->account.limits = d->limits;
}

/* Messages of strangers are only read in here. */
static void
enter_jail(const struct deliver *d)
{
	struct jail j = { .kind = JAIL_DELIVER, .folder = d->folder };
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
	struct trace_address here = { .text = d->address };
	struct trace trace = trace_new(&here, 1);
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
		if (here.found) {
			maildir_abort(&d->draft);
			report("perm", "5.4.6",
			    "Mail loop: it was delivered here before",
			    EXIT_NEVER);
		}
	}
}

/* The owner may make room while it waits in the queue: that loses nothing. */
_Noreturn static void
full(struct deliver *d, uint64_t size)
{
	struct quota_usage u;
	struct log l;

	maildir_abort(&d->draft);
	log_start(&l, "over-quota");
	log_span(&l, "id", d->envelope.id);
	log_span(&l, "to", d->address);
	log_num(&l, "size", size);
	log_end(&l);
	if (quota_read(&d->account, &u) == 1 && u.limits.bytes > 0 &&
	    size > u.limits.bytes)
		report("perm", "5.2.3",
		    "The message is larger than the whole mailbox may be",
		    EXIT_NEVER);
	if (d->conf.quota_full == FULL_REFUSE)
		report("perm", "5.2.2", "The mailbox is full", EXIT_NEVER);
	report("temp", "4.2.2", "The mailbox is full", EXIT_LATER);
}

/* First whether to write it at all; then, with its true size, for good. */
static void
ask_quota(struct deliver *d, uint64_t size,
    int (*ask)(const struct account *a, uint64_t bytes, uint64_t n))
{
	int e;

	if (ask(&d->account, size, 1) == 0)
		return;
	e = errno;
	if (e == EDQUOT)
		full(d, size);
	maildir_abort(&d->draft);
	later(d, "quota", e);
}

static void
commit(struct deliver *d, char name[MAILDIR_NAME])
{
	uint64_t size;
	int e;

	if (maildir_finish(&d->draft, -1) == -1) {
		e = errno;
		maildir_abort(&d->draft);
		later(d, "write", e);
	}
	size = d->draft.size;
	ask_quota(d, size, quota_take);
	if (maildir_commit(&d->draft, -1, name) == 0)
		return;
	e = errno;
	quota_give(d->account.dir, size, 1);
	later(d, "commit", e);
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
leave(void)
{
	_exit(0);
}

static void
leave_by_signal(int signal)
{
	(void)signal;
	_exit(0);
}

/* The message is there, and whoever waits may know.  What is wrong with us
 * from here on must not bring it a second time, every time it is tried. */
static void
learn(const struct deliver *d, int peek)
{
	static const int faults[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL,
		SIGSEGV, SIGSYS, SIGTERM, SIGXCPU };

	say("ok", "2.0.0", "Delivered");
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		signal(faults[i], leave_by_signal);
	if (atexit(leave) == 0)
		cache_arrived(d->account.dir, peek, d->draft.base);
}

static void
deliver(struct deliver *d)
{
	char name[MAILDIR_NAME];
	int peek;

	if (envelope_load(0, &d->text, &d->arena, &d->envelope, &d->start) ==
	    -1)
		later(d, "queue file", errno);
	if (maildir_begin(&d->draft, d->account.dir) == -1)
		later(d, "create", errno);
	ask_quota(d, d->envelope.size, quota_look);
	put_trace(d);
	copy(d);
	peek = cache_peek(&d->draft);
	commit(d, name);
	log_delivered(d, name);
	learn(d, peek);
}

static void
options(struct deliver *d, int argc, char **argv)
{
	static const char usage[] =
	    "usage: deliver [-r root] address maildir [quota]";
	const char *root = NULL;
	char error[CONF_ERROR];
	int c;

	while ((c = getopt(argc, argv, "r:")) != -1)
		if (c == 'r')
			root = optarg;
		else
			err_die(EXIT_LATER, "%s", usage);
	if (argc - optind != 2 && argc - optind != 3)
		err_die(EXIT_LATER, "%s", usage);
	d->address = span_str(argv[optind]);
	d->folder = argv[optind + 1];
	if (argc - optind == 3 &&
	    !quota_parse(span_str(argv[optind + 2]), &d->limits))
		err_die(EXIT_LATER, "%s", usage);
	if (conf_load(&d->conf, root, error) == -1)
		err_die(EXIT_LATER, "%s", error);
}

int
main(int argc, char **argv)
{
	struct deliver d = { .arena = arena_new(ENVELOPE_SIZE),
		.text = buf_new(ENVELOPE_SIZE) };

	err_program("deliver");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	umask(077);
	options(&d, argc, argv);
	if (geteuid() == 0 || getuid() == 0)
		later(&d, "must not run as root", EPERM);
	open_maildir(&d);
	enter_jail(&d);
	deliver(&d);
	return 0;
}
