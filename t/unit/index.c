/* The index: its records, its sums, and damage at every byte of one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "store/account.h"
#include "store/index_file.h"
#include "store/maildir.h"
#include "store/sum.h"
#include "tap.h"

enum {
	MESSAGES = 3,
	LARGE = 200000
};

struct known {
	struct account a;
	char path[64];
	struct buf index, journal;
	uint32_t uidvalidity;
};

static void
check_records(struct tap *t)
{
	struct message msg = { .uid = 0x01020304,
		.flags = FLAG_SEEN | FLAG_PASSED,
		.in_new = true,
		.vague = true,
		.late = true,
		.name_size = 0x0506,
		.keywords = 0x1112131415161718,
		.modseq = 0x2122232425262728,
		.id = 0x3132333435363738,
		.date = -2,
		.size = 0x45464748,
		.saved = 0x41424344,
		.wire = 0x5152535455565758,
		.name = 0x6162636465666768 };
	char bytes[INDEX_RECORD];
	struct message back;

	index_put_record(&msg, bytes);
	back = index_get_record(bytes);
	tap_ok(t, memcmp(&msg, &back, sizeof msg) == 0, "there and back");
	tap_ok(t, memcmp(bytes, "\4\3\2\1\x28\xa8\6\5", 8) == 0, "byte order");
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	tap_ok(t, memcmp(&msg, bytes, sizeof bytes) == 0, "used as it lies");
	msg.gone = true;
	memcpy(bytes, &msg, sizeof bytes);
	tap_ok(t, bytes[5] == (char)0xa9, "marks have bits of their own");
#endif
}

static void
check_sums(struct tap *t)
{
	static char text[LARGE];
	bool good = true;

	tap_ok(t, sum_crc(0, span_str("123456789")) == 0xe3069283, "CRC-32C");
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * i >> 7);
	for (size_t n = 0; n < LARGE; n += 9973) {
		uint32_t whole = sum_crc(7, span_of(text, n)), sum = 7;

		for (size_t at = 0; at < n; at += 1000)
			sum = sum_crc(sum,
			    span_of(text + at, n - at < 1000 ? n - at : 1000));
		good &= sum == whole;
	}
	tap_ok(t, good, "in pieces of any length");
}

static bool
slurp(const struct account *a, const char *name, struct buf *out)
{
	*out = buf_new(1 << 20);
	return io_slurp(a->dir, name, out) == 1;
}

static void
put(const struct account *a, const char *name, struct span bytes, size_t odd,
    int change)
{
	int fd;
	char c = odd < bytes.n ? (char)(bytes.p[odd] ^ change) : '\0';

	unlinkat(a->dir, name, 0);
	fd = openat(a->dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd == -1 || io_write(fd, bytes.p, bytes.n) == -1 ||
	    (odd < bytes.n && pwrite(fd, &c, 1, (off_t)odd) != 1))
		abort();
	close(fd);
}

static size_t
clean(const struct account *a, const char *folder, const char *start)
{
	int fd = openat(a->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	size_t n = 0;

	while (dir && (e = readdir(dir)) != NULL)
		if (e->d_type == DT_REG && span_starts(
					      span_str(e->d_name), start))
			n += unlinkat(fd, e->d_name, 0) == 0;
	if (dir)
		closedir(dir);
	return n;
}

static bool
deliver(const struct account *a, unsigned i)
{
	struct maildir_draft d;
	char text[32], name[MAILDIR_NAME];

	snprintf(text, sizeof text, "text %u\n", i + 1);
	return maildir_begin(&d, a->dir) == 0 &&
	       maildir_write(&d, span_str(text)) == 0 &&
	       maildir_commit(&d, 1000000 + i, name) == 0;
}

static bool
begin(struct known *k)
{
	const size_t which[] = { 1 };
	struct mailbox *m;
	bool good;

	*k = (struct known){ .path = "/dev/shm/postern-index.XXXXXX" };
	if (mkdtemp(k->path) == NULL ||
	    account_open(&k->a, k->path, true) == -1)
		return false;
	for (unsigned i = 0; i < MESSAGES; i++)
		if (!deliver(&k->a, i))
			return false;
	m = mailbox_open(&k->a, span_str("INBOX"), false);
	if (m == NULL)
		return false;
	k->uidvalidity = m->uidvalidity;
	good = mailbox_store(m, which, 1, FLAGS_SET, FLAG_SEEN, 0) == 0 &&
	       view_lock(m) == 0 && index_write(m) == 0;
	view_unlock(m);
	mailbox_close(m);
	return good && slurp(&k->a, INDEX_NAME, &k->index) &&
	       slurp(&k->a, JOURNAL_NAME, &k->journal);
}

static void
end(struct known *k)
{
	static const char *const subs[] = { "cur", "new", "tmp" };

	for (size_t i = 0; i < 3; i++) {
		clean(&k->a, subs[i], "");
		unlinkat(k->a.dir, subs[i], AT_REMOVEDIR);
	}
	clean(&k->a, ".", "");
	rmdir(k->path);
	account_close(&k->a);
	buf_free(&k->index);
	buf_free(&k->journal);
}

static bool
has_text(struct mailbox *m, size_t i, unsigned number)
{
	char wanted[32], text[64] = "";
	uint64_t size;
	int fd = mailbox_read(m, i, &size);

	if (fd == -1)
		return false;
	snprintf(wanted, sizeof wanted, "text %u\n", number);
	if (io_read_full(fd, text, sizeof text - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strcmp(text, wanted) == 0 && size == strlen(wanted);
}

/* Where UIDVALIDITY is the old one, UIDs are, too. */
static bool
is_right(const struct known *k, struct mailbox *m)
{
	if (m->n != MESSAGES || m->uidvalidity < k->uidvalidity)
		return false;
	for (unsigned i = 0; i < MESSAGES; i++) {
		const struct message *msg = &m->msgs[i];

		if (!has_text(m, i, i + 1) || msg->date != 1000000 + i ||
		    msg->wire != 8 || msg->size != 7 ||
		    msg->flags != (i == 1 ? FLAG_SEEN : 0U) || msg->gone ||
		    msg->changed || msg->keywords != 0 ||
		    mailbox_file(m, i)[0] == '\0')
			return false;
		if (m->uidvalidity == k->uidvalidity && msg->uid != i + 1)
			return false;
	}
	return mailbox_first_unseen(m) == 0 && m->nrecent == 0 &&
	       m->uidnext > MESSAGES;
}

