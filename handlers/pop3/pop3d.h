/* One POP3 session: what it has, and the commands of its client. */
#ifndef POSTERN_POP3_POP3D_H
#define POSTERN_POP3_POP3D_H

#include "drop.h"
#include "uidl.h"

#include "base/in.h"
#include "base/out.h"
#include "store/uidls.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	PIECE_SIZE = 65536 /* a read from a message */
};

enum verdict {
	GO_ON, /* answered */
	BAD,   /* answered; the command was none of ours */
	LEAVE, /* QUIT was answered */
	FAULT  /* the session cannot go on; nothing more is sent */
};

struct pop3 {
	struct in in;
	struct out out;
	struct drop drop;
	int64_t idle_ms, command_ms;
	uint32_t mechanisms; /* of enum conf_mechanism */
	char uidl[UIDL_FORMAT];
	struct uidls given; /* ids that another server gave, once read */
	bool given_read;
	bool logged_in; /* by the login program; else we are used by hand */
	const char *user; /* for the log, or NULL */
	char *piece;    /* PIECE_SIZE bytes */
	unsigned bad;   /* commands in a row */
	size_t fetched, deleted;
	uint64_t bytes;
	const char *end; /* how it ended, for the log */
};

/* An answer, which ends its line here. */
void pop3_reply(struct pop3 *p, const char *line);

/* The same, to what is no command of ours. */
enum verdict pop3_bad(struct pop3 *p, const char *line);

/* Does what a line says, and answers it. */
enum verdict pop3_obey(struct pop3 *p, struct span line);

#endif
