/*
 * The structure of a message (RFC 2045 to 2049), bounded and in linear time.
 *
 * mime_parse reads the message once (any line ends), from memory or piece by
 * piece from a file, and makes a tree of parts in the arena.  Offsets are into
 * the stored text; lengths for the wire (CRLF) are kept beside them.  Limits:
 * MIME_DEPTH levels, MIME_PARTS parts, MIME_PARAMS parameters a field,
 * MIME_FIELDS bytes of fields; what lies beyond is part of the last part that
 * fits, as application/octet-stream, or is not looked at.
 *
 * What the tree promises: a multipart has a child (one in which no part was
 * found is text/plain), and so has a message/rfc822 (one that is encoded,
 * against RFC 2046 5.2.1, or too deep is application/octet-stream).
 */
#ifndef POSTERN_MAIL_MIME_H
#define POSTERN_MAIL_MIME_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "mail/source.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	MIME_DEPTH = 64,
	MIME_PARTS = 10000,
	MIME_PARAMS = 64,
	MIME_PARAMS_ALL = 20000, /* parameters of a whole message */
	MIME_COPY = 1048576,     /* bytes of values that need unquoting */
	MIME_HEADER = 262144,    /* bytes of one header that are looked at */
	MIME_FIELDS = 4194304,   /* bytes of Content- fields, all together */
	MIME_ARENA = 16777216    /* an arena that no message overruns */
};

struct mime_param {
	struct span name, value; /* value unquoted; RFC 2231 forms decoded
	                            only by mime_param_utf8 */
};

struct mime_range {
	uint64_t at, n;  /* offset and length as stored */
	uint64_t wire;   /* length with CRLF line ends */
	uint64_t lines;  /* line ends in it, and a last line without one */
};

struct mime_part {
	struct span type, subtype; /* lower case; text/plain by default */
	bool typed;                /* the header says so */
	struct mime_param *params;
	size_t nparams;
	/* As they stand, trimmed, perhaps folded; absent: .p == NULL. */
	struct span id, description, encoding;
	struct span md5, language, location;
	struct span disposition;   /* lower case; absent: .p == NULL */
	struct mime_param *disposition_params;
	size_t ndisposition_params;
	struct mime_range header; /* MIME header with its empty line */
	struct mime_range body;
	struct mime_part *child; /* first part of a multipart; the message in
	                            a message/rfc822 */
	struct mime_part *next;  /* next in the same multipart */
	struct mime_part *parent;
	uint32_t order; /* place in the message, the message itself being 0 */
};

/* The tree, or NULL with ENOBUFS where the arena is too small (MIME_ARENA is
 * always enough).  Spans lie in the text and in the arena. */
struct mime_part *mime_parse(struct span text, struct arena *a);
/* The same of any source, of which nothing is kept; -1 of its read ends it
 * with that errno. */
struct mime_part *mime_parse_from(const struct source *s, struct arena *a);

/* The part that an IMAP section number ("1.2") names: NULL if none.
 * RFC 3501 6.4.5: part 1 of a message that is not multipart is its body; so
 * is, to be liberal, part 1 of any part that has no others. */
struct mime_part *mime_section(struct mime_part *message,
    const uint32_t *numbers, size_t n);

/* A parameter by name (any case): false if there is none. */
bool mime_param(const struct mime_param *p, size_t n, const char *name,
    struct span *value);
/* The same decoded to UTF-8, RFC 2231 continuations joined, RFC 2047 words
 * tolerated. 1, 0: none, -1. */
int mime_param_utf8(const struct mime_param *p, size_t n, const char *name,
    struct buf *out);

/*
 * RFC 2231 6: "name*0", "name*1" ... joined, where p[i] is section 0 of a
 * whole series.  1: the bare name, and the value appended to out (still
 * encoded if *extended; it is then called "name*"); *member[j] is set for
 * the sections.  0: p[i] stands for itself.  -1: ENOBUFS.
 */
int mime_param_join(const struct mime_param *p, size_t n, size_t i,
    bool member[MIME_PARAMS], struct span *name, bool *extended,
    struct buf *out);

/* Decodes a body by its Content-Transfer-Encoding, appended to out. */
int mime_decode(struct span body, struct span encoding, struct buf *out);

#endif
