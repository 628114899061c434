/*
 * The grammar of IMAP commands (RFC 3501 9), as a cursor with a sticky error.
 *
 * The text is one command without its last line end; literals stand in it as
 * they came: `{5}' CR LF and five bytes.  After the first error every
 * function takes nothing and gives nothing, so a caller looks once, at
 * parse_end.  Spans point into the text or, where a quoted string held a
 * backslash, into the arena.
 */
#ifndef POSTERN_IMAP_PARSE_H
#define POSTERN_IMAP_PARSE_H

#include "base/arena.h"
#include "base/span.h"
#include "store/mailbox.h"

#include <stdint.h>

enum {
	PARSE_FLAGS = 256 /* flags named in one list */
};

struct parse {
	struct span rest;
	struct arena *arena;
	const char *error; /* what is wrong, or NULL */
};

/* Flags as a client names them. */
struct parse_flags {
	unsigned system;      /* FLAG_* of store/maildir.h */
	struct span *keyword; /* in the arena */
	size_t n;
};

struct parse parse_of(struct span text, struct arena *a);
/* Sets the error, if there is none yet. */
void parse_fail(struct parse *p, const char *why);

/* Takes c if it comes next. */
bool parse_try(struct parse *p, char c);
/* Takes the word if it comes next, in any case. */
bool parse_try_word(struct parse *p, const char *word);
/* These must come next. */
void parse_byte(struct parse *p, char c);
void parse_space(struct parse *p);
/* True if nothing is left and nothing was wrong; else the error is set. */
bool parse_end(struct parse *p);

struct span parse_atom(struct parse *p);
struct span parse_tag(struct parse *p);
/* quoted or literal; a literal with a NUL is an error */
struct span parse_string(struct parse *p);
struct span parse_astring(struct parse *p);
/* list-mailbox: as astring, with "%" and "*" */
struct span parse_pattern(struct parse *p);
/* string or NIL (.p == NULL) */
struct span parse_nstring(struct parse *p);
uint32_t parse_number(struct parse *p);
uint32_t parse_nz_number(struct parse *p);

/* "(" [flag *(SP flag)] ")", or without parentheses where bare is set. */
void parse_flag_list(struct parse *p, bool bare, struct parse_flags *out);

/* `{n}' or `{n+}' at the end of a line. */
enum literal {
	LITERAL_NONE,
	LITERAL_SYNC,
	LITERAL_NONSYNC,
	LITERAL_BROKEN /* nobody can say what the client sends next */
};
/* *n is UINT64_MAX for a number that is too large. */
enum literal parse_literal(struct span line, uint64_t *n);

#endif
