/*
 * The porter: serves connections without any right of its own.
 *
 * It parses no byte of the network.  What it gets is frames of fixed size
 * (net/frame.h) from the login program, and verdicts from checkpw; it
 * checks their fields and their order.  What has to be started it asks front
 * for (start.h).  Whose session begins is between checkpw and the session
 * program: the porter is not believed.
 */
#ifndef POSTERN_PORTER_PORTER_H
#define POSTERN_PORTER_PORTER_H

#include "start.h"

#include "base/conf.h"
#include "base/jail.h"
#include "net/frame.h"
#include "net/service.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

enum {
	PORTER_PEER = INET6_ADDRSTRLEN,
	PORTER_VERDICT_MS = 30000, /* for checkpw */
	PORTER_LEAVE_MS = 5000,    /* for a login program that is done */
	PORTER_GRACE_MS = 60000,   /* past login_s, which the program keeps */
	PORTER_ENQUEUE_MS = 30000, /* for an enqueue to end before the next */
	PORTER_PAUSE_MS = 1000,    /* after a failed accept, fork or nursery */
	PORTER_NURSERY_CONNECTIONS = 200, /* of one nursery, then the next */
	PORTER_NURSERY_MS = 600000, /* and its age */
	PORTER_HELLO_MS = 5000,    /* for a nursery to take a connection */
	PORTER_STAMPS_MS = 10, /* how old they may be for a new connection */
	PORTER_SEAT_MS = 30000,    /* for what the listener says to a child */
	PORTER_EARLY_MS = 5000,    /* from then on others may have the seat */
	PORTER_SEAT_SESSION = -1,  /* a seat's: its session is no child of ours */
	PORTER_SPARE_FDS = 64      /* beside one for each session */
};

struct porter {
	struct conf conf;
	const struct service *service; /* NULL: the queue */
};

/* An address without its port; IPv4 that came as IPv6 is IPv4. */
struct peer {
	int family; /* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC: another */
	unsigned char address[16];
};

/* What a listener forks from processes that have loaded it once. */
enum porter_nursery {
	PORTER_LOGINS,
	PORTER_CHECKS,
	PORTER_SESSIONS,
	PORTER_NURSERIES
};

struct nursery {
	enum porter_nursery kind;
	int sock; /* to pass connections on; closed, it ends.  -1: none */
	uint64_t passed;
	int64_t born_ms;
	uint64_t stamp; /* of its files */
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
	enum seat_stage stage;
	int64_t since_ms;
	/* Of the listener's child that serves it; PORTER_SEAT_SESSION; 0: free */
	pid_t pid;
	int sock;     /* to that child; -1: it has nothing more to say */
	int session;  /* its process descriptor, -1: none */
	bool proxied; /* by a proxy that has yet to say for whom */
	int family;       /* of whom it counts for; AF_UNSPEC: nobody */
	uint64_t address; /* IPv4, or the first half of IPv6 */
};

/* All of a listener.  No child writes here: the listener knows which of them
 * sits where, and believes it as little as struct seat_word can say. */
struct seats {
	size_t n;     /* of all */
	size_t limit; /* that can be had at a time */
	size_t used;
	size_t lost; /* of these: they are about to go */
	struct seat all[];
};

/* What a child says about its own seat, each once at most, */
enum seat_says {
	SEAT_SAYS_PEER, /* whose it is, behind a proxy: answered */
	SEAT_SAYS_KEEP, /* somebody has logged in: it cannot be lost any more */
	SEAT_SAYS_SESSION /* with the process descriptor, the last */
};
struct seat_word {
	uint32_t type;
	struct peer peer;
};
/* and what it is told, a uint32_t. */
enum seat_told {
	SEAT_TOLD_LOST, /* at any time until it has said KEEP */
	SEAT_TOLD_GOOD,
	SEAT_TOLD_FULL /* too many of that source */
};

/* An exchange with checkpw. */
struct check {
	int sock; /* -1: none */
	uint32_t steps;
	uint32_t mechanism;
};

/* One connection. */
struct link {
	const struct porter *porter;
	int sock;
	const struct nursery *nursery; /* of each kind; NULL: none */
	int channel; /* our end of the frame channel */
	int child;   /* process descriptor of the login program */
	int signer;  /* readable when a key holder is needed; -1: no matter */
	int enqueue; /* process descriptor, -1: none */
	bool clear_login;
	bool proxied; /* by a proxy that has yet to say for whom */
	bool logged_in;
	int seat;  /* to the listener; -1: nobody counts */
	bool kept; /* the seat */
	struct check check;
	uint64_t tries;
	char user[FRAME_USER];
	char peer[PORTER_PEER];
};

/* The plan for a service: sent to front, on START_FD.  The exit code. */
int porter_plan(const struct porter *p, const char *listen);
/* The same for the queue, whose porter is qsend; once: it ends when nothing
 * is due. */
int porter_plan_queue(const struct porter *p, bool once);

/* From here on there are frames and connections, and nothing else. */
void porter_jail(enum jail_kind kind);

