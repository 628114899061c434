/*
 * One log line per event, on fd 2: `prog[pid]: event key=value ...'.
 *
 * This is the only sink for text from the network in a log: every value is
 * escaped (bytes outside 0x21..0x7e, backslash and double quote become
 * \xNN), cut at LOG_FIELD bytes of input and LOG_SAFE of output, so that none
 * pushes what comes behind it out of the line, which has LOG_LINE bytes.
 * Names of events and keys are ours.  Where fd 2 is a datagram socket (the
 * system log) the line carries the priority <22> (mail, info) before it.
 */
#ifndef POSTERN_BASE_LOG_H
#define POSTERN_BASE_LOG_H

#include "base/span.h"

#include <stdint.h>

enum {
	LOG_FIELD = 256,
	LOG_SAFE = 512,
	LOG_LINE = 1024
};

struct log {
	size_t n;
	char line[LOG_LINE];
};

void log_start(struct log *l, const char *event);
void log_span(struct log *l, const char *key, struct span value);
void log_str(struct log *l, const char *key, const char *value);
void log_num(struct log *l, const char *key, uint64_t value);
/* key=the text of errno value e */
void log_errno(struct log *l, const char *key, int e);
/* Writes the line in one write(2). */
void log_end(struct log *l);

/* An event with no more than its name; an event with one error number. */
void log_event(const char *event);
void log_error(const char *event, const char *what, int e);

/*
 * For programs that inetd starts: where fd 2 is the connection (the same
 * socket as fd 0) or is closed, puts the system log (/dev/log), or else
 * /dev/null, in its place.  0, or -1 with errno.
 */
int log_rescue_stderr(void);

/* Escapes value into out[size] as above, with a NUL; returns its length. */
size_t log_escape(struct span value, char *out, size_t size);

#endif
