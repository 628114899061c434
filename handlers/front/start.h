/*
 * What front can start, and how the porter asks for it.
 *
 * front has rights and parses nothing: what it may start is a plan, a struct
 * of fixed size that it gets from `porter -P' before any connection is there,
 * and requests name a recipe of the plan.  Both go over SOCK_SEQPACKET
 * sockets, one packet each.  For the queue it is the same: there the porter's
 * place is qsend's.
 *
 * A plan says of each program its path, arguments, environment and user, and
 * where each of its descriptors comes from: a file that front opens, a
 * descriptor that comes with the request, or the door.  The door is a socket
 * pair of front's by which checkpw says whose session is to begin, past all
 * that talk to the network: one end is checkpw's, the other that of the
 * session programs (net/session.h).
 */
#ifndef POSTERN_FRONT_START_H
#define POSTERN_FRONT_START_H

#include "base/io.h"
#include "base/proc.h"

#include <stdint.h>
#include <sys/socket.h>

enum {
	START_FD = 1,         /* the porter's, to front */
	START_SOCKETS_FD = 3, /* the first one to listen on */
	START_SOCKETS = 16,   /* of one front */
	START_FDS = PROC_ROOT_FD,
	START_LIST = 8,     /* strings that a recipe has of each kind */
	START_ARGS = 128,   /* that a request adds, */
	START_BYTES = 6144, /* in so many bytes, each with its NUL */
	START_FILE_NAME = 320,
	START_USERS = 5,    /* that own no mailbox */
	START_GIVEN = IO_MAX_FDS - 1,
	START_TEXT = 49152
};

/* In a listener these in the plural are nurseries; those in the singular serve
 * once. */
enum start_program {
	START_PORTER,
	START_SIGNERS,
	START_SIGNER,
	START_LOGINS,
	START_LOGIN,
	START_CHECKERS,
	START_CHECKER,
	START_SESSIONS,
	START_SESSION,
	START_ENQUEUE,
	START_DELIVER, /* ADDRESS MAILDIR [QUOTA]; as the mailbox's owner */
	START_REMOTE,  /* DOMAIN INDEX... */
	START_BOUNCE,  /* ID [late] */
	START_PROGRAMS
};

/* Where a descriptor comes from. */
enum start_from {
	START_NOWHERE,
	START_FILE,  /* to read; it need not be there */
	START_STATE, /* to read and write, made where it is not there */
	START_THAT,  /* which comes with the request, by number */
	START_OURS,  /* front's, by number */
	START_BOUND, /* a socket that was bound, by its place in the plan */
	START_DOOR,  /* checkpw's end */
	START_ROOM,  /* and the other */
	START_ENDS   /* a pipe: of all that have ended (struct start_end) */
};

struct start_source {
	uint32_t from;
	uint32_t which; /* of a file: where its name is in text */
};

/* A list of strings begins at a place in text, one after the other. */
struct start_list {
	uint32_t at, n;
};

struct start_recipe {
	uint32_t uid, gid; /* 0: who front is */
	uint32_t users;    /* and it may become others */
	uint32_t leaves;   /* all files (base/proc.h) */
	uint32_t owned;    /* uid and gid come with the request */
	uint32_t args;     /* that a request may add, at most */
	struct start_list argv; /* behind the path; none: no such program */
	struct start_list envp;
	uint32_t nfds;
	struct start_source fds[START_FDS];
};

struct start_plan {
	uint32_t sockets; /* that front has got, from START_SOCKETS_FD on */
	uint32_t binds;   /* and that are to be bound */
	struct sockaddr_storage bind[START_SOCKETS];
	/* Who owns mailboxes: these and above, but for the service users. */
	uint32_t least_uid, least_gid;
	uint32_t user[START_USERS];
	uint32_t stays; /* when told to end, until the porter has ended */
	uint32_t empty; /* the folder, in text */
	uint32_t size;  /* of text */
	struct start_recipe recipe[START_PROGRAMS];
	char text[START_TEXT]; /* ends in NUL; not sent beyond size */
};

enum start_type {
	START_BEGIN, /* the program */
	START_BECOME, /* it: front is no more */
	START_STAMP, /* all files: have they been replaced?  The program is
		      * one of the plan's */
	START_END    /* the process of a descriptor that comes along, as this
		      * program's user */
};

/* With the socket for the answer (but for START_END), and others. */
struct start_request {
	uint32_t type;
	uint32_t program;
	uint32_t uid, gid; /* of the owner, where it is owned */
	uint32_t args;     /* behind those of the recipe */
	uint32_t size;     /* of text, where the packet ends */
	char text[START_BYTES];
};

/* The answer, with a process descriptor unless error is an errno. */
struct start_reply {
	int32_t error;
	int32_t pid;
	int32_t unreadable; /* an errno, of a file that is there */
	char file[START_FILE_NAME]; /* NUL-terminated */
};

/* What front started and has ended, in the order of their ends; and maybe
 * others. */
struct start_end {
	int32_t pid;
	int32_t status; /* as of waitpid(2) */
};

/* The answer to START_STAMP: another number once a file of a program's is
 * another one. */
struct start_stamps {
	uint64_t program[START_PROGRAMS];
};

/* ---- asking front (ask.c) ---- */

void start_request(struct start_request *q, enum start_type type,
    enum start_program program);
/* False: there is no room for it. */
bool start_add(struct start_request *q, struct span argument);
/* With descriptors: the socket for the answer once it is there, or -1 with
 * errno.  deadline_ms: -1 for ever. */
int start_ask(const struct start_request *q, const int *given, size_t n,
    int64_t deadline_ms);
/* The program's process descriptor, or -1 with errno: EPERM, front refuses. */
int start_begin(const struct start_request *q, const int *given, size_t n,
    int64_t deadline_ms, struct start_reply *a);
/* Ends the process of the program that q says. */
void start_end(struct start_request *q, int process);

#endif
