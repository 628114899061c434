/*
 * One new message of the queue (see QUEUE): written in tmp, moved to mess once
 * it is whole and on the disk, and told to qsend.
 *
 * The envelope goes in front last: only then is the size known.
 */
#ifndef POSTERN_QUEUE_ADD_H
#define POSTERN_QUEUE_ADD_H

#include "base/buf.h"
#include "base/durable.h"
#include "queue/envelope.h"
#include "queue/queue.h"

struct add {
	const struct queue *queue;
	struct envelope *envelope; /* the caller's */
	int trigger;
	struct durable file;
	struct buf head;
	char id[QUEUE_ID];
};

/*
 * For a program that does nothing else: the jail in which it can open what it
 * makes, and no other message.  The queue and its trigger are open.  0, or -1
 * with errno: the caller must exit.
 */
int add_jail(const struct conf *c);

/*
 * A message from an envelope that gets its id, time and size from here.
 * trigger: as queue_trigger() has opened it.  0; or -1 with errno and nothing
 * to do (EMSGSIZE: no envelope can be so).
 */
int add_begin(
    struct add *a, const struct queue *q, int trigger, struct envelope *e);
/* Its next bytes, with LF line ends: 0, or -1 with errno. */
int add_bytes(struct add *a, struct span bytes);
/* 0: it is in the queue; or -1 with errno, and it is gone. */
int add_commit(struct add *a);
/* Forgets it; nothing to do after commit.  errno stays. */
void add_abort(struct add *a);

#endif