static bool
try(struct known *k, size_t odd, int change)
{
	const size_t which[] = { 0, 1, 2 };
	struct mailbox *m;
	bool good;

	put(&k->a, INDEX_NAME, buf_span(&k->index), odd, change);
	put(&k->a, JOURNAL_NAME, buf_span(&k->journal), SIZE_MAX, 0);
	clean(&k->a, ".", INDEX_NAME ".bad");
	clean(&k->a, ".", JOURNAL_NAME ".bad");
	m = mailbox_open(&k->a, span_str("INBOX"), odd % 2);
	good = m != NULL && is_right(k, m);
	/* Names that are wrong are found again for a change, too. */
	if (good && odd % 2 == 0)
		good = mailbox_store(m, which, MESSAGES, FLAGS_ADD,
			   FLAG_DRAFT, 0) == 0 &&
		       (m->msgs[0].flags & m->msgs[2].flags & FLAG_DRAFT) &&
		       mailbox_store(m, which, MESSAGES, FLAGS_REMOVE,
			   FLAG_DRAFT, 0) == 0 &&
		       m->msgs[0].flags == 0;
	mailbox_close(m);
	if (!good)
		printf("# byte %zu, change %d\n", odd, change);
	return good;
}

static void
check_damage(struct tap *t)
{
	struct known k;
	bool good = begin(&k);

	tap_ok(t, good, "a small mailbox");
	if (good)
		tap_ok(t, try(&k, SIZE_MAX - 1, 0), "opens as it was");
	for (size_t i = 0; good && i < k.index.n; i++)
		good = try(&k, i, 1 << (i % 8)) && try(&k, i, 255);
	tap_ok(t, good, "any byte of the index may change");
	for (size_t n = k.index.n; good && n-- > 0;) {
		k.index.n = n;
		good = try(&k, SIZE_MAX - 1, 0);
	}
	tap_ok(t, good, "the index may end anywhere");
	end(&k);
}

int
main(void)
{
	struct tap t = { 0 };

	check_records(&t);
	check_sums(&t);
	if (access("/dev/shm", W_OK) == 0)
		check_damage(&t);
	return tap_end(&t);
}
