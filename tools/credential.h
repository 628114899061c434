/* Credentials, as postern-user changes them. */
#ifndef POSTERN_TOOLS_CREDENTIAL_H
#define POSTERN_TOOLS_CREDENTIAL_H

#include "common.h"

#include "auth/secrets.h"

/* A password, from the terminal (twice, unseen) or as a line of standard
 * input; exits where there is none. */
void credential_ask(char out[SECRETS_PASSWORD + 1]);

/* Sets the main password.  App passwords stay as they are, but for a new
 * mailbox: what is left of one of that name is somebody else's. */
void credential_set(const struct conf *c, const struct userdb *users,
    const char *address, const char *password, bool is_new);

/* Removes all credentials of a user from secrets. */
void credential_forget(struct userdb *db, const char *address);

/* Lets nothing open the mailbox any more, or again what did before. */
void credential_disable(const struct conf *c, const struct userdb *users,
    const char *address, bool disabled);

/* Adds an app password and prints it: it is not to be had again. */
void credential_add(const struct conf *c, const struct userdb *users,
    const char *address, struct span name, unsigned services,
    const char *expires);

/* Exits with 1 where there is no such app password. */
void credential_remove(const struct conf *c, const struct userdb *users,
    const char *address, struct span name);

/* Prints the app passwords' names, services and expiry. */
void credential_list(const struct conf *c, const struct userdb *users,
    const char *address, bool json);

#endif
