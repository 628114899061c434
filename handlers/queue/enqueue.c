/*
 * enqueue: adds one message to the queue.
 *
 * Reads:   fd 0, a stream socket that speaks queue/submit.h; postern.conf;
 *          who sends, as arguments; without these, who is at the other end of
 *          a local socket.
 * Writes:  var/spool/postern; one line to fd 0: K, Z or D.
 * Runs as: the owner of the queue.
 * Exits:   0 the message is on the disk; 100 refused; 111 try later.
 */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "queue/add.h"
#include "queue/submit.h"
#include "queue/trace.h"

enum {
	READ_MS = 3600000, /* silence of the client */
	TRACE_BYTES = 8192, /* for what we add to a message of full size */
	ROOM = 32768
};

struct enqueue {
	struct conf conf;
	struct queue queue;
	struct in in;
	struct submit_reader reader;
	struct buf fields;
	struct arena arena;
	struct envelope envelope;
	struct add add;
	struct trace trace;
	struct trace_address *rcpt;
	struct span user, peer; /* who sends, and from where */
	char local[64];
	uint64_t limit;
	int trigger;
};

/* The one answer; the client may be gone, which changes nothing. */
_Noreturn static void
answer(char letter, const char *text, int code)
{
	char line[SUBMIT_ANSWER];
	int n = snprintf(line, sizeof line, "%c %s\n", letter, text);

	if (n > 0 && (size_t)n < sizeof line)
		(void)io_write(0, line, (size_t)n);
	exit(code);
}

_Noreturn static void
later(struct enqueue *q, const char *what, int e)
{
	char text[256];

	add_abort(&q->add);
	log_error("not-queued", what, e);
	snprintf(text, sizeof text, "%s: %s", what, strerror(e));
	answer('Z', text, EXIT_LATER);
}

_Noreturn static void
never(struct enqueue *q, const char *why)
{
	struct log l;

	add_abort(&q->add);
	log_start(&l, "refused");
	log_str(&l, "why", why);
	log_span(&l, "sender", q->envelope.sender);
	log_end(&l);
	answer('D', why, EXIT_NEVER);
}

/* What a client that breaks off, or breaks the protocol, gets. */
_Noreturn static void
bad_stream(struct enqueue *q)
{
	if (errno == EBADMSG || errno == EMSGSIZE || errno == ENOBUFS)
		never(q, "bad submission");
	if (errno == EPIPE) {
		add_abort(&q->add);
		log_event("broken-off");
		answer('Z', "incomplete", EXIT_LATER);
	}
	later(q, "read", errno);
}

/* From our parent, but it may hold what a client said: one bad byte and it
 * is not there. */
static struct span
from_parent(const char *text)
{
	struct span s = span_str(text);

	if (s.n > ENVELOPE_FIELD)
		s.n = 0;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return span_of(NULL, 0);
	return s;
}

/*
 * A service manager that passes local connections on knows nothing of their
 * users, but the kernel does.
 */
static void
find_sender(struct enqueue *q, char **operands)
{
	struct ucred peer;
	socklen_t n = sizeof peer;
	const struct passwd *pw;

	q->peer = from_parent(operands[0]);
	q->user = from_parent(operands[0] ? operands[1] : NULL);
	if (operands[0] || getsockopt(0, SOL_SOCKET, SO_PEERCRED, &peer, &n) == -1 ||
	    n != sizeof peer)
		return;
	pw = getpwuid(peer.uid);
	if (pw)
		snprintf(q->local, sizeof q->local, "%s", pw->pw_name);
	else
		snprintf(q->local, sizeof q->local, "%lu",
		    (unsigned long)peer.uid);
	q->user = span_str(q->local);
	q->peer = span_str("local");
}

