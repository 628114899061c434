/* The names in a folder. */
#ifndef POSTERN_TOOLS_NAMES_H
#define POSTERN_TOOLS_NAMES_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>

enum {
	NAMES_SIZE = 67108864 /* bytes of them all */
};

/* Sorted, without "." and "..". */
struct names {
	char **name;
	size_t n;
	struct buf table;
	struct arena text;
};

/* 0, or -1 with errno; freed by names_free in any case. */
int names_read(int dir, struct names *l);
void names_free(struct names *l);

/* Has the folder dir a folder of this name, itself no link. */
bool names_folder(int dir, const char *name);
/* Is there anything of this name in dir/above. */
bool names_below(int dir, const char *above, const char *name);

#endif
