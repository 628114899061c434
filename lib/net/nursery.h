/*
 * A nursery: a program that has loaded all that it needs once, and forks for
 * each piece of work that it is passed: a login program for a connection,
 * checkpw for an attempt to log in, imapd for a session.
 *
 * It parses nothing of the network, and is jailed all the same: its files
 * are closed to it, and its children close the rest.  On FRAME_FD it has a
 * SOCK_SEQPACKET socket, from which each packet with its descriptors makes a
 * child.  The child says FRAME_HELLO on its channel first of all, with its
 * process descriptor.
 *
 * When a child ends by a signal, somebody may be trying addresses; and when
 * its key holder has died it is of no use.  The nursery then takes no more
 * work, does what it was passed already, and ends, so that the next nursery
 * lies elsewhere in memory.
 */
#ifndef POSTERN_NET_NURSERY_H
#define POSTERN_NET_NURSERY_H

#include "net/frame.h"

#include <stddef.h>

enum {
	NURSERY_FDS = 4,   /* descriptors of a packet, at most */
	NURSERY_PLACES = 8 /* where they can be put: 0 to 7 */
};

struct nursery {
	void *packet; /* what comes */
	size_t size;
	size_t least, most; /* descriptors that come with it */
	size_t channel;     /* which of them the child says FRAME_HELLO on */
	/* Which of them the child finds at each place, or -1: nothing. */
	signed char place[NURSERY_PLACES];
	/* Of the numbers below NURSERY_PLACES, what all children keep of what
	 * is open. */
	unsigned kept;
	/* If it is open: done when it is closed at its other end; 0: none. */
	int life;
	bool once; /* no child: it is what it would have been */
	/* A key holder (net/sign.h) is on FRAME_KEY_FD, and each child gets
	 * a socket of its own to it there. */
	bool signer;
	/* One thread, and no library that has to hear of a fork (GnuTLS has). */
	bool plain;
};

/*
 * Serves until nobody has the other end.  1 in a child: packet is filled, the
 * porter has the child's process descriptor, and nothing is open but what has a
 * place or is kept, and fd 2.  0 in the nursery when it is done; -1 with errno, in
 * either, which must exit.
 */
int nursery_run(const struct nursery *n);

#endif
