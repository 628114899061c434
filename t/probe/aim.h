/* What a probe aims at: for t/probe only. */
#ifndef POSTERN_PROBE_AIM_H
#define POSTERN_PROBE_AIM_H

struct aim {
	const char *name, *first, *second;
	long number, address; /* the two as numbers */
};

/* One system call by its name in calls.c: 1, 0 with errno, -1 no such. */
int probe_call(const struct aim *a);

#endif
