/*
 * bounce: tells the sender of a message what could not be delivered, or what
 * is late.
 *
 * Reads:   the message ID in var/spool/postern and its state; postern.conf.
 * Writes:  one report, from the empty sender, to the queue; one line to fd 1:
 *          `0 CLASS CODE TEXT'.
 * Runs as: the owner of the queue.
 * Exits:   0 the report is in the queue; 100 never; 111 try later.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "queue/add.h"
#include "queue/report.h"
#include "queue/state.h"

enum {
	BOUNDARY = 33, /* 128 bits in hex and a NUL */
	ANSWER = 512
};

static const size_t MEMORY = (size_t)1 << 32;

struct bounce {
	struct conf conf;
	struct queue queue;
	const char *id;
	bool late;
	int fd, state_fd, trigger;
	struct arena arena;
	struct buf text, header, report;
	struct envelope envelope;
	struct state state;
	int64_t start;
};

_Noreturn static void
answer(const char *class, const char *code, const char *text, int status)
{
	char line[ANSWER];
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

/* All that is read. */
static void
open_files(struct bounce *b)
{
	if (queue_open(&b->conf, &b->queue) == -1)
		later("queue");
	b->fd = queue_file(b->queue.mess, b->id, false);
	if (b->fd == -1)
		later("message");
	b->state_fd = state_open(&b->queue, b->id);
	if (b->state_fd == -1 && errno != ENOENT)
		later("state");
	b->trigger = queue_trigger(&b->queue);
}

static void
load(struct bounce *b)
{
	char *room;
	ssize_t n;

	if (envelope_load(b->fd, &b->text, &b->arena, &b->envelope,
		&b->start) == -1)
		later("message");
	if (state_read(b->state_fd, &b->envelope, &b->arena, &b->state) == -1)
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
log_accepted(const struct bounce *b, const struct envelope *e)
{
	struct log l;

	log_start(&l, "accepted");
	log_span(&l, "id", e->id);
	log_str(&l, "of", b->id);
	log_span(&l, "rcpt", e->rcpt[0]);
	log_num(&l, "size", e->size);
	log_end(&l);
}

static void
put_into_queue(struct bounce *b)
{
	struct span to = b->envelope.sender;
	struct envelope e = { .proto = SPAN("local"), .rcpt = &to, .nrcpt = 1 };
	struct add a;

	if (add_begin(&a, &b->queue, b->trigger, &e) == -1)
		later("create");
	if (add_bytes(&a, buf_span(&b->report)) == -1) {
		add_abort(&a);
		later("write");
	}
	if (add_commit(&a) == -1)
		later("commit");
	log_accepted(b, &e);
	answer("ok", "2.0.0", a.id, 0);
}

int
main(int argc, char **argv)
{
	struct bounce b = { .arena = arena_new(MEMORY),
		.text = buf_new(ENVELOPE_SIZE),
		.header = buf_new(REPORT_HEADER),
		.report = buf_new(REPORT_SIZE) };
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
	open_files(&b);
	if (add_jail(&b.conf) == -1)
		later("jail");
	load(&b);
	/* RFC 5321 4.5.5: never an answer to an answer. */
	if (envelope_is_null(&b.envelope))
		answer("perm", "5.0.0", "There is no sender to tell",
		    EXIT_NEVER);
	build(&b);
	put_into_queue(&b);
}
