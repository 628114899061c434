/*
 * The cache: the input is the file, with its checksums made right where the
 * first byte asks for it.  Whatever is in it, reading ends and stays inside,
 * and what is put behind it comes out as it went in.
 */
#include "base/io.h"
#include "store/bytes.h"
#include "store/cache_file.h"
#include "store/sum.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
mend(struct buf *b)
{
	size_t at = CACHE_FILE_HEAD;

	if (b->n < CACHE_FILE_HEAD)
		return;
	cache_file_head(b->p);
	while (b->n - at >= CACHE_HEAD + 8) {
		char *p = b->p + at;
		size_t n = get32(p) & 0xfff8;

		if (n < CACHE_HEAD + 8 || n > b->n - at)
			n = (b->n - at) & ~(size_t)7;
		n = n > CACHE_RECORD ? CACHE_RECORD : n;
		put32(p, (uint32_t)n);
		put64(p + 8, (unsigned char)p[8] & 7);
		put64(p + 16, 1);
		put64(p + 24, 1);
		put32(p + n - 4, (uint32_t)n);
		put32(p + 32, sum_crc(0,
		    span_of(p + CACHE_HEAD, n - CACHE_HEAD)));
		put32(p + 4, sum_crc(sum_crc(0, span_of(p, 4)),
		    span_of(p + 8, CACHE_HEAD - 8)));
		at += n;
	}
}

static unsigned
touch(const struct cache_record *r)
{
	unsigned sum = 0;
	int64_t seconds;
	uint32_t number;
	bool known;
	int zone;

	for (size_t i = 0; i < CACHE_PARTS; i++)
		for (size_t k = 0; k < r->part[i].n; k++)
			sum += (unsigned char)r->part[i].p[k];
	(void)cache_date(r, &known, &seconds, &zone);
	(void)cache_number(r, CACHE_TEXT, &number);
	return sum;
}

static void
check(struct cache *c)
{
	struct cache_record r = { 0 };
	struct cache_key key = { 9, 1, 1 };

	cache_begin(c, SIZE_MAX);
	for (uint64_t id = 0; id < 8; id++)
		if (cache_get(c, (struct cache_key){ id, 1, 1 }, &r))
			(void)touch(&r);
	r = (struct cache_record){ 0 };
	r.part[CACHE_SUBJECT] = span_of("hello", 6);
	cache_put(c, key, &r);
	cache_flush(c);
	if (!cache_get(c, key, &r) ||
	    !span_eq(r.part[CACHE_SUBJECT], span_of("hello", 6)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/dev/shm/postern-fuzz.XXXXXX";
	struct buf b = buf_new(1 << 20);
	struct cache c;
	int dir, fd;

	if (size < 1 || size > 1 << 19)
		return 0;
	(void)buf_add(&b, data + 1, size - 1);
	if (data[0] & 1)
		mend(&b);
	if (mkdtemp(path) == NULL ||
	    (dir = open(path, O_RDONLY | O_DIRECTORY)) == -1 ||
	    (fd = openat(dir, CACHE_NAME, O_WRONLY | O_CREAT, 0600)) == -1 ||
	    io_write(fd, b.p, b.n) == -1)
		abort();
	close(fd);
	cache_open_dir(&c, dir);
	check(&c);
	cache_close(&c, NULL);
	unlinkat(dir, CACHE_NAME, 0);
	close(dir);
	rmdir(path);
	buf_free(&b);
	return 0;
}
