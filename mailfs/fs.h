/*
 * The mounted mailbox: what all parts of the daemon share.
 *
 * One request is handled at a time.  Nothing that answers a request waits
 * for another one, and what the kernel has to be told is left in a queue for
 * the keeper, so that the kernel's locks and ours never meet.
 */
#ifndef POSTERN_MAILFS_FS_H
#define POSTERN_MAILFS_FS_H

#include "node.h"
#include "show.h"
#include "tree.h"

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

enum {
	FS_MESSAGE = 268435456, /* bytes of a message that is shown */
	FS_CACHE = 16777216,    /* bytes of contents kept when not in use */
	FS_PINNED = 268435456,  /* bytes of contents of open files */
	FS_CONTENTS = 256,
	FS_PARSED = 4194304, /* bytes of a parsed message that is kept */
	FS_OPEN = 4096,
	FS_BAD = 64,           /* messages that ended a daemon */
	FS_HUNG_S = 20,        /* for one message; then the daemon ends */
	FS_NOTICES = 67108864, /* bytes of notices that wait */
	FS_KEEP_S = 86400,     /* attributes whose change is told */
	FS_SHORT_S = 1         /* and those whose change is not */
};

/* What the kernel is to forget, for the keeper. */
struct notice {
	uint64_t parent; /* of the name; 0: only attributes of node */
	uint64_t node;
	char name[NAMES_SIZE];
};

/* Memory that outlives a daemon, shared with the keeper. */
struct shared {
	uint64_t unique; /* the request being answered, or 0 */
	uint64_t id;     /* the message being looked at, or 0, and how */
	uint64_t bad[FS_BAD];
	uint32_t nbad;
	uint32_t generation; /* of daemons */
};

/* The bytes of one file that is made, not stored. */
struct content {
	uint64_t key; /* node_inode of the node; 0: free */
	struct node node;
	struct buf bytes;
	uint32_t pins; /* open files */
	uint64_t used; /* when, to find the oldest */
};

/* The message that was looked into last, parsed, for whoever lists its folder
 * asks for each name. */
struct parsed {
	uint64_t id; /* 0: none */
	dev_t device;
	ino_t inode;
	struct buf bytes;
	struct show show;
};

struct open_file {
	bool used;
	uint64_t node;
	int fd; /* of the stored file, or -1 */
	struct content *content;
};

struct fs {
	struct tree tree;
	struct node_table nodes;
	struct content contents[FS_CONTENTS];
	size_t cached, pinned; /* bytes */
	struct parsed parsed;
	uint64_t clock;
	struct open_file files[FS_OPEN];
	struct shared *shared;
	struct buf notices;
	int notice_fd;
	int timer; /* runs while a message is looked at */
	uid_t uid;
	gid_t gid;
	enum tree_kind listed; /* what the top lists */
	struct fuse_session *session;
	time_t started;
	bool spins; /* see loop.c */
};

/* content.c: contents of made files. */

/* The content of a node, made if need be: NULL with errno. */
struct content *content_get(struct fs *fs, const struct node *n);
void content_unpin(struct fs *fs, struct content *c);
/* The whole message: 0, or -1 with errno. */
int content_message(struct fs *fs, uint64_t id, struct buf *out);
/*
 * Its parts, guarded as what is shown until content_shown: 0, or -1 with errno
 * and nothing to do.
 */
int content_show(struct fs *fs, uint64_t id, struct show **out);
void content_shown(struct fs *fs);
/* Before and after bytes of others are looked at; naming a message and
 * showing it are guarded apart, so that its name stays when it can. */
enum content_use { CONTENT_SHOW, CONTENT_NAME };
void content_guard(struct fs *fs, uint64_t id, enum content_use use);
void content_unguard(struct fs *fs);
bool content_is_bad(const struct fs *fs, uint64_t id, enum content_use use);
/* Its name, also where its header cannot be understood. */
const char *content_stem(
    struct fs *fs, const struct where *w, char spare[NAMES_SIZE]);

/* fact.c: what the mailbox knows of a message. */
enum fact {
	FACT_FLAGS,
	FACT_ID,
	FACT_MAILBOX,
	FACT_MODSEQ,
	FACT_TAGS,
	FACT_UID,
	FACT_UNIXDATE,
	FACTS
};
const char *fact_name(enum fact f);
bool fact_find(struct span name, enum fact *f);
int fact_add(
    const struct fs *fs, const struct where *w, enum fact f, struct buf *out);

/* attr.c */

/* The attributes of a node: 0, or -1 with errno. */
int attr_get(struct fs *fs, const struct node *n, struct stat *st);
/* Those of a message's view that are known without making it; false where
 * the size is not. */
bool attr_message(const struct fs *fs, const struct node *n,
    const struct where *w, struct stat *st);
/* For how long the kernel may keep them. */
double attr_keep(const struct fs *fs, const struct node *n);

/* xattr.c: one extended attribute, and the names of all: 0, or -1 with
 * errno. */
int xattr_get(
    struct fs *fs, const struct node *n, struct span name, struct buf *out);
int xattr_list(const struct node *n, struct buf *out);

/* README of the mount. */
struct span readme_text(void);

/* lookup.c: names to nodes.  1, 0 there is none, -1 with errno. */
int lookup_name(struct fs *fs, const struct node *parent, struct span name,
    struct node *out, bool *listed);
/* The node of a folder. */
struct node lookup_folder(
    const struct fs *fs, enum tree_kind t, uint32_t folder);
/* Suffix of the names that a tree lists, and the views' kind. */
const char *lookup_suffix(const struct fs *fs, enum tree_kind t);
enum node_kind lookup_view(const struct fs *fs, enum tree_kind t);

/* list.c: reading folders. */
void list_folder(struct fs *fs, fuse_req_t req, const struct node *dir,
    size_t size, off_t from, bool plus);

/* notice.c: what the kernel is to forget. */
void notice_change(
    void *fs, enum tree_change what, uint32_t folder, const struct where *w);
/* Gives the keeper what it takes. */
void notice_send(struct fs *fs);

/* ops.c: the table of requests; loop.c: the daemon. */
const struct fuse_lowlevel_ops *ops_table(void);
int loop_run(struct fs *fs);

#endif
