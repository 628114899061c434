/* The record of failed logins: delays, who is let through, and damage. */
#include "auth/guard.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FREE = 4,
	NOON = 1700000000
};

static int
fresh(void)
{
	char name[] = "guard.XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	return fd;
}

/* The wait of one attempt in ms; -1: refused. */
static int64_t
fail(int fd, const char *user, const char *peer, int64_t now)
{
	struct guard g;
	int64_t wait = -2;

	if (guard_open(&g, fd, FREE) == -1)
		return -3;
	return guard_begin(&g, span_str(user), span_str(peer), now, &wait) ==
		       GUARD_GO
		   ? wait
		   : -1;
}

static bool
succeed(int fd, const char *user, const char *peer, int64_t now)
{
	struct guard g;
	int64_t wait;

	if (guard_open(&g, fd, FREE) == -1)
		return false;
	guard_begin(&g, span_str(user), span_str(peer), now, &wait);
	guard_success(&g, now);
	return true;
}

/* A fault of ours is nobody's failure. */
static bool
fault(int fd, const char *user, const char *peer, int64_t now)
{
	struct guard g;
	int64_t wait;

	if (guard_open(&g, fd, FREE) == -1)
		return false;
	guard_begin(&g, span_str(user), span_str(peer), now, &wait);
	guard_take_back(&g, now);
	return true;
}

static void
try_faults(struct tap *t)
{
	int fd = fresh();
	bool done = true;

	for (int n = 0; n < 40; n++)
		done &= fault(fd, "alice@x", "192.0.2.1", NOON);
	tap_ok(t, done && fail(fd, "alice@x", "192.0.2.1", NOON) == 0,
	    "faults of ours are taken back");
	done = succeed(fd, "alice@x", "192.0.2.1", NOON);
	for (int n = 0; n < 40; n++)
		done &= fault(fd, "alice@x", "192.0.2.1", NOON + n);
	tap_ok(t, done && fail(fd, "alice@x", "192.0.2.1", NOON + 40) == 0,
	    "for somebody who is known there, too");
	close(fd);
}

static void
try_address(struct tap *t)
{
	static const int64_t want[] = { 0, 0, 0, 0, 250, 500, 1000, 2000, 4000,
		8000, 8000 };
	int fd = fresh();
	bool right = true;
	int64_t w = 0;
	char user[32];
	int n;

	for (n = 0; n < 11; n++) {
		snprintf(user, sizeof user, "user%d@x", n);
		w = fail(fd, user, "192.0.2.1", NOON);
		right &= w == want[n];
	}
	tap_ok(t, right, "an address's failures wait, each longer");
	for (; n < 40 && w != -1; n++) {
		snprintf(user, sizeof user, "user%d@x", n);
		w = fail(fd, user, "192.0.2.1", NOON);
	}
	tap_ok(t, n == 6 * FREE + 1, "and are refused at six times as many");
	tap_ok(t, fail(fd, "new@x", "192.0.2.2", NOON) > 0,
	    "its network waits as well");
	tap_ok(t, fail(fd, "new@x", "198.51.100.1", NOON) == 0,
	    "another network does not");
	tap_ok(t, fail(fd, "new@x", "192.0.2.1", NOON + 12 * 30) == 0,
	    "minutes later all is forgotten");
	close(fd);
}

/* Whoever comes after an attack does not pay for all of it. */
static void
try_after(struct tap *t)
{
	int fd = fresh();

	for (int n = 0; n < 5000; n++)
		fail(fd, "alice@x", "192.0.2.1", NOON);
	tap_ok(t, fail(fd, "bob@x", "192.0.2.1", NOON) == -1 &&
		      fail(fd, "alice@x", "203.0.113.1", NOON) ==
			  GUARD_USER_WAIT_MS,
	    "thousands of failures: refused, and slow for the user");
	tap_ok(t, fail(fd, "bob@x", "192.0.2.1", NOON + 60) == -1,
	    "still a minute later");
	tap_ok(t, fail(fd, "bob@x", "192.0.2.1", NOON + 120) >= 0,
	    "heard again two minutes after its end");
	tap_ok(t, fail(fd, "bob@x", "192.0.2.1", NOON + 900) == 0 &&
		      fail(fd, "carol@x", "192.0.2.2", NOON + 900) == 0 &&
		      fail(fd, "alice@x", "203.0.113.1", NOON + 900) == 0,
	    "a quarter of an hour after its end it is forgotten");
	close(fd);
}

static void
try_ipv6(struct tap *t)
{
	int fd = fresh();

	for (int i = 0; i < FREE; i++)
		fail(fd, "a@x", "2001:db8:1:2::1", NOON);
	tap_ok(t, fail(fd, "b@x", "2001:db8:1:2:ffff::9", NOON) == 250,
	    "a /64 is one address");
	tap_ok(t, fail(fd, "b@x", "2001:db8:1:3::1", NOON) == 0,
	    "the next /64 is another");
	for (int i = 0; i < 5 * FREE; i++) {
		char peer[64];

		snprintf(peer, sizeof peer, "2001:db8:1:%x::1", i + 16);
		fail(fd, "c@x", peer, NOON);
	}
	tap_ok(t, fail(fd, "d@x", "2001:db8:1:ff::1", NOON) > 0,
	    "a /48 is one network");
	tap_ok(t, fail(fd, "d@x", "2001:db8:2:ff::1", NOON) == 0,
	    "the next /48 is another");
	close(fd);
}

