/* What C unit tests print. */
#ifndef POSTERN_T_UNIT_TAP_H
#define POSTERN_T_UNIT_TAP_H

#include "base/span.h"

#include <stdio.h>

struct tap {
	int n, failed;
};

static inline void
tap_ok(struct tap *t, bool good, const char *name)
{
	printf("%sok %d - ", good ? "" : "not ", ++t->n);
	for (; *name; name++)
		putchar(*name < ' ' || *name > '~' || *name == '#' ? '.' :
			*name);
	putchar('\n');
	t->failed += !good;
}

/* Shows both where they differ. */
static inline void
tap_is(struct tap *t, struct span got, const char *wanted, const char *name)
{
	bool good = span_is(got, wanted);

	tap_ok(t, good, name);
	if (!good)
		printf("# got:    %.*s\n# wanted: %s\n", (int)got.n,
		    got.n ? got.p : "", wanted);
}

static inline int
tap_end(const struct tap *t)
{
	printf("1..%d\n", t->n);
	return t->failed != 0;
}

#endif
