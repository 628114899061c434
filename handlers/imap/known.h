/*
 * What is known of messages without reading them: the mailbox's cache, and
 * what was made from the message that is being shown.
 *
 * Answers are the same with and without it.
 */
#ifndef POSTERN_IMAP_KNOWN_H
#define POSTERN_IMAP_KNOWN_H

#include "shown.h"
#include "store/cache.h"

struct known {
	struct cache cache;
	struct cache_maker maker;
	uint32_t uid; /* of the message; 0: none */
	struct cache_key key;
	struct cache_record record;
	bool learned; /* something that the cache does not have */
};

struct known known_none(void);
void known_open(struct known *k, const struct mailbox *box);
void known_close(struct known *k, const struct mailbox *box);

/* A command that asks for about n messages, and its end. */
void known_begin(struct known *k, size_t n);
void known_end(struct known *k);
/* Frees memory while nobody asks. */
void known_rest(struct known *k);

/* A part of what is known of m: .p is NULL where it is not.  Good until
 * another message is asked for. */
struct span known_part(
    struct known *k, const struct message *m, enum cache_part part);
/* Learns from m, which was opened (shown_open) and read as far as that. */
void known_learn_header(
    struct known *k, const struct message *m, struct shown *shown);
void known_learn_structure(
    struct known *k, const struct message *m, struct shown *shown);

#endif
