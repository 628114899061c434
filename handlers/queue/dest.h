/* Destinations: how many deliveries run to each, and which do not answer. */
#ifndef POSTERN_QUEUE_DEST_H
#define POSTERN_QUEUE_DEST_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	DEST_LIMIT = 5,  /* deliveries to one destination at a time */
	DEST_NAME = 336,
	DEST_MAX = 4096 /* that are remembered */
};

#define DEST_NONE UINT32_MAX
/* All other hosts together: they have no more than their share of the
 * workers. */
#define DEST_SHARE (UINT32_MAX - 1)

struct dest {
	char name[DEST_NAME]; /* a domain, or a mailbox's address */
	uint32_t active, fails;
	int64_t hold_ms; /* does not answer: not tried again before */
	uint32_t born;   /* tells those apart that had this place in turn */
};

struct dests {
	struct buf all;
	uint32_t born; /* of the youngest */
};

struct dests dests_new(void);
/* DEST_NONE where there is no room: then nothing limits it. */
uint32_t dest_find(struct dests *d, struct span name, int64_t now_ms);
/* Who has place i: places are given to others once they are idle, so whoever
 * keeps one over time keeps this too and compares. */
uint32_t dest_born(const struct dests *d, uint32_t i);
bool dest_busy(const struct dests *d, uint32_t i);
bool dest_held(const struct dests *d, uint32_t i, int64_t now_ms);
void dest_start(struct dests *d, uint32_t i);
/* silent: it could not be reached at all. */
void dest_end(struct dests *d, uint32_t i, bool silent, const struct conf *c,
    int64_t now_ms);

#endif
