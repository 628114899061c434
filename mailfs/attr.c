/* Attributes of nodes. */
#include "fs.h"

#include <errno.h>

enum { BLOCK = 512, GOOD_BLOCK = 65536, FACT_SIZE = 16384 };

static void
common(const struct fs *fs, const struct node *n, struct stat *st)
{
	*st = (struct stat){ .st_ino = node_inode(n),
		.st_uid = fs->uid,
		.st_gid = fs->gid,
		.st_nlink = 1,
		.st_blksize = GOOD_BLOCK,
		.st_mode = S_IFREG | 0400 };
	if (n->kind == NODE_FOLDER || n->kind == NODE_MESSAGE ||
	    n->kind == NODE_PART || n->kind == NODE_ATTACH) {
		st->st_mode = S_IFDIR | 0500;
		st->st_nlink = 2;
	}
	st->st_mtim.tv_sec = st->st_ctim.tv_sec = st->st_atim.tv_sec =
	    fs->started;
}

static void
set_size(struct stat *st, uint64_t size)
{
	st->st_size = (off_t)size;
	st->st_blocks = (blkcnt_t)((size + BLOCK - 1) / BLOCK);
}

/* Unread is atime before mtime, the rule of mbox and of `test -N'. */
static void
set_times(const struct message *m, struct stat *st)
{
	st->st_mtim = (struct timespec){ .tv_sec = m->date };
	st->st_ctim = st->st_mtim;
	st->st_atim = st->st_mtim;
	if (!(m->flags & FLAG_SEEN))
		st->st_atim.tv_sec = m->date > 0 ? 0 : m->date - 1;
}

/* Flagged is the x bit, by which nothing can be run: the mount is noexec. */
bool
attr_message(const struct fs *fs, const struct node *n, const struct where *w,
    struct stat *st)
{
	uint32_t size = n->kind == NODE_TEXT ? w->e->text : w->e->header;

	common(fs, n, st);
	set_times(w->m, st);
	if (w->m->flags & FLAG_FLAGGED && n->kind >= NODE_TEXT &&
	    n->kind <= NODE_HEADER)
		st->st_mode |= 0100;
	if (n->kind == NODE_EML)
		set_size(st, w->m->size);
	else if (n->kind == NODE_TEXT || n->kind == NODE_HEADER)
		set_size(st, size);
	return n->kind == NODE_EML || n->kind == NODE_MESSAGE ||
	       size != TREE_UNKNOWN;
}

static int
folder_attr(struct fs *fs, const struct node *n, struct stat *st)
{
	common(fs, n, st);
	if (n->folder >= tree_count(&fs->tree) ||
	    !tree_folder(&fs->tree, n->folder)->there) {
		errno = ENOENT;
		return -1;
	}
	tree_stat(&fs->tree, n->folder, st);
	st->st_atim = st->st_mtim;
	return 0;
}

static int
fact_size(
    struct fs *fs, const struct node *n, const struct where *w, struct stat *st)
{
	struct buf text = buf_new(FACT_SIZE);
	int r = fact_add(fs, w, (enum fact)n->file, &text);

	set_size(st, text.n + 1);
	buf_free(&text);
	return r;
}

static int
content_size(struct fs *fs, const struct node *n, struct stat *st)
{
	const struct content *c = content_get(fs, n);

	if (c == NULL)
		return -1;
	set_size(st, c->bytes.n);
	return 0;
}

int
attr_get(struct fs *fs, const struct node *n, struct stat *st)
{
	struct where w;
	bool known;

	if (n->kind == NODE_FOLDER)
		return folder_attr(fs, n, st);
	common(fs, n, st);
	if (n->kind == NODE_README) {
		set_size(st, readme_text().n);
		return 0;
	}
	if (tree_find(&fs->tree, n->id, &w) == 0) {
		errno = ENOENT;
		return -1;
	}
	known = attr_message(fs, n, &w, st);
	if (n->kind == NODE_FACT)
		return fact_size(fs, n, &w, st);
	if (n->kind == NODE_FILE || n->kind == NODE_ATTACHMENT ||
	    ((n->kind == NODE_TEXT || n->kind == NODE_HEADER) && !known))
		return content_size(fs, n, st);
	return 0;
}

double
attr_keep(const struct fs *fs, const struct node *n)
{
	struct where w;

	if (n->kind == NODE_FACT)
		return 0;
	if (n->kind != NODE_TEXT && n->kind != NODE_EML &&
	    n->kind != NODE_MESSAGE)
		return FS_SHORT_S;
	if (tree_seen(&fs->tree, n->id, &w) == 0 ||
	    tree_folder(&fs->tree, w.folder)->watch == -1)
		return FS_SHORT_S;
	return FS_KEEP_S;
}
