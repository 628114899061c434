/* The mailboxes of an account as folders. */
#include "tree.h"

#include "ids.h"

#include "base/io.h"
#include "mail/header.h"
#include "store/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum {
	STRINGS = 67108864, /* bytes of folder names */
	STEMS = 1 << 28,    /* bytes of stems of one folder */
	HEADER = 65536,     /* bytes of a message read for its name */
	RACY_MS = 2000,     /* a change in this time may hide another one */
	UNWATCHED_MS = 1000, /* how old a folder without a watch may be */
	WATCHED = 32         /* a user has 128 watchers for all programs */
};

static const uint64_t id_mask = (UINT64_C(1) << (NAMES_ID * 5)) - 1;

size_t
tree_count(const struct tree *t)
{
	return t->folders.n / sizeof(struct folder);
}

struct folder *
tree_folder(const struct tree *t, uint32_t i)
{
	return (struct folder *)(void *)t->folders.p + i;
}

static struct entry *
entries(const struct folder *f)
{
	return (struct entry *)(void *)f->entries.p;
}

static size_t
nentries(const struct folder *f)
{
	return f->entries.n / sizeof(struct entry);
}

struct where
tree_at(const struct tree *t, uint32_t folder, size_t i)
{
	struct folder *f = tree_folder(t, folder);

	return (struct where){ .folder = folder,
		.i = i,
		.m = &f->box->msgs[i],
		.e = entries(f) + i };
}

static void
tell(struct tree *t, enum tree_change what, uint32_t folder, size_t i)
{
	struct where w = { .folder = folder };

	if (t->changed == NULL)
		return;
	if (what != TREE_LIST)
		w = tree_at(t, folder, i);
	t->changed(t->ctx, what, folder, &w);
}

int
tree_child(
    const struct tree *t, uint32_t parent, struct span name, uint32_t *child)
{
	for (uint32_t i = 1; i < tree_count(t); i++) {
		struct folder *f = tree_folder(t, i);

		if (f->parent != parent || !span_is(name, f->name))
			continue;
		*child = i;
		return f->there;
	}
	return 0;
}

int
tree_by_key(const struct tree *t, uint64_t key, uint32_t *i)
{
	for (*i = 0; *i < tree_count(t); ++*i)
		if (tree_folder(t, *i)->key == key)
			return tree_folder(t, *i)->there;
	return 0;
}

/* As tree_child, also for those that were deleted. */
static bool
known(const struct tree *t, uint32_t parent, struct span name, uint32_t *child)
{
	*child = 0;
	(void)tree_child(t, parent, name, child);
	return *child != 0;
}

static int
add_folder(struct tree *t, uint32_t parent, struct span path, uint32_t *i)
{
	struct folder f = { .parent = parent,
		.watch = -1,
		.entries = buf_new((size_t)UINT32_MAX),
		.stems = buf_new(STEMS) };
	struct span copy = arena_copy(&t->strings, path);
	size_t at;

	if (copy.p == NULL)
		return -1;
	at = span_rfind(copy, '/');
	f.path = copy.p;
	f.key = path.n > 0 ? sum_id(path) >> 1 : 0;
	f.name = at < copy.n ? copy.p + at + 1 : copy.p;
	*i = (uint32_t)tree_count(t);
	return buf_add(&t->folders, &f, sizeof f);
}

/* The mailbox of that path and all the levels above it are there. */
static int
note_box(struct tree *t, struct span path)
{
	uint32_t at = 0;
	size_t n = 0;

	while (n < path.n) {
		struct span rest = span_skip(path, n);
		struct span level = span_head(rest, span_find(rest, '/'));
		uint32_t child;

		n += level.n;
		if (!known(t, at, level, &child) &&
		    add_folder(t, at, span_head(path, n), &child) == -1)
			return -1;
		at = child;
		tree_folder(t, at)->there = true;
		n++;
	}
	tree_folder(t, at)->is_box = at != 0;
	return 0;
}

static void
close_box(struct tree *t, uint32_t i)
{
	struct folder *f = tree_folder(t, i);

	if (f->box == NULL)
		return;
	for (size_t k = 0; k < nentries(f); k++) {
		tell(t, TREE_GONE, i, k);
		ids_drop(&t->ids, entries(f)[k].id, i);
	}
	cache_close(&f->cache, NULL);
	mailbox_close(f->box);
	f->box = NULL;
	f->watch = -1;
	buf_free(&f->entries);
	buf_free(&f->stems);
	f->entries = buf_new((size_t)UINT32_MAX);
	f->stems = buf_new(STEMS);
	tell(t, TREE_LIST, i, 0);
}

