/*
 * A program with the classic checkpassword interface
 * (https://cr.yp.to/checkpwd/interface.html), as checkpw uses one: it is
 * started before checkpw is in its jail, outside of it, and waits on its
 * descriptor 3 for name, password and time.
 */
#ifndef POSTERN_FRONT_CLASSIC_H
#define POSTERN_FRONT_CLASSIC_H

#include "auth/secrets.h"
#include "base/conf.h"
#include "base/span.h"

enum {
	CLASSIC_MS = 25000 /* for its answer */
};

struct classic {
	int password; /* to write to, -1: there is no such program */
	int verdict;  /* to read its exit code from */
};

/* Starts postern.conf's checkpassword for a client of a service.  0, or -1
 * with errno. */
int classic_start(const struct conf *c, const char *service, const char *peer,
    struct classic *out);

/* Once: 0 is yes, 1 no, and any other exit code a fault that may pass. */
enum secrets_verdict classic_check(
    struct classic *k, struct span user, struct span password);

#endif
