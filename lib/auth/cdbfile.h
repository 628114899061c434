/*
 * Reading the compiled databases.  That a key is not there is only believed
 * where the part of the file that would name it is whole: after a fault of
 * the disk nobody is to be told that an address does not exist.
 */
#ifndef POSTERN_AUTH_CDBFILE_H
#define POSTERN_AUTH_CDBFILE_H

#include "base/span.h"

#include <stddef.h>

enum {
	CDBFILE_KEY = 65536,   /* longest key of a record */
	CDBFILE_SLOTS = 1 << 24 /* most slots of one of the 256 tables */
};

/*
 * Looks key up in the open database fd, whose offset stays, and may be shared
 * with other processes.  1 with *n bytes in value; 0: there is no such key;
 * -1: a fault, a damaged file, or a value of more than size bytes.
 */
int cdbfile_get(int fd, struct span key, char *value, size_t size, size_t *n);

#endif
