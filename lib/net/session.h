/*
 * A session program (imapd, pop3d) as a nursery (net/nursery.h).
 *
 * front executes it as `PROGRAM [-r ROOT] -n', as root with the rights to
 * change uids where front has them, and passes it each session that is to
 * begin (struct frame_session, net/frame.h).  It calls priv_limit_to_users
 * first of all, reads nothing but its configuration and these, has a list of
 * system calls of its own, and can execute nothing.
 */
#ifndef POSTERN_NET_SESSION_H
#define POSTERN_NET_SESSION_H

#include "net/frame.h"

/*
 * 1 in a child: it is the owner of the mailbox, with no way back, and finds
 * the connection on fd 0 and 1 and the environment of a session that was
 * executed (AUTH_TAG, USER, POSTERN_QUOTA); s->maildir is what it serves.
 * 0 in the nursery when it is done; -1 with errno, in either, which must
 * exit.
 */
int session_nursery(struct frame_session *s);

#endif