static void
try_user(struct tap *t)
{
	int fd = fresh();
	int64_t w = 0;
	bool refused = false;

	succeed(fd, "alice@x", "203.0.113.5", NOON);
	for (int i = 0; i < 500; i++) {
		char peer[64];

		snprintf(peer, sizeof peer, "10.%d.%d.7", i % 250, i / 250);
		w = fail(fd, "alice@x", peer, NOON);
		refused |= w == -1;
	}
	tap_ok(t, !refused && w == GUARD_USER_WAIT_MS,
	    "one user from 500 addresses: the longest wait, no refusal");
	tap_ok(t, fail(fd, "alice@x", "203.0.113.5", NOON) == 0,
	    "none from where the user logged in before");
	tap_ok(t, fail(fd, "alice@x", "203.0.113.6", NOON) > 0,
	    "but from the next address");
	for (int i = 0; i < 300; i++) {
		char user[32];

		snprintf(user, sizeof user, "user%d@x", i);
		fail(fd, user, "203.0.113.5", NOON);
	}
	tap_ok(t, fail(fd, "bob@x", "203.0.113.5", NOON) == -1 &&
		      fail(fd, "alice@x", "203.0.113.5", NOON) == 0,
	    "nor does an attack from the user's own address");
	for (int i = 0; i < 2 * FREE; i++)
		w = fail(fd, "alice@x", "203.0.113.5", NOON);
	tap_ok(t, w > 0, "guesses for that user from there wait");
	succeed(fd, "alice@x", "203.0.113.5", NOON);
	tap_ok(t, fail(fd, "alice@x", "203.0.113.5", NOON) == 0,
	    "until the right password comes");
	tap_ok(t, fail(fd, "alice@x", "203.0.113.5",
		      NOON + GUARD_KNOWN_S + 1) > -2,
	    "a month later that is forgotten");
	close(fd);
}

static void
try_home(struct tap *t)
{
	static const char *const peers[] = { "127.0.0.1", "::1", "local" };

	for (size_t p = 0; p < 3; p++) {
		int fd = fresh();
		int64_t w = 0;

		for (int i = 0; i < 200; i++) {
			char user[32];

			snprintf(user, sizeof user, "user%d@x", i);
			w += fail(fd, user, peers[p], NOON) != 0;
		}
		for (int i = 0; i < FREE; i++)
			fail(fd, "user1@x", peers[p], NOON);
		tap_ok(t, w == 0 && fail(fd, "user1@x", peers[p], NOON) > 0,
		    "a webmail's address does not count, its users do");
		close(fd);
	}
}

static void
try_success(struct tap *t)
{
	int fd = fresh();
	char user[32];

	for (int i = 0; i < 200; i++) {
		snprintf(user, sizeof user, "user%d@x", i);
		succeed(fd, user, "192.0.2.1", NOON);
	}
	tap_ok(t, fail(fd, "x@x", "192.0.2.1", NOON) == 0,
	    "what succeeds is not counted");
	close(fd);
}

static void
try_damage(struct tap *t)
{
	int fd = fresh();
	struct stat st;
	char junk[512];

	for (int i = 0; i < 2 * FREE; i++)
		fail(fd, "a@x", "192.0.2.1", NOON);
	tap_ok(t, fail(fd, "a@x", "192.0.2.1", NOON) > 0, "counted");
	if (pwrite(fd, "x", 1, 20) != 1)
		return;
	tap_ok(t, fail(fd, "a@x", "192.0.2.1", NOON) == 0,
	    "a damaged head: begun anew");
	tap_ok(t, fail(fd, "a@x", "192.0.2.1", NOON) == 0 &&
		      ftruncate(fd, 100) == 0 &&
		      fail(fd, "a@x", "192.0.2.1", NOON) == 0,
	    "a short file is no fault");
	memset(junk, 0xff, sizeof junk);
	for (off_t at = 64; at < 600000; at += (off_t)sizeof junk)
		if (pwrite(fd, junk, sizeof junk, at) == -1)
			return;
	tap_ok(t, fail(fd, "a@x", "192.0.2.1", NOON) == 0,
	    "entries that cannot be count nothing");
	for (int i = 0; i < 70000; i++) {
		char peer[64];

		snprintf(peer, sizeof peer, "10.%d.%d.%d", i % 7, i / 250 % 250,
		    i % 250);
		fail(fd, "a@x", peer, NOON + i / 100);
	}
	tap_ok(t, fstat(fd, &st) == 0 && st.st_size <= 700000,
	    "the file does not grow");
	close(fd);
	tap_ok(t, fail(fd, "a@x", "192.0.2.1", NOON) == -3, "no file: told");
}

int
main(void)
{
	struct tap t = { 0 };

	try_faults(&t);
	try_address(&t);
	try_after(&t);
	try_ipv6(&t);
	try_user(&t);
	try_home(&t);
	try_success(&t);
	try_damage(&t);
	return tap_end(&t);
}
