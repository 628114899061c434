/* Base64 (RFC 4648 4, and RFC 2045's tolerant form). */
#ifndef POSTERN_TEXT_BASE64_H
#define POSTERN_TEXT_BASE64_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

int base64_encode(struct span s, struct buf *out);
/* Strict, as SASL wants it: false at any byte or padding that is wrong. */
bool base64_decode(struct span s, struct buf *out);
/* As in mail bodies: other bytes are passed over. 0, or -1 (ENOBUFS). */
int base64_decode_body(struct span s, struct buf *out);
/* How many bytes it would add. */
size_t base64_body_length(struct span s);

#endif
