/*
 * What somebody who runs code of theirs in one of our programs would try.
 */
#ifndef POSTERN_PROBE_H
#define POSTERN_PROBE_H

/*
 * Tries what `text' names: NAME [ARGUMENT [ARGUMENT]], numbers and paths.
 * 1: it was possible; 0: it was refused, with errno; -1: no such probe.
 */
int probe_run(const char *text);

/* Prints `PROBE NAME yes' or `PROBE NAME no: why' to fd. */
void probe_tell(int fd, const char *text, int result);

#endif
