/* Quoted-printable (RFC 2045 6.7); broken sequences stay as they are. */
#ifndef POSTERN_TEXT_QP_H
#define POSTERN_TEXT_QP_H

#include "base/buf.h"
#include "base/span.h"

int qp_decode(struct span s, struct buf *out);
/* The Q encoding of RFC 2047. */
int qp_decode_word(struct span s, struct buf *out);

#endif
