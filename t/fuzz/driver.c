/*
 * Runs a fuzz target on its seeds and on mutations of them.
 *
 * Usage: TARGET [-t SECONDS] [-n RUNS] [-s SEED] [FILE | FOLDER]...
 * Reads the files; prints nothing and exits 0 when all is well.  A crash, or
 * an input that takes more time of the processor than its size allows, ends
 * the process by a signal, after the input was written to `crash-PID' in the
 * current folder.  Exits 100 for wrong arguments, 111 where a seed cannot be
 * read.
 *
 * The targets run under libFuzzer, too, which finds more: t/fuzz/libfuzzer.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/num.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	INPUT = 65536,       /* bytes of an input */
	CORPUS = 67108864,   /* bytes of all seeds */
	SEEDS = 4096,
	RUNS = 2000,         /* mutations where nothing is said */
	STEPS = 8,           /* changes to one input, at most */
	LIMIT_MS = 300,      /* of processor time for one input, */
	LIMIT_US_BYTE = 10,  /* and for each byte of it */
	WAIT_S = 60          /* for one that does not even use the processor */
};

struct fuzz {
	struct arena arena;
	struct span *seeds;
	size_t nseeds;
	uint64_t state; /* of the random numbers */
};

/* The input that runs now, for the handler of a signal. */
static struct {
	const char *volatile p;
	volatile size_t n;
} current;

/* xorshift64*: the same runs for the same seed, everywhere. */
static uint64_t
next_random(struct fuzz *f)
{
	f->state ^= f->state >> 12;
	f->state ^= f->state << 25;
	f->state ^= f->state >> 27;
	return f->state * 0x2545f4914f6cdd1dULL;
}

/* A number below limit, or 0. */
static size_t
below(struct fuzz *f, size_t limit)
{
	return limit > 0 ? (size_t)((next_random(f) >> 16) % limit) : 0;
}

/* Keeps the input; only calls that are safe in a handler of signals. */
static void
keep_input(void)
{
	char name[] = "crash-0000000000";
	unsigned pid = (unsigned)getpid();
	int fd;

	for (size_t i = sizeof name - 2; name[i] != '-'; i--, pid /= 10)
		name[i] = (char)('0' + pid % 10);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1)
		return;
	if (io_write(fd, current.p, current.n) == 0)
		(void)io_write(2, name, sizeof name - 1);
	(void)io_write(2, "\n", 1);
	close(fd);
}

