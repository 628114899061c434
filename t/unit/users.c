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
	return tap_end(&t);
}
