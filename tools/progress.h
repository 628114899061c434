/* How far long work has come, on a terminal. */
#ifndef POSTERN_TOOLS_PROGRESS_H
#define POSTERN_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on; /* fd 2 is a terminal */
	bool shown;
	int64_t next_ms;
};

struct progress progress_new(void);

/* Replaces the line that stands there; ten times a second at most. */
void progress_show(struct progress *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes the line away: before anything else is written, and at the end. */
void progress_hide(struct progress *p);

#endif
