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

#include "base/buf.h"
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
	MAILDIR_NAME = 256,
	MAILDIR_BASE = 160 /* bytes of a base of ours, with its NUL */
};

struct maildir_name {
	struct span base;   /* before the first comma or colon: identity */
	uint64_t size, wire; /* 0: not in the name */
	uint32_t uid;        /* 0: not in the name */
	unsigned flags;
	struct span others;  /* the stretch of the flag letters in which all
	                        lie that are not ours; they are kept */
};

/* False: not a name that a message can have (a dot file, for one). */
bool maildir_parse(struct span file, struct maildir_name *out);

/*
 * The name of file with these flags, and with `,U=uid' where uid is not 0;
 * all else in it is kept.  0, or -1 with errno EINVAL or ENAMETOOLONG.
 */
int maildir_rename(struct span file, uint32_t uid, unsigned flags,
    char out[MAILDIR_NAME]);

/* A base that nobody had before: 0, or -1 with errno. */
int maildir_base(char out[MAILDIR_BASE]);

/* Makes dir and its cur, new and tmp (mode 0700) where they are missing;
 * durable. */
int maildir_create(int parent, const char *dir);

/*
 * A message on its way into a folder: begin, write any number of times
 * (text with LF or CRLF line ends; CRLF becomes LF, also across calls),
 * then commit: durable, in new/, under a name with the true S= and W=.  0,
 * or -1 with errno.  After a failed write the caller aborts; a failed begin
 * or commit leaves nothing behind.  (To commit with flags: mailbox_append.)
 * wire counts a byte more for each LF that no CR stands before.  With raw
 * set after begin, nothing is converted.
 */
struct maildir_draft {
	int maildir; /* the caller's descriptor of the folder */
	struct durable file;
	uint64_t size, wire;
	bool raw;
	bool after_cr, cr_stored;
	char base[MAILDIR_BASE];
	struct buf out;
};
int maildir_begin(struct maildir_draft *d, int maildir);
int maildir_write(struct maildir_draft *d, struct span bytes);
/* All bytes are handed to the kernel and the date is set; commit and
 * mailbox_append do it by themselves. */
int maildir_finish(struct maildir_draft *d, int64_t date);
/* date: INTERNALDATE, becomes the file's mtime; -1 for now. */
int maildir_commit(struct maildir_draft *d, int64_t date,
    char name[MAILDIR_NAME]);
void maildir_abort(struct maildir_draft *d);

#endif
