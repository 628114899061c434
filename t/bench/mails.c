/*
 * mails: messages that are to be kept, from many writers.
 *
 *   mails floor|boxes DIR COUNT WRITERS SIZE
 *   mails enqueue ROOT COUNT WRITERS SIZE
 *   mails smtp PORT COUNT WRITERS SIZE
 *
 * floor: what the system asks for a message that is kept: a file in DIR/tmp,
 * fsync, rename to DIR/mess, fsync of that.  boxes: what a delivery asks: the
 * same, and the name in mess goes, with an fsync of that.  enqueue: each by a
 * program of its own, found in PATH.  smtp: to 127.0.0.1, one connection for
 * each writer.  Writer N writes to userN@example.org.  Prints the seconds;
 * exits with 1 where one was not taken.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/in.h"
#include "base/io.h"
#include "base/num.h"
#include "queue/envelope.h"
#include "queue/submit.h"

enum { LONG_MS = 60000, WRITERS = 64, USERS = 8, LINE = 64 };

extern char **environ;

struct mails {
	const char *kind;
	char *where;
	uint32_t count, writers, size;
	uint32_t writer;
	int tmp, mess, box, sock; /* what the kind needs */
	struct in in;
	char buf[32768];
	char *text;
	size_t n;
};

static void
make_text(struct mails *m, const char *end)
{
	struct buf b = buf_new(SIZE_MAX / 2);

	(void)buf_add_str(&b, "Subject: x");
	(void)buf_add_str(&b, end);
	(void)buf_add_str(&b, end);
	while (b.n < m->size) {
		for (int i = 0; i < LINE; i++)
			(void)buf_add_byte(&b, 'x');
		(void)buf_add_str(&b, end);
	}
	m->text = b.p;
	m->n = b.n;
}

/* ---- the floor ---- */

static int
folder(const struct mails *m, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof path, "%s/%s", m->where, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		err_die_sys(1, "open %s", path);
	return fd;
}

static void
keep(const struct mails *m, int tmp, int to, const char *name)
{
	int fd = openat(tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);

	if (fd == -1 || io_write(fd, m->text, m->n) == -1 || fsync(fd) == -1 ||
	    close(fd) == -1 || renameat(tmp, name, to, name) == -1 ||
	    fsync(to) == -1)
		err_die_sys(1, "keep %s", name);
}

static void
floor_one(const struct mails *m, uint32_t i)
{
	char name[32];

	snprintf(name, sizeof name, "%u.%u", m->writer, i);
	if (strcmp(m->kind, "floor") == 0) {
		keep(m, m->tmp, m->mess, name);
		return;
	}
	keep(m, m->tmp, m->box, name);
	if (unlinkat(m->mess, name, 0) == -1 || fsync(m->mess) == -1)
		err_die_sys(1, "remove %s", name);
}

/* ---- enqueue ---- */

static pid_t
start_enqueue(const struct mails *m, int sock)
{
	/* As smtpd has it started: who it is need not be looked up. */
	char *const argv[] = { (char[]){ "enqueue" }, (char[]){ "-r" },
		m->where, (char[]){ "127.0.0.1" }, NULL };
	posix_spawn_file_actions_t a;
	pid_t pid;

	if (posix_spawn_file_actions_init(&a) != 0 ||
	    posix_spawn_file_actions_adddup2(&a, sock, 0) != 0 ||
	    posix_spawnp(&pid, "enqueue", &a, NULL, argv, environ) != 0)
		err_die_sys(1, "enqueue");
	posix_spawn_file_actions_destroy(&a);
	return pid;
}

