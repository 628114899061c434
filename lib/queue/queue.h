/*
 * The queue's folders, the names in them, and its trigger (see QUEUE).
 *
 *   var/spool/postern/tmp      messages that are still being written
 *   var/spool/postern/mess     accepted messages, by id
 *   var/spool/postern/state    what became of their recipients, by id
 *   var/spool/postern/bad      what the queue could not make sense of
 *   var/spool/postern/trigger  FIFO: ids of new messages, a line each
 *   var/spool/postern/lock     held by the one running qsend
 */
#ifndef POSTERN_QUEUE_QUEUE_H
#define POSTERN_QUEUE_QUEUE_H

#include "base/conf.h"
#include "base/span.h"

#include <stdbool.h>

/* Where enqueue may be reached by local users, below the root. */
#define SUBMIT_SOCKET "run/postern/submit"
#define QUEUE_FOLDER "var/spool/postern"

enum {
	QUEUE_ID = 25,          /* an id with its NUL */
	QUEUE_TMP_LIFE_S = 129600 /* 36 h: older unfinished files go */
};

struct queue {
	int dir, tmp, mess, state, bad;
};

/*
 * Makes the folders and the trigger where they are missing, mode 0700,
 * owned by conf's queue_user when called as root and by the caller
 * otherwise.  0, or -1 with errno.
 */
int queue_create(const struct conf *c);

/*
 * Opens the folders; where they are missing and the caller is not root it
 * makes them.  They must belong to the caller and to nobody else: EPERM.
 * 0, or -1 with errno and nothing open.
 */
int queue_open(const struct conf *c, struct queue *q);
void queue_close(struct queue *q);

/* A new id: time, process and 40 random bits, 24 letters and digits that
 * sort by time.  0, or -1 with errno. */
int queue_id(char out[QUEUE_ID]);
/* Whether a file name can be an id: nothing else is ever opened. */
bool queue_is_id(struct span name);

/* Opens the trigger to write to, whether or not qsend runs: a descriptor, or
 * -1 with errno. */
int queue_trigger(const struct queue *q);
/* Tells qsend of a new message.  That nobody is told, by a trigger of -1 or
 * that is full, is no error: qsend looks into mess by itself from time to
 * time. */
void queue_poke(int trigger, const char *id);

/*
 * Opens the file id in folder for reading (and appending with append, made
 * where it is missing).  A descriptor, or -1 with errno: EBADMSG for what is
 * not a regular file that belongs to us.
 */
int queue_file(int folder, const char *id, bool append);

/* Moves the file name of mess, and its state, to bad.  0, or -1 with errno. */
int queue_bury(const struct queue *q, const char *name);

#endif
