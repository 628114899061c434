/*
 * The lexical pieces that structured fields share (RFC 5322 3.2, RFC 2045
 * 5.1): blanks, comments, quoted strings.
 */
#ifndef POSTERN_MAIL_LEX_H
#define POSTERN_MAIL_LEX_H

#include "base/span.h"

/* A blank or a line end. */
bool lex_is_blank(int c);

/* Length of the comment at the front of s ("("), with those in it; an
 * unclosed one goes to the end. */
size_t lex_comment(struct span s);

/* Length of the quoted string at the front of s, with its quotes; 0 where
 * it is unclosed. */
size_t lex_quoted(struct span s);

/* Passes over blanks, line ends and comments. */
void lex_skip(struct span *s);

/*
 * Writes the inside of a quoted string, or a comment's, to `to' (at least
 * s.n bytes) without backslashes and line ends; returns the length.
 */
size_t lex_unescape(struct span s, char *to);

#endif
