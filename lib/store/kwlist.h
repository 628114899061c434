/*
 * Keywords as Dovecot and Courier keep them.
 *
 * Dovecot: letters a to z among the flags of a file name, and which keyword
 * each letter is in dovecot-keywords.  Courier: the file `:list' in
 * courierimapkeywords, and in the same folder a file for each message that
 * was changed since.
 */
#ifndef POSTERN_STORE_KWLIST_H
#define POSTERN_STORE_KWLIST_H

#include "base/buf.h"
#include "base/span.h"
#include "store/mailbox.h"

enum {
	KWLIST_SIZE = 1 << 26, /* bytes of a list */
	KWLIST_LETTERS = 26,
	KWLIST_PASSED = MAILBOX_KEYWORDS, /* $Forwarded: a flag of ours */
	KWLIST_NONE = MAILBOX_KEYWORDS + 1
};

struct kwlist {
	char name[MAILBOX_KEYWORDS][MAILBOX_KEYWORD];
	size_t n;
	bool any; /* something was listed, whatever it was */
	size_t refused; /* no keywords, or more than there is room for */
	unsigned char letter[KWLIST_LETTERS]; /* slot, _PASSED or _NONE */
	struct buf marks; /* of Courier's files, sorted when finished */
};

struct kwlist kwlist_new(void);
void kwlist_free(struct kwlist *k);

/* The slot of a keyword, added where it is new; or _PASSED, or _NONE. */
unsigned kwlist_slot(struct kwlist *k, struct span name);

/* What is in dovecot-keywords; in `:list'; in the file of one message. */
void kwlist_letters(struct kwlist *k, struct span text);
void kwlist_list(struct kwlist *k, struct span text);
void kwlist_message(struct kwlist *k, struct span file, struct span text);
/* After the last of them, before kwlist_of. */
void kwlist_finish(struct kwlist *k);

/* The keywords of a message by its file's name; *passed is set where it
 * was forwarded. */
uint64_t kwlist_of(const struct kwlist *k, struct span file, bool *passed);

#endif
