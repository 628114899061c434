/*
 * front: the only program with rights on the way of a connection.
 *
 * It parses no byte of the network.  What it gets is frames of fixed size
 * (net/frame.h) from the login program, and verdicts from checkpw; it
 * checks their fields and their order.
 */
#ifndef POSTERN_FRONT_FRONT_H
#define POSTERN_FRONT_FRONT_H

#include "base/conf.h"
#include "net/frame.h"
#include "net/service.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

enum {
	FRONT_SOCKETS = 16, /* listening sockets of one front */
	FRONT_PEER = INET6_ADDRSTRLEN,
	FRONT_VERDICT_MS = 30000, /* for checkpw */
	FRONT_LEAVE_MS = 5000,    /* for a login program that is done */
	FRONT_GRACE_MS = 60000,   /* past login_s, which the program keeps */
	FRONT_ENQUEUE_MS = 30000, /* for an enqueue to end before the next */
	FRONT_PAUSE_MS = 1000     /* after a failed accept or fork */
};

/* The environment of every program begins with this: nothing. */
#ifdef POSTERN_SANITIZE
#define FRONT_ENV "ASAN_OPTIONS=detect_leaks=0",
#else
#define FRONT_ENV
#endif

/* uid 0 means: nobody else, we are not root. */
struct who {
	uid_t uid;
	gid_t gid;
};

struct front {
	struct conf conf;
	const struct service *service;
	bool root; /* started by root */
	struct who net, auth, queue;
};

/* An address without its port; IPv4 that came as IPv6 is IPv4. */
struct peer {
	int family; /* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC: another */
	unsigned char address[16];
};

/* One connection. */
struct link {
	const struct front *front;
	int sock;
	int channel;          /* our end of the frame channel */
	pid_t child, enqueue; /* 0: none */
	bool clear_login;
	bool logged_in;
	uint64_t tries;
	char user[FRAME_USER];
	char peer[FRONT_PEER];
};

struct peer front_peer(const struct sockaddr_storage *a);
/* As text: `local' where there is no address. */
void front_peer_text(const struct peer *p, char out[FRONT_PEER]);
bool front_is_loopback(const struct peer *p);

/* Accepts connections until it is told to stop, or, where activated, until
 * it was idle for listen_idle_s; each is served in a process of its own. */
int front_listen(
    const struct front *f, const int *socks, size_t n, bool activated);

/* A socket bound to ADDRESS:PORT (brackets around IPv6) that listens. */
int front_bind(struct span address);

/* Serves the connection to its end; does not return where it becomes the
 * session. The exit code. */
int front_serve(const struct front *f, int sock);

/* What checkpw says to the request, waiting out the delay of a refusal. */
enum frame_status front_check(const struct link *l,
    const struct frame_request *q, struct frame_verdict *v);

#endif