static void
on_signal(int sig)
{
	static const char slow[] = "too slow: ";

	if (sig == SIGALRM || sig == SIGPROF)
		(void)io_write(2, slow, sizeof slow - 1);
	keep_input();
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* Starts, or with 0 stops, the clocks. */
static void
limit_time(int64_t us)
{
	struct itimerval t = { .it_value = { .tv_sec = (time_t)(us / 1000000),
		.tv_usec = (suseconds_t)(us % 1000000) } };

	setitimer(ITIMER_PROF, &t, NULL);
	alarm(us > 0 ? WAIT_S : 0);
}

static void
run(struct span s)
{
	/* Just as long as it is, so that reading past it is noticed. */
	uint8_t *copy = malloc(s.n > 0 ? s.n : 1);

	if (copy == NULL)
		err_nomem();
	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	current.p = s.p;
	current.n = s.n;
	limit_time(LIMIT_MS * 1000 + (int64_t)s.n * LIMIT_US_BYTE);
	(void)LLVMFuzzerTestOneInput(copy, s.n);
	limit_time(0);
	free(copy);
}

static void
add_seed(struct fuzz *f, int dir, const char *name)
{
	struct buf b = buf_new(INPUT);
	int r = io_slurp(dir, name, &b);

	if (r != 1)
		err_die_sys(EXIT_LATER, "read %s", name);
	if (f->nseeds == SEEDS)
		err_die(EXIT_NEVER, "more than %d seeds", SEEDS);
	f->seeds[f->nseeds] = arena_copy(&f->arena, buf_span(&b));
	if (f->seeds[f->nseeds].p == NULL)
		err_die(EXIT_NEVER, "the seeds are too large");
	f->nseeds++;
	buf_free(&b);
}

static int
is_visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* In the order of names, so that a run can be repeated. */
static void
add_folder(struct fuzz *f, const char *path)
{
	struct dirent **list;
	int n = scandir(path, &list, is_visible, alphasort);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (n == -1 || dir == -1)
		err_die_sys(EXIT_LATER, "open %s", path);
	for (int i = 0; i < n; i++) {
		add_seed(f, dir, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	close(dir);
}

static void
add_path(struct fuzz *f, const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		err_die_sys(EXIT_LATER, "open %s", path);
	if (S_ISDIR(st.st_mode))
		add_folder(f, path);
	else
		add_seed(f, AT_FDCWD, path);
}

/* Puts n bytes in at a place; what does not fit is left out. */
static void
insert(struct buf *b, size_t at, const char *p, size_t n)
{
	if (b->n + n > INPUT || buf_room(b, n) == NULL)
		return;
	memmove(b->p + at + n, b->p + at, b->n - at);
	memcpy(b->p + at, p, n);
	b->n += n;
}

static void
delete(struct buf *b, size_t at, size_t n)
{
	memmove(b->p + at, b->p + at + n, b->n - at - n);
	b->n -= n;
}

/* Doubles a stretch, up to some dozens of times. */
static void
duplicate(struct fuzz *f, struct buf *b)
{
	size_t at = below(f, b->n), n = 1 + below(f, 32);
	size_t times = 1 + (below(f, 4) == 0 ? below(f, 64) : 0);
	char piece[32];

	n = n < b->n - at ? n : b->n - at;
	memcpy(piece, b->p + at, n);
	for (size_t i = 0; i < times; i++)
		insert(b, at, piece, n);
}

/* The front of b and the rear of another seed. */
static void
join(struct fuzz *f, struct buf *b)
{
	struct span other = f->seeds[below(f, f->nseeds)];
	size_t from = below(f, other.n + 1);

	b->n = below(f, b->n + 1);
	other = span_head(span_skip(other, from), INPUT - b->n);
	(void)buf_add_span(b, other);
}

static void
insert_random(struct fuzz *f, struct buf *b)
{
	/* Bytes that mean something to some parser. */
	static const char special[] = "\r\n\t \"\\()<>@,;:=?*'-{}[]%+/."
				      "\x7f\xff";
	size_t at = below(f, b->n + 1), n = 1 + below(f, 8);
	char piece[8];

	for (size_t i = 0; i < n; i++)
		piece[i] = below(f, 2) == 0 ? (char)next_random(f) :
		    special[below(f, sizeof special)];
	insert(b, at, piece, n);
}

static void
mutate(struct fuzz *f, struct buf *b)
{
	size_t at = below(f, b->n);

	if (b->n == 0) {
		insert_random(f, b);
		return;
	}
	switch (below(f, 6)) {
	case 0:
		b->p[at] = (char)(b->p[at] ^ 1 << below(f, 8));
		break;
	case 1:
		b->p[at] = (char)next_random(f);
		break;
	case 2:
		insert_random(f, b);
		break;
	case 3:
		delete(b, at, 1 + below(f, b->n - at < 64 ? b->n - at : 64));
		break;
	case 4:
		duplicate(f, b);
		break;
	default:
		join(f, b);
	}
}

static void
run_mutation(struct fuzz *f, struct buf *b)
{
	size_t steps = 1 + below(f, STEPS);

	buf_reset(b);
	(void)buf_add_span(b, f->seeds[below(f, f->nseeds)]);
	for (size_t i = 0; i < steps; i++)
		mutate(f, b);
	run(buf_span(b));
}

static uint64_t
number(const char *text)
{
	uint64_t v;

	if (!num_parse(span_str(text), INT64_MAX / 1000, &v))
		err_die(EXIT_NEVER, "%s: not a number", text);
	return v;
}

static void
catch_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	sigaction(SIGALRM, &act, NULL);
	sigaction(SIGPROF, &act, NULL);
	sigaction(SIGABRT, &act, NULL);
	act.sa_flags = (int)SA_RESETHAND;
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_set_death_callback(keep_input);
#else
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGILL, &act, NULL);
	sigaction(SIGFPE, &act, NULL);
#endif
}

int
main(int argc, char **argv)
{
	struct fuzz f = { .arena = arena_new(CORPUS) };
	struct buf b = buf_new(INPUT);
	uint64_t runs = RUNS, seconds = 0, seed = 1;
	int64_t end;
	int c;

	err_program("fuzz");
	while ((c = getopt(argc, argv, "t:n:s:")) != -1) {
		if (c == 't') {
			seconds = number(optarg);
			runs = UINT64_MAX;
		} else if (c == 'n') {
			runs = number(optarg);
		} else if (c == 's') {
			seed = number(optarg);
		} else {
			return EXIT_NEVER;
		}
	}
	f.seeds = arena_alloc(&f.arena, SEEDS, sizeof *f.seeds);
	f.state = seed * 0x9e3779b97f4a7c15ULL | 1;
	for (int i = optind; i < argc; i++)
		add_path(&f, argv[i]);
	if (f.nseeds == 0)
		f.nseeds = 1; /* the empty one */
	catch_signals();
	end = io_now_ms() + (int64_t)seconds * 1000;
	for (size_t i = 0; i < f.nseeds; i++)
		run(f.seeds[i]);
	for (uint64_t i = 0; i < runs; i++) {
		if (seconds > 0 && io_now_ms() >= end)
			break;
		run_mutation(&f, &b);
	}
	buf_free(&b);
	arena_free(&f.arena);
	return 0;
}
