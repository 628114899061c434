/*
 * The one way to a file that survives a power cut.
 *
 * begin: create a new file (O_EXCL, mode 0600) in a folder for unfinished
 * ones.  Write to d.fd.  commit: fsync the file, close it, move it to its
 * name in the target folder without replacing anything, fsync that folder.
 * Only after commit returned 0 may anybody be told that the bytes are safe.
 * An fsync that failed is final: commit removes the file and answers -1.
 * Both folders must lie on one file system.
 */
#ifndef POSTERN_BASE_DURABLE_H
#define POSTERN_BASE_DURABLE_H

#include "base/span.h"

#include <stdbool.h>

enum {
	DURABLE_NAME = 256
};

struct durable {
	int dir; /* folder of the unfinished file; the caller's */
	int fd;  /* -1 when none is open */
	bool settled;
	char name[DURABLE_NAME];
};

/* 0, or -1 with errno (EEXIST: the name is taken, ENAMETOOLONG). */
int durable_begin(struct durable *d, int dir, const char *name);

/* 0, or -1 with errno; the unfinished file is gone in both cases. */
int durable_commit(struct durable *d, int dir, const char *name);

/* The fsync of commit and publish, where it is better done early; nothing
 * is written after it.  0, or -1 with errno. */
int durable_settle(struct durable *d);

/* Removes the unfinished file; nothing to do after commit. */
void durable_abort(struct durable *d);

/*
 * For batches: commit without the last step.  The caller owes one
 * durable_sync(dir) before it tells anybody.
 */
int durable_publish(struct durable *d, int dir, const char *name);
int durable_sync(int dir);

/*
 * Moves a name, without replacing anything, with no fsync: 0, or -1 with
 * errno EEXIST or another.  Works where the file system has no
 * RENAME_NOREPLACE.
 */
int durable_move(int from_dir, const char *from, int to_dir, const char *to);

/* rename, by the one system call of its kind that jails let through. */
int durable_rename(int from_dir, const char *from, int to_dir, const char *to);

/*
 * Gives the file name in dir a new content at once: readers see the old or
 * the new, whole.  The unfinished file is `.name.new.PID'.  0, or -1.
 */
int durable_replace(int dir, const char *name, struct span content,
    unsigned mode);

#endif
