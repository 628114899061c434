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
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/types.h>

enum {
	FRONT_SOCKETS = 16, /* listening sockets of one front */
	FRONT_PEER = INET6_ADDRSTRLEN,
	FRONT_VERDICT_MS = 30000, /* for checkpw */
	FRONT_LEAVE_MS = 5000,    /* for a login program that is done */
	FRONT_GRACE_MS = 60000,   /* past login_s, which the program keeps */
	FRONT_ENQUEUE_MS = 30000, /* for an enqueue to end before the next */
	FRONT_PAUSE_MS = 1000,    /* after a failed accept, fork or nursery */
	FRONT_NURSERY_CONNECTIONS = 200, /* of one nursery, then the next */
	FRONT_NURSERY_MS = 600000, /* and its age */
	FRONT_HELLO_MS = 5000,    /* for a nursery to take a connection */
	FRONT_EARLY_MS = 5000,    /* from then on others may have the seat */
	FRONT_PAIRS = 2 + CONF_SITES, /* certificates with their keys */
	FRONT_SEAT_SESSION = -1,  /* a seat's: its session is no child of ours */
	FRONT_SPARE_FDS = 64      /* beside one for each session */
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
	struct who net, key, auth, queue;
};

/* An address without its port; IPv4 that came as IPv6 is IPv4. */
struct peer {
	int family; /* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC: another */
	unsigned char address[16];
};

/* When a file is another one. */
struct stamp {
	ino_t inode;
	off_t size;
	struct timespec changed;
};

/* A nursery's environment: freed memory is not kept by its size, so that what
 * its children have in use lies together (net/nursery.c); nor does the kernel
 * write the processor's number into a page of theirs; and no child looks up
 * again where a library's functions are. */
#define FRONT_NURSERY_ENV                                                      \
	"GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.pthread.rseq=0",     \
	    "LD_BIND_NOW=1"

/* What a listener forks from processes that have loaded it once. */
enum front_nursery {
	FRONT_LOGINS,
	FRONT_CHECKS,
	FRONT_SESSIONS,
	FRONT_NURSERIES
};

struct nursery {
	enum front_nursery kind;
	int sock;  /* to pass connections on, -1: none */
	pid_t pid; /* 0: none */
	uint64_t passed;
	int64_t born_ms;
	struct stamp stamps[FRONT_PAIRS][2];
	int64_t key_until_ms; /* then another ticket key */
	unsigned char ticket_key[FRAME_TICKET_KEY];
};

/* Who has not logged in can be thrown out for somebody else. */
enum seat_stage {
	SEAT_OPEN,
	SEAT_KEPT, /* until its end */
	SEAT_LOST
};

/* A connection that is being served. */
struct seat {
	_Atomic int stage;
	int64_t since_ms;
	/* Of the listener's child that serves it; FRONT_SEAT_SESSION; 0: free */
	_Atomic pid_t pid;
	int session; /* the listener's: its process descriptor, 0: none */
	_Atomic int family;       /* of whom it counts for; AF_UNSPEC: nobody */
	_Atomic uint64_t address; /* IPv4, or the first half of IPv6 */
};

/* All of a listener, in memory that the processes which serve them share:
 * behind a proxy only these get to know whose they are. */
struct seats {
	_Atomic int64_t told_ms; /* when a refusal was last logged */
	size_t n;     /* of all */
	size_t limit; /* that can be had at a time */
	_Atomic size_t used;
	size_t lost; /* of these: they are about to go */
	struct seat all[];
};

/* An exchange with checkpw. */
struct check {
	int sock;  /* -1: none */
	int child; /* process descriptor of a nursery's, or -1 */
	pid_t own; /* of a child of ours, or 0 */
	uint32_t steps;
	uint32_t mechanism;
};

/* One connection. */
struct link {
	const struct front *front;
	int sock;
	int nursery[FRONT_NURSERIES]; /* sockets, -1: none */
	int moves;     /* to the listener: who has begun a session */
	int channel;   /* our end of the frame channel */
	int child;     /* process descriptor of the login program */
	pid_t own;     /* the same if it is a child of ours, else 0 */
	pid_t enqueue; /* 0: none */
	bool clear_login;
	bool proxied; /* by a proxy that has yet to say for whom */
	bool logged_in;
	struct seats *seats; /* NULL: nobody counts */
	struct seat *seat;
	int lost; /* readable when the seat is; -1: never */
	struct check check;
	uint64_t tries;
	char user[FRAME_USER];
	char peer[FRONT_PEER];
};

