/* The cache: what was put in comes out, or nothing does. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "store/account.h"
#include "store/cache_file.h"
#include "store/lock.h"
#include "store/maildir.h"
#include "tap.h"

enum {
	FEW = 3,
	MANY = 20000,
	FILE_MOST = 1 << 26
};

static struct cache_key
key_of(uint64_t i)
{
	return (struct cache_key){ (i + 1) * 0x9e3779b97f4a7c1 >> 4, 1000 + i,
		(int64_t)(1700000000 + i) };
}

static struct cache_record
record_of(uint64_t i, char text[64])
{
	struct cache_record r = { 0 };
	int n = snprintf(text, 64, "(envelope of %llu)", (unsigned long long)i);

	r.part[CACHE_ENVELOPE] = span_of(text, (size_t)n);
	r.part[CACHE_TO] = span_of("", 0);
	r.part[CACHE_SUBJECT] = span_of("one\0two\0", 8);
	return r;
}

static bool
is_record(const struct cache_record *got, uint64_t i)
{
	char text[64];
	struct cache_record want = record_of(i, text);

	for (size_t p = 0; p < CACHE_PARTS; p++)
		if (!span_eq(got->part[p], want.part[p]) ||
		    !got->part[p].p != !want.part[p].p)
			return false;
	return true;
}

static void
fill(int dir, uint64_t from, uint64_t to)
{
	struct cache c;
	char text[64];

	cache_open_dir(&c, dir);
	cache_begin(&c, SIZE_MAX);
	for (uint64_t i = from; i < to; i++) {
		struct cache_record r = record_of(i, text);

		cache_put(&c, key_of(i), &r);
	}
	cache_close(&c, NULL);
}

/* How many of the first n are found; -1 where one is not what it was. */
static long
found(int dir, uint64_t n)
{
	struct cache c;
	struct cache_record r;
	long count = 0;

	cache_open_dir(&c, dir);
	cache_begin(&c, SIZE_MAX);
	for (uint64_t i = 0; i < n && count != -1; i++)
		if (cache_get(&c, key_of(i), &r))
			count = is_record(&r, i) ? count + 1 : -1;
	cache_close(&c, NULL);
	return count;
}

static void
load(int dir, struct buf *out)
{
	buf_reset(out);
	if (io_slurp(dir, CACHE_NAME, out) != 1)
		buf_reset(out);
}

static void
store(int dir, struct span bytes)
{
	int fd = openat(dir, CACHE_NAME, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd == -1 || io_write(fd, bytes.p, bytes.n) == -1)
		exit(99);
	close(fd);
}

static void
test_damage(struct tap *tap, int dir)
{
	struct buf file = buf_new(FILE_MOST);
	long lost = 0, wrong = 0, stuck = 0, cut = 0;

	fill(dir, 0, FEW);
	load(dir, &file);
	tap_ok(tap, found(dir, FEW) == FEW, "what is put in comes out");
	for (size_t i = 0; i < file.n; i++) {
		long n;

		file.p[i] ^= 0x10;
		store(dir, buf_span(&file));
		file.p[i] ^= 0x10;
		n = found(dir, FEW);
		wrong += n == -1;
		lost += n < FEW;
		fill(dir, 0, FEW);
		stuck += found(dir, FEW) != FEW;
	}
	tap_ok(tap, wrong == 0, "a flipped byte is never believed");
	tap_ok(tap, lost > 0 && stuck == 0, "and the next writer mends it");
	for (size_t n = 0; n < file.n; n++) {
		store(dir, span_head(buf_span(&file), n));
		wrong += found(dir, FEW) == -1;
		/* By a writer that reads nothing before. */
		fill(dir, 0, 1);
		cut += found(dir, 1) != 1;
	}
	tap_ok(tap, wrong == 0 && cut == 0, "so it is with every torn end");
	unlinkat(dir, CACHE_NAME, 0);
	buf_free(&file);
}