/* Has front begin the program, with descriptors of ours: its process
 * descriptor, or -1 with errno. */
int porter_start(enum start_program program, const char *const *args,
    const int *given, size_t ngiven);
/* The same with one end of a pair, which it has as long as it lives: ours, or
 * -1 with errno. */
int porter_start_beside(enum start_program program);
/* Has front become the session program: 0, or -1 with errno. */
int porter_yield(void);
/* Have files been replaced?  0, or -1 with errno: also where the plan does not
 * have that program. */
int porter_stamps(enum start_program which, struct start_stamps *s);
/* Has the login program killed. */
void porter_kill(int process);

struct peer porter_peer(const struct sockaddr_storage *a);
/* As text: `local' where there is no address. */
void porter_peer_text(const struct peer *p, char out[PORTER_PEER]);
bool porter_is_loopback(const struct peer *p);
bool porter_is_proxy(const struct porter *f, const struct peer *p);

/* ---- the listener's seats (seats.c, lost.c) ---- */

/* For n connections, and some that are about to go.  NULL with errno. */
struct seats *porter_seats_new(size_t n);
/* A free one, which there must be; it counts for its peer once it has a pid. */
struct seat *porter_seats_take(struct seats *s, const struct peer *p);
/* From now on it is this peer's. */
void porter_seat_for(struct seat *seat, const struct peer *p);
/* From now on it cannot be lost; or it was not, after all. */
void porter_seat_keep(struct seats *s, struct seat *seat);
/* How many are of the same source as this peer: its IPv4 address, or its
 * IPv6 /64, for who has one address of that has them all. */
uint64_t porter_seats_count(const struct seats *s, const struct peer *p);

/*
 * Is there a seat for one more of this peer?  Where all are taken, somebody
 * who has not logged in loses theirs, of a source that has far more than the
 * peer; or, where the peer has none, who has been there for long.
 */
bool porter_seats_free(struct seats *s, const struct peer *p);
/* The process that sat there has ended. */
void porter_seat_leave(struct seats *s, struct seat *seat);

/* ---- in the child that sits there (sit.c) ---- */

/* Has it been lost?  To be asked when l->seat is readable. */
bool porter_sit_is_lost(struct link *l);
/* From now on it cannot be lost: false, it is. */
bool porter_sit_keep(struct link *l);
/* It is this peer's, if there are not too many of it. */
bool porter_sit_for(struct link *l, const struct peer *p);
/* The session's process takes our place: 0, or -1 with errno. */
int porter_sit_move(const struct link *l, int session);

/* What the header of the proxy says, in a frame: FRAME_OK; FRAME_REJECT, too
 * many connections; FRAME_TEMPFAIL, nothing that a header can say. */
enum frame_status porter_proxy(struct link *l, const struct frame_request *q);

/* Accepts connections until front says to stop, or, where activated, until
 * it was idle for listen_idle_s; each is served in a process of its own. */
int porter_listen(
    const struct porter *p, const int *socks, size_t n, bool activated);

/* What a listener's child has. */
struct helpers {
	const struct nursery *nursery; /* one of each kind */
	int seat; /* to the listener */
};

/* Serves the connection up to its session, or to its end where there is none.
 * helpers may be NULL.  The exit code. */
int porter_serve(
    const struct porter *p, int sock, const struct helpers *h);

/* What a request and its answer come to. */
enum next {
	GO_ON,
	DONE,
	PASSED,   /* a session has begun that is not us */
	LOST,     /* its seat, that is */
	VIOLATION /* the login program is not itself: end it */
};

/* Begins the session of who has proved to be somebody: checkpw knows who. */
enum next porter_session(struct link *l, const struct frame_request *q,
    const struct frame_verdict *v);

/* Answers a request of the login program: 0, or -1. */
int porter_answer(const struct link *l, enum frame_status status,
    const char *user, int fd);

/* Sees to it that the nursery is fit for a connection: sock is -1 where
 * there can be none now. */
void porter_nursery_ready(struct nursery *n, const struct porter *p,
    const struct start_stamps *s);
/* It ends once all that it was passed has a process. */
void porter_nursery_end(struct nursery *n);

/* Which programs those of a kind are. */
enum start_program porter_nursery_program(enum porter_nursery kind);

/* Passes a packet with descriptors to the nursery and waits for its process:
 * the process descriptor, or -1.  pair is the child's channel: our end and,
 * among the descriptors, its own, which is closed. */
int porter_nursery_ask(int nursery, struct span packet, const int *fds,
    size_t nfds, const int pair[2]);
/* The process descriptor that a new process sends first of all, or -1: also
 * where maker, a socket to who makes it (-1: none), is closed there. */
int porter_hello(int sock, int maker);

/* What checkpw says to the request, waiting out the delay of a refusal: a
 * FRAME_AUTH starts one, which is gone after any answer but FRAME_MORE and
 * FRAME_OK. */
enum frame_status porter_check(
    struct link *l, const struct frame_request *q, struct frame_verdict *v);

/* Ends an exchange, if there is one. */
void porter_check_end(struct link *l);

#endif
