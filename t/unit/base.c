/* lib/base, module by module; prints TAP. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/durable.h"
#include "base/in.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/num.h"
#include "base/out.h"
#include "base/proc.h"
#include "base/rest.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct tap {
	int n, failed;
};

static void
ok(struct tap *t, bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++t->n, name);
	t->failed += !good;
}

static void
test_num(struct tap *t)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool good;
		uint64_t value;
	} rows[] = {
		{ "0", 0, true, 0 },
		{ "007", 10, true, 7 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999", UINT64_MAX, false, 0 },
		{ "11", 10, false, 0 },
		{ "", 10, false, 0 },
		{ "-1", 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ " 1", 10, false, 0 },
		{ "1 ", 10, false, 0 },
		{ "0x1", 10, false, 0 },
	};
	char text[NUM_TEXT];
	uint64_t v;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool good = num_parse(span_str(rows[i].text), rows[i].max, &v);

		ok(t, good == rows[i].good && (!good || v == rows[i].value),
		    rows[i].text);
	}
	ok(t, num_parse_size((struct span)SPAN("2G"), UINT64_MAX, &v) &&
		v == UINT64_C(2) << 30, "2G");
	ok(t, !num_parse_size((struct span)SPAN("20000000000G"), UINT64_MAX,
		&v), "a size that overflows");
	ok(t, num_text(UINT64_MAX, text) == 20, "the longest number");
}

static void
test_memory(struct tap *t)
{
	struct buf b = buf_new(10);
	struct arena a = arena_new(1000);

	ok(t, buf_add_str(&b, "0123456789") == 0, "a buffer up to its limit");
	ok(t, buf_add_byte(&b, 'x') == -1 && errno == ENOBUFS && b.full &&
		b.n == 10, "and not beyond");
	ok(t, strcmp(buf_cstr(&b), "0123456789") == 0, "as a string");
	buf_reset(&b);
	ok(t, buf_addf(&b, "%d-%s", 42, "abc") == 0 && b.n == 6 &&
		buf_addf(&b, "%s", "12345") == -1, "formatted, with the limit");
	ok(t, buf_add(&b, NULL, SIZE_MAX) == -1, "no overflow");
	buf_free(&b);
	ok(t, arena_alloc(&a, SIZE_MAX, 2) == NULL, "arena: overflow");
	ok(t, arena_alloc(&a, 1, 900) != NULL &&
		arena_alloc(&a, 1, 900) == NULL, "arena: limit");
	arena_reset(&a);
	ok(t, arena_copy(&a, (struct span)SPAN("hi")).n == 2, "arena: reset");
	arena_free(&a);
}

/* A source that hands out the text in pieces of `step' bytes. */
struct trickle {
	const char *p;
	size_t n, step;
};

static ssize_t
trickle_read(void *ctx, char *p, size_t n, int64_t deadline_ms)
{
	struct trickle *s = ctx;

	(void)deadline_ms;
	n = n < s->step ? n : s->step;
	n = n < s->n ? n : s->n;
	memcpy(p, s->p, n);
	s->p += n;
	s->n -= n;
	return (ssize_t)n;
}

static void
test_lines(struct tap *t)
{
	static const char text[] = "one\r\n\r\nbare\nc\rr\r\nn\0l\r\nend\r\nrest";
	bool same = true;

	for (size_t step = 1; step < sizeof text; step++) {
		struct trickle s = { text, sizeof text - 1, step };
		char room[16];
		struct in in = { .read = trickle_read, .ctx = &s, .buf = room,
			.size = sizeof room, .deadline_ms = -1 };
		struct span l;

		same = same && in_line(&in, &l) == 1 && span_is(l, "one");
		same = same && in_line(&in, &l) == 1 && l.n == 0;
		same = same && in_line(&in, &l) == -1 && errno == EBADMSG;
		same = same && in_line(&in, &l) == -1 && errno == EBADMSG;
		same = same && in_line(&in, &l) == -1 && errno == EBADMSG;
		same = same && in_line(&in, &l) == 1 && span_is(l, "end");
		same = same && in_line(&in, &l) == 0 && l.n == 0;
	}
	ok(t, same, "lines do not depend on how the bytes arrive");
}

