/*
 * A POP3 command line taken apart (RFC 1939 section 3): a keyword of up to
 * COMMAND_WORD letters and up to COMMAND_ARGS numbers, one space between
 * them.  In this state every argument of every command is a number.
 */
#ifndef POSTERN_POP3_COMMAND_H
#define POSTERN_POP3_COMMAND_H

#include "base/span.h"

#include <stdint.h>

enum {
	COMMAND_LINE = 510, /* bytes of a line without its end */
	COMMAND_WORD = 16,
	COMMAND_ARGS = 2
};

struct command {
	struct span word; /* points into the line */
	uint32_t arg[COMMAND_ARGS];
	size_t nargs;
	bool numbers; /* false: something behind the word is not a number */
};

/* False: no keyword at all.  Blanks at the end of the line are ignored. */
bool command_parse(struct span line, struct command *out);

#endif
