/* Contents of files that are made from messages, and kept for a while. */
#include "fs.h"

#include "base/io.h"
#include "mail/header.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

static bool
same(const struct node *a, const struct node *b)
{
	return a->kind == b->kind && a->id == b->id && a->part == b->part &&
	       a->file == b->file;
}

static struct content *
kept(struct fs *fs, const struct node *n)
{
	uint64_t key = node_inode(n);

	for (size_t i = 0; i < FS_CONTENTS; i++)
		if (fs->contents[i].key == key &&
		    same(&fs->contents[i].node, n))
			return &fs->contents[i];
	return NULL;
}

static void
drop(struct fs *fs, struct content *c)
{
	fs->cached -= c->bytes.n;
	buf_free(&c->bytes);
	*c = (struct content){ 0 };
}

static struct content *
oldest(struct fs *fs, bool free_too)
{
	struct content *best = NULL;

	for (size_t i = 0; i < FS_CONTENTS; i++) {
		struct content *c = &fs->contents[i];

		if (c->pins > 0 || (c->key == 0 && !free_too))
			continue;
		if (best == NULL || c->used < best->used)
			best = c;
	}
	return best;
}

/* A free place; what is not in use makes room for n bytes. */
static struct content *
place(struct fs *fs, size_t n)
{
	struct content *c = oldest(fs, true);

	if (c == NULL) {
		errno = ENFILE;
		return NULL;
	}
	if (c->key != 0)
		drop(fs, c);
	while (fs->cached > 0 && fs->cached + n > FS_CACHE) {
		struct content *old = oldest(fs, false);

		if (old == NULL)
			break;
		drop(fs, old);
	}
	return c;
}

/* Ids leave the upper bits free. */
static uint64_t
mark(uint64_t id, enum content_use use)
{
	return id | (uint64_t)use << 63;
}

static void
set_timer(struct fs *fs, time_t seconds)
{
	struct itimerspec t = { .it_value = { seconds, 0 } };

	(void)timerfd_settime(fs->timer, 0, &t, NULL); /* then there is none */
}

void
content_guard(struct fs *fs, uint64_t id, enum content_use use)
{
	fs->shared->id = mark(id, use);
	set_timer(fs, FS_HUNG_S);
}

void
content_unguard(struct fs *fs)
{
	set_timer(fs, 0);
	fs->shared->id = 0;
}

bool
content_is_bad(const struct fs *fs, uint64_t id, enum content_use use)
{
	for (uint32_t i = 0; i < fs->shared->nbad && i < FS_BAD; i++)
		if (fs->shared->bad[i] == mark(id, use))
			return true;
	return false;
}

static int
slurp(int fd, uint64_t size, struct buf *out)
{
	char *p;
	ssize_t n;

	if (size > FS_MESSAGE) {
		errno = EFBIG;
		return -1;
	}
	p = buf_room(out, (size_t)size);
	if (p == NULL)
		return -1;
	n = io_read_full(fd, p, (size_t)size);
	if (n == -1)
		return -1;
	out->n += (size_t)n;
	return 0;
}

static int
open_message(struct fs *fs, uint64_t id, uint64_t *size)
{
	struct where w;

	if (tree_find(&fs->tree, id, &w) == 1)
		return mailbox_read(
		    tree_folder(&fs->tree, w.folder)->box, w.i, size);
	errno = ENOENT;
	return -1;
}

int
content_message(struct fs *fs, uint64_t id, struct buf *out)
{
	uint64_t size;
	int fd = open_message(fs, id, &size), r;

	if (fd == -1)
		return -1;
	r = slurp(fd, size, out);
	close(fd);
	return r;
}

static void
forget_parsed(struct parsed *p)
{
	if (p->id != 0)
		show_close(&p->show);
	buf_free(&p->bytes);
	*p = (struct parsed){ 0 };
}

/* From its file, which is never changed (STORE), but may be another's. */
static int
load_parsed(struct parsed *p, int fd, uint64_t id, uint64_t size)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (p->id == id && p->inode == st.st_ino && p->device == st.st_dev &&
	    p->bytes.n == size)
		return 0;
	forget_parsed(p);
	*p = (struct parsed){ .bytes = buf_new(FS_MESSAGE),
		.device = st.st_dev,
		.inode = st.st_ino };
	return slurp(fd, size, &p->bytes);
}

