/*
 * The message that tells a sender what could not be delivered, or what is
 * late: RFC 3464 in a multipart/report (RFC 6522), with the header of the
 * original only.
 *
 * Everything in it that comes from elsewhere is made printable ASCII, one
 * line, and cut at REPORT_FIELD bytes; the header of the report itself is
 * fixed but for the address it goes to.
 */
#ifndef POSTERN_QUEUE_REPORT_H
#define POSTERN_QUEUE_REPORT_H

#include "base/buf.h"
#include "base/span.h"
#include "queue/envelope.h"
#include "queue/state.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	REPORT_SIZE = 65536, /* most bytes of a report */
	REPORT_FIELD = 512,
	REPORT_TEXT = 16384,  /* of these for people, */
	REPORT_LIST = 24576,  /* for programs, */
	REPORT_HEADER = 16384 /* and of the original's header */
};

struct report {
	const char *hostname, *domain; /* ours */
	const char *id;                /* for Message-ID */
	const char *boundary;          /* nobody can have guessed it */
	int64_t now;
	const struct envelope *envelope;
	const struct state *state; /* tells of those that are RCPT_PERM, */
	bool late;     /* or of those that are late, */
	int64_t until; /* and will be tried so long */
	struct span header;        /* of the original; may be cut */
};

/* Adds it to out, with LF line ends.  0, or -1 with errno ENOBUFS. */
int report_build(const struct report *r, struct buf *out);

#endif
