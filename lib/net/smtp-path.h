/*
 * Addresses of SMTP commands (RFC 5321 4.1.2, 4.1.3): strict.
 *
 * ASCII only.  Nothing here gives an address a meaning: a local part is an
 * opaque name, whatever bytes it holds.  Source routes are read and passed
 * over (RFC 5321 appendix C).  The local part has no limit of its own (long
 * ones are real: 4.5.3.1 asks for none), the whole has.
 */
#ifndef POSTERN_NET_SMTP_PATH_H
#define POSTERN_NET_SMTP_PATH_H

#include "base/span.h"

#include <stdint.h>

enum {
	SMTP_PATH = 256,    /* with its angle brackets: RFC 5321 4.5.3.1.3 */
	SMTP_ADDRESS = 256, /* local part, "@", domain and a NUL */
	SMTP_LABEL = 63
};

struct smtp_path {
	struct span local;  /* as it stands, quotes and all; empty for <> */
	struct span domain; /* empty for <> and <postmaster> */
	bool literal;       /* the domain is [an address] */
};

/*
 * Takes "<...>" from the front of *rest.  False where there is none, or it
 * is not a path; *rest is then anywhere.  A path without a domain is only
 * <> and, in any case, <postmaster>.
 */
bool smtp_path_take(struct span *rest, struct smtp_path *p);

/* The whole of s as Mailbox (no brackets, no route). */
bool smtp_mailbox(struct span s, struct smtp_path *p);

/*
 * The address in its one canonical form: quotes only where they are needed,
 * the domain in lower case.  <> gives the empty string.
 */
void smtp_path_text(const struct smtp_path *p, char out[SMTP_ADDRESS]);

/* A domain name: labels of letters, digits and inner hyphens. */
bool smtp_is_domain(struct span s);

/* Decodes xtext (RFC 3461 4) into out[size]; false: not xtext, too long, or
 * a byte in it is not printable ASCII. */
bool smtp_xtext(struct span s, char *out, size_t size, size_t *n);

#endif
