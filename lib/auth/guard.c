/* The record of failed logins. */
#include "auth/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <unistd.h>

enum kind {
	ADDRESS,
	NETWORK,
	USER,
	KNOWN /* in a table of its own */
};

enum {
	ONE = 256,           /* a failure */
	MOST = ONE * 100000, /* a counter; more is damage */
	SPARE = 8,           /* failures that are counted past the last step */
	STEP_MS = 250,       /* the first delay; each next one is double */
	HEAD = 64,
	SUM = 32,
	TABLE = GUARD_SETS * GUARD_WAYS * 16,
	PLACES = 1 << 20,   /* offset of the locks of guard_place */
	OFFSET = PLACES - 1 /* locked by who moves the descriptor's offset */
};

static const struct {
	uint32_t free;   /* times the setting */
	uint32_t leak_s; /* a failure is forgotten in */
	uint32_t most;   /* times the setting; 0: never refused */
	int64_t wait_ms;
} kinds[GUARD_KINDS] = {
	[ADDRESS] = { 1, 12, 6, GUARD_WAIT_MS },
	[NETWORK] = { 5, 2, 60, GUARD_WAIT_MS },
	[USER] = { 1, 30, 0, GUARD_USER_WAIT_MS },
	[KNOWN] = { 2, 12, 0, GUARD_WAIT_MS },
};

struct entry {
	uint64_t hash;
	uint32_t time; /* when level was right, or of KNOWN, of a success */
	uint32_t level;
};

struct set {
	struct entry e[GUARD_WAYS];
};

struct head {
	char mark[16];
	unsigned char key[GUARD_KEY], check[16];
};

static const char mark[16] = "postern guard 1\n";

_Static_assert(sizeof(struct entry) == 16, "no padding");
_Static_assert(sizeof(struct head) == HEAD, "no padding");

/* type F_WRLCK or F_UNLCK; n bytes, waiting or not. */
static int
lock(int fd, short type, off_t at, off_t n, bool wait)
{
	struct flock l = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = n
	};
	int r;

	do
		r = fcntl(fd, wait ? F_SETLKW : F_SETLK, &l);
	while (r == -1 && errno == EINTR);
	return r;
}

/* Past its end a file is zeros, which are empty entries. */
static int
read_at(int fd, void *p, size_t n, off_t at)
{
	ssize_t r = pread(fd, p, n, at);

	if (r == -1)
		return -1;
	memset((char *)p + r, 0, n - (size_t)r);
	return 0;
}

/* The children of a nursery share the offset (net/nursery.h), and pwrite is
 * on no list of theirs: one at a time. */
static int
write_at(int fd, const void *p, size_t n, off_t at)
{
	bool written;

	if (lock(fd, F_WRLCK, OFFSET, 1, true) == -1)
		return -1;
	written = lseek(fd, at, SEEK_SET) == at &&
		  write(fd, p, n) == (ssize_t)n;
	return lock(fd, F_UNLCK, OFFSET, 1, false) == 0 && written ? 0 : -1;
}

static int
sum(const struct head *h, unsigned char out[SUM])
{
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, h->key, GUARD_KEY, h->mark,
		sizeof h->mark, out) == 0)
		return 0;
	errno = EIO;
	return -1;
}

static bool
is_sound(const struct head *h)
{
	unsigned char check[SUM];

	return memcmp(h->mark, mark, sizeof mark) == 0 &&
	       sum(h, check) == 0 &&
	       memcmp(h->check, check, sizeof h->check) == 0;
}

/* With another key nothing in the file is found any more; it fades. */
static int
begin_anew(int fd, struct head *h)
{
	unsigned char check[SUM];

	memcpy(h->mark, mark, sizeof h->mark);
	if (gnutls_rnd(GNUTLS_RND_KEY, h->key, GUARD_KEY) != 0) {
		errno = EIO;
		return -1;
	}
	if (sum(h, check) == -1)
		return -1;
	memcpy(h->check, check, sizeof h->check);
	return write_at(fd, h, sizeof *h, 0);
}

