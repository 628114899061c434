/*
 * Index and journal: the input is one of them beside a good other, with its
 * checksums made right, so that it is looked at behind them, too.
 *
 * The first byte says what the rest is: bit 0 the index (or else frames
 * behind a good head of a journal), bit 1 checksums as they come.
 */
#include "base/io.h"
#include "store/bytes.h"
#include "store/mailbox.h"
#include "store/sum.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 64, INDEX_HEAD = 128 };

static void
put(int dir, const char *name, struct span bytes)
{
	int fd =
	    openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1 || io_write(fd, bytes.p, bytes.n) == -1)
		abort();
	close(fd);
}

static uint32_t
good_head(char head[HEAD])
{
	uint32_t sum;

	memset(head, 0, HEAD);
	memcpy(head, "PSTNJRN1", 8);
	put32(head + 8, 1);
	put32(head + 12, HEAD);
	put64(head + 16, 1);
	put64(head + 24, 1);
	put32(head + 32, 1000);
	put32(head + 36, 1);
	put64(head + 40, 1);
	sum = sum_crc(0, span_of(head, HEAD - 4));
	put32(head + 60, sum);
	return sum;
}

/* The length of the frame is what is left of the input, or what it says. */
static void
mend_frames(struct buf *b, uint32_t seed)
{
	size_t at = HEAD;

	while (b->n - at >= 24) {
		char *p = b->p + at;
		size_t n = get32(p) & 0xfff8;

		if (n < 24 || n > b->n - at)
			n = (b->n - at) & ~(size_t)7;
		if (n < 24)
			break;
		put32(p, (uint32_t)n);
		put32(p + 4, sum_crc(sum_crc(seed, span_of(p, 4)),
				 span_of(p + 8, n - 8)));
		at += n;
	}
}

static void
mend_index(struct buf *b)
{
	size_t front, first;

	if (b->n < INDEX_HEAD)
		return;
	memcpy(b->p, "PSTNIDX2", 8);
	put32(b->p + 8, 2);
	put32(b->p + 12, INDEX_HEAD);
	front = ((size_t)get32(b->p + 52) & 63) * 64 +
		((size_t)get32(b->p + 56) & 63) * 16;
	first = INDEX_HEAD + front + (size_t)(get64(b->p + 88) & 0xffff);
	first = (first + 63) / 64 * 64;
	if (first > b->n)
		return;
	put32(b->p + 112, sum_crc(0, span_of(b->p + INDEX_HEAD, front)));
	put32(b->p + 116, sum_crc(0, span_of(b->p + first, b->n - first)));
	put32(b->p + 124, sum_crc(0, span_of(b->p, INDEX_HEAD - 4)));
}

static void
set_up(int dir, struct span in, unsigned what)
{
	struct buf b = buf_new(1 << 20);
	char head[HEAD];
	uint32_t seed = good_head(head);

	unlinkat(dir, "postern.index", 0);
	if (what & 1) {
		buf_add_span(&b, in);
		if (!(what & 2))
			mend_index(&b);
		put(dir, "postern.index", buf_span(&b));
		buf_reset(&b);
		buf_add(&b, head, sizeof head);
	} else {
		buf_add(&b, head, sizeof head);
		buf_add_span(&b, in);
		if (!(what & 2))
			mend_frames(&b, seed);
	}
	put(dir, "postern.journal", buf_span(&b));
	buf_free(&b);
}

static void
empty(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	while (dir && (e = readdir(dir)) != NULL)
		if (e->d_type != DT_DIR)
			unlinkat(fd, e->d_name, 0);
	if (dir)
		closedir(dir);
}

static void
remove_all(const struct account *a, const char *path)
{
	static const char *const subs[] = { "cur", "new", "tmp" };

	for (size_t i = 0; i < 3; i++) {
		empty(a->dir, subs[i]);
		unlinkat(a->dir, subs[i], AT_REMOVEDIR);
	}
	empty(a->dir, ".");
	rmdir(path);
}

/* Whatever is in them: a mailbox opens, and holds together. */
static void
look(const struct account *a)
{
	struct mailbox *m = mailbox_open(a, span_str("INBOX"), true);
	uint64_t size;

	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++) {
		if (i > 0 && m->msgs[i].uid <= m->msgs[i - 1].uid)
			abort();
		if (m->msgs[i].uid >= m->uidnext)
			abort();
		if (!m->msgs[i].gone && i < 4) {
			int fd = mailbox_read(m, i, &size);

			if (fd != -1)
				close(fd);
		}
	}
	mailbox_close(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/dev/shm/postern-fuzz.XXXXXX";
	struct account a;

	if (size < 1)
		return 0;
	if (mkdtemp(path) == NULL || account_open(&a, path, true) == -1)
		abort();
	put(a.dir, "cur/1.a,S=0,W=0,U=1:2,S", span_of("", 0));
	set_up(a.dir, span_of((const char *)data + 1, size - 1), data[0]);
	look(&a);
	look(&a);
	remove_all(&a, path);
	account_close(&a);
	return 0;
}
