/* Destinations: how many deliveries run to each, and which do not answer. */
#ifndef POSTERN_QUEUE_DEST_H
#define POSTERN_QUEUE_DEST_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	DEST_LIMIT = 5, /* deliveries to one destination at a time */
	DEST_NAME = 336,
	DEST_MAX = 16384,   /* that are remembered */
	DEST_BUCKETS = 4096 /* a power of two */
};

#define DEST_NONE UINT32_MAX

/* What is known of a host; who answers has the most of the workers. */
enum dest_kind {
	DEST_SILENT,  /* it did not answer when it was last tried */
	DEST_UNKNOWN,
	DEST_ANSWERS, /* it did, then */
	DEST_KINDS
};

/* In place of a destination: all other hosts of that kind together. */
#define DEST_SHARE(kind) (UINT32_MAX - 1 - (uint32_t)(kind))

struct dest {
	char name[DEST_NAME]; /* a domain, or a mailbox's address */
	uint32_t active, fails;
	bool answers;
	int64_t hold_ms; /* does not answer: not tried again before */
	uint32_t born;   /* tells those apart that had this place in turn */
	uint32_t next;   /* of its bucket: one more than its place, or 0 */
	uint32_t waiting; /* messages that wait for it */
};

struct dests {
	struct buf all;
	uint32_t born; /* of the youngest */
	uint32_t hand; /* where a place for another one is looked for */
	uint32_t waiting[DEST_KINDS]; /* for the share of each */
	uint32_t bucket[DEST_BUCKETS];
};

struct dests dests_new(void);
/* DEST_NONE where there is no room: then nothing limits it. */
uint32_t dest_find(struct dests *d, struct span name, int64_t now_ms);
/* Who has place i: places are given to others once they are idle, so whoever
 * keeps one over time keeps this too and compares. */
uint32_t dest_born(const struct dests *d, uint32_t i);
bool dest_busy(const struct dests *d, uint32_t i);
bool dest_held(const struct dests *d, uint32_t i, int64_t now_ms);
enum dest_kind dest_kind(const struct dests *d, uint32_t i);
void dest_start(struct dests *d, uint32_t i);
/* silent: it could not be reached at all. */
void dest_end(struct dests *d, uint32_t i, bool silent, const struct conf *c,
    int64_t now_ms);

/*
 * A message begins to wait for it, or for a share; and no longer does.  How
 * many do says how often it is worth it to look.
 */
void dest_wait(struct dests *d, uint32_t i);
void dest_leave(struct dests *d, uint32_t i, uint32_t born);
uint32_t dest_waiting(const struct dests *d, uint32_t i);

#endif