static void
test_line_limits(struct tap *t)
{
	char room[8], rest[4];
	int pair[2];
	struct in in;
	struct span l;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		abort();
	in = in_fd(pair[0], room, sizeof room);
	(void)!write(pair[1], "123456789\r\n", 11);
	ok(t, in_line(&in, &l) == -1 && errno == EMSGSIZE, "a line too long");
	in_discard(&in);
	ok(t, in_pending(&in).n == 0 && room[0] == 0, "discard clears");
	in_deadline(&in, 0);
	(void)!read(pair[0], room, 3);
	ok(t, in_line(&in, &l) == -1 && errno == ETIMEDOUT, "the deadline");
	in = in_fd(pair[0], room, sizeof room);
	in.exact = true;
	(void)!write(pair[1], "ab\r\nXYZ", 7);
	ok(t, in_line(&in, &l) == 1 && span_is(l, "ab") &&
		read(pair[0], rest, 4) == 3 && memcmp(rest, "XYZ", 3) == 0,
	    "an exact reader leaves the rest in the socket");
	close(pair[0]);
	close(pair[1]);
}

static void
test_durable(struct tap *t, const char *tmp)
{
	struct buf b = buf_new(100);
	struct durable d;
	struct stat st;
	int dir = open(tmp, O_RDONLY | O_DIRECTORY);

	ok(t, durable_begin(&d, dir, "x") == 0 &&
		io_write(d.fd, "hello", 5) == 0 &&
		durable_commit(&d, dir, "y") == 0, "a durable file");
	ok(t, fstatat(dir, "x", &st, 0) == -1 && io_slurp(dir, "y", &b) == 1 &&
		span_is(buf_span(&b), "hello"), "under its name, whole");
	ok(t, durable_begin(&d, dir, "x") == 0 &&
		durable_commit(&d, dir, "y") == -1 && errno == EEXIST &&
		fstatat(dir, "x", &st, 0) == -1,
	    "nothing is replaced, nothing stays behind");
	buf_reset(&b);
	ok(t, durable_replace(dir, "y", (struct span)SPAN("new"), 0640) == 0 &&
		io_slurp(dir, "y", &b) == 1 && span_is(buf_span(&b), "new") &&
		fstatat(dir, "y", &st, 0) == 0 && (st.st_mode & 0777) == 0640,
	    "replaced at once, with its mode");
	ok(t, io_slurp(dir, "none", &b) == 0, "absent is not an error");
	(void)!symlinkat("y", dir, "link");
	ok(t, io_slurp(dir, "link", &b) == -1, "links are not followed");
	buf_free(&b);
	close(dir);
}

static void
test_log(struct tap *t)
{
	char out[64];

	log_escape(span_of("a\nb\x1b\"\\\xff z", 9), out, sizeof out);
	ok(t, strcmp(out, "a\\x0ab\\x1b\\x22\\x5c\\xff\\x20z") == 0,
	    "log values are escaped");
	ok(t, log_escape((struct span)SPAN("\n\n\n\n"), out, 10) == 8,
	    "and cut between escapes");
}

static void
test_fds(struct tap *t)
{
	int pair[2], fds[2] = { 1, 2 }, got[2], free_one;
	char byte;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
		abort();
	ok(t, io_send(pair[0], "x", 1, fds, 2) == 0 &&
		io_recv(pair[1], &byte, 1, got, 2) == 1 && got[0] > 2 &&
		got[1] > 2, "descriptors travel");
	close(got[0]);
	close(got[1]);
	free_one = dup(0);
	close(free_one);
	ok(t, io_send(pair[0], "x", 1, fds, 2) == 0 &&
		io_recv(pair[1], &byte, 1, got, 1) == -1 && got[0] == -1,
	    "more than asked for are not kept");
	ok(t, io_send(pair[0], "long", 4, NULL, 0) == 0 &&
		io_recv(pair[1], &byte, 1, NULL, 0) == -1 &&
		errno == EMSGSIZE, "nor a packet that is too long");
	ok(t, io_send(pair[0], "", 0, fds, 2) == 0 &&
		io_recv(pair[1], &byte, 1, got, 2) == 0 && got[0] == -1 &&
		got[1] == -1, "a packet of no bytes has no descriptors");
	ok(t, io_send(pair[0], "", 0, fds, 2) == 0 &&
		io_recv(pair[1], &byte, 1, NULL, 0) == 0 &&
		io_send(pair[0], "", 0, fds, 2) == 0 &&
		io_recv(pair[1], &byte, 1, got, 1) == 0 &&
		dup(0) == free_one, "and nothing is left open of it");
	close(free_one);
	close(pair[0]);
	ok(t, io_recv(pair[1], &byte, 1, NULL, 0) == 0, "the peer is gone");
}

/* One that takes nothing more: the writer gets away at its deadline. */
static bool
gets_away(int fd)
{
	static char bytes[1 << 20];
	char small[64];
	struct out o = out_fd(fd, small, sizeof small);
	int64_t start = io_now_ms();

	o.timeout_ms = 100;
	out_add(&o, bytes, sizeof bytes);
	return o.error == ETIMEDOUT && io_now_ms() - start < 10000;
}

