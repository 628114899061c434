/*
 * The mailboxes of an account as folders, and their messages by id.
 *
 * Folders are numbered as they are first seen and keep their number for the
 * life of the process; folder 0 is the top.  A mailbox is opened, read only,
 * when it is first asked for.  Every function takes in first what others
 * changed, so what is true when a request comes is what it is answered.
 * What was changed is told to the owner of the tree.
 */
#ifndef POSTERN_MAILFS_TREE_H
#define POSTERN_MAILFS_TREE_H

#include "names.h"

#include "base/arena.h"
#include "base/buf.h"
#include "store/cache.h"
#include "store/mailbox.h"

#include <sys/stat.h>

enum {
	TREE_FOLDERS = 65536,
	TREE_UNKNOWN = UINT32_MAX /* a size that was not made yet */
};

/* What is kept beside a message: entry i belongs to msgs[i]. */
struct entry {
	uint64_t id;
	uint32_t uid;
	uint32_t stem;         /* in folder.stems, plus 1; 0: not made */
	uint32_t text, header; /* bytes of the views, or TREE_UNKNOWN */
};

struct folder {
	const char *path; /* in UTF-8, levels parted by "/"; "" at the top */
	const char *name; /* the last level */
	uint64_t key;     /* hash of the path, 59 bits; 0 at the top */
	uint32_t parent;
	bool there; /* it is a mailbox, or has mailboxes below it */
	bool is_box;
	struct mailbox *box; /* NULL: not opened yet */
	struct cache cache;  /* of the open one */
	ino_t inode;         /* of the open one */
	int watch;
	int64_t synced_ms;
	struct buf entries; /* of struct entry */
	struct buf stems;
};

/* A message that was found. */
struct where {
	uint32_t folder;
	size_t i;
	const struct message *m;
	struct entry *e;
};

enum tree_change {
	TREE_GONE,  /* the message left the folder */
	TREE_FLAGS, /* its flags changed */
	TREE_LIST   /* the folder's list changed */
};
typedef void tree_changed_fn(
    void *ctx, enum tree_change what, uint32_t folder, const struct where *w);

struct tree {
	struct account account;
	struct names names;
	struct buf folders; /* of struct folder */
	struct buf ids;     /* of struct id: a hash table */
	size_t ids_used;
	struct arena strings;
	struct timespec listed; /* change of the Maildir that the list is of */
	int64_t listed_ms;
	tree_changed_fn *changed;
	void *ctx;
};

/* 0, or -1 with errno. */
int tree_open(struct tree *t, const char *path);

size_t tree_count(const struct tree *t);
struct folder *tree_folder(const struct tree *t, uint32_t i);

/* Takes in what happened to the list of folders: 0, or -1 with errno. */
int tree_refresh(struct tree *t);

/* The folder of that name in another one: 1, 0 there is none. */
int tree_child(
    const struct tree *t, uint32_t parent, struct span name, uint32_t *child);

/* The folder with this key: 1, 0 there is none. */
int tree_by_key(const struct tree *t, uint64_t key, uint32_t *i);

/* Takes in what happened to the messages of a folder, which it opens first:
 * 0, or -1 with errno (ENOENT: it is no mailbox). */
int tree_sync(struct tree *t, uint32_t folder);
/* The same for all that are open and have something to say. */
void tree_sync_open(struct tree *t);
/* How long a folder's watch is to be waited for before it is looked at
 * nevertheless: milliseconds, or -1: for ever. */
int tree_wait_ms(const struct folder *f);

/* Message i of an open folder. */
struct where tree_at(const struct tree *t, uint32_t folder, size_t i);

/* The message with this id, wherever it is now: 1, 0 there is none. */
int tree_find(struct tree *t, uint64_t id, struct where *w);
/* The same among those that were seen already, as they were then. */
int tree_seen(const struct tree *t, uint64_t id, struct where *w);
/* The same among the messages of one folder that is open, one by one. */
int tree_in(const struct tree *t, uint32_t folder, uint64_t id,
    struct where *w);

/* The stem of its name; NULL with errno where the message cannot be read.
 * Where the cache has it no file is opened, and the text's size is noted. */
const char *tree_stem(struct tree *t, const struct where *w);

/* Times and links of a folder. */
void tree_stat(const struct tree *t, uint32_t folder, struct stat *st);

#endif