static void
read_envelope(struct enqueue *q)
{
	struct envelope *e = &q->envelope;

	in_deadline(&q->in, READ_MS);
	if (submit_read_envelope(&q->reader, &q->fields) == -1)
		bad_stream(q);
	if (!envelope_parse(buf_span(&q->fields), &q->arena, e))
		never(q, "bad envelope");
	if (e->nrcpt > q->conf.recipients)
		never(q, "too many recipients");
	e->user = q->user;
	e->peer = q->peer;
	q->rcpt = arena_alloc(&q->arena, e->nrcpt, sizeof *q->rcpt);
	if (q->rcpt == NULL)
		never(q, "bad envelope");
	for (size_t i = 0; i < e->nrcpt; i++)
		q->rcpt[i].text = e->rcpt[i];
	q->trace = trace_new(q->rcpt, e->nrcpt);
}

static void
begin(struct enqueue *q)
{
	if (add_begin(&q->add, &q->queue, q->trigger, &q->envelope) == 0)
		return;
	if (errno == EMSGSIZE)
		never(q, "envelope too large");
	later(q, "create", errno);
}

/*
 * Whoever hands in what was delivered to all its recipients before is told
 * so: it is who sends it round, while the sender may be forged.  Where only
 * some of them have it, the others get it.
 */
static void
watch_trace(struct enqueue *q, struct span bytes)
{
	trace_feed(&q->trace, bytes);
	if (trace_is_endless(&q->trace))
		never(q, "too many hops");
	if (q->trace.found == q->trace.n_addresses)
		never(q, "5.4.6 mail loop: it was delivered here before");
}

static void
copy_body(struct enqueue *q)
{
	struct span bytes;
	int r;

	for (;;) {
		in_deadline(&q->in, READ_MS);
		r = submit_read_body(&q->reader, &bytes);
		if (r <= 0)
			break;
		if (bytes.n > q->limit - q->envelope.size)
			never(q, "message too large");
		watch_trace(q, bytes);
		if (add_bytes(&q->add, bytes) == -1)
			later(q, "write", errno);
	}
	if (r == -1)
		bad_stream(q);
}

static void
log_accepted(const struct enqueue *q)
{
	const struct envelope *e = &q->envelope;
	struct log l;

	log_start(&l, "accepted");
	log_span(&l, "id", e->id);
	log_span(&l, "sender", e->sender);
	log_span(&l, "rcpt", e->rcpt[0]);
	log_num(&l, "rcpts", e->nrcpt);
	log_num(&l, "size", e->size);
	if (e->user.n > 0)
		log_span(&l, "user", e->user);
	if (e->peer.n > 0)
		log_span(&l, "peer", e->peer);
	log_end(&l);
}

static _Noreturn void
usage(void)
{
	err_die(EXIT_NEVER, "usage: enqueue [-r root] [peer [user]]");
}

static void
start(struct enqueue *q, int argc, char **argv)
{
	char error[CONF_ERROR];
	const char *root = NULL;
	int c;

	while ((c = getopt(argc, argv, "r:")) != -1) {
		if (c != 'r')
			usage();
		root = optarg;
	}
	if (argc - optind > 2)
		usage();
	if (conf_load(&q->conf, root, error) == -1) {
		err_warn("%s", error);
		answer('Z', "configuration", EXIT_LATER);
	}
	if (geteuid() == 0)
		later(q, "must not run as root", EPERM);
	if (queue_open(&q->conf, &q->queue) == -1)
		later(q, "queue", errno);
	q->trigger = queue_trigger(&q->queue);
	find_sender(q, argv + optind);
	if (add_jail(&q->conf) == -1)
		later(q, "jail", errno);
	q->limit = q->conf.message_size + TRACE_BYTES;
}

int
main(int argc, char **argv)
{
	char room[ROOM];
	struct enqueue q = { .in = in_fd(0, room, sizeof room),
		.fields = buf_new(ENVELOPE_SIZE),
		.arena = arena_new(ENVELOPE_SIZE), .add.file.fd = -1 };

	err_program("enqueue");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	umask(077);
	q.reader.in = &q.in;
	start(&q, argc, argv);
	read_envelope(&q);
	begin(&q);
	copy_body(&q);
	if (add_commit(&q.add) == -1)
		later(&q, "commit", errno);
	log_accepted(&q);
	answer('K', q.add.id, 0);
}
