/* An account: names of mailboxes, their folders, and what is there. */
#include "store/account_inner.h"

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
/* Begins a level that shows a folder's name as it is on disk. */
static const char raw[] = "=?";

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
		account_settle(a);
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

	if (level.n == 0 || memchr(".-~", level.p[0], 3) ||
	    span_starts(level, raw))
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

/* ---- names that other programs gave ---- */

static bool
is_plain(unsigned char c)
{
	return c > ' ' && c <= '~' && strchr("=/%*\"\\", c) == NULL;
}

/* A name on disk, or a level of it, that no mailbox of ours would get. */
static void
add_raw(struct span disk, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	buf_add_str(out, raw);
	for (size_t i = 0; i < disk.n; i++) {
		unsigned char c = (unsigned char)disk.p[i];

		if (is_plain(c)) {
			buf_add_byte(out, (char)c);
			continue;
		}
		buf_add_byte(out, '=');
		buf_add_byte(out, digits[c >> 4]);
		buf_add_byte(out, digits[c & 15]);
	}
}

static int
hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What add_raw made of it; NUL and slash cannot have been in it. */
static bool
take_raw(struct span level, struct buf *out)
{
	level = span_skip(level, sizeof raw - 1);
	while (level.n > 0) {
		int c = level.p[0], n = 1;

		if (c == '=') {
			int high = hex(span_at(level, 1));
			int low = hex(span_at(level, 2));

			if (high == -1 || low == -1)
				return false;
			c = high << 4 | low;
			n = 3;
		}
		if (c == '\0' || c == '/')
			return false;
		buf_add_byte(out, (char)c);
		level = span_skip(level, (size_t)n);
	}
	return true;
}

/* ---- from the name to the folder ---- */

static bool
add_levels(struct span name, struct buf *out)
{
	for (size_t i = 0; i < MAILBOX_LEVELS; i++) {
		bool last = span_find(name, '/') == name.n;
		struct span level = span_take(&name, '/');

		if (i == 0 && span_is_nocase(level, "INBOX"))
			level = span_str("INBOX");
		if (span_starts(level, raw)) {
			buf_add_byte(out, '.');
			if (!take_raw(level, out))
				return false;
		} else if (!add_level(level, out))
			return false;
		if (last)
			return true;
	}
	return false;
}

bool
account_is_raw(struct span name)
{
	while (name.n > 0)
		if (span_starts(span_take(&name, '/'), raw))
			return true;
	return false;
}

/* Of all spellings that lead to a folder with a name that is not ours, the
 * one that account_name gives is its name. */
static bool
is_its_name(struct span name, struct span folder)
{
	char own[MAILBOX_NAME];
	size_t n = 0;

	if (!account_name(folder, own))
		return false;
	if (span_starts_nocase(name, "INBOX/") && span_starts(span_str(own), "INBOX/"))
		n = 5;
	return span_is(span_skip(name, n), own + n);
}

int
account_folder(struct span name, char out[MAILBOX_NAME * 3])
{
	struct buf b = buf_new(MAILBOX_FOLDER);
	int r = -1;

	if (span_is_nocase(name, "INBOX"))
		return span_copy(span_str("."), out, MAILBOX_NAME * 3);
	if (name.n < MAILBOX_NAME && add_levels(name, &b) && !b.full &&
	    (!account_is_raw(name) || is_its_name(name, buf_span(&b))))
		r = span_copy(buf_span(&b), out, MAILBOX_NAME * 3);
	buf_free(&b);
	if (r == -1)
		errno = EINVAL;
	return r;
}

/* ---- from the folder to the name ---- */

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

/* Is it what add_level makes of a good name, which is added then? */
static bool
add_clean(struct span level, bool first, bool only, struct buf *out)
{
	struct buf name = buf_new(MAILBOX_NAME), again = name;
	bool good = decode_level(level, &name) &&
		    add_level(buf_span(&name), &again) &&
		    span_eq(span_skip(buf_span(&again), 1), level);

	/* There is one INBOX, and one spelling for what is below it. */
	if (good && first && span_is_nocase(buf_span(&name), "INBOX"))
		good = !only && span_is(level, "INBOX");
	if (good)
		buf_add_span(out, buf_span(&name));
	buf_free(&name);
	buf_free(&again);
	return good;
}

static bool
decode_folder(struct span disk, struct buf *out)
{
	bool only = span_find(disk, '.') == disk.n;

	for (size_t i = 0; i < MAILBOX_LEVELS; i++) {
		bool last = span_find(disk, '.') == disk.n;
		struct span level = span_take(&disk, '.');

		if (i > 0)
			buf_add_byte(out, '/');
		if (!add_clean(level, i == 0, only, out))
			add_raw(level, out);
		if (last)
			return !out->full;
	}
	return false;
}

/* Every folder of a Maildir++ has a name, and no two have the same. */
bool
account_name(struct span folder, char out[MAILBOX_NAME])
{
	struct buf b = buf_new(MAILBOX_NAME - 1);
	bool good;

	if (span_is(folder, "."))
		return span_copy(span_str("INBOX"), out, MAILBOX_NAME) == 0;
	if (span_at(folder, 0) != '.' || folder.n > MAILBOX_FOLDER ||
	    span_is(folder, "..") || span_find(folder, '/') < folder.n ||
	    span_find(folder, '\0') < folder.n)
		return false;
	folder = span_skip(folder, 1);
	if (!decode_folder(folder, &b)) {
		buf_reset(&b);
		add_raw(folder, &b);
	}
	good = !b.full && span_copy(buf_span(&b), out, MAILBOX_NAME) == 0;
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
