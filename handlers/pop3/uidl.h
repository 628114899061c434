/*
 * Unique ids of POP3 in the form that postern.conf says (pop3_uidl), so that
 * clients that leave mail on the server know it after a move from elsewhere.
 */
#ifndef POSTERN_POP3_UIDL_H
#define POSTERN_POP3_UIDL_H

#include "base/buf.h"
#include "store/mailbox.h"

enum {
	UIDL_FORMAT = 64, /* bytes of the setting with its NUL */
	UIDL_SIZE = 1024  /* more than a file name with all bytes escaped */
};

/*
 * The id of a message: in the format %u is the UID, %v UIDVALIDITY, both
 * decimal, or with %08X as eight hexadecimal digits; %f the file name up to
 * its colon without `,U='.  Bytes of the name that cannot stand in an id
 * (RFC 1939 section 7) are written %XX.
 */
void uidl_write(const char *format, const struct mailbox *m, size_t i,
    struct buf *out);

#endif
