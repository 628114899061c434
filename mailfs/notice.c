/* What the kernel is to forget: a queue to the keeper. */
#include "fs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void
add(struct fs *fs, const struct notice *n)
{
	/* A queue that is full loses a notice: the kernel then learns of the
	 * change when it asks again. */
	if (fs->notices.n + sizeof *n <= FS_NOTICES)
		(void)buf_add(&fs->notices, n, sizeof *n);
}

static void
attributes(struct fs *fs, const struct node *n)
{
	struct notice a = { .node = node_inode(n) };

	add(fs, &a);
}

static void
name_gone(struct fs *fs, const struct where *w, enum tree_kind tree)
{
	const struct folder *f = tree_folder(&fs->tree, w->folder);
	struct node dir = lookup_folder(fs, tree, w->folder);
	struct notice a = { .parent = node_inode(&dir) };

	snprintf(a.name, sizeof a.name, "%.140s%s",
	    f->stems.p + (w->e->stem - 1), lookup_suffix(fs, tree));
	add(fs, &a);
}

/* Names are only known to the kernel once they were made. */
void
notice_change(
    void *ctx, enum tree_change what, uint32_t folder, const struct where *w)
{
	struct fs *fs = ctx;

	for (enum tree_kind t = TREE_TEXT; t <= TREE_MSG; t++) {
		struct node n = lookup_folder(fs, t, folder);

		if (what != TREE_LIST && w->e->stem == 0)
			return;
		if (what == TREE_GONE) {
			name_gone(fs, w, t);
			continue;
		}
		if (what == TREE_FLAGS)
			n = (struct node){ .kind = lookup_view(fs, t),
				.id = w->e->id };
		attributes(fs, &n);
	}
}

void
notice_send(struct fs *fs)
{
	size_t sent = 0;

	while (sent < fs->notices.n) {
		ssize_t n = write(
		    fs->notice_fd, fs->notices.p + sent, sizeof(struct notice));

		if (n != (ssize_t)sizeof(struct notice))
			break;
		sent += sizeof(struct notice);
	}
	if (sent == 0)
		return;
	memmove(fs->notices.p, fs->notices.p + sent, fs->notices.n - sent);
	fs->notices.n -= sent;
}
