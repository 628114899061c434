/*
 * Where a message has been: counts Received fields and looks for one
 * Delivered-To field while the message streams by (LF line ends).
 */
#ifndef POSTERN_QUEUE_TRACE_H
#define POSTERN_QUEUE_TRACE_H

#include "base/span.h"

#include <stdbool.h>

enum {
	TRACE_LINE = 512, /* what is looked at of a line */
	TRACE_HOPS = 100  /* a message with more Received fields goes round */
};

struct trace {
	struct span address; /* looked for in Delivered-To; may be empty */
	unsigned received;
	bool delivered; /* it was found */
	bool over;      /* the header has ended */
	size_t n;
	char line[TRACE_LINE];
};

struct trace trace_new(struct span address);
/* The next bytes of the message. */
void trace_feed(struct trace *t, struct span bytes);

#endif
