/* What FETCH asks for (RFC 3501 6.4.5), parsed. */
#ifndef POSTERN_IMAP_FETCH_H
#define POSTERN_IMAP_FETCH_H

#include "base/buf.h"
#include "parse.h"

enum {
	FETCH_ITEMS = 128, /* of one command */
	FETCH_DEPTH = 100, /* numbers in a section */
	FETCH_FIELDS = 256 /* field names in a section */
};

enum fetch_kind {
	FETCH_BODY, /* the structure without extensions */
	FETCH_BODYSTRUCTURE,
	FETCH_DATE,
	FETCH_ENVELOPE,
	FETCH_FLAGS,
	FETCH_SAVED,
	FETCH_SECTION,
	FETCH_SIZE,
	FETCH_UID
};

enum section_text {
	SECTION_ALL,
	SECTION_HEADER,
	SECTION_FIELDS,
	SECTION_FIELDS_NOT,
	SECTION_MIME,
	SECTION_TEXT
};

struct section {
	uint32_t *number; /* "1.2" */
	size_t depth;
	enum section_text text;
	struct span *field;
	size_t nfields;
};

struct fetch_item {
	enum fetch_kind kind;
	const char *label; /* "RFC822.TEXT" and the like; NULL: BODY[...] */
	bool peek;         /* \Seen stays as it is */
	bool partial;
	uint32_t offset, count;
	struct section section;
};

struct fetch {
	struct fetch_item *item; /* in the arena */
	size_t n;
};

/* fetch-att, a list of them, or a macro. */
void fetch_parse(struct parse *p, struct fetch *out);
/* An item's name in the response: "BODY[1.MIME]<0>". */
void fetch_label(const struct fetch_item *item, struct buf *out);

#endif
