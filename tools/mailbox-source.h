/* Where imported messages come from: one after the other, as they are. */
#ifndef POSTERN_TOOLS_MAILBOX_SOURCE_H
#define POSTERN_TOOLS_MAILBOX_SOURCE_H

#include "base/arena.h"
#include "base/buf.h"
#include "mail/mbox.h"
#include "store/kwlist.h"

#include <stdbool.h>
#include <stdint.h>

enum source_kind {
	SOURCE_AUTO,
	SOURCE_MBOX,
	SOURCE_MBOXO, /* nothing is unquoted */
	SOURCE_MAILDIR,
	SOURCE_MH,
	SOURCE_EML
};

struct source_message {
	char where[320]; /* for people: a file's name, an offset */
	int64_t date;
	bool raw;             /* line ends are to stay as they are */
	bool trusted;         /* the writer's own: it may be no mail at all */
	bool internal;        /* no message: another program's data */
	unsigned flags;       /* FLAG_* of store/maildir.h */
	struct span keywords; /* with a space between them */
};

struct source {
	enum source_kind kind;
	const char *name;
	int fd;           /* the mbox, or the message that is read */
	bool anywhere;    /* fd is a regular file */
	uint64_t start;   /* of the mbox in its file */
	uint64_t size;    /* of all, for the progress; 0: not known */
	struct span head; /* of a pipe: what was looked at */
	char looked[1024];
	struct mbox mbox;
	/* Folders: their files, in order. */
	int dirs[2];
	struct buf files, piece, keywords;
	struct arena text;
	size_t at; /* the next one */
	struct kwlist letters;
	struct buf sequences;
	bool first_piece;
};

/* Opens path ("-": standard input) and reads nothing: a descriptor, or -1. */
int source_fd(const char *path);
/*
 * Takes the descriptor as that kind, or finds out what it is; a folder's with
 * source_open_dir.  NULL with errno; ENOTDIR and EISDIR: it is nothing of that
 * kind.
 */
struct source *source_open(const char *path, int fd, enum source_kind kind);
struct source *source_open_dir(
    const char *name, int dir, enum source_kind kind);
void source_close(struct source *s);

/* The next message: 1; 0: no more; -1 with errno.  *m is good until the next
 * call; m->where is set in any case. */
int source_next(struct source *s, struct source_message *m);

/* More of its bytes: 1; 0; -1. */
int source_read(struct source *s, struct span *bytes);

/* How far we are, as source->size counts. */
uint64_t source_position(const struct source *s);

/* A kind by its name: false where there is no such one. */
bool source_kind(const char *name, enum source_kind *kind);

#endif
