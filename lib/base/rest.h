/*
 * Memory of a process that waits for long: what it does not use goes back to
 * the system.
 */
#ifndef POSTERN_BASE_REST_H
#define POSTERN_BASE_REST_H

#include <stddef.h>

enum {
	REST_PAGE = 4096 /* where pages are larger, less is given back */
};

/* The free pages of the heap, and those of the stack below the caller's. */
void rest(void);

/* The whole pages within p[0, n), which hold zeroes from now on, or what the
 * file has that is mapped there; as may what else is there. */
void rest_forget(char *p, size_t n);

/* Where the first page begins in an array that has REST_PAGE more bytes than
 * are needed. */
char *rest_page(char *p);

#endif
