/* What SEARCH asks for (RFC 3501 6.4.4), parsed. */
#ifndef POSTERN_IMAP_SEARCH_H
#define POSTERN_IMAP_SEARCH_H

#include "parse.h"
#include "set.h"

enum {
	SEARCH_DEPTH = 32, /* of parentheses, NOT and OR */
	SEARCH_KEYS = 2048
};

enum search_kind {
	SEARCH_AND, /* child and its nexts */
	SEARCH_NOT, /* child */
	SEARCH_OR,  /* child and its next */
	SEARCH_ALL,
	SEARCH_FLAG, /* all of flags are set */
	SEARCH_KEYWORD,
	SEARCH_RECENT,
	SEARCH_NUMBERS,
	SEARCH_UIDS,
	SEARCH_LARGER,
	SEARCH_SMALLER,
	SEARCH_BEFORE, /* day: days since 1970 */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_SAVEDBEFORE, /* RFC 8514 */
	SEARCH_SAVEDON,
	SEARCH_SAVEDSINCE,
	/* These read the message. */
	SEARCH_SENTBEFORE,
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_HEADER, /* text in field */
	SEARCH_BODY,
	SEARCH_TEXT
};

struct search {
	enum search_kind kind;
	struct search *child, *next;
	unsigned flags;
	uint64_t keywords; /* filled in by the session */
	uint32_t number;
	int64_t day;
	struct span field; /* a header's name, or a keyword */
	struct span text;  /* as casemap_add makes it */
	struct set set;
};

enum search_charset { SEARCH_CHARSET_OK, SEARCH_CHARSET_UNKNOWN };

/* The whole of SEARCH's arguments, behind the space: the program, in the
 * arena.  Never NULL without an error in p. */
struct search *search_parse(struct parse *p, enum search_charset *charset);

/* Whether key reads the message. */
bool search_reads(const struct search *key);

#endif