int
content_show(struct fs *fs, uint64_t id, struct show **out)
{
	struct parsed *p = &fs->parsed;
	uint64_t size;
	int fd = open_message(fs, id, &size), r;

	if (fd == -1)
		return -1;
	r = load_parsed(p, fd, id, size);
	io_close(fd);
	if (r == -1)
		return -1;
	content_guard(fs, id, CONTENT_SHOW);
	*out = &p->show;
	if (p->id == id)
		return 0;
	p->id = id;
	if (show_open(&p->show, buf_span(&p->bytes)) == 0)
		return 0;
	r = errno;
	content_shown(fs);
	forget_parsed(p);
	errno = r;
	return -1;
}

void
content_shown(struct fs *fs)
{
	struct parsed *p = &fs->parsed;

	content_unguard(fs);
	if (p->bytes.n + p->show.arena.used > FS_PARSED)
		forget_parsed(p);
}

static int
make_part(struct fs *fs, const struct node *n, struct buf *out)
{
	const struct mime_part *p;
	struct show *v;
	int r = -1;

	if (content_show(fs, n->id, &v) == -1)
		return -1;
	p = show_part(v, n->part);
	if (p == NULL) {
		errno = ENOENT;
	} else if (n->kind == NODE_FILE) {
		r = show_file(v, p, (enum show_file)n->file, out);
	} else {
		struct span body = span_skip(v->message, (size_t)p->body.at);

		r = mime_decode(
		    span_head(body, (size_t)p->body.n), p->encoding, out);
	}
	content_shown(fs);
	return r;
}

static int
make_from(const struct node *n, struct span message, struct buf *out)
{
	char path[8 + NAMES_ID] = ".msg/";

	if (n->kind == NODE_TEXT) {
		names_id(n->id, path + 5);
		return show_text(message, span_str(path), out);
	}
	return show_header(span_head(message, header_length(message)), out);
}

/*
 * The bytes of a message are the sender's.  Should they end the daemon, or
 * keep it busy for too long, the next one finds the message marked.
 */
static int
make(struct fs *fs, const struct node *n, struct buf *out)
{
	struct buf message = buf_new(FS_MESSAGE);
	bool bad = content_is_bad(fs, n->id, CONTENT_SHOW);
	int r;

	if (!bad && n->kind != NODE_TEXT && n->kind != NODE_HEADER)
		return make_part(fs, n, out);
	r = content_message(fs, n->id, &message);
	if (r == 0 && bad) {
		r = show_plain(buf_span(&message), out);
	} else if (r == 0) {
		content_guard(fs, n->id, CONTENT_SHOW);
		r = make_from(n, buf_span(&message), out);
		content_unguard(fs);
	}
	buf_free(&message);
	return r;
}

static void
note_size(struct fs *fs, const struct node *n, size_t size)
{
	struct where w;

	if (size >= TREE_UNKNOWN || tree_seen(&fs->tree, n->id, &w) == 0)
		return;
	if (n->kind == NODE_TEXT)
		w.e->text = (uint32_t)size;
	if (n->kind == NODE_HEADER)
		w.e->header = (uint32_t)size;
}

struct content *
content_get(struct fs *fs, const struct node *n)
{
	struct content *c = kept(fs, n);
	struct buf bytes = buf_new(FS_MESSAGE);

	if (c) {
		c->used = ++fs->clock;
		return c;
	}
	if (make(fs, n, &bytes) == -1 || (c = place(fs, bytes.n)) == NULL) {
		int error = errno;

		buf_free(&bytes);
		errno = error;
		return NULL;
	}
	*c = (struct content){ .key = node_inode(n),
		.node = *n,
		.bytes = bytes,
		.used = ++fs->clock };
	fs->cached += bytes.n;
	note_size(fs, n, bytes.n);
	return c;
}

void
content_unpin(struct fs *fs, struct content *c)
{
	if (--c->pins > 0)
		return;
	fs->pinned -= c->bytes.n;
}

const char *
content_stem(struct fs *fs, const struct where *w, char spare[NAMES_SIZE])
{
	const char *stem;
	static const char rest[] = "_unknown_unreadable.";

	if (!content_is_bad(fs, w->e->id, CONTENT_NAME)) {
		content_guard(fs, w->e->id, CONTENT_NAME);
		stem = tree_stem(&fs->tree, w);
		content_unguard(fs);
		/* The cache does not know that it is shown otherwise. */
		if (content_is_bad(fs, w->e->id, CONTENT_SHOW))
			w->e->text = TREE_UNKNOWN;
		return stem;
	}
	names_when(w->m->date, spare);
	memcpy(spare + NAMES_WHEN, rest, sizeof rest);
	names_id(w->e->id, spare + strlen(spare));
	return spare;
}
