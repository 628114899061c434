/*
 * postern.cache: what was read out of a mailbox's messages, so that it need
 * not be read again (see STORE).
 *
 * Nothing depends on it.  It may be missing, be cut off, or hold any bytes:
 * what it says is believed only as far as its checksums reach, and all else
 * is made anew from the message.  So no function here fails; what cannot be
 * cached is not cached.  Readers take no lock.  Writers take one of the
 * cache's own, for a moment, and go on without when it is held.
 *
 * Who wants to know something of many messages:
 *
 *	cache_open(&c, mailbox);
 *	cache_begin(&c, how_many);
 *	for each of them
 *		if (!cache_get(&c, cache_key(message), &record))
 *			... make it with a cache_maker, cache_put(&c, ...)
 *	cache_flush(&c);
 *
 * and cache_rest whenever there is nothing to do.
 */
#ifndef POSTERN_STORE_CACHE_H
#define POSTERN_STORE_CACHE_H

#include "base/arena.h"
#include "base/buf.h"
#include "mail/mime.h"
#include "store/mailbox.h"

enum {
	CACHE_PART = 32768,          /* bytes of one part of a record */
	CACHE_RECORD = 65536,        /* and of a record */
	CACHE_HEADER = 65536,        /* a longer header is not looked at, */
	CACHE_MESSAGE = 16777216,    /* nor on arrival a longer message's text */
	CACHE_TAIL = 4096,           /* most records are shorter */
	CACHE_BATCH = 262144,        /* bytes that are written at once */
	CACHE_COST = 65536,          /* of cache that are read as fast as one
	                                message is */
	CACHE_WAIT_MS = 20,          /* for the lock */
	CACHE_SPARE = 64             /* records of no use that do no harm */
};

/* Text that is ready to send stays true for one way of making it: who
 * changes that gives the part another version in cache_record.c. */
enum cache_part {
	CACHE_ENVELOPE,      /* as FETCH sends them */
	CACHE_BODY,
	CACHE_BODYSTRUCTURE,
	CACHE_FROM,          /* all fields of the name, decoded (mail/word.h), */
	CACHE_TO,            /* each with a NUL at its end */
	CACHE_CC,
	CACHE_SUBJECT,
	CACHE_MESSAGE_ID,
	CACHE_IN_REPLY_TO,
	CACHE_REFERENCES,
	CACHE_DATE,          /* the Date field: see cache_date */
	CACHE_SENDER,        /* who a list of messages names (mail/address.h) */
	CACHE_TEXT,          /* length of the text view: see cache_number */
	CACHE_PARTS
};

/* Spans of what is known of a message; .p is NULL for what is not. */
struct cache_record {
	struct span part[CACHE_PARTS];
};

/* Of which message: its identity, and what the mailbox knows of its file.
 * So a record is never taken for that of another file, and stays good when
 * the message moves. */
struct cache_key {
	uint64_t id, size;
	int64_t date;
};

static inline struct cache_key
cache_key(const struct message *m)
{
	return (struct cache_key){ m->id, m->size, m->date };
}

/* The Date field's civil time as seconds (the zone disregarded, as SEARCH
 * does), and its zone in minutes.  False: there is no date; *known is false
 * where the record does not say. */
bool cache_date(const struct cache_record *r, bool *known, int64_t *seconds,
    int *zone);
bool cache_number(const struct cache_record *r, enum cache_part part,
    uint32_t *n);
/* The part that has the values of a header field; CACHE_PARTS: none has. */
enum cache_part cache_field(struct span name);

/* One mailbox's cache. */
struct cache {
	int dir, fd; /* -1: not open */
	uint64_t inode;
	bool closed;      /* writing failed: not tried again */
	bool reading;     /* the table is of use */
	uint64_t end;     /* of the file, as far as the table has it */
	uint64_t records; /* up to there, with those that later ones replace */
	uint64_t spared;  /* what reading messages has cost so far */
	struct buf table; /* where records are, by id */
	size_t used;
	struct buf window; /* bytes of the file */
	uint64_t window_at;
	struct buf pending; /* records to be written */
};

