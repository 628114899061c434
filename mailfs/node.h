/*
 * Node ids of the kernel, computed from what they stand for.
 *
 *   1                         the top
 *   2                         README
 *   2^61 | key << 2 | tree    a folder, by the hash of its path, in one of
 *                             the trees (0 is the top)
 *   2^63 | id << 3 | kind     a message's view
 *   2^62 | count << 32 | slot a file within a message's folder: a table
 *
 * All but the last kind are the same after a restart, are never given to
 * anything else, and take no memory.  Those of the last kind become stale
 * with their daemon: each has its generation in the count.
 */
#ifndef POSTERN_MAILFS_NODE_H
#define POSTERN_MAILFS_NODE_H

#include "base/buf.h"

#include <stdint.h>

enum tree_kind {
	TREE_TEXT, /* the listed one */
	TREE_EML,
	TREE_MSG
};

enum node_kind {
	NODE_README,
	NODE_FOLDER,
	NODE_TEXT,
	NODE_EML,
	NODE_HEADER,
	NODE_MESSAGE, /* the folder of a message */
	NODE_PART,    /* the folder of a part */
	NODE_ATTACH,  /* the folder of attachments */
	NODE_ATTACHMENT,
	NODE_FILE, /* a show_file of a part */
	NODE_FACT  /* what the mailbox knows of the message */
};

struct node {
	enum node_kind kind;
	enum tree_kind tree; /* NODE_FOLDER */
	uint32_t folder;     /* NODE_FOLDER: its number */
	uint64_t id;         /* of the message; NODE_FOLDER: its key */
	uint32_t part;       /* number of the part; from NODE_PART on */
	uint32_t file; /* NODE_FILE: enum show_file; NODE_FACT: enum fact */
};

enum {
	NODE_TOP = 1,
	NODE_TABLE = 1 << 18, /* nodes in the table */
	NODE_CHAINS = 4096
};

struct node_table {
	struct buf slots;
	uint32_t count, free;
	uint32_t chain[NODE_CHAINS];
};

void node_table_init(struct node_table *t, uint32_t generation);

/* The node id; for the last kinds each call counts one look-up, which
 * node_forget takes back.  0 where the table is full. */
uint64_t node_id(struct node_table *t, const struct node *n);
/* 0, or -1 with errno ESTALE. */
int node_get(const struct node_table *t, uint64_t ino, struct node *out);
void node_forget(struct node_table *t, uint64_t ino, uint64_t lookups);

/* The inode number that a user sees. */
uint64_t node_inode(const struct node *n);

#endif
