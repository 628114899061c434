/*
 * Unique ids of POP3 that another server gave to single messages: Dovecot's
 * field P in dovecot-uidlist (from a server before it), and Courier's
 * courierpop3dsizelist.  Their files are only read (see STORE 7).
 */
#ifndef POSTERN_STORE_UIDLS_H
#define POSTERN_STORE_UIDLS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"

enum {
	UIDLS_ID = 490 /* bytes: more than the 70 of RFC 1939 section 7, as
			  Courier's once were, but a line (RFC 2449 4) */
};

struct uidls {
	struct buf entries;
	struct arena text;
};

struct uidls uidls_new(void);
void uidls_free(struct uidls *u);

/* What is in one of the lists; of two ids the first stays.  Lines that make
 * no sense are passed over. */
void uidls_dovecot(struct uidls *u, struct span text);
void uidls_courier(struct uidls *u, struct span text);
/* After the last of them, before uidls_find. */
void uidls_finish(struct uidls *u);

/* All of that for the folder dir: 0, or -1 with errno for a fault that may
 * pass.  Freed by uidls_free in any case. */
int uidls_read(int dir, struct uidls *u);

/* The id of the file with this base, or NULL: it has none of its own. */
const char *uidls_find(const struct uidls *u, struct span base);

#endif
