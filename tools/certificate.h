/* Certificates of clients, as postern-user changes them: records of users. */
#ifndef POSTERN_TOOLS_CERTIFICATE_H
#define POSTERN_TOOLS_CERTIFICATE_H

#include "common.h"

/* The certificate in a PEM file opens the mailbox from now on; its key is
 * printed.  Exits where there is none, or it is somebody's already. */
void certificate_add(struct userdb *users, const char *address,
    const char *path, unsigned services, const char *expires);

/* Exits with 1 where the address has no such certificate (HEX, or cert:HEX). */
void certificate_remove(
    struct userdb *users, const char *address, const char *print);
/* All of the address. */
void certificate_remove_all(struct userdb *users, const char *address);

/* Prints fingerprint, services and expiry of each. */
void certificate_list(const struct userdb *users, const char *address);

#endif