/* The inode of a mailbox's folder; 0 where there is none. */
static ino_t
inode_of(const struct tree *t, const struct folder *f)
{
	char dir[MAILBOX_NAME * 3];
	struct stat st;

	if (account_folder(span_str(f->path), dir) == -1 ||
	    fstatat(t->account.dir, dir, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	return st.st_ino;
}

/* A mailbox that was deleted, or that another one took the name of. */
static bool
is_other(const struct tree *t, const struct folder *f)
{
	return f->box && (!f->is_box || inode_of(t, f) != f->inode);
}

static int
list_folders(struct tree *t)
{
	struct account_list l;
	int r = 0;

	if (account_list(&t->account, &l) == -1)
		return -1;
	for (uint32_t i = 1; i < tree_count(t); i++)
		tree_folder(t, i)->there = tree_folder(t, i)->is_box = false;
	for (size_t k = 0; k < l.n && r == 0; k++)
		r = note_box(t, span_str(l.name[k]));
	account_list_free(&l);
	for (uint32_t i = 1; i < tree_count(t); i++)
		if (is_other(t, tree_folder(t, i)))
			close_box(t, i);
	return r;
}

/*
 * The list is true for the change time that the Maildir had before it was
 * read; a second change within one tick of that clock does not show, so a
 * fresh time is not trusted.
 */
int
tree_refresh(struct tree *t)
{
	struct stat st;
	int64_t now = io_now_ms(), sec;
	uint32_t usec;
	bool same;

	if (fstat(t->account.dir, &st) == -1)
		return -1;
	same = st.st_ctim.tv_sec == t->listed.tv_sec &&
	       st.st_ctim.tv_nsec == t->listed.tv_nsec;
	if (same && t->listed_ms != 0)
		return 0;
	if (list_folders(t) == -1)
		return -1;
	io_wall(&sec, &usec);
	t->listed = st.st_ctim;
	t->listed_ms = (sec - st.st_ctim.tv_sec) * 1000 < RACY_MS ? 0 : now;
	return 0;
}

int
tree_open(struct tree *t, const char *path)
{
	uint32_t top;

	*t = (struct tree){ .account.dir = -1,
		.folders = buf_new(TREE_FOLDERS * sizeof(struct folder)),
		.strings = arena_new(STRINGS) };
	if (names_init(&t->names) == -1 ||
	    account_open(&t->account, path, false) == -1 ||
	    add_folder(t, 0, span_str(""), &top) == -1)
		return -1;
	tree_folder(t, top)->there = true;
	return tree_refresh(t);
}

/* Entries for the messages that have none yet. */
static int
add_entries(struct tree *t, uint32_t i)
{
	struct folder *f = tree_folder(t, i);

	for (size_t k = nentries(f); k < f->box->n; k++) {
		const struct message *m = &f->box->msgs[k];
		struct entry e = { .id = m->id & id_mask,
			.uid = m->uid,
			.text = TREE_UNKNOWN,
			.header = TREE_UNKNOWN };
		struct id id = { .id = e.id, .folder = i, .uid = m->uid };

		if (buf_add(&f->entries, &e, sizeof e) == -1 ||
		    ids_put(&t->ids, &t->ids_used, &id) == -1)
			return -1;
	}
	return 0;
}

/* Entries move up as the messages will in mailbox_forget. */
static void
forget(struct tree *t, uint32_t i)
{
	struct folder *f = tree_folder(t, i);
	size_t kept = 0;

	for (size_t k = 0; k < nentries(f); k++) {
		if (!f->box->msgs[k].gone) {
			entries(f)[kept++] = entries(f)[k];
			continue;
		}
		tell(t, TREE_GONE, i, k);
		ids_drop(&t->ids, entries(f)[k].id, i);
	}
	f->entries.n = kept * sizeof(struct entry);
	mailbox_forget(f->box);
	/* Names of what is gone are not kept for ever. */
	if (f->stems.n / NAMES_SIZE <= kept * 2 + 1024)
		return;
	buf_reset(&f->stems);
	for (size_t k = 0; k < kept; k++)
		entries(f)[k].stem = 0;
}

static int
take_changes(struct tree *t, uint32_t i)
{
	struct folder *f = tree_folder(t, i);
	size_t before = nentries(f);
	bool list = f->box->ngone > 0 || f->box->n > before;

	if (add_entries(t, i) == -1)
		return -1;
	for (size_t k = 0; f->box->nchanged > 0 && k < f->box->n; k++) {
		if (!f->box->msgs[k].changed)
			continue;
		mailbox_told(f->box, k);
		if (k < before)
			tell(t, TREE_FLAGS, i, k);
	}
	if (f->box->ngone > 0)
		forget(t, i);
	if (list)
		tell(t, TREE_LIST, i, 0);
	return 0;
}

/* The first folders that are opened, INBOX among them, have a watch. */
static bool
may_watch(const struct tree *t)
{
	size_t n = 0;

	for (uint32_t i = 1; i < tree_count(t); i++)
		n += tree_folder(t, i)->watch != -1;
	return n < WATCHED;
}

static int
open_box(struct tree *t, uint32_t i)
{
	struct folder *f = tree_folder(t, i);

	if (!f->is_box) {
		errno = ENOENT;
		return -1;
	}
	f->inode = inode_of(t, f);
	f->box = mailbox_open(&t->account, span_str(f->path), true);
	if (f->box == NULL)
		return -1;
	cache_open(&f->cache, f->box);
	if (may_watch(t))
		f->watch = mailbox_watch(f->box);
	f->synced_ms = io_now_ms();
	return take_changes(t, i);
}

int
tree_wait_ms(const struct folder *f)
{
	int64_t left = f->watch == -1 ? -1 : mailbox_again_ms(f->box);

	if (left == -1)
		return -1;
	left -= io_now_ms();
	return left > 0 ? (int)left : 0;
}

static bool
is_stale(const struct folder *f)
{
	struct pollfd p = { .fd = f->watch, .events = POLLIN };

	if (f->watch == -1)
		return io_now_ms() - f->synced_ms >= UNWATCHED_MS;
	return poll(&p, 1, 0) != 0 || tree_wait_ms(f) == 0;
}

int
tree_sync(struct tree *t, uint32_t i)
{
	struct folder *f = tree_folder(t, i);

	if (f->box == NULL)
		return open_box(t, i);
	if (!is_stale(f))
		return 0;
	f->synced_ms = io_now_ms();
	if (mailbox_sync(f->box) == 0)
		return take_changes(t, i);
	if (errno == ETIMEDOUT)
		return 0; /* the lock is held: what is known has to do */
	close_box(t, i);
	return open_box(t, i);
}

void
tree_sync_open(struct tree *t)
{
	for (uint32_t i = 1; i < tree_count(t); i++)
		if (tree_folder(t, i)->box)
			(void)tree_sync(t, i); /* closed if it failed */
}

int
tree_seen(const struct tree *t, uint64_t id, struct where *w)
{
	struct id at;
	const struct folder *f;
	size_t i;

	if (!ids_get(&t->ids, id, &at))
		return 0;
	f = tree_folder(t, at.folder);
	if (f->box == NULL)
		return 0;
	i = mailbox_find(f->box, at.uid);
	if (i >= nentries(f) || f->box->msgs[i].uid != at.uid)
		return 0;
	*w = tree_at(t, at.folder, i);
	return 1;
}

/* Whoever copies a mailbox's folder copies ids: then the table of ids knows
 * one place of two. */
int
tree_in(const struct tree *t, uint32_t folder, uint64_t id, struct where *w)
{
	const struct folder *f = tree_folder(t, folder);

	for (size_t i = 0; f->box && i < nentries(f); i++)
		if (entries(f)[i].id == id && !f->box->msgs[i].gone) {
			*w = tree_at(t, folder, i);
			return 1;
		}
	return 0;
}

static int
find_now(struct tree *t, uint64_t id, struct where *w)
{
	if (!tree_seen(t, id, w))
		return 0;
	if (tree_sync(t, w->folder) == -1)
		return 0;
	return tree_seen(t, id, w);
}

int
tree_find(struct tree *t, uint64_t id, struct where *w)
{
	if (find_now(t, id, w))
		return 1;
	/* Moved, or never seen: by a kernel that asks for a node that it got
	 * from the process before this one. */
	if (tree_refresh(t) == -1)
		return 0;
	for (uint32_t i = 1; i < tree_count(t); i++)
		if (tree_folder(t, i)->is_box)
			(void)tree_sync(t, i); /* others may have it */
	if (tree_seen(t, id, w))
		return 1;
	for (uint32_t i = 1; i < tree_count(t); i++)
		if (tree_in(t, i, id, w))
			return 1;
	return 0;
}

/* Is the end of the header there?  Where what was read breaks off, half a line
 * looks like one that is no field. */
static bool
is_whole(struct span text)
{
	struct span s = span_head(text, header_length(text));

	return s.n < text.n && (span_is(s, "\n") || span_is(s, "\r\n") ||
				   span_ends(s, "\n\n") ||
				   span_ends(s, "\n\r\n"));
}

/* The header of a message, as far as it is read for a name. */
static int
read_header(struct mailbox *box, size_t i, struct buf *out)
{
	uint64_t size;
	int fd = mailbox_read(box, i, &size);
	char *p = buf_room(out, HEADER);
	size_t step = 4096;
	ssize_t n = 0;

	if (fd == -1)
		return -1;
	while (out->n < HEADER) {
		if (step > HEADER - out->n)
			step = HEADER - out->n;
		n = pread(fd, p + out->n, step, (off_t)out->n);
		if (n <= 0)
			break;
		out->n += (size_t)n;
		if (is_whole(buf_span(out)))
			break;
		step *= 4;
	}
	close(fd);
	return n == -1 ? -1 : 0;
}

/* A name as its header makes it: the first field of a name is what counts. */
static bool
known_stem(struct tree *t, const struct where *w, char stem[NAMES_SIZE])
{
	struct cache *c = &tree_folder(t, w->folder)->cache;
	struct cache_record r;
	struct span subject;
	uint32_t n;

	cache_begin(c, 1);
	if (!cache_get(c, cache_key(w->m), &r) ||
	    r.part[CACHE_SENDER].p == NULL || r.part[CACHE_SUBJECT].p == NULL)
		return false;
	subject = r.part[CACHE_SUBJECT];
	names_make(&t->names, r.part[CACHE_SENDER],
	    span_head(subject, span_find(subject, '\0')), w->m->date,
	    w->e->id, stem);
	if (w->e->text == TREE_UNKNOWN && cache_number(&r, CACHE_TEXT, &n))
		w->e->text = n;
	return true;
}

static int
make_stem(struct tree *t, const struct where *w, char stem[NAMES_SIZE])
{
	struct buf header = buf_new(HEADER);
	int r;

	if (known_stem(t, w, stem))
		return 0;
	r = read_header(tree_folder(t, w->folder)->box, w->i, &header);
	if (r == 0)
		names_stem(
		    &t->names, buf_span(&header), w->m->date, w->e->id, stem);
	buf_free(&header);
	return r;
}

const char *
tree_stem(struct tree *t, const struct where *w)
{
	struct folder *f = tree_folder(t, w->folder);
	char stem[NAMES_SIZE];
	size_t at = f->stems.n;

	if (w->e->stem != 0)
		return f->stems.p + (w->e->stem - 1);
	if (make_stem(t, w, stem) == -1 ||
	    buf_add(&f->stems, stem, strlen(stem) + 1) == -1)
		return NULL;
	w->e->stem = (uint32_t)at + 1;
	return f->stems.p + at;
}

static void
later(struct timespec *a, const struct timespec *b)
{
	if (b->tv_sec > a->tv_sec ||
	    (b->tv_sec == a->tv_sec && b->tv_nsec > a->tv_nsec))
		*a = *b;
}

void
tree_stat(const struct tree *t, uint32_t folder, struct stat *st)
{
	static const char *const parts[] = { "cur", "new", "postern.journal" };
	const struct folder *f = tree_folder(t, folder);
	char dir[MAILBOX_NAME * 3];
	struct stat part;
	int fd = -1;

	st->st_nlink = 2;
	for (uint32_t i = 1; i < tree_count(t); i++)
		if (tree_folder(t, i)->there &&
		    tree_folder(t, i)->parent == folder)
			st->st_nlink++;
	if (f->is_box && account_folder(span_str(f->path), dir) == 0)
		fd = openat(t->account.dir, dir,
		    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1) {
		st->st_mtim = st->st_ctim = t->listed;
		return;
	}
	for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
		if (fstatat(fd, parts[k], &part, AT_SYMLINK_NOFOLLOW) == 0)
			later(&st->st_mtim, &part.st_mtim);
	close(fd);
	st->st_ctim = st->st_mtim;
}
