/* A database that is damaged never says that an address is not there. */
#include <cdb.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/users.h"
#include "tap.h"

enum {
	USERS = 30,
	MANY = 50000,
	ASKED = 200,
	MOST = 65536
};

struct file {
	int fd, copy;
	size_t n;
	char bytes[MOST];
};

static int
fresh(void)
{
	char name[] = "users.XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	return fd;
}

static void
add(struct cdb_make *m, const char *key, const char *value)
{
	cdb_make_add(m, key, (unsigned)strlen(key), value,
	    (unsigned)strlen(value));
}

static bool
make(struct file *f)
{
	struct cdb_make m;
	char key[64];
	ssize_t n;

	f->fd = fresh();
	f->copy = fresh();
	if (f->fd == -1 || f->copy == -1 || cdb_make_start(&m, f->fd) == -1)
		return false;
	add(&m, "example.org", "domain");
	for (int i = 0; i < USERS; i++) {
		snprintf(key, sizeof key, "u%d@example.org", i);
		add(&m, key, "uid=1000 gid=1000 maildir=/var/mail/u");
	}
	if (cdb_make_finish(&m) == -1)
		return false;
	n = pread(f->fd, f->bytes, sizeof f->bytes, 0);
	f->n = n > 0 ? (size_t)n : 0;
	return f->n > 2048;
}

static enum users_kind
ask(const struct file *f, const char *address)
{
	struct users_record r;

	return users_find(f->copy, span_str(address), "example.org", &r);
}

static bool
is_answer(enum users_kind k)
{
	return k == USERS_MAILBOX || k == USERS_TEMPFAIL;
}

/* The file up to `from', n bytes of c, and the rest; false: a wrong answer. */
static bool
damaged(struct file *f, size_t from, size_t n, char c, size_t size)
{
	char *bytes = malloc(f->n);
	bool good = bytes != NULL;

	if (good) {
		memcpy(bytes, f->bytes, f->n);
		for (size_t i = from; i < f->n && i < from + n; i++)
			bytes[i] = c;
		good = ftruncate(f->copy, 0) == 0 &&
		    pwrite(f->copy, bytes, size, 0) == (ssize_t)size;
	}
	free(bytes);
	return good && is_answer(ask(f, "u7@example.org")) &&
	    is_answer(ask(f, "u29@example.org"));
}

static bool
every(struct file *f, size_t n, char c)
{
	for (size_t from = 0; from < f->n; from += 8)
		if (!damaged(f, from, n, c, f->n))
			return false;
	return true;
}

static bool
flipped(struct file *f)
{
	for (size_t at = 0; at < f->n; at++)
		for (int bit = 0; bit < 8; bit++)
			if (!damaged(f, at, 1,
				(char)(f->bytes[at] ^ (1 << bit)), f->n))
				return false;
	return true;
}

/* System calls that read, of this process; -1: nobody says. */
static long
reads(void)
{
	FILE *io = fopen("/proc/self/io", "r");
	char line[64];
	long n = -1;

	while (io && fgets(line, sizeof line, io))
		if (strncmp(line, "syscr: ", 7) == 0)
			n = strtol(line + 7, NULL, 10);
	if (io)
		fclose(io);
	return n;
}

/* What it takes on average to find addresses, or that they are not there. */
static long
effort(int fd, char first)
{
	struct users_record r;
	long before = reads();
	char key[64];

	for (int i = 0; i < ASKED; i++) {
		snprintf(key, sizeof key, "%c%d@example.org", first, i);
		(void)users_get(fd, span_str(key), &r);
	}
	return (reads() - before) / ASKED;
}

/* Where there are many names, time does not tell that one is not there. */
static void
try_effort(struct tap *t)
{
	struct cdb_make m;
	char key[64];
	int fd = fresh();
	long there, absent;

	if (fd == -1 || cdb_make_start(&m, fd) == -1)
		return;
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "u%d@example.org", i);
		add(&m, key, "uid=1000 gid=1000 maildir=/var/mail/u");
	}
	if (cdb_make_finish(&m) == -1)
		return;
	there = effort(fd, 'u');
	absent = effort(fd, 'v');
	tap_ok(t, reads() == -1 || (there > 0 && absent < 5 * there),
	    "a name that is not there takes few reads more than one that is");
	printf("# reads: %ld and %ld\n", there, absent);
	close(fd);
}

int
main(void)
{
	static struct file f;
	struct tap t = { 0 };
	bool good = true;

	tap_ok(&t, make(&f), "a database is made");
	good = damaged(&f, 0, 0, 0, f.n);
	tap_ok(&t, good && ask(&f, "u7@example.org") == USERS_MAILBOX,
	    "who is there is found");
	tap_ok(&t, ask(&f, "u77@example.org") == USERS_NONE,
	    "who is not is not");
	tap_ok(&t, ask(&f, "u7@example.net") == USERS_FOREIGN,
	    "another's domain is none of ours");
	for (size_t size = 0; good && size < f.n; size++)
		good = damaged(&f, 0, 0, 0, size);
	tap_ok(&t, good, "cut at any length: later");
	tap_ok(&t, damaged(&f, 0, f.n, 0, f.n), "all zeros: later");
	good = true;
	for (size_t from = 0; good && from < f.n; from += 8)
		good = damaged(&f, from, f.n, 0, f.n);
	tap_ok(&t, good, "zeros from any place on: later");
	tap_ok(&t, every(&f, 8, 0), "eight zeros at any place: later");
	tap_ok(&t, every(&f, 512, 0), "a sector of zeros: later");
	tap_ok(&t, every(&f, 512, (char)0xff), "a sector of ones: later");
	tap_ok(&t, every(&f, 16, 'd'), "letters at any place: later");
	tap_ok(&t, flipped(&f), "any one bit: later, or no matter");
	try_effort(&t);
	return tap_end(&t);
}
