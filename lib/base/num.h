/* Decimal numbers in and out; the only code that turns text into numbers. */
#ifndef POSTERN_BASE_NUM_H
#define POSTERN_BASE_NUM_H

#include "base/span.h"

#include <stdint.h>

enum {
	NUM_TEXT = 20 /* bytes that the largest number takes */
};

/*
 * s as an unsigned decimal number of at most max.  Digits only, at least
 * one, leading zeros allowed.  False, with *out untouched, for all else.
 */
bool num_parse(struct span s, uint64_t max, uint64_t *out);

/* The same into a 32-bit number. */
bool num_parse_u32(struct span s, uint32_t max, uint32_t *out);

/*
 * Takes the digits at the front of *s.  False, with *s untouched, where
 * there are none or they make more than max.
 */
bool num_take(struct span *s, uint64_t max, uint64_t *out);

/* A size with an optional K, M or G (powers of 1024) behind it. */
bool num_parse_size(struct span s, uint64_t max, uint64_t *out);

/* SIZE[,COUNT]: a size as above, and a plain number (0 where it is left out). */
bool num_parse_quota(struct span s, uint64_t *bytes, uint64_t *count);

/* Writes v in decimal, without a NUL; returns the number of digits. */
size_t num_text(uint64_t v, char out[NUM_TEXT]);

#endif