int
guard_open(struct guard *g, int fd, uint64_t free)
{
	struct head h;
	int r = 0;

	*g = (struct guard){ .fd = -1, .free = free };
	if (lock(fd, F_WRLCK, 0, HEAD, true) == -1)
		return -1;
	if (read_at(fd, &h, sizeof h, 0) == -1)
		r = -1;
	else if (!is_sound(&h))
		r = begin_anew(fd, &h);
	(void)lock(fd, F_UNLCK, 0, HEAD, false);
	if (r == 0) {
		memcpy(g->key, h.key, sizeof g->key);
		g->fd = fd;
	}
	explicit_bzero(&h, sizeof h);
	return r;
}

/* Never 0, which is an empty entry. */
static uint64_t
hash(const struct guard *g, enum kind kind, struct span a, struct span b)
{
	unsigned char text[1024] = { (unsigned char)kind }, out[32] = { 0 };
	uint64_t h;
	size_t n = 2;

	text[1] = (unsigned char)a.n;
	a = span_head(a, 64);
	b = span_head(b, 512);
	memcpy(text + n, a.p, a.n);
	n += a.n;
	if (b.n > 0)
		memcpy(text + n, b.p, b.n);
	n += b.n;
	if (gnutls_hmac_fast(
		GNUTLS_MAC_SHA256, g->key, GUARD_KEY, text, n, out) != 0)
		return 1;
	memcpy(&h, out, sizeof h);
	return h | 1;
}

static void
find_source(struct guard *g, struct span user, struct span peer)
{
	unsigned char a[16] = { 0 };
	struct span none = span_of("", 0);
	size_t n = 4, net = 3;
	char text[INET6_ADDRSTRLEN];
	bool home = true;

	if (span_copy(peer, text, sizeof text) == -1)
		return;
	if (inet_pton(AF_INET, text, a) == 1)
		home = strcmp(text, "127.0.0.1") == 0;
	else if (inet_pton(AF_INET6, text, a) == 1) {
		home = strcmp(text, "::1") == 0;
		n = 8;
		net = 6;
	}
	if (!home) {
		g->hashes[ADDRESS] =
		    hash(g, ADDRESS, span_of((char *)a, n), none);
		g->hashes[NETWORK] =
		    hash(g, NETWORK, span_of((char *)a, net), none);
	}
	g->hashes[KNOWN] = hash(g, KNOWN, span_of((char *)a, n), user);
}

/* What has leaked is gone. */
static uint32_t
level_now(enum kind kind, const struct entry *e, int64_t now_s)
{
	int64_t age = now_s - (int64_t)e->time;
	uint64_t lost;

	if (age < 0 || e->level > MOST)
		return 0;
	lost = (uint64_t)age * ONE / kinds[kind].leak_s;
	return lost < e->level ? e->level - (uint32_t)lost : 0;
}

static off_t
place_of(enum kind kind, uint64_t h)
{
	return HEAD + (kind == KNOWN ? TABLE : 0) +
	       (off_t)((h >> 1) % GUARD_SETS * sizeof(struct set));
}

/* The entry of h; or the one that is missed least, as an empty one. */
static struct entry *
choose(struct set *s, enum kind kind, uint64_t h, int64_t now_s)
{
	struct entry *least = &s->e[0];

	for (struct entry *e = s->e; e < s->e + GUARD_WAYS; e++) {
		if (e->hash == h)
			return e;
		if (kind == KNOWN ? e->time < least->time
				  : level_now(kind, e, now_s) <
					level_now(kind, least, now_s))
			least = e;
	}
	*least = (struct entry){ .hash = h };
	return least;
}

/* How far a counter goes: not much past what makes a difference, or who comes
 * after an attack pays for all of it. */
static int64_t
ceiling(const struct guard *g, enum kind kind)
{
	uint64_t times =
	    kinds[kind].most > 0 ? kinds[kind].most : kinds[kind].free;
	uint64_t n = (g->free * times + SPARE) * ONE;

	return n < MOST ? (int64_t)n : MOST;
}

/* Adds to a counter (which also is what makes it): the level that it had. */
static uint32_t
count(const struct guard *g, enum kind kind, int64_t by, int64_t now_s)
{
	uint64_t h = g->hashes[kind];
	off_t at = place_of(kind, h);
	struct set s;
	struct entry *e;
	uint32_t level = 0;
	int64_t after, most = ceiling(g, kind);

	if (h == 0 || lock(g->fd, F_WRLCK, at, sizeof s, true) == -1)
		return 0;
	if (read_at(g->fd, &s, sizeof s, at) == 0) {
		e = choose(&s, kind, h, now_s);
		level = level_now(kind, e, now_s);
		after = (int64_t)level + by;
		e->level = after <= 0 ? 0
				      : (uint32_t)(after < most ? after : most);
		e->time = (uint32_t)now_s;
		(void)write_at(g->fd, &s, sizeof s, at); /* full: uncounted */
	}
	(void)lock(g->fd, F_UNLCK, at, sizeof s, false);
	return level;
}

