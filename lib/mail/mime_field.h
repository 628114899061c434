/* The fields of a part's header that say what it is (RFC 2045, 2183). */
#ifndef POSTERN_MAIL_MIME_FIELD_H
#define POSTERN_MAIL_MIME_FIELD_H

#include "base/arena.h"
#include "mail/mime.h"

/* What is left of the limits that hold for a whole message. */
struct mime_budget {
	size_t params;
	size_t copy;   /* bytes; past it values stay as they stand */
	size_t fields; /* bytes; past it fields are not looked at */
	bool keep;     /* the header goes: fields are copied */
};

/* Fills in type, parameters and the rest from the part's header; type and
 * subtype must be set to the defaults.  0, or -1 (ENOBUFS). */
int mime_fields(struct mime_part *part, struct span header,
    struct mime_budget *budget, struct arena *a);

#endif
