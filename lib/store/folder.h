/* Folders and files below an account, opened without following links. */
#ifndef POSTERN_STORE_FOLDER_H
#define POSTERN_STORE_FOLDER_H

#include <dirent.h>
#include <sys/stat.h>

/* A folder directly in parent ("." for parent itself): a descriptor, or -1
 * with errno ELOOP or ENOTDIR for a symbolic link. */
int folder_open(int parent, const char *name);

/* The same for reading its names, or NULL with errno; for closedir.  Its
 * descriptor is dirfd's. */
DIR *folder_list(int parent, const char *name);

/* A regular file in dir, for reading, and what it is: a descriptor, or -1
 * with errno; ELOOP for a symbolic link, EINVAL for all else. */
int folder_file(int dir, const char *name, struct stat *st);

#endif
