/* Checksums of what we write, and identities of messages. */
#ifndef POSTERN_STORE_SUM_H
#define POSTERN_STORE_SUM_H

#include "base/span.h"

#include <stdint.h>

/* CRC-32C (RFC 3720 B.4) of s, going on from `before' (0 to begin). */
uint32_t sum_crc(uint32_t before, struct span s);

/* Instance id: SipHash-2-4 of a file's base under the key zero, its upper
 * 60 bits; never 0. */
uint64_t sum_id(struct span base);

/* A message's part in the digest of a set of messages. */
uint64_t sum_message(uint32_t uid, uint64_t id);

/*
 * Records that begin with an id, as a uint64_t, in an array that is sorted by
 * it.  sum_once keeps the first of each id, and says how many are left.
 * sum_find: the one with that id, or NULL.
 */
size_t sum_once(void *records, size_t n, size_t size);
const void *sum_find(const void *records, size_t n, size_t size, uint64_t id);

#endif
