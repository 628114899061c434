/* UTF-8, character by character (RFC 3629). */
#ifndef POSTERN_TEXT_UTF8_H
#define POSTERN_TEXT_UTF8_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	UTF8_BAD = 0xfffd
};

/* Takes one character from *s (not empty); UTF8_BAD for a byte that begins
 * none, with *valid false. */
uint32_t utf8_take(struct span *s, bool *valid);
bool utf8_valid(struct span s);
int utf8_add(struct buf *b, uint32_t c);

/* C0, DEL, C1. */
bool utf8_is_control(uint32_t c);
/* Characters that change the direction of text, are invisible, or are
 * otherwise of Unicode's class Cf, and unassigned tags. */
bool utf8_is_format(uint32_t c);

#endif
