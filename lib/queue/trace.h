/*
 * Where a message has been: counts Received and Delivered-To fields, and
 * looks for some addresses in the latter, while the message streams by (LF
 * line ends).
 */
#ifndef POSTERN_QUEUE_TRACE_H
#define POSTERN_QUEUE_TRACE_H

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	TRACE_LINE = 512, /* what is looked at of a line */
	TRACE_HOPS = 100  /* with more of either field it goes round */
};

/* An address that is looked for in Delivered-To, without regard to case. */
struct trace_address {
	struct span text;
	bool found;
};

struct trace {
	struct trace_address *address; /* the caller's */
	size_t n_addresses, found;
	unsigned received, delivered; /* fields; past TRACE_HOPS of the latter
	                               * nothing is looked for */
	bool over;      /* the header has ended */
	size_t n;
	char line[TRACE_LINE];
};

struct trace trace_new(struct trace_address *address, size_t n);
/* It has been to more places than there can be. */
bool trace_is_endless(const struct trace *t);
/* The next bytes of the message. */
void trace_feed(struct trace *t, struct span bytes);

#endif
