/*
 * The envelope block at the head of every queue file (see QUEUE).
 *
 *   P1 0000000123\n        123: bytes of the fields that follow
 *   id 17:...,\n           fields: a name, a netstring; in this order
 *   time 10:1700000000,\n  when it was accepted
 *   user 17:alice@example.org,\n      who logged in (absent: nobody)
 *   peer 9:192.0.2.1,\n    where from
 *   proto 6:ESMTPS,\n      RFC 3848 word for Received
 *   helo 5:x.org,\n
 *   size 20:00000000000000001234,\n   bytes of the message as stored
 *   body 8:8BITMIME,\n     7BIT or 8BITMIME
 *   sender 17:alice@example.org,\n    empty for a bounce
 *   rcpt 15:bob@example.net,\n        one or more
 *
 * Fields hold printable ASCII only (UTF-8 once SMTPUTF8 is there).  The
 * message follows at once, with LF line ends.  A submitted envelope (see
 * queue/submit.h) has no id, time and size; sender and a recipient there
 * must be in both.
 */
#ifndef POSTERN_QUEUE_ENVELOPE_H
#define POSTERN_QUEUE_ENVELOPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	ENVELOPE_HEAD = 14,         /* bytes of the first line */
	ENVELOPE_SIZE = 8388608,    /* most bytes of the fields */
	ENVELOPE_FIELD = 1024
};

struct envelope {
	struct span id, user, peer, proto, helo, body, sender;
	int64_t time; /* wall clock, seconds */
	uint64_t size;
	struct span *rcpt; /* in the arena */
	size_t nrcpt;
};

/* Its sender must not be told of anything: RFC 5321 4.5.5. */
bool envelope_is_null(const struct envelope *e);

/*
 * Adds the fields (without the first line).  id, time and size are written
 * only where there is an id, texts only where they are not empty.  0, or -1
 * with errno: ENOBUFS, or EINVAL for a field that no envelope may hold.
 */
int envelope_write(const struct envelope *e, struct buf *out);
/* The first line, for n bytes of fields. */
void envelope_head(size_t n, char out[ENVELOPE_HEAD]);
/* Parses them; spans point into fields.  False: damaged, or the arena is
 * full (errno ENOBUFS). */
bool envelope_parse(struct span fields, struct arena *a, struct envelope *e);
/*
 * Reads the head and fields of a queue file at offset 0; *start gets the
 * offset of the message.  0, or -1 with errno (EBADMSG: damaged, or not as
 * long as it says).  text keeps the bytes that e points into and should be
 * allowed ENVELOPE_SIZE bytes.  The file's offset is neither used nor moved.
 */
int envelope_load(int fd, struct buf *text, struct arena *a,
    struct envelope *e, int64_t *start);

#endif
