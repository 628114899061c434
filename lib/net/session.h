/*
 * A session program (imapd, pop3d) behind the door (front/start.h), as a
 * nursery or for one session.
 *
 * front executes it as `PROGRAM -n UID_MIN [UID ...]', a nursery
 * (net/nursery.h), or with -1 in place of -n, for the next session; as root with
 * the rights to change uids where front has them.  Nobody below UID_MIN and
 * none of the others owns a mailbox.  Through the door, FRAME_FD, comes what
 * checkpw passes (struct frame_session, net/frame.h).  It reads nothing else,
 * has a list of system calls of its own, and can execute nothing.
 */
#ifndef POSTERN_NET_SESSION_H
#define POSTERN_NET_SESSION_H

#include "net/frame.h"

/*
 * First of all in main, with its arguments: 2, these are others.  1, the
 * process is the owner of the mailbox, with no way back, and finds the
 * connection on fd 0 and 1; s->maildir is what it serves.
 * 0 in a nursery that is done; -1 with errno: it must exit.
 */
int session_passed(int argc, char *argv[], struct frame_session *s);

/* Whose session it is; NULL where nobody says it. */
struct session_user {
	const char *tag;   /* of the command that the first line answers */
	const char *name;
	const char *quota;
};

/* By what was passed; with NULL by the environment of a session that was
 * executed (AUTH_TAG, USER, POSTERN_QUOTA). */
struct session_user session_user(const struct frame_session *s);

#endif
