/* What the children of a nursery read and write by a descriptor that they
 * share, with its offset: databases, and the record of failed logins. */
#include "auth/cdbfile.h"
#include "auth/guard.h"
#include "tap.h"

#include <cdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHILDREN = 4,
	KEYS = 64, /* of each */
	LOOKUPS = 20000,
	ADDRESSES = 100, /* of each */
	FREE = 4,
	NOON = 1700000000
};

static int
fresh(void)
{
	char name[] = "shared.XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	return fd;
}

static void
text(char out[64], const char *what, int child, int n)
{
	snprintf(out, 64, "%s %d of %d", what, n, child);
}

static bool
make_database(int fd)
{
	struct cdb_make m;
	bool good = cdb_make_start(&m, fd) == 0;

	for (int child = 0; child < CHILDREN; child++)
		for (int n = 0; n < KEYS; n++) {
			char key[64], value[64];

			text(key, "key", child, n);
			text(value, "the value", child, n);
			good &= cdb_make_add(&m, key, (unsigned)strlen(key),
				    value, (unsigned)strlen(value)) == 0;
		}
	return cdb_make_finish(&m) == 0 && good;
}

static bool
look_up(int fd, int child)
{
	for (int i = 0; i < LOOKUPS; i++) {
		char key[64], want[64], value[64];
		size_t n = 0;

		text(key, i % 2 ? "no key" : "key", child, i % KEYS);
		text(want, "the value", child, i % KEYS);
		if (cdbfile_get(fd, span_str(key), value, sizeof value, &n) !=
		    (i % 2 ? 0 : 1))
			return false;
		if (i % 2 == 0 && !span_is(span_of(value, n), want))
			return false;
	}
	return true;
}

/* The wait of the next attempt from a network of its own; -1: none. */
static int64_t
attempt(int fd, int child, int n, const char *user)
{
	char peer[64];
	struct guard g;
	int64_t wait_ms = -1;

	snprintf(peer, sizeof peer, "10.%d.%d.1", child, n);
	if (guard_open(&g, fd, FREE) == -1 ||
	    guard_begin(&g, span_str(user), span_str(peer), NOON, &wait_ms) !=
		GUARD_GO)
		return -1;
	return wait_ms;
}

static bool
fail_logins(int fd, int child)
{
	for (int i = 0; i < FREE * ADDRESSES; i++) {
		char user[64];

		text(user, "user", child, i);
		if (attempt(fd, child, i % ADDRESSES, user) != 0)
			return false;
	}
	return true;
}

/* How many of the children did not see what they should. */
static int
in_children(int fd, bool (*run)(int, int))
{
	int status, wrong = 0;

	for (int child = 0; child < CHILDREN; child++)
		if (fork() == 0)
			_exit(!run(fd, child));
	while (wait(&status) > 0)
		wrong += status != 0;
	return wrong;
}

/* Of how many addresses a failure was not counted. */
static int
count_forgotten(int fd)
{
	int forgotten = 0;

	for (int child = 0; child < CHILDREN; child++)
		for (int n = 0; n < ADDRESSES; n++) {
			char user[64];

			text(user, "another", child, n);
			forgotten += attempt(fd, child, n, user) <= 0;
		}
	return forgotten;
}

int
main(void)
{
	struct tap t = { 0 };
	int fd = fresh();

	tap_ok(&t, make_database(fd) && in_children(fd, look_up) == 0,
	    "each finds its own record, and no other's");
	close(fd);
	fd = fresh();
	tap_ok(&t, in_children(fd, fail_logins) == 0 &&
		       count_forgotten(fd) == 0,
	    "each failed login is counted, and nobody else's");
	return tap_end(&t);
}
