/*
 * bounce: tells the sender of a message what could not be delivered, or what
 * is late.
 *
 * Reads:   the message ID in var/spool/postern and its state; postern.conf.
 * Writes:  one report, from the empty sender, through enqueue; one line to
 *          fd 1: `0 CLASS CODE TEXT'.
 * Runs as: the owner of the queue.
 * Exits:   0 the report is in the queue; 100 never; 111 try later.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/proc.h"
#include "queue/envelope.h"
#include "queue/queue.h"
#include "queue/report.h"
#include "queue/state.h"
#include "queue/submit.h"

enum {
	ANSWER_MS = 600000,
	BOUNDARY = 33 /* 128 bits in hex and a NUL */
};

static const size_t MEMORY = (size_t)1 << 32;

struct bounce {
	struct conf conf;
	struct queue queue;
	const char *id;
	bool late;
	int fd;
	struct arena arena;
	struct buf text, header, report, fields;
	struct envelope envelope;
	struct state state;
	int64_t start;
};

_Noreturn static void
answer(const char *class, const char *code, const char *text, int status)
{
	char line[SUBMIT_ANSWER + 32];
	int n = snprintf(line, sizeof line, "0 %s %s %s\n", class, code, text);

	if (n > 0 && (size_t)n < sizeof line)
		(void)io_write(1, line, (size_t)n); /* the exit code counts */
	exit(status);
}

_Noreturn static void
later(const char *what)
{
	err_warn_sys("%s", what);
	answer("temp", "4.3.0", what, EXIT_LATER);
}

static void
load(struct bounce *b)
{
	char *room;
	ssize_t n;

	if (queue_open(&b->conf, &b->queue) == -1)
		later("queue");
	b->fd = queue_file(b->queue.mess, b->id, false);
	if (b->fd == -1 ||
	    envelope_load(b->fd, &b->text, &b->arena, &b->envelope,
		&b->start) == -1)
		later("message");
	if (state_load(&b->queue, b->id, &b->envelope, &b->arena,
		&b->state) == -1)
		later("state");
	room = buf_room(&b->header, REPORT_HEADER);
	if (room == NULL)
		later("memory");
	n = pread(b->fd, room, REPORT_HEADER, b->start);
	if (n == -1)
		later("message");
	b->header.n = (size_t)n;
}

static void
build(struct bounce *b)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char random[(BOUNDARY - 1) / 2];
	char boundary[BOUNDARY] = "", id[QUEUE_ID];
	struct report r = { .hostname = b->conf.hostname,
		.domain = b->conf.domain, .id = id, .boundary = boundary,
		.envelope = &b->envelope, .state = &b->state,
		.header = buf_span(&b->header), .late = b->late,
		.until = b->envelope.time + (int64_t)b->conf.queue_life_s };
	uint32_t usec;

	io_wall(&r.now, &usec);
	if (queue_id(id) == -1 ||
	    getrandom(random, sizeof random, 0) != sizeof random)
		later("random numbers");
	for (size_t i = 0; i < sizeof random; i++) {
		boundary[2 * i] = hex[random[i] >> 4];
		boundary[2 * i + 1] = hex[random[i] & 15];
	}
	if (report_build(&r, &b->report) == -1)
		later("report");
}

static void
start_enqueue(const struct bounce *b, int fd)
{
	char path[PATH_MAX];
	const char *const argv[] = { "enqueue",
		b->conf.root[0] ? "-r" : NULL, b->conf.root, NULL };
	const char *const envp[] = { NULL };
	const int fds[] = { fd, -1, 2 };
	const struct proc p = { .path = path, .argv = argv, .envp = envp,
		.fds = fds, .nfds = 3 };

	if (conf_program(&b->conf, "enqueue", path) == -1 ||
	    proc_spawn(&p) == -1)
		later("enqueue");
}

static void
submit(struct bounce *b)
{
	struct span to = b->envelope.sender;
	const struct envelope e = { .proto = SPAN("local"), .rcpt = &to,
		.nrcpt = 1 };
	char room[16384], text[SUBMIT_ANSWER];
	struct submit s;
	int pair[2];
	char verdict;

	if (envelope_write(&e, &b->fields) == -1)
		later("envelope");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		later("socket");
	start_enqueue(b, pair[1]);
	close(pair[1]);
	submit_begin(&s, pair[0], room, sizeof room, buf_span(&b->fields));
	submit_body(&s, buf_span(&b->report));
	verdict = submit_end(&s, text, io_now_ms() + ANSWER_MS);
	if (verdict == 'K')
		answer("ok", "2.0.0", text, 0);
	err_warn("not accepted: %s", text);
	if (verdict == 'D')
		answer("perm", "5.0.0", text, EXIT_NEVER);
	answer("temp", "4.3.0", text, EXIT_LATER);
}

int
main(int argc, char **argv)
{
	struct bounce b = { .arena = arena_new(MEMORY),
		.text = buf_new(ENVELOPE_SIZE),
		.header = buf_new(REPORT_HEADER),
		.report = buf_new(REPORT_SIZE),
		.fields = buf_new(ENVELOPE_SIZE) };
	static const char usage[] = "usage: bounce [-r root] id [late]";
	char error[CONF_ERROR];
	const char *root = NULL;
	int c;

	err_program("bounce");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	umask(077);
	while ((c = getopt(argc, argv, "r:")) != -1) {
		if (c != 'r')
			err_die(EXIT_LATER, "%s", usage);
		root = optarg;
	}
	b.late = argc - optind == 2 && strcmp(argv[optind + 1], "late") == 0;
	if (argc - optind != 1 + b.late ||
	    !queue_is_id(span_str(argv[optind])))
		err_die(EXIT_LATER, "%s", usage);
	b.id = argv[optind];
	if (conf_load(&b.conf, root, error) == -1)
		err_die(EXIT_LATER, "%s", error);
	if (geteuid() == 0)
		err_die(EXIT_LATER, "must not run as root");
	load(&b);
	/* RFC 5321 4.5.5: never an answer to an answer. */
	if (envelope_is_null(&b.envelope))
		answer("perm", "5.0.0", "There is no sender to tell",
		    EXIT_NEVER);
	build(&b);
	submit(&b);
}