static void
test_write_deadline(struct tap *t)
{
	int fds[2];

	alarm(20); /* ends a write that waits for ever */
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0) {
		ok(t, gets_away(fds[0]), "a full socket does not hold us");
		close(fds[0]);
		close(fds[1]);
	}
	if (pipe(fds) == 0) {
		ok(t, gets_away(fds[1]), "nor does a full pipe");
		close(fds[0]);
		close(fds[1]);
	}
	alarm(0);
}

static void
test_proc(struct tap *t)
{
	const char *argv[] = { "sh", "-c",
		"read a <&3 && [ \"$a\" = yes ] && [ \"$X\" = y ] && "
		"! [ -e /proc/self/fd/9 ] && exit 7", NULL };
	const char *envp[] = { "X=y", NULL };
	int p[2], fds[4] = { -1, -1, 2, -1 };
	struct proc what = { .path = "/bin/sh", .argv = argv, .envp = envp,
		.fds = fds, .nfds = 4 };

	if (pipe(p) == -1 || dup2(0, 9) == -1)
		abort();
	fds[3] = p[0];
	(void)!write(p[1], "yes\n", 4);
	ok(t, proc_wait(proc_spawn(&what)) == 7,
	    "a program gets what it is given and no more");
	what.path = "/no/such/program";
	ok(t, proc_wait(proc_spawn(&what)) == 111, "one that is not there");
}

#ifndef POSTERN_SANITIZE
static int
by_byte(const void *a, const void *b)
{
	return memcmp(a, b, 1);
}

/* The C library asks for the memory there is before it sorts much. */
static int
sort_many(void)
{
	char bytes[4096] = { 1 };

	qsort(bytes, sizeof bytes, 1, by_byte);
	return bytes[sizeof bytes - 1] != 1;
}

enum {
	NO_LANDLOCK = 77
};

static int
in_jail(enum jail_kind kind, const char *folder, int probe)
{
	struct jail j = { .kind = kind, .folder = folder };
	int status, landlock;
	pid_t pid = fork();

	if (pid == 0) {
		if (jail_enter(&j, &landlock) == -1)
			_exit(2);
		if (probe == 1 && landlock == 0 && kind != JAIL_LOGIN)
			_exit(NO_LANDLOCK); /* a container may hide it */
		if (probe == 0)
			_exit(open("inside", O_CREAT | O_WRONLY, 0600) == -1);
		if (probe == 1)
			_exit(open("/etc/passwd", O_RDONLY) != -1);
		if (probe == 3)
			_exit(sort_many());
		(void)!socket(AF_INET, SOCK_STREAM, 0);
		_exit(3);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		abort();
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Files elsewhere, which only Landlock keeps away. */
static void
closed(struct tap *t, enum jail_kind kind, const char *folder,
    const char *name)
{
	int r = in_jail(kind, folder, 1);

	if (r == NO_LANDLOCK)
		ok(t, true, "no other file # SKIP no Landlock here");
	else
		ok(t, r == 0, name);
}
#endif

static void
test_jail(struct tap *t, const char *tmp)
{
#ifdef POSTERN_SANITIZE
	ok(t, tmp != NULL, "jails # SKIP sanitizers are built in");
#else
	if (chdir(tmp) == -1)
		abort();
	ok(t, in_jail(JAIL_SESSION, tmp, 0) == 0, "a session's own folder");
	closed(t, JAIL_SESSION, tmp, "and no other");
	ok(t, in_jail(JAIL_SESSION, tmp, 2) == -SIGSYS, "and no network");
	ok(t, in_jail(JAIL_SESSION, tmp, 3) == 0, "sorting works in a jail");
	ok(t, in_jail(JAIL_LOGIN, NULL, 1) == -SIGSYS, "login: no file");
	ok(t, in_jail(JAIL_LOGIN, NULL, 2) == -SIGSYS, "login: no socket");
	closed(t, JAIL_REMOTE, NULL, "remote: no file");
	ok(t, in_jail(JAIL_REMOTE, NULL, 2) == 3, "remote: a socket");
#endif
}

static bool
conf_says(const char *tmp, const char *text, const char *want)
{
	char path[PATH_MAX], error[CONF_ERROR] = "";
	struct conf c;
	int fd, r;

	snprintf(path, sizeof path, "%s/etc/postern/postern.conf", tmp);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	if (fd == -1 || io_write(fd, text, strlen(text)) == -1)
		abort();
	close(fd);
	r = conf_load(&c, tmp, error);
	arena_free(&c.arena);
	return want ? r == -1 && strstr(error, want) : r == 0;
}

static void
test_conf(struct tap *t, const char *tmp)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/etc", tmp);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/etc/postern", tmp);
	(void)mkdir(path, 0700);
	ok(t, conf_says(tmp, "# hi\n\n message_size 10M \nroute a.test b:26\n",
		NULL), "settings, comments, blanks");
	ok(t, conf_says(tmp, "domain a\ndoman b\n",
		"postern.conf:2: doman: unknown name"), "an unknown name");
	ok(t, conf_says(tmp, "domain a\ndomain b\n", ":2: domain: given twice"),
	    "a name twice");
	ok(t, conf_says(tmp, "auth_tries 0\n", ":1: auth_tries: a number"),
	    "a number out of range");
	ok(t, conf_says(tmp, "clear_login maybe\n", "never, loopback"),
	    "a choice that is none");
	ok(t, conf_says(tmp, "route a\n", "DOMAIN HOST"), "half a route");
	ok(t, conf_says(tmp, "route a [::1]:x\n", "DOMAIN HOST"), "a bad port");
	ok(t, conf_says(tmp, "route * [::1]:2525\nroute b 127.0.0.1\n", NULL),
	    "a smarthost and an IPv6 address");
	ok(t, conf_says(tmp, "domain\n", "a value is missing"), "no value");
}

