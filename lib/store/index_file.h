/* The index as a file (STORE 4): what reads and what writes it share. */
#ifndef POSTERN_STORE_INDEX_FILE_H
#define POSTERN_STORE_INDEX_FILE_H

#include "store/state.h"

#define INDEX_MAGIC "PSTNIDX2"

enum {
	INDEX_FORMAT = 2,
	INDEX_HEAD = 128,
	INDEX_KEYWORD = 64,
	INDEX_GONE = 16,
	INDEX_RECORD = 64, /* and where the records begin is a multiple */
	INDEX_PROVEN = 1,
	INDEX_VAGUE = 0x0800, /* in a record's flags */
	INDEX_LATE = 0x2000,
	INDEX_IN_NEW = 0x8000
};

struct index_head {
	struct journal_head j; /* as the journal of the generation begins */
	uint32_t nkeywords, nvanished;
	uint64_t names, floor;
	uint32_t sum_front, sum_records;
};

static inline size_t
index_front(const struct index_head *h)
{
	return (size_t)h->nkeywords * INDEX_KEYWORD +
	       (size_t)h->nvanished * INDEX_GONE;
}

/* Where the records begin. */
static inline uint64_t
index_first(const struct index_head *h)
{
	uint64_t end = INDEX_HEAD + index_front(h) + h->names;

	return (end + INDEX_RECORD - 1) / INDEX_RECORD * INDEX_RECORD;
}

static inline uint64_t
index_size_of(const struct index_head *h)
{
	return index_first(h) + (uint64_t)h->j.count * INDEX_RECORD;
}

/* A message as it stands in the file, and back. */
void index_put_record(const struct message *msg, char out[INDEX_RECORD]);
struct message index_get_record(const char in[INDEX_RECORD]);

#endif
