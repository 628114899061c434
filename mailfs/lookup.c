/* Names to nodes. */
#include "fs.h"

#include "base/num.h"

#include <errno.h>
#include <stdio.h>

static const struct {
	const char *suffix;
	enum node_kind view;
} trees[] = {
	[TREE_TEXT] = { ".txt", NODE_TEXT },
	[TREE_EML] = { ".eml", NODE_EML },
	[TREE_MSG] = { "", NODE_MESSAGE },
};

static const struct {
	const char *suffix;
	enum node_kind view;
} suffixes[] = {
	{ ".txt", NODE_TEXT },
	{ ".eml", NODE_EML },
	{ ".hdr", NODE_HEADER },
};

/* What the top lists is the user's choice. */
static enum tree_kind
shown(const struct fs *fs, enum tree_kind t)
{
	return t == TREE_TEXT ? fs->listed : t;
}

struct node
lookup_folder(const struct fs *fs, enum tree_kind t, uint32_t folder)
{
	return (struct node){ .kind = NODE_FOLDER,
		.tree = t,
		.folder = folder,
		.id = tree_folder(&fs->tree, folder)->key };
}

const char *
lookup_suffix(const struct fs *fs, enum tree_kind t)
{
	return trees[shown(fs, t)].suffix;
}

enum node_kind
lookup_view(const struct fs *fs, enum tree_kind t)
{
	return trees[shown(fs, t)].view;
}

/* Cuts a view's suffix off; without one it is the folder of a message. */
static enum node_kind
take_suffix(struct span *name)
{
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		if (!span_ends(*name, suffixes[i].suffix))
			continue;
		name->n -= strlen(suffixes[i].suffix);
		return suffixes[i].view;
	}
	return NODE_MESSAGE;
}

/* @last, @-2 (from the end) and @1234 (a UID). */
static int
by_number(struct fs *fs, uint32_t folder, struct span name, struct where *w)
{
	struct mailbox *box = tree_folder(&fs->tree, folder)->box;
	uint32_t n = 1;
	size_t i;

	name = span_skip(name, 1);
	if (span_is(name, "last") ||
	    (span_starts(name, "-") &&
		num_parse_u32(span_skip(name, 1), UINT32_MAX, &n))) {
		if (n == 0 || n > box->n)
			return 0;
		*w = tree_at(&fs->tree, folder, box->n - n);
		return 1;
	}
	if (!num_parse_u32(name, UINT32_MAX, &n))
		return 0;
	i = mailbox_find(box, n);
	if (i >= box->n || box->msgs[i].uid != n)
		return 0;
	*w = tree_at(&fs->tree, folder, i);
	return 1;
}

/* The id, alone or at the end of the whole name. */
static int
by_id(struct fs *fs, uint32_t folder, struct span name, struct where *w,
    bool *full)
{
	char spare[NAMES_SIZE];
	size_t dot = span_rfind(name, '.');
	const char *stem;
	uint64_t id;

	*full = dot < name.n;
	if (!names_parse_id(*full ? span_skip(name, dot + 1) : name, &id))
		return 0;
	if ((tree_seen(&fs->tree, id, w) == 0 || w->folder != folder) &&
	    tree_in(&fs->tree, folder, id, w) == 0)
		return 0;
	if (!*full)
		return 1;
	stem = content_stem(fs, w, spare);
	return stem && span_is(name, stem);
}

static int
message(struct fs *fs, const struct node *dir, struct span name,
    struct node *out, bool *listed)
{
	enum node_kind view = take_suffix(&name);
	struct where w;
	bool full = false;
	int r;

	/* A folder stands in one place only. */
	if (view == NODE_MESSAGE && dir->tree != TREE_MSG)
		return 0;
	if (!tree_folder(&fs->tree, dir->folder)->is_box)
		return 0;
	if (tree_sync(&fs->tree, dir->folder) == -1)
		return -1;
	if (span_starts(name, "@"))
		r = by_number(fs, dir->folder, name, &w);
	else
		r = by_id(fs, dir->folder, name, &w, &full);
	if (r != 1)
		return r;
	*out = (struct node){ .kind = view, .id = w.e->id };
	*listed = full && view == lookup_view(fs, dir->tree);
	return 1;
}

