/*
 * The nursery: a login program that has loaded its certificate once and
 * forks for each connection that front passes it.
 *
 * It parses nothing of the network, and is jailed all the same: its files
 * are closed to it, and its children close the rest.  On FRAME_FD it has a
 * SOCK_SEQPACKET socket: first the ticket key comes, which conn_begin
 * takes, then each packet is a struct frame_connection with
 * two or three descriptors: the connection, the frame channel, and users.cdb
 * if there is one.
 *
 * When a child ends by a signal, somebody may be trying addresses; and when
 * its key holder has died it is of no use.  The nursery then takes no more connections, serves those that it was passed
 * already, and ends, so that the next nursery lies elsewhere in memory.
 */
#ifndef POSTERN_NET_NURSERY_H
#define POSTERN_NET_NURSERY_H

#include "net/frame.h"

/*
 * signer: a key holder (net/sign.h) is on FRAME_KEY_FD, and a child of the
 * nursery has a socket of its own to it there.
 *
 * Serves until front closes its end.  1 in a child: its connection is fd 0
 * and 1, the channel FRAME_FD, the database FRAME_USERS_FD; front has the
 * child's process descriptor; nothing else is open but fd 2.  0 in the
 * nursery when it is done; -1 with errno, in either, which must exit.
 */
int nursery_run(struct frame_connection *c, bool signer);

#endif
