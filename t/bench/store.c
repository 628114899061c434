/*
 * store: what lib/store costs, beside the system calls that cannot be left
 * out, in the same run.
 *
 *   store [-n MESSAGES] [-r RUNS] [FOLDER]
 *
 * Makes Maildirs in a folder of its own below FOLDER (.), which it removes;
 * prints medians in ms.  The page cache is warm.  Exits with 1 where a number
 * of messages is not what it must be; no time is a failure.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/num.h"
#include "store/mailbox.h"

enum {
	RUNS = 15,
	SOME = 10000, /* messages of STORE */
	FEW = 1000,   /* of COPY and EXPUNGE */
	APPENDS = 100,
	WRITERS = 8,
	NAME = 128
};

enum what { OPEN_NONE, OPEN_WARM, SYNC, SYNC_ONE, APPEND_ONE, APPEND_MANY,
	COPY, STORE, EXPUNGE, WHATS };

static const char *const names[WHATS] = { "open, no index", "open, warm",
	"sync, nothing new", "sync, one change", "append, one writer, each",
	"append, 8 writers, each", "copy of 1000", "store on 10000",
	"expunge of 1000" };

struct bench {
	uint32_t n, runs, run;
	double ours[WHATS][RUNS], floor[WHATS][RUNS];
	struct account account;
	char text[2048];
	size_t *which;
	uint32_t *uids;
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
must(bool good, const char *what)
{
	if (!good)
		err_die_sys(EXIT_NO, "%s", what);
}

static int
folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must(fd != -1, path);
	return fd;
}

static void
remove_all(const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", path, (char *)NULL);
		_exit(1);
	}
	must(pid != -1 && waitpid(pid, NULL, 0) == pid, "rm");
}

static void
put(const struct bench *b, int dir, const char *name, bool durably)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ssize_t n = (ssize_t)sizeof b->text;

	must(fd != -1 && write(fd, b->text, sizeof b->text) == n, name);
	must(!durably || fsync(fd) == 0, "fsync");
	close(fd);
}

/* A Maildir, as another program fills it. */
static void
fill(struct bench *b, const char *path)
{
	char name[NAME];
	int cur;

	remove_all(path);
	must(maildir_create(AT_FDCWD, path) == 0, path);
	snprintf(name, sizeof name, "%s/cur", path);
	cur = folder(name);
	for (uint32_t i = 0; i < b->n; i++) {
		snprintf(name, sizeof name,
		    "17000%06u.M%uP1.host,S=%zu,W=%zu:2,", i, i,
		    sizeof b->text, sizeof b->text + 34);
		put(b, cur, name, false);
	}
	must(syncfs(cur) == 0, "syncfs");
	close(cur);
}

static struct mailbox *
open_box(struct bench *b, const char *name, size_t n)
{
	struct mailbox *m = mailbox_open(&b->account, span_str(name), false);

	must(m != NULL, "open");
	errno = 0;
	must(m->n == n, "number of messages");
	return m;
}

