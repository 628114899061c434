/* Work on a mailbox, as its owner. */
#ifndef POSTERN_TOOLS_OWNER_H
#define POSTERN_TOOLS_OWNER_H

/*
 * Calls run(ctx) and returns its exit code.  Root does not touch mail: then
 * run is called in a process of its own that has become the owner of the
 * folder for good.  Where that is root, or cannot be done, a line says so and
 * the answer is EXIT_NEVER or EXIT_LATER.
 */
int owner_run(const char *folder, int (*run)(void *ctx), void *ctx);

/* The same, in a process of its own whoever we are: for what enters a jail, and
 * is not all that is to be done. */
int owner_run_apart(const char *folder, int (*run)(void *ctx), void *ctx);

#endif
