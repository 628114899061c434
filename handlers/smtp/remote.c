/*
 * remote: one message to the recipients in one domain, by SMTP.
 *
 * Usage:   remote [-r root] DOMAIN INDEX[=ADDRESS]...
 * Reads:   fd 0, a queue file (see QUEUE); postern.conf, resolv.conf.
 * Writes:  fd 1, a line per recipient: `INDEX ok|temp|perm CODE TEXT'.
 * Runs as: postern.conf's net_user, in a jail that may only connect.
 * Exits:   0 every recipient has its line; 100 wrong arguments; 111 not
 *          every one has.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/num.h"
#include "net/smtp-path.h"
#include "net/smtp-reply.h"
#include "remote.h"

enum { MEMORY = ENVELOPE_SIZE * 3 };

void
report(
    struct target *t, const char *class, const char *status, const char *text)
{
	char safe[REMOTE_TEXT + 1], line[REMOTE_TEXT + 64];
	int n;

	smtp_printable(span_str(text), safe, sizeof safe);
	n = snprintf(line, sizeof line, "%llu %s %s %s\n",
	    (unsigned long long)t->index, class, status, safe);
	t->outcome = REPORTED;
	if (n < 0 || (size_t)n >= sizeof line ||
	    io_write(1, line, (size_t)n) == -1)
		err_die_sys(EXIT_LATER, "report");
}

void
report_all(
    struct remote *r, const char *class, const char *status, const char *text)
{
	for (size_t i = 0; i < r->ntargets; i++)
		if (r->target[i].outcome != REPORTED)
			report(&r->target[i], class, status, text);
}

void
note_failure(
    struct remote *r, bool is_final, const char *status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	/* What does not fit is cut. */
	(void)vsnprintf(r->failure.text, sizeof r->failure.text, fmt, args);
	va_end(args);
	r->failure.is_final = is_final;
	r->failure.any_later |= !is_final;
	snprintf(r->failure.status, sizeof r->failure.status, "%s", status);
}

bool
has_open(const struct remote *r)
{
	for (size_t i = 0; i < r->ntargets; i++)
		if (r->target[i].outcome != REPORTED)
			return true;
	return false;
}

/* INDEX, a recipient of the envelope, or INDEX=ADDRESS, one that an alias
 * put in another's place. */
static bool
add_target(struct remote *r, const char *arg)
{
	struct span address = span_str(arg);
	struct span number = span_take(&address, '=');
	struct target t = { .outcome = OPEN };
	bool named = number.n < strlen(arg);

	if (!num_parse(number, UINT32_MAX, &t.index))
		return false;
	if (!named && t.index >= r->envelope.nrcpt)
		return false;
	t.address = named ? address : r->envelope.rcpt[t.index];
	r->target[r->ntargets++] = t;
	return true;
}

/* What MAIL should say of the message. */
static int
look_through(struct remote *r)
{
	int64_t at = r->start;
	char bytes[16384];
	ssize_t n;

	while ((n = pread(0, bytes, sizeof bytes, at)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		for (ssize_t i = 0; i < n; i++) {
			r->wire += bytes[i] == '\n';
			r->eight_bit |= (bytes[i] & 0x80) != 0;
		}
		r->wire += (uint64_t)n;
		at += n;
	}
	return 0;
}

static void
load(struct remote *r, int argc, char *argv[])
{
	char error[CONF_ERROR];
	const char *root = NULL;
	int option;

	while ((option = getopt(argc, argv, "r:")) != -1) {
		if (option != 'r')
			err_die(EXIT_NEVER,
			    "usage: remote [-r root] DOMAIN INDEX...");
		root = optarg;
	}
	if (argc - optind < 2 || argc - optind > REMOTE_RCPTS)
		err_die(EXIT_NEVER, "usage: remote [-r root] DOMAIN INDEX...");
	if (conf_load(&r->conf, root, error) == -1)
		err_die(EXIT_LATER, "%s", error);
	if (envelope_load(0, &r->text, &r->arena, &r->envelope, &r->start) ==
		-1 ||
	    look_through(r) == -1)
		err_die_sys(EXIT_LATER, "queue file");
	r->domain = span_str(argv[optind]);
	r->target =
	    arena_alloc(&r->arena, (size_t)(argc - optind), sizeof *r->target);
	if (r->target == NULL)
		err_die_sys(EXIT_LATER, "recipients");
	for (int i = optind + 1; i < argc; i++)
		if (!add_target(r, argv[i]))
			err_die(EXIT_NEVER, "%s: no such recipient", argv[i]);
}

static void
enter_jail(const struct remote *r)
{
	struct jail j = { .kind = JAIL_REMOTE, .leaves = true };
	int landlock;

	if (jail_enter(&j, &landlock) == -1)
		err_die_sys(EXIT_LATER, "jail");
}

/* Into a command goes only what is an address. */
static void
check_addresses(struct remote *r)
{
	struct smtp_path path;

	if (r->envelope.sender.n > 0 &&
	    !smtp_mailbox(r->envelope.sender, &path))
		report_all(r, "perm", "5.1.7", "the sender is no address");
	for (size_t i = 0; i < r->ntargets; i++)
		if (r->target[i].outcome == OPEN &&
		    !smtp_mailbox(r->target[i].address, &path))
			report(&r->target[i], "perm", "5.1.3",
			    "the recipient is no address");
}

/* A backup that refuses does not speak for a main host that is away. */
static void
report_rest(struct remote *r)
{
	bool later = r->failure.any_later || !r->failure.is_final;

	if (later)
		r->failure.status[0] = '4';
	report_all(
	    r, later ? "temp" : "perm", r->failure.status, r->failure.text);
}

int
main(int argc, char *argv[])
{
	struct remote r = { .text = buf_new(ENVELOPE_SIZE),
		.arena = arena_new(MEMORY) };

	err_program("remote");
	signal(SIGPIPE, SIG_IGN);
	load(&r, argc, argv);
	if (dns_init(&r.dns, r.conf.resolver) == -1)
		err_die_sys(EXIT_LATER, "resolver");
	r.tls = tls_client_new(false);
	if (r.tls == NULL)
		err_die_sys(EXIT_LATER, "TLS");
	remote_find_own(&r);
	enter_jail(&r);
	check_addresses(&r);
	note_failure(&r, false, "4.4.1", "no host could be reached");
	r.failure.any_later = false;
	if (has_open(&r))
		remote_deliver(&r);
	report_rest(&r);
	return 0;
}