/* The files of a certificate and its key: the two of any name, then those of
 * the sites; NULL where there is none. */
struct conf_site front_pair(const struct conf *c, size_t i);

struct peer front_peer(const struct sockaddr_storage *a);
/* As text: `local' where there is no address. */
void front_peer_text(const struct peer *p, char out[FRONT_PEER]);
bool front_is_loopback(const struct peer *p);
bool front_is_proxy(const struct front *f, const struct peer *p);

/* For n connections, and some that are about to go.  NULL with errno. */
struct seats *front_seats_new(size_t n);
/* A free one, which there must be; it counts for its peer once it has a pid. */
struct seat *front_seats_take(struct seats *s, const struct peer *p);
/* From now on it is this peer's. */
void front_seat_for(struct seat *seat, const struct peer *p);
/* How many are of the same source as this peer: its IPv4 address, or its
 * IPv6 /64, for who has one address of that has them all. */
uint64_t front_seats_count(const struct seats *s, const struct peer *p);
/* At most once in FRONT_PAUSE_MS for all that share it. */
bool front_seats_may_tell(struct seats *s);

/*
 * Is there a seat for one more of this peer?  Where all are taken, somebody
 * who has not logged in loses theirs, of a source that has far more than the
 * peer; or, where the peer has none, who has been there for long.
 */
bool front_seats_free(struct seats *s, const struct peer *p);
/* The process that sat there has ended. */
void front_seat_leave(struct seats *s, struct seat *seat);
/* In the process that sits there: to be told of the loss from now on, by a
 * descriptor; 0, or -1 with errno. */
int front_seat_watch(struct link *l);
/* From now on it cannot be lost: false, it is. */
bool front_seat_keep(const struct link *l);

/* What the header of the proxy says, in a frame: FRAME_OK; FRAME_REJECT, too
 * many connections; FRAME_TEMPFAIL, nothing that a header can say. */
enum frame_status front_proxy(struct link *l, const struct frame_request *q);

/* Accepts connections until it is told to stop, or, where activated, until
 * it was idle for listen_idle_s; each is served in a process of its own. */
int front_listen(
    const struct front *f, const int *socks, size_t n, bool activated);

/* A socket bound to ADDRESS:PORT (brackets around IPv6) that listens. */
int front_bind(struct span address);

/* What a listener's child has. */
struct helpers {
	const struct nursery *nursery; /* one of each kind */
	/* Where it tells the listener, by its process id (pid_t) with the
	 * process descriptor, which session is counted in its place. */
	int moves;
	struct seats *seats;
	struct seat *seat;
};

/* Serves the connection up to its session, or to its end where there is none;
 * does not return where it becomes the session.  helpers may be NULL.  The
 * exit code. */
int front_serve(
    const struct front *f, int sock, const struct helpers *h);

/* What a request and its answer come to. */
enum next {
	GO_ON,
	DONE,
	PASSED,   /* a session has begun that is not us */
	LOST,     /* its seat, that is */
	VIOLATION /* the login program is not itself: end it */
};

/* Starts the session of who has proved to be somebody. */
enum next front_session(struct link *l, const struct frame_request *q,
    const struct frame_verdict *v);

/* Answers a request of the login program: 0, or -1. */
int front_answer(const struct link *l, enum frame_status status,
    const char *user, int fd);

/* Starts the login program for a connection, or (NULL) as a nursery: its
 * process id, or -1. */
pid_t front_start_login(
    const struct front *f, int channel, int users, const struct link *l);

/* Sees to it that the nursery is fit for a connection: sock is -1 where
 * there can be none now. */
void front_nursery_ready(struct nursery *n, const struct front *f);
/* It ends once all that it was passed has a process. */
void front_nursery_end(struct nursery *n);

/* Passes a packet with descriptors to the nursery and waits for its process:
 * the process descriptor, or -1.  pair is the child's channel: our end and,
 * among the descriptors, its own, which is closed. */
int front_nursery_ask(int nursery, struct span packet, const int *fds,
    size_t nfds, const int pair[2]);

/* Start checkpw or the session program as a nursery: its process id, or -1. */
pid_t front_start_checkers(const struct front *f, int end);
pid_t front_start_sessions(const struct front *f, int end);

/* What checkpw says to the request, waiting out the delay of a refusal: a
 * FRAME_AUTH starts one, which is gone after any answer but FRAME_MORE. */
enum frame_status front_check(
    struct link *l, const struct frame_request *q, struct frame_verdict *v);

/* Ends an exchange, if there is one. */
void front_check_end(struct link *l);

#endif
