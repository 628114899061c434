/*
 * What qsend and qspawn say to each other: fixed structs over a
 * SOCK_SEQPACKET socket pair on one machine.
 *
 * qsend asks for a program to be started, with two descriptors: the queue
 * file (the program's fd 0) and a pipe for its report (fd 1).  qspawn
 * answers once for each request, when the program is gone.  qspawn to qsend
 * with slot QFRAME_STOP: start nothing more, end when all have reported.
 */
#ifndef POSTERN_QUEUE_QFRAME_H
#define POSTERN_QUEUE_QFRAME_H

#include <stdint.h>

enum {
	QFRAME_SLOTS = 1024,  /* programs at a time; slots count from 0 */
	QFRAME_ARGC = 128,    /* arguments of a program */
	QFRAME_ARGS = 32768,  /* their bytes, each with its NUL */
	QFRAME_STOP = -1
};

enum qframe_program {
	QFRAME_DELIVER, /* ADDRESS MAILDIR [QUOTA]; as uid and gid */
	QFRAME_REMOTE,  /* DOMAIN INDEX...; as net_user */
	QFRAME_BOUNCE   /* ID; as queue_user */
};

/* The packet ends after size bytes of args. */
struct qframe_run {
	uint32_t slot;
	uint32_t program;
	uint32_t uid, gid;
	uint32_t argc;
	uint32_t size;
	char args[QFRAME_ARGS];
};

struct qframe_done {
	int32_t slot;
	int32_t status; /* exit code, or 128 + signal */
};

#endif
