/* An account: names of mailboxes, their folders, and what is there. */
#include "store/account.h"

#include "store/folder.h"
#include "store/maildir.h"
#include "text/utf7.h"
#include "text/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A dot inside a level; a folder's own dots stand between levels. */
static const char dot[] = "&AC4-";

static int
open_root(const char *path, bool create)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!create)
		return fd;
	if (fd == -1 && errno == ENOENT) {
		if (maildir_create(AT_FDCWD, path) == -1)
			return -1;
		return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd != -1 && maildir_create(fd, ".") == -1) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int
account_open(struct account *a, const char *path, bool create)
{
	struct stat st;
	int error;

	*a = (struct account){ .dir = open_root(path, create) };
	if (a->dir == -1)
		return -1;
	error = ENOTDIR;
	if (fstatat(a->dir, "cur", &st, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno != ENOENT)
			error = errno;
	} else if (S_ISDIR(st.st_mode)) {
		return 0;
	}
	account_close(a);
	errno = error;
	return -1;
}

void
account_close(struct account *a)
{
	if (a->dir != -1)
		close(a->dir);
	a->dir = -1;
}

/*
 * ZERO WIDTH (NON-)JOINER are letters' company in Persian, Indic scripts
 * and emoji; between ASCII they only make a name look like another.
 */
static bool
may_follow(uint32_t before, uint32_t c)
{
	if (c == 0x200c || c == 0x200d)
		return before >= 0x80;
	return c != '*' && c != '%' && !utf8_is_control(c) &&
	       !utf8_is_format(c);
}

static bool
level_is_good(struct span level)
{
	uint32_t before = 0;
	bool valid = true;

	if (level.n == 0 || memchr(".-~", level.p[0], 3))
		return false;
	while (level.n > 0) {
		uint32_t c = utf8_take(&level, &valid);

		if (!valid || !may_follow(before, c))
			return false;
		before = c;
	}
	return true;
}

static bool
add_level(struct span level, struct buf *out)
{
	size_t start;

	if (!level_is_good(level))
		return false;
	buf_add_byte(out, '.');
	start = out->n;
	for (;;) {
		bool last = span_find(level, '.') == level.n;

		if (!utf7_encode(span_take(&level, '.'), out))
			return false;
		if (last)
			break;
		buf_add_str(out, dot);
	}
	return out->n - start <= MAILBOX_LEVEL;
}

static bool
add_levels(struct span name, struct buf *out)
{
	for (size_t i = 0; i < MAILBOX_LEVELS; i++) {
		bool last = span_find(name, '/') == name.n;
		struct span level = span_take(&name, '/');

		if (i == 0 && span_is_nocase(level, "INBOX"))
			level = span_str("INBOX");
		if (!add_level(level, out))
			return false;
		if (last)
			return true;
	}
	return false;
}

int
account_folder(struct span name, char out[MAILBOX_NAME * 3])
{
	struct buf b = buf_new(MAILBOX_FOLDER);
	int r = -1;

	if (span_is_nocase(name, "INBOX"))
		return span_copy(span_str("."), out, MAILBOX_NAME * 3);
	if (name.n < MAILBOX_NAME && add_levels(name, &b) && !b.full)
		r = span_copy(buf_span(&b), out, MAILBOX_NAME * 3);
	buf_free(&b);
	if (r == -1)
		errno = EINVAL;
	return r;
}

static bool
decode_level(struct span level, struct buf *out)
{
	while (level.n > 0) {
		size_t n = 0;

		while (n < level.n && !span_starts(span_skip(level, n), dot))
			n++;
		if (!utf7_decode(span_head(level, n), out))
			return false;
		if (n < level.n)
			buf_add_byte(out, '.');
		level = span_skip(level, n < level.n ? n + sizeof dot - 1 : n);
	}
	return true;
}

static bool
decode_folder(struct span folder, struct buf *out)
{
	if (span_at(folder, 0) != '.' || folder.n > MAILBOX_FOLDER)
		return false;
	folder = span_skip(folder, 1);
	while (folder.n > 0) {
		if (!decode_level(span_take(&folder, '.'), out))
			return false;
		if (folder.n > 0)
			buf_add_byte(out, '/');
	}
	return !out->full;
}

/* Ours is what account_folder would have made. */
bool
account_name(struct span folder, char out[MAILBOX_NAME])
{
	struct buf b = buf_new(MAILBOX_NAME - 1);
	char again[MAILBOX_NAME * 3];
	bool good;

	if (span_is(folder, "."))
		return span_copy(span_str("INBOX"), out, MAILBOX_NAME) == 0;
	good = decode_folder(folder, &b) &&
	       account_folder(buf_span(&b), again) == 0 &&
	       span_is(folder, again) &&
	       span_copy(buf_span(&b), out, MAILBOX_NAME) == 0;
	buf_free(&b);
	return good;
}

/* A mailbox has a cur; 1, 0, or -1 with errno. */
static int
has_cur(int dir)
{
	struct stat st;

	if (fstatat(dir, "cur", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? 1 : 0;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}

int
account_folder_open(const struct account *a, struct span name)
{
	char folder[MAILBOX_NAME * 3];
	int fd, r, error;

	if (account_folder(name, folder) == -1)
		return -1;
	fd = folder_open(a->dir, folder);
	if (fd == -1)
		return -1;
	r = has_cur(fd);
	if (r == 1)
		return fd;
	error = r == 0 ? ENOENT : errno;
	close(fd);
	errno = error;
	return -1;
}

int
account_exists(const struct account *a, struct span name)
{
	int fd = account_folder_open(a, name);

	if (fd == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	close(fd);
	return 1;
}

/* RFC 6154, by the names that clients give such mailboxes. */
const char *
account_special_use(struct span name)
{
	static const char *const special[] = { "\\Archive", "\\Drafts",
		"\\Junk", "\\Sent", "\\Trash" };

	for (size_t i = 0; i < sizeof special / sizeof *special; i++)
		if (span_is(name, special[i] + 1))
			return special[i];
	return NULL;
}