/*
 * A user who is known here: time stays that of the last success, so that
 * nothing leaks but with the 30 days, and one success clears it.
 */
static bool
count_known(struct guard *g, int64_t by, int64_t now_s, uint32_t *level)
{
	uint64_t h = g->hashes[KNOWN];
	off_t at = place_of(KNOWN, h);
	struct set s;
	bool found = false;

	if (h == 0 || lock(g->fd, F_WRLCK, at, sizeof s, true) == -1)
		return false;
	if (read_at(g->fd, &s, sizeof s, at) == 0)
		for (struct entry *e = s.e; e < s.e + GUARD_WAYS; e++) {
			int64_t age = now_s - (int64_t)e->time;

			if (e->hash != h || age < 0 || age > GUARD_KNOWN_S)
				continue;
			found = true;
			*level = e->level > MOST ? 0 : e->level;
			e->level = by < 0 && *level < -by
					 ? 0
					 : (uint32_t)(*level + by);
			(void)write_at(g->fd, &s, sizeof s, at);
		}
	(void)lock(g->fd, F_UNLCK, at, sizeof s, false);
	return found;
}

/* To the nearest: the last one has begun to leak already. */
static uint64_t
failures(uint32_t level)
{
	return (level + ONE / 2) / ONE;
}

static int64_t
wait_of(const struct guard *g, enum kind kind, uint32_t level)
{
	uint64_t over = failures(level), free = g->free * kinds[kind].free;
	int64_t wait = STEP_MS;

	if (over < free)
		return 0;
	for (over -= free; over > 0 && wait < kinds[kind].wait_ms; over--)
		wait *= 2;
	return wait < kinds[kind].wait_ms ? wait : kinds[kind].wait_ms;
}

static bool
is_over(const struct guard *g, enum kind kind, uint32_t level)
{
	return kinds[kind].most > 0 &&
	       failures(level) >= g->free * kinds[kind].most;
}

enum guard_verdict
guard_begin(struct guard *g, struct span user, struct span peer, int64_t now_s,
    int64_t *wait_ms)
{
	enum guard_verdict v = GUARD_GO;
	uint32_t level = 0;

	*wait_ms = 0;
	if (g->fd == -1 || g->free == 0)
		return v;
	g->hashes[USER] = hash(g, USER, span_of("", 0), user);
	find_source(g, user, peer);
	g->known = count_known(g, ONE, now_s, &level);
	if (g->known) {
		*wait_ms = wait_of(g, KNOWN, level);
		return v;
	}
	for (enum kind k = ADDRESS; k <= USER; k++) {
		int64_t wait;

		level = count(g, k, ONE, now_s);
		wait = wait_of(g, k, level);
		if (wait > *wait_ms)
			*wait_ms = wait;
		if (is_over(g, k, level))
			v = GUARD_REFUSE;
	}
	return v;
}

void
guard_take_back(struct guard *g, int64_t now_s)
{
	uint32_t level;

	if (g->fd == -1 || g->free == 0)
		return;
	if (g->known) {
		(void)count_known(g, -ONE, now_s, &level);
		return;
	}
	for (enum kind k = ADDRESS; k <= USER; k++)
		(void)count(g, k, -ONE, now_s);
}

void
guard_success(struct guard *g, int64_t now_s)
{
	if (g->fd == -1 || g->free == 0)
		return;
	guard_take_back(g, now_s);
	/* Down to nothing, at this time. */
	(void)count(g, KNOWN, -(int64_t)MOST, now_s);
}

void
guard_place(const struct guard *g, uint64_t n)
{
	off_t first = PLACES + (g->known ? (off_t)n : 0);

	if (g->fd == -1)
		return;
	for (uint64_t i = 0; i < n; i++)
		if (lock(g->fd, F_WRLCK, first + (off_t)i, 1, false) == 0)
			return;
	(void)lock(g->fd, F_WRLCK,
	    first + (off_t)((uint64_t)getpid() % n), 1, true);
}
