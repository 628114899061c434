/*
 * What became of a message's recipients: the file state/ID.
 *
 *   INDEX WORD TIME CODE TEXT\n
 *
 * INDEX counts from 0: the envelope's recipients, then those that `alias'
 * lines added, in order.  TIME is in seconds, CODE an enhanced status
 * (RFC 3463), TEXT printable, at most STATE_TEXT bytes.  WORD is
 *
 *   temp   tried in vain, to be tried again
 *   fault  the same, and it is this machine's fault
 *   late   its sender was told that it takes long
 *   ok     delivered; nothing is left to do
 *   perm   will never be delivered; its sender is to be told
 *   told   its sender was told, or must not be; nothing is left to do
 *   alias  TEXT is a comma-separated list of recipients that take its place
 *
 * temp and fault may follow both; late may follow them, once; ok, perm and
 * alias may follow these or nothing; told follows perm.  All else is damage.
 * What stands behind the last line feed was being written at a crash and
 * counts for nothing.
 */
#ifndef POSTERN_QUEUE_STATE_H
#define POSTERN_QUEUE_STATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "queue/envelope.h"
#include "queue/queue.h"

#include <stdint.h>

enum {
	STATE_SIZE = 1073741824, /* most bytes of the file */
	STATE_TEXT = 512,
	STATE_CODE = 16
};

enum rcpt_state {
	RCPT_PENDING,
	RCPT_OK, /* also: replaced by what it is an alias for */
	RCPT_PERM,
	RCPT_TOLD
};

struct rcpt {
	struct span address;
	size_t origin; /* the envelope's recipient that it comes from */
	enum rcpt_state state;
	uint32_t tries; /* that failed for now */
	int64_t last;   /* when the last one did */
	bool fault;     /* and that was this machine's doing */
	bool told_late; /* its sender knows that it takes long */
	struct span code, text; /* of the last outcome */
};

struct state {
	struct rcpt *rcpt; /* in the arena, */
	size_t n, room;    /* with room for so many */
	size_t length; /* bytes of the file that count */
};

enum outcome_word {
	OUTCOME_TEMP,
	OUTCOME_OK,
	OUTCOME_PERM,
	OUTCOME_TOLD,
	OUTCOME_ALIAS,
	OUTCOME_FAULT,
	OUTCOME_LATE
};

struct outcome {
	size_t index;
	enum outcome_word word;
	int64_t time;
	struct span code, text;
};

/* Tried in vain, to be tried again, and its sender does not know. */
bool state_is_late(const struct rcpt *r);

/* All recipients of the envelope, pending.  0, or -1 (ENOBUFS). */
int state_begin(struct state *s, const struct envelope *e, struct arena *a);

/*
 * Takes in one outcome.  Its code and text are copied into the arena.
 * False: not a legal transition (*s is as it was), or the arena is full.
 */
bool state_apply(struct state *s, struct arena *a, const struct outcome *o);

/* Takes in a file's text.  False: damaged. */
bool state_parse(struct state *s, struct arena *a, struct span text);

/* The file of a message that has one: a descriptor; -1 with errno, ENOENT where
 * nothing became of it yet. */
int state_open(const struct queue *q, const char *id);
/* Its state: begin, read, parse.  fd -1: there is no file.  0, or -1 with errno
 * (EBADMSG). */
int state_read(
    int fd, const struct envelope *e, struct arena *a, struct state *s);
/* All of that. */
int state_load(const struct queue *q, const char *id,
    const struct envelope *e, struct arena *a, struct state *s);

/* Adds the line of an outcome.  Bytes that are not printable become `?', a
 * code that is none becomes one that fits the word. */
void state_line(struct buf *out, const struct outcome *o);

/* One step of what a delivery reports: `INDEX ok|temp|perm CODE TEXT'. */
bool state_report(struct span line, struct outcome *o);

/*
 * Appends lines to the file and makes them durable; s->length moves on.
 * 0, or -1 with errno: then nothing counts and the call may be repeated.
 */
int state_write(const struct queue *q, const char *id, struct state *s,
    struct span lines);
/* The same, but a power cut may take away the lines, and the file with them:
 * at most 4096 bytes. */
int state_note(const struct queue *q, const char *id, struct state *s,
    struct span lines);

#endif
