/*
 * Maildir++ on disk: file names, folders, and putting a message in.
 *
 * File names are `BASE,S=size,W=wire[,U=uid]:2,FLAGS': size is the file's
 * length, wire its length with CRLF line ends.  Numbers in names are hints
 * that are checked against the file before they are sent to anybody.
 * Message files hold LF line ends and never change once they are there.
 */
#ifndef POSTERN_STORE_MAILDIR_H
#define POSTERN_STORE_MAILDIR_H

#include "base/durable.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* System flags, as bits (RFC 3501 2.3.2).  \Recent is the session's own. */
enum {
	FLAG_ANSWERED = 1, /* R */
	FLAG_FLAGGED = 2,  /* F */
	FLAG_DELETED = 4,  /* T */
	FLAG_SEEN = 8,     /* S */
	FLAG_DRAFT = 16,   /* D */
	FLAG_PASSED = 32,  /* P: forwarded, shown as keyword $Forwarded */
	FLAG_ALL = 63
};

enum {
	MAILDIR_NAME = 256
};

struct maildir_name {
	struct span base;   /* before the first comma or colon: identity */
	uint64_t size, wire; /* 0: not in the name */
	uint32_t uid;        /* 0: not in the name */
	unsigned flags;
	struct span others;  /* flag letters that are not ours, kept */
};

/* False: not a name that a message can have (a dot file, for one). */
bool maildir_parse(struct span file, struct maildir_name *out);

/* Makes dir and its cur, new and tmp (mode 0700) where they are missing. */
int maildir_create(int parent, const char *dir);

/*
 * A message on its way into a folder: begin, write any number of times
 * (text with LF or CRLF line ends; CRLF becomes LF, also across calls),
 * then commit: durable, in new/ (or in cur/ when flags are given), under a
 * name with the true S= and W=.  0, or -1 with errno; after any failure
 * nothing stays behind.
 */
struct maildir_draft {
	int maildir; /* the caller's descriptor of the folder */
	struct durable file;
	uint64_t size, wire;
	bool after_cr;
	char base[MAILDIR_NAME];
	size_t nbuf;
	char *buf;
};
int maildir_begin(struct maildir_draft *d, int maildir);
int maildir_write(struct maildir_draft *d, struct span bytes);
/* date: INTERNALDATE, becomes the file's mtime; -1 for now. */
int maildir_commit(struct maildir_draft *d, int64_t date,
    char name[MAILDIR_NAME]);
void maildir_abort(struct maildir_draft *d);

#endif
