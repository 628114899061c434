/* front's parts. */
#ifndef POSTERN_FRONT_FRONT_H
#define POSTERN_FRONT_FRONT_H

#include "start.h"

enum {
	FRONT_FAULT = 111 /* exit code */
};

/* Says what is wrong, and exits with FRONT_FAULT. */
_Noreturn void front_fail(const char *what);

/* The plan, by `porter -P' with front's own arguments: 0, or the exit code
 * where there is none. */
int front_plan(struct start_plan *p, char *argv[]);

#endif