static void
test_blind_writer(struct tap *tap, int dir)
{
	struct buf file = buf_new(FILE_MOST);
	char text[64];
	bool good = true;

	fill(dir, 0, FEW);
	load(dir, &file);
	for (size_t n = 0; n <= file.n; n++) {
		struct cache_record r = record_of(FEW, text);
		struct cache c;

		store(dir, span_head(buf_span(&file), n));
		cache_open_dir(&c, dir);
		cache_add(&c, key_of(FEW), &r);
		cache_close(&c, NULL);
		good &= found(dir, FEW + 1) >= 1;
	}
	tap_ok(tap, good, "who only appends cuts off a torn end, too");
	tap_ok(tap, found(dir, FEW + 1) == FEW + 1, "and nothing else");
	unlinkat(dir, CACHE_NAME, 0);
	buf_free(&file);
}

/* As a power cut leaves it: behind the zeros nothing may be read. */
static void
test_zeros(struct tap *tap)
{
	size_t n = 65536;
	char *p = mmap(NULL, n * 2, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	tap_ok(tap, p != MAP_FAILED && mprotect(p + n, n, PROT_NONE) == 0 &&
		cache_last(span_of(p, n)) == 0,
	    "an end of zeros has no record");
	(void)munmap(p, n * 2);
}

static void
test_keys(struct tap *tap, int dir)
{
	struct cache_key key = key_of(0);
	struct cache_record r;
	struct cache c;

	fill(dir, 0, 1);
	cache_open_dir(&c, dir);
	cache_begin(&c, 1);
	tap_ok(tap, cache_get(&c, key, &r), "the key of the message");
	key.size++;
	tap_ok(tap, !cache_get(&c, key, &r), "another size is another file");
	key = key_of(0);
	key.date++;
	tap_ok(tap, !cache_get(&c, key, &r), "so is another date");
	cache_close(&c, NULL);
	unlinkat(dir, CACHE_NAME, 0);
}

static void
test_many(struct tap *tap, int dir)
{
	struct cache c;
	struct cache_record r;

	fill(dir, 0, MANY / 2);
	cache_open_dir(&c, dir);
	cache_begin(&c, SIZE_MAX);
	fill(dir, MANY / 2, MANY);
	tap_ok(tap, found(dir, MANY) == MANY, "many records");
	tap_ok(tap, !cache_get(&c, key_of(MANY - 1), &r), "of others'");
	cache_begin(&c, 1);
	tap_ok(tap, cache_get(&c, key_of(MANY - 1), &r),
	    "a session hears with its next command");
	cache_close(&c, NULL);
	cache_open_dir(&c, dir);
	cache_begin(&c, 1);
	tap_ok(tap, !c.reading && !cache_get(&c, key_of(0), &r),
	    "all of a large cache is not read for one message");
	for (size_t i = 0; i < 40; i++)
		cache_begin(&c, 1);
	tap_ok(tap, cache_get(&c, key_of(0), &r), "but for many, one by one");
	cache_rest(&c);
	tap_ok(tap, c.table.p == NULL && c.window.p == NULL &&
	        c.pending.p == NULL, "one that rests holds no memory");
	cache_close(&c, NULL);
	unlinkat(dir, CACHE_NAME, 0);
}

static void
test_lock(struct tap *tap, int dir)
{
	int fd;

	fill(dir, 0, 1);
	fd = openat(dir, CACHE_NAME, O_RDWR | O_CLOEXEC);
	tap_ok(tap, lock_take(fd, 0) == 0, "where the lock is held");
	fill(dir, 1, 2);
	tap_ok(tap, found(dir, 2) == 1, "nothing is written, nobody waits");
	close(fd);
	fill(dir, 1, 2);
	tap_ok(tap, found(dir, 2) == 2, "and later it is");
	unlinkat(dir, CACHE_NAME, 0);
}

static void
deliver(struct account *a, unsigned i)
{
	struct maildir_draft d;
	char name[MAILDIR_NAME], text[64];

	snprintf(text, sizeof text, "Subject: %u\n\nbody %u\n", i, i);
	if (maildir_begin(&d, a->dir) == -1 ||
	    maildir_write(&d, span_str(text)) == -1)
		exit(99);
	if (i % 2) { /* the other half as strangers do it */
		if (maildir_commit(&d, -1, name) == -1)
			exit(99);
	} else {
		int fd = cache_peek(&d);

		if (maildir_commit(&d, -1, name) == -1)
			exit(99);
		cache_arrived(a->dir, fd, d.base);
	}
}

static size_t
known(struct mailbox *m)
{
	struct cache c;
	struct cache_record r;
	size_t n = 0;

	cache_open(&c, m);
	cache_begin(&c, m->n);
	for (size_t i = 0; i < m->n; i++)
		n += cache_get(&c, cache_key(&m->msgs[i]), &r) &&
		    r.part[CACHE_BODYSTRUCTURE].p && r.part[CACHE_TEXT].p;
	cache_close(&c, m);
	return n;
}

static off_t
length(int dir)
{
	struct stat st = { 0 };

	(void)fstatat(dir, CACHE_NAME, &st, 0);
	return st.st_size;
}

static void
test_mailbox(struct tap *tap, const char *path)
{
	struct account a;
	struct mailbox *m;
	size_t which[180];
	uint32_t uids[180], uidvalidity;
	off_t before;

	if (account_open(&a, path, true) == -1)
		exit(99);
	for (unsigned i = 0; i < 200; i++)
		deliver(&a, i);
	m = mailbox_open(&a, span_str("INBOX"), false);
	tap_ok(tap, m && m->n == 200 && known(m) == 100,
	    "what arrived is known, what strangers put in is not");
	for (size_t i = 0; i < 180; i++)
		which[i] = i;
	if (account_create(&a, span_str("x")) == -1 ||
	    mailbox_copy(m, which, 10, &a, span_str("x"), uids,
	        &uidvalidity) == -1)
		exit(99);
	before = length(a.dir);
	tap_ok(tap, mailbox_expunge(m, which, 180) == 0, "many are removed");
	mailbox_forget(m);
	tap_ok(tap, known(m) == 10, "the others are still known");
	tap_ok(tap, length(a.dir) < before / 4, "in a cache written anew");
	tap_ok(tap, known(m) == 10, "that is good");
	mailbox_close(m);
	m = mailbox_open(&a, span_str("x"), false);
	tap_ok(tap, m && known(m) == 10, "a copy is known where it is");
	mailbox_close(m);
	account_close(&a);
}

/* As mail is fetched by POP3: nobody reads the cache. */
static void
test_fetched(struct tap *tap, const char *path)
{
	struct account a;
	size_t which[20], most = 0;

	if (account_open(&a, path, true) == -1)
		exit(99);
	for (unsigned round = 0; round < 45; round++) {
		struct mailbox *m;

		for (unsigned i = 0; i < 40; i++)
			deliver(&a, i);
		m = mailbox_open(&a, span_str("INBOX"), false);
		if (m == NULL || m->n < 20)
			exit(99);
		for (size_t i = 0; i < 20; i++)
			which[i] = i;
		while (m->n >= 20) {
			if (mailbox_expunge(m, which, 20) == -1)
				exit(99);
			mailbox_forget(m);
		}
		mailbox_close(m);
		if ((size_t)length(a.dir) > most)
			most = (size_t)length(a.dir);
	}
	tap_ok(tap, most > 0 && most < 120000,
	    "what is only written to stays small");
	printf("# %zu bytes at most, %ld in the end\n", most,
	    (long)length(a.dir));
	account_close(&a);
}

int
main(void)
{
	char path[] = "/tmp/postern-cache.XXXXXX";
	struct tap tap = { 0 };
	int dir, bad;

	if (mkdtemp(path) == NULL ||
	    (dir = open(path, O_RDONLY | O_DIRECTORY)) == -1)
		return 99;
	test_damage(&tap, dir);
	test_blind_writer(&tap, dir);
	test_zeros(&tap);
	test_keys(&tap, dir);
	test_many(&tap, dir);
	test_lock(&tap, dir);
	test_mailbox(&tap, path);
	test_fetched(&tap, path);
	close(dir);
	bad = tap_end(&tap);
	fflush(stdout);
	execl("/bin/sh", "sh", "-c", "rm -r \"$0\"; exit $1", path,
	    bad ? "1" : "0", (char *)NULL);
	return 99;
}
