/* What IMAP shows of a message: ENVELOPE and BODYSTRUCTURE
 * (RFC 3501 7.4.2), as text ready to send. */
#ifndef POSTERN_MAIL_IMAP_H
#define POSTERN_MAIL_IMAP_H

#include "base/arena.h"
#include "base/buf.h"
#include "mail/mime.h"

enum {
	IMAP_QUOTED = 1000 /* longer strings go as literals */
};

/*
 * From a header (message or message/rfc822 part), of which MIME_HEADER bytes
 * are looked at.  A field that stands there twice: the addresses are joined,
 * of other fields the first counts.  0, or -1 (ENOBUFS).  The arena is left
 * as it was found.
 */
int imap_envelope(struct span header, struct arena *a, struct buf *out);

/* BODYSTRUCTURE, or BODY without the extension data.  text, or s, is the
 * message that part was parsed from.  0, or -1 with errno (ENOBUFS, or that of
 * the source). */
int imap_bodystructure(struct span text, const struct mime_part *part,
    bool extended, struct arena *a, struct buf *out);
int imap_bodystructure_from(const struct source *s,
    const struct mime_part *part, bool extended, struct arena *a,
    struct buf *out);

/*
 * A string as IMAP sends it: quoted where it may be, else a literal; .p NULL
 * is NIL.  Bytes above 0x7f go as a literal; NUL is dropped.
 */
int imap_nstring(struct span s, struct buf *out);
int imap_string(struct span s, struct buf *out);
/* The value of a header field: unfolded first. */
int imap_nstring_folded(struct span value, struct buf *out);

#endif
