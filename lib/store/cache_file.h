/* The file of the cache: for lib/store's cache*.c only. */
#ifndef POSTERN_STORE_CACHE_FILE_H
#define POSTERN_STORE_CACHE_FILE_H

#include "store/cache.h"

#include <sys/stat.h>

#define CACHE_NAME "postern.cache"
#define CACHE_NEW "postern.cache.new"

/* A longer file is not added to; places in it are counted in eights. */
#define CACHE_FILE (UINT64_C(1) << 34)

/* A descriptor for reading and, where that may be, writing; -1. */
int cache_file_open(int dir, bool create, struct stat *st);

/* As cache_open, for a folder. */
void cache_open_dir(struct cache *c, int dir);

/* n bytes at an offset, in memory until the next call. */
bool cache_look(struct cache *c, uint64_t at, size_t n, struct span *out);
/* Takes the records behind the end into the table. */
void cache_pass(struct cache *c, uint64_t size);
/* Where the record of an id begins; 0: there is none. */
uint64_t cache_place(const struct cache *c, uint64_t id);
/* Lets go of the file, and all that is known of it. */
void cache_forget(struct cache *c);

#endif