/* Whole pages are gone, and nothing beside them. */
static void
test_rest(struct tap *t)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), zeroes = 0;
	char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char near[512];

	if (p == MAP_FAILED)
		abort();
	memset(p, 'x', 4 * page);
	rest_forget(p + 1, 3 * page);
	for (size_t i = 0; i < 4 * page; i++)
		zeroes += p[i] == '\0';
	ok(t, zeroes == 2 * page && p[page - 1] == 'x' &&
		      p[page] == '\0' && p[3 * page] == 'x',
	    "rest_forget: the whole pages");
	memset(p, 'x', 4 * page);
	rest_forget(p + 1, page);
	rest_forget(p + 2, 3);
	rest_forget(p, 0);
	ok(t, memchr(p, '\0', 4 * page) == NULL,
	    "rest_forget: none where none is whole");
	munmap(p, 4 * page);
	for (size_t i = 0; i < sizeof near; i++)
		near[i] = 'y';
	p = malloc(100000);
	memset(p, 'z', 100000);
	rest();
	zeroes = memchr(p, '\0', 100000) != NULL;
	for (size_t i = 0; i < sizeof near; i++)
		zeroes += near[i] != 'y';
	ok(t, zeroes == 0, "rest: what is in use stays");
	free(p);
}

/* The free end of the heap has no pages any more, and stays the heap's. */
static void
test_rest_heap(struct tap *t)
{
#ifndef POSTERN_SANITIZE
	enum { BLOCKS = 64, SIZE = 8192 };
	char *p[BLOCKS], *end;
	size_t there = 0, lost = 0;

	(void)mallopt(M_TRIM_THRESHOLD, 4 * BLOCKS * SIZE);
	for (size_t i = 0; i < BLOCKS; i++) {
		p[i] = malloc(SIZE);
		memset(p[i], 'x', SIZE);
	}
	for (size_t i = 8; i < BLOCKS; i++)
		free(p[i]);
	end = sbrk(0);
	rest();
	for (size_t i = 9; i < BLOCKS; i++) {
		unsigned char in = 0;

		there += mincore(rest_page(p[i]), REST_PAGE, &in) == -1 || in;
	}
	for (size_t i = 0; i < 8; i++) {
		lost += p[i][0] != 'x' ||
			memcmp(p[i], p[i] + 1, SIZE - 1) != 0;
		free(p[i]);
	}
	ok(t, there == 0 && lost == 0 && end == sbrk(0),
	    "rest: the end of the heap goes, and what is before it stays");
	p[0] = malloc(BLOCKS * SIZE / 2);
	memset(p[0], 'y', BLOCKS * SIZE / 2);
	free(p[0]);
#endif
}

int
main(void)
{
	char tmp[] = "/tmp/postern-unit.XXXXXX";
	struct tap t = { 0, 0 };

	if (mkdtemp(tmp) == NULL)
		return 99;
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_num(&t);
	test_memory(&t);
	test_lines(&t);
	test_line_limits(&t);
	test_durable(&t, tmp);
	test_log(&t);
	test_fds(&t);
	test_write_deadline(&t);
	test_proc(&t);
	test_rest(&t);
	test_rest_heap(&t);
	test_conf(&t, tmp);
	test_jail(&t, tmp);
	printf("1..%d\n", t.n);
	if (chdir("/") == 0 && fork() == 0)
		execlp("rm", "rm", "-rf", tmp, (char *)NULL);
	wait(NULL);
	return t.failed != 0;
}