static int
at_top(
    struct fs *fs, const struct node *dir, struct span name, struct node *out)
{
	struct where w;
	uint64_t id;

	if (dir->tree == TREE_MSG) {
		/* The path that the text view shows for attachments. */
		if (!names_parse_id(name, &id) ||
		    tree_find(&fs->tree, id, &w) == 0)
			return 0;
		*out = (struct node){ .kind = NODE_MESSAGE, .id = id };
		return 1;
	}
	if (dir->tree != TREE_TEXT)
		return 0;
	*out = (struct node){ .kind = NODE_FOLDER };
	if (span_is(name, "README"))
		out->kind = NODE_README;
	else if (span_is(name, ".eml"))
		out->tree = TREE_EML;
	else if (span_is(name, ".msg"))
		out->tree = TREE_MSG;
	else
		return 0;
	return 1;
}

static int
in_folder(struct fs *fs, const struct node *dir, struct span name,
    struct node *out, bool *listed)
{
	uint32_t child;

	if (tree_refresh(&fs->tree) == -1)
		return -1;
	if (dir->folder >= tree_count(&fs->tree)) {
		errno = ESTALE;
		return -1;
	}
	if (tree_child(&fs->tree, dir->folder, name, &child)) {
		*out = lookup_folder(fs, dir->tree, child);
		return 1;
	}
	if (dir->folder == 0)
		return at_top(fs, dir, name, out);
	return message(fs, dir, name, out, listed);
}

/* The attachment of that name, as it is listed. */
static int
attachment(struct show *v, struct span name, struct node *out)
{
	struct attach *list;
	size_t n = show_attachments(v, &list);

	for (size_t i = 0; i < n; i++) {
		if (!span_eq(name, list[i].name))
			continue;
		out->kind = NODE_ATTACHMENT;
		out->part = list[i].part->order;
		return 1;
	}
	return 0;
}

static int
in_view(const struct node *dir, struct show *v, struct span name,
    struct node *out)
{
	const struct mime_part *p = show_part(v, dir->part);
	uint32_t place;

	if (dir->kind == NODE_ATTACH)
		return attachment(v, name, out);
	if (p == NULL || !num_parse_u32(name, UINT32_MAX, &place) ||
	    span_starts(name, "0"))
		return 0;
	p = show_child(p, place);
	if (p == NULL)
		return 0;
	out->kind = NODE_PART;
	out->part = p->order;
	return 1;
}

/* What needs no look at the message. */
static bool
fixed(const struct node *dir, struct span name, struct node *out)
{
	enum show_file file;
	enum fact fact;

	if (dir->kind == NODE_ATTACH)
		return false;
	if (show_file_find(name, &file)) {
		out->kind = NODE_FILE;
		out->file = file;
		return true;
	}
	if (dir->kind != NODE_MESSAGE)
		return false;
	if (fact_find(name, &fact)) {
		out->kind = NODE_FACT;
		out->file = fact;
		return true;
	}
	out->kind = NODE_ATTACH;
	return span_is(name, "attach");
}

static int
in_message(
    struct fs *fs, const struct node *dir, struct span name, struct node *out)
{
	struct show *v;
	int r;

	*out = (struct node){ .id = dir->id, .part = dir->part };
	if (fixed(dir, name, out))
		return 1;
	if (content_is_bad(fs, dir->id, CONTENT_SHOW))
		return 0;
	if (content_show(fs, dir->id, &v) == -1)
		return -1;
	r = in_view(dir, v, name, out);
	content_shown(fs);
	return r;
}

int
lookup_name(struct fs *fs, const struct node *dir, struct span name,
    struct node *out, bool *listed)
{
	*listed = false;
	if (dir->kind == NODE_FOLDER)
		return in_folder(fs, dir, name, out, listed);
	if (dir->kind == NODE_MESSAGE || dir->kind == NODE_PART ||
	    dir->kind == NODE_ATTACH)
		return in_message(fs, dir, name, out);
	errno = ENOTDIR;
	return -1;
}