static void
enqueue_one(struct mails *m)
{
	char to[64], answer[SUBMIT_ANSWER];
	struct buf fields = buf_new(ENVELOPE_SIZE);
	struct span rcpt = { to, 0 };
	struct envelope e = { .sender = SPAN("x@example.org"), .rcpt = &rcpt,
		.nrcpt = 1 };
	struct submit s;
	int pair[2];
	pid_t pid;

	rcpt.n = (size_t)snprintf(to, sizeof to, "user%u@example.org",
	    m->writer % USERS);
	if (envelope_write(&e, &fields) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		err_die_sys(1, "begin");
	pid = start_enqueue(m, pair[1]);
	close(pair[1]);
	submit_begin(&s, pair[0], m->buf, sizeof m->buf, buf_span(&fields));
	submit_body(&s, span_of(m->text, m->n));
	if (submit_end(&s, answer, io_now_ms() + LONG_MS) != 'K')
		err_die(1, "enqueue: %s", answer);
	close(pair[0]);
	(void)waitpid(pid, NULL, 0);
	buf_free(&fields);
}

/* ---- SMTP ---- */

static void
ask(struct mails *m, const char *command, size_t n, char answer)
{
	struct span line;

	m->in.deadline_ms = io_now_ms() + LONG_MS;
	if (io_write(m->sock, command, n) == -1)
		err_die_sys(1, "write");
	do
		if (in_line(&m->in, &line) != 1 ||
		    span_at(line, 0) != answer)
			err_die(1, "not taken: %.*s", (int)line.n, line.p);
	while (span_at(line, 3) == '-');
}

static void
dial(struct mails *m)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	uint32_t port;

	if (!num_parse_u32(span_str(m->where), 65535, &port))
		err_die(EXIT_NEVER, "no port: %s", m->where);
	a.sin_port = htons((uint16_t)port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	m->sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (m->sock == -1 ||
	    connect(m->sock, (struct sockaddr *)&a, sizeof a) == -1)
		err_die_sys(1, "connect");
	(void)setsockopt(m->sock, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
	    sizeof(int));
	m->in = in_fd(m->sock, m->buf, sizeof m->buf);
	ask(m, "", 0, '2');
	ask(m, "EHLO x.example.org\r\n", 20, '2');
}

static void
smtp_one(struct mails *m)
{
	char line[96];
	int n;

	ask(m, "MAIL FROM:<x@example.net>\r\n", 27, '2');
	n = snprintf(line, sizeof line, "RCPT TO:<user%u@example.org>\r\n",
	    m->writer % USERS);
	ask(m, line, (size_t)n, '2');
	ask(m, "DATA\r\n", 6, '3');
	if (io_write(m->sock, m->text, m->n) == -1)
		err_die_sys(1, "write");
	ask(m, ".\r\n", 3, '2');
}

/* ---- all ---- */

static _Noreturn void
writer(struct mails *m)
{
	bool smtp = strcmp(m->kind, "smtp") == 0;
	bool enqueue = strcmp(m->kind, "enqueue") == 0;

	make_text(m, smtp ? "\r\n" : "\n");
	if (smtp) {
		dial(m);
	} else if (!enqueue) {
		m->tmp = folder(m, "tmp");
		m->mess = folder(m, "mess");
		if (strcmp(m->kind, "boxes") == 0)
			m->box = folder(m, "box");
	}
	for (uint32_t i = 0; i < m->count; i++)
		if (smtp)
			smtp_one(m);
		else if (enqueue)
			enqueue_one(m);
		else
			floor_one(m, i);
	_exit(0);
}

int
main(int argc, char *argv[])
{
	static const char usage[] = "usage: mails floor|boxes|enqueue|smtp "
	                            "WHERE COUNT WRITERS SIZE";
	struct mails m = { 0 };
	int64_t begin = io_now_ms();
	int status, bad = 0;

	err_program("mails");
	if (argc != 6 ||
	    !num_parse_u32(span_str(argv[3]), 10000000, &m.count) ||
	    !num_parse_u32(span_str(argv[4]), WRITERS, &m.writers) ||
	    m.writers == 0 ||
	    !num_parse_u32(span_str(argv[5]), 1 << 26, &m.size))
		err_die(EXIT_NEVER, "%s", usage);
	m.kind = argv[1];
	m.where = argv[2];
	m.count /= m.writers;
	for (m.writer = 0; m.writer < m.writers; m.writer++)
		if (fork() == 0)
			writer(&m);
	while (wait(&status) > 0)
		bad += status != 0;
	printf("%.3f\n", (double)(io_now_ms() - begin) / 1000);
	return bad != 0;
}
