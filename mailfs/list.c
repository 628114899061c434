/* Reading folders. */
#include "fs.h"

#include <errno.h>
#include <stdio.h>

/*
 * Cookies are places, not counts, so a listing that is read in pieces shows
 * everything once, whatever comes and goes meanwhile.
 */
enum {
	SELF = 1,
	PARENT,
	README,
	FOLDER = 16,
	FILES = 16,
	FACT_FILES = 64,
	ATTACH = 128,
	PARTS = 256
};

static const uint64_t messages = UINT64_C(1) << 32; /* then the UID */

struct list {
	fuse_req_t req;
	struct buf bytes;
	size_t size;
	uint64_t from;
	bool plus, full;
};

static void
add_entry(struct list *l, const char *name, const struct fuse_entry_param *e,
    uint64_t cookie)
{
	size_t room = l->size - l->bytes.n, n;
	char *to = l->bytes.p + l->bytes.n;

	if (l->plus)
		n = fuse_add_direntry_plus(
		    l->req, to, room, name, e, (off_t)cookie);
	else
		n = fuse_add_direntry(
		    l->req, to, room, name, &e->attr, (off_t)cookie);
	l->full = n > room;
	if (!l->full)
		l->bytes.n += n;
}

/* An entry without attributes: the kernel asks when it wants them. */
static void
add_name(struct list *l, const char *name, const struct node *n, bool folder,
    uint64_t cookie)
{
	struct fuse_entry_param e = { 0 };

	if (l->full || cookie <= l->from)
		return;
	e.attr.st_ino = node_inode(n);
	e.attr.st_mode = folder ? S_IFDIR : S_IFREG;
	add_entry(l, name, &e, cookie);
}

static void
add_message(
    struct fs *fs, struct list *l, enum tree_kind tree, const struct where *w)
{
	struct node n = { .kind = lookup_view(fs, tree), .id = w->e->id };
	struct fuse_entry_param e = { 0 };
	char spare[NAMES_SIZE], name[NAMES_SIZE];
	const char *stem = content_stem(fs, w, spare);

	if (stem == NULL)
		return;
	snprintf(name, sizeof name, "%.140s%s", stem, lookup_suffix(fs, tree));
	/* A size that is not known yet costs a rendering: not here. */
	if (attr_message(fs, &n, w, &e.attr)) {
		e.ino = node_inode(&n);
		e.entry_timeout = e.attr_timeout = attr_keep(fs, &n);
	}
	add_entry(l, name, &e, messages + w->m->uid);
}

static void
add_messages(struct fs *fs, struct list *l, const struct node *dir)
{
	const struct mailbox *box = tree_folder(&fs->tree, dir->folder)->box;
	size_t i = 0;

	if (l->from > messages)
		i = mailbox_find(box, (uint32_t)(l->from - messages) + 1);
	for (; i < box->n && !l->full; i++) {
		struct where w = tree_at(&fs->tree, dir->folder, i);

		if (w.m->gone || w.m->flags & FLAG_DELETED)
			continue;
		add_message(fs, l, dir->tree, &w);
	}
}

static void
add_dots(struct list *l, const struct node *dir)
{
	add_name(l, ".", dir, true, SELF);
	add_name(l, "..", dir, true, PARENT);
}

static int
list_box(struct fs *fs, struct list *l, const struct node *dir)
{
	struct node n = { .kind = NODE_README };
	uint32_t i;

	if (tree_refresh(&fs->tree) == -1)
		return -1;
	if (dir->folder >= tree_count(&fs->tree)) {
		errno = ESTALE;
		return -1;
	}
	add_dots(l, dir);
	if (dir->folder == 0 && dir->tree == TREE_TEXT &&
	    !tree_child(&fs->tree, 0, span_str("README"), &i))
		add_name(l, "README", &n, false, README);
	for (i = 1; i < tree_count(&fs->tree); i++) {
		struct folder *f = tree_folder(&fs->tree, i);

		n = lookup_folder(fs, dir->tree, i);
		if (f->there && f->parent == dir->folder)
			add_name(l, f->name, &n, true, FOLDER + i);
	}
	if (l->full || !tree_folder(&fs->tree, dir->folder)->is_box)
		return 0;
	if (tree_sync(&fs->tree, dir->folder) == -1)
		return -1;
	add_messages(fs, l, dir);
	return 0;
}

static void
add_attachments(struct list *l, const struct node *dir, struct show *v)
{
	struct attach *list;
	size_t n = show_attachments(v, &list);

	for (size_t i = 0; i < n; i++) {
		struct node node = { .kind = NODE_ATTACHMENT,
			.id = dir->id,
			.part = list[i].part->order };

		add_name(l, list[i].name.p, &node, false, PARTS + node.part);
	}
}

static void
add_parts(struct list *l, const struct node *dir, const struct show *v)
{
	const struct mime_part *p = show_part(v, dir->part);
	const struct mime_part *c = p ? p->child : NULL;
	char name[16];

	for (uint32_t i = 1; c && !l->full; c = c->next, i++) {
		struct node n = { .kind = NODE_PART,
			.id = dir->id,
			.part = c->order };

		snprintf(name, sizeof name, "%u", i);
		add_name(l, name, &n, true, PARTS + i);
	}
}

static void
add_files(struct list *l, const struct node *dir)
{
	struct node n = { .id = dir->id, .part = dir->part };

	n.kind = NODE_FILE;
	for (n.file = 0; n.file < SHOW_FILES; n.file++)
		add_name(l, show_file_name((enum show_file)n.file), &n, false,
		    FILES + n.file);
	if (dir->kind != NODE_MESSAGE)
		return;
	n.kind = NODE_FACT;
	for (n.file = 0; n.file < FACTS; n.file++)
		add_name(l, fact_name((enum fact)n.file), &n, false,
		    FACT_FILES + n.file);
	n.kind = NODE_ATTACH;
	n.file = 0;
	add_name(l, "attach", &n, true, ATTACH);
}

static int
list_message(struct fs *fs, struct list *l, const struct node *dir)
{
	struct show *v;

	add_dots(l, dir);
	if (dir->kind != NODE_ATTACH)
		add_files(l, dir);
	if (l->full || content_is_bad(fs, dir->id, CONTENT_SHOW))
		return 0;
	if (content_show(fs, dir->id, &v) == -1)
		return -1;
	if (dir->kind == NODE_ATTACH)
		add_attachments(l, dir, v);
	else
		add_parts(l, dir, v);
	content_shown(fs);
	return 0;
}

void
list_folder(struct fs *fs, fuse_req_t req, const struct node *dir, size_t size,
    off_t from, bool plus)
{
	struct list l = { .req = req,
		.bytes = buf_new(1 << 20),
		.from = (uint64_t)from,
		.plus = plus };
	int r;

	l.size = size < 1 << 19 ? size : 1 << 19;
	if (buf_room(&l.bytes, l.size) == NULL)
		r = -1;
	else if (dir->kind == NODE_FOLDER)
		r = list_box(fs, &l, dir);
	else
		r = list_message(fs, &l, dir);
	if (r == -1 && l.bytes.n == 0)
		fuse_reply_err(req, errno ? errno : EIO);
	else
		fuse_reply_buf(req, l.bytes.p, l.bytes.n);
	buf_free(&l.bytes);
}