static void
opens(struct bench *b)
{
	struct mailbox *m, *other;
	struct dirent *e;
	uint32_t n = 0;
	double start = now();
	DIR *dir = opendir("M/cur");

	while ((e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	closedir(dir);
	must(n == b->n, "readdir");
	b->floor[OPEN_NONE][b->run] = now() - start;
	start = now();
	m = open_box(b, "INBOX", b->n);
	b->ours[OPEN_NONE][b->run] = now() - start;
	mailbox_close(m);
	/* Times of folders are proven by then. */
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	mailbox_close(open_box(b, "INBOX", b->n));
	start = now();
	m = open_box(b, "INBOX", b->n);
	b->ours[OPEN_WARM][b->run] = now() - start;
	start = now();
	must(mailbox_sync(m) == 0, "sync");
	b->ours[SYNC][b->run] = now() - start;
	other = open_box(b, "INBOX", b->n);
	must(mailbox_store(other, b->which, 1, FLAGS_ADD, FLAG_PASSED, 0) == 0,
	    "store");
	start = now();
	must(mailbox_sync(m) == 0 && m->nchanged == 1, "sync");
	b->ours[SYNC_ONE][b->run] = now() - start;
	mailbox_close(other);
	mailbox_close(m);
}

static void
append(struct bench *b, unsigned who, unsigned count, bool ours)
{
	int tmp = folder("M/tmp"), to = folder("M/new");
	char name[NAME];

	for (unsigned i = 0; i < count && ours; i++) {
		struct maildir_draft d;
		uint32_t uid, uidvalidity;

		must(maildir_begin(&d, b->account.dir) == 0 &&
		        maildir_write(&d,
		            span_of(b->text, sizeof b->text)) == 0 &&
		        mailbox_append(&b->account, span_str("x"), &d, 0,
		            NULL, 0, -1, &uid, &uidvalidity) == 0,
		    "append");
	}
	for (unsigned i = 0; i < count && !ours; i++) {
		snprintf(name, sizeof name, "floor-%u-%u", who, i);
		put(b, tmp, name, true);
		must(renameat(tmp, name, to, name) == 0 && fsync(to) == 0,
		    "rename");
	}
	close(tmp);
	close(to);
}

static void
appends(struct bench *b, bool ours)
{
	double(*result)[RUNS] = ours ? b->ours : b->floor;
	double start = now();
	int status;

	append(b, WRITERS, APPENDS, ours);
	result[APPEND_ONE][b->run] = (now() - start) / APPENDS;
	start = now();
	for (unsigned i = 0; i < WRITERS; i++)
		if (fork() == 0) {
			append(b, i, APPENDS, ours);
			_exit(0);
		}
	for (unsigned i = 0; i < WRITERS; i++)
		must(wait(&status) != -1 && status == 0, "writer");
	result[APPEND_MANY][b->run] = (now() - start) / (WRITERS * APPENDS);
}

/* Of the first n files in cur/: what is done with each, and one fsync. */
static double
floor_each(uint32_t n, enum what what)
{
	int cur = folder("M/cur"), tmp = folder("M/tmp"), to = folder("M/new");
	DIR *dir = opendir("M/cur");
	double start = now();
	struct dirent *e;
	char name[NAME * 3];
	bool good = true;

	while (n > 0 && good && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || strstr(e->d_name, "floor"))
			continue;
		n--;
		snprintf(name, sizeof name, "%sfloor", e->d_name);
		if (what == STORE)
			good = renameat(cur, e->d_name, cur, name) == 0;
		else if (what == EXPUNGE)
			good = unlinkat(cur, e->d_name, 0) == 0;
		else
			good = linkat(cur, e->d_name, tmp, name, 0) == 0 &&
			    renameat(tmp, name, to, name) == 0;
	}
	must(good && fsync(what == COPY ? to : cur) == 0, "floor");
	start = now() - start;
	closedir(dir);
	close(cur);
	close(tmp);
	close(to);
	return start;
}

static void
changes(struct bench *b)
{
	size_t some = b->n < SOME ? b->n : SOME;
	size_t few = b->n < FEW ? b->n : FEW;
	struct mailbox *m = open_box(b, "INBOX", b->n), *x;
	uint32_t uidvalidity;
	double start = now();

	must(mailbox_copy(m, b->which, few, &b->account, span_str("x"),
	         b->uids, &uidvalidity) == 0, "copy");
	b->ours[COPY][b->run] = now() - start;
	x = open_box(b, "x", few + (1 + WRITERS) * APPENDS);
	mailbox_close(x);
	start = now();
	must(mailbox_store(m, b->which, some, FLAGS_ADD, FLAG_SEEN, 0) == 0,
	    "store");
	b->ours[STORE][b->run] = now() - start;
	start = now();
	must(mailbox_expunge(m, b->which, few) == 0, "expunge");
	b->ours[EXPUNGE][b->run] = now() - start;
	mailbox_close(m);
	mailbox_close(open_box(b, "INBOX", b->n - few));
	account_close(&b->account);
	fill(b, "M");
	b->floor[COPY][b->run] = floor_each((uint32_t)few, COPY);
	b->floor[STORE][b->run] = floor_each((uint32_t)some, STORE);
	fill(b, "M");
	b->floor[EXPUNGE][b->run] = floor_each((uint32_t)few, EXPUNGE);
}

static void
run(struct bench *b)
{
	fill(b, "M");
	must(account_open(&b->account, "M", false) == 0 &&
	        account_create(&b->account, span_str("x")) == 0, "account");
	opens(b);
	appends(b, false);
	remove_all("M/new");
	must(mkdir("M/new", 0700) == 0, "M/new");
	appends(b, true);
	changes(b);
}

static int
by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
print(struct bench *b)
{
	printf("%u messages, medians of %u runs, ms\n%-28s %9s %9s %7s\n", b->n,
	    b->runs, "", "floor", "ours", "ratio");
	for (int i = 0; i < WHATS; i++) {
		double ours, least;

		qsort(b->ours[i], b->runs, sizeof ours, by_value);
		qsort(b->floor[i], b->runs, sizeof ours, by_value);
		ours = b->ours[i][b->runs / 2];
		least = b->floor[i][b->runs / 2];
		printf("%-28s ", names[i]);
		if (least > 0)
			printf("%9.3f %9.3f %7.2f\n", least, ours,
			    least / ours);
		else
			printf("%9s %9.3f\n", "-", ours);
	}
}

int
main(int argc, char **argv)
{
	struct bench b = { .n = SOME, .runs = 3 };
	char path[] = "postern-store.XXXXXX";
	bool good = true;
	int c;

	err_program("store");
	while ((c = getopt(argc, argv, "n:r:")) != -1)
		good &= c == 'n' ? num_parse_u32(span_str(optarg), 1000000,
		                       &b.n) && b.n >= 100
		    : c == 'r' && num_parse_u32(span_str(optarg), RUNS,
		          &b.runs) && b.runs > 0;
	if (!good || argc - optind > 1)
		err_die(EXIT_NEVER,
		    "usage: store [-n messages] [-r runs] [folder]");
	must(chdir(argc > optind ? argv[optind] : ".") == 0 &&
	        mkdtemp(path) && chdir(path) == 0, path);
	memset(b.text, 'x', sizeof b.text);
	memcpy(b.text, "Subject: s\n\n", 12);
	for (size_t i = 1; i <= 32; i++)
		b.text[i * 64 - 1] = '\n';
	b.which = calloc(b.n, sizeof *b.which);
	b.uids = calloc(b.n, sizeof *b.uids);
	must(b.which && b.uids, "memory");
	for (uint32_t i = 0; i < b.n; i++)
		b.which[i] = i;
	for (b.run = 0; b.run < b.runs; b.run++)
		run(&b);
	must(chdir("..") == 0, "..");
	remove_all(path);
	print(&b);
	return 0;
}