/* Of an open mailbox; or of none, and then it does nothing. */
void cache_none(struct cache *c);
void cache_open(struct cache *c, const struct mailbox *m);
/* Writes what is pending, throws out what is of no use (see cache_tidy). */
void cache_close(struct cache *c, const struct mailbox *m);

/*
 * About n messages will be asked for.  Takes in what others added.  The first
 * time all of the cache is looked through, which is not worth it for a few
 * messages: until it is, nothing is found, and nothing kept.
 */
void cache_begin(struct cache *c, size_t n);
/* False: nothing is known.  Spans are good until the next call for c. */
bool cache_get(struct cache *c, struct cache_key key,
    struct cache_record *out);
/* Keeps all of r, for what was known of the message before. */
void cache_put(struct cache *c, struct cache_key key,
    const struct cache_record *r);
/* The same for a message that no record can be of yet. */
void cache_add(struct cache *c, struct cache_key key,
    const struct cache_record *r);
void cache_flush(struct cache *c);
/* Frees the memory: a session that waits holds none. */
void cache_rest(struct cache *c);

/* Writes the cache anew, without records that are of no use, where they are
 * more than half of it.  Where the table was never read, nothing is done. */
void cache_tidy(struct cache *c, const struct mailbox *m);
/* Reads the cache for that: so that one that is only written to stays
 * small, too. */
void cache_trim(const struct mailbox *m);

/*
 * Makes parts from a message.  A message with a NUL in what is given is
 * skipped, as is a header that does not end with an empty line.
 */
struct cache_maker {
	struct arena arena;
	struct buf text;
	size_t at[CACHE_PARTS], n[CACHE_PARTS];
	bool made[CACHE_PARTS];
};
struct cache_maker cache_maker(void);
void cache_maker_free(struct cache_maker *k);
/* Begins with another message. */
void cache_maker_reset(struct cache_maker *k);
void cache_make_header(struct cache_maker *k, struct span header);
void cache_make_structure(struct cache_maker *k, const struct source *s,
    const struct mime_part *root);
void cache_make_number(struct cache_maker *k, enum cache_part part,
    uint32_t n);
/* All of them, from a whole message. */
void cache_make_all(struct cache_maker *k, struct span message);
/* Adds what was made to *r; good until the maker is used again. */
void cache_made(const struct cache_maker *k, struct cache_record *r);

/* Makes the record of the message that fd can be read from, and keeps it.  A
 * size of 0 in the key: size and date are the file's. */
void cache_keep(struct cache *c, int fd, struct cache_key key);

/*
 * A message arrives: peek opens the draft for reading before it is committed
 * (-1 where it cannot be); arrived makes its record and keeps it, and closes
 * the descriptor.  Best effort, without an answer.
 */
int cache_peek(const struct maildir_draft *d);
void cache_arrived(int maildir, int fd, const char *base);
/* Messages were copied under these names. */
void cache_copied(const struct mailbox *from, const size_t *which, size_t n,
    int maildir, char *const *names);

/* cache_record.c: records as bytes. */
enum {
	CACHE_FILE_HEAD = 16,
	CACHE_HEAD = 40 /* of a record */
};
void cache_file_head(char out[CACHE_FILE_HEAD]);
bool cache_is_file_head(struct span s);
/* False: too large. */
bool cache_encode(struct cache_key key, const struct cache_record *r,
    struct buf *out);
/* The length of the record that begins s, by its head; 0: no good head. */
size_t cache_head(struct span s, struct cache_key *key);
/* The length of the record that ends s, if there is a good one. */
size_t cache_last(struct span s);
/* One whole record. */
bool cache_decode(struct span s, struct cache_record *out);

#endif
