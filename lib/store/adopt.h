/*
 * What another server kept about a Maildir folder: UIDs, UIDVALIDITY and
 * keywords (see STORE).  Only read; nothing of theirs is ever changed.
 */
#ifndef POSTERN_STORE_ADOPT_H
#define POSTERN_STORE_ADOPT_H

#include "store/kwlist.h"
#include "store/uidlist.h"

/* Where this file is, the lists were taken over once and for all: UIDs that
 * were given since are not in them. */
#define ADOPT_MARK "postern.adopted"

struct adopted {
	const char *from; /* the list of UIDs that was taken; NULL: none */
	bool damaged;     /* there is one, of no use */
	bool done;        /* the mark is there: nothing was read */
	struct uidlist uids;
	struct kwlist keywords;
};

/*
 * Reads the lists in the folder dir.  0; or -1 with errno for a fault that
 * may pass.  Lists that are damaged, too long or not readable are as good
 * as none.  Freed by adopt_free in any case.
 */
int adopt_read(int dir, struct adopted *a);
void adopt_free(struct adopted *a);

/* A file of another server's, of at most cap bytes: 1; 0 there is none that
 * is of use; -1 with errno for a fault that may pass. */
int adopt_slurp(int dir, const char *name, size_t cap, struct buf *text);

/* Leaves the mark, durably, where there is a list of UIDs: 0, or -1. */
int adopt_mark(int dir);

#endif
