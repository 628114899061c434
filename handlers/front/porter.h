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
#include <stdatomic.h>
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
	_Atomic int stage;
	int64_t since_ms;
	/* Of the listener's child that serves it; PORTER_SEAT_SESSION; 0: free */
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
	int sock; /* -1: none */
	uint32_t steps;
	uint32_t mechanism;
};

/* One connection. */
struct link {
	const struct porter *porter;
	int sock;
	const struct nursery *nursery; /* of each kind; NULL: none */
	int moves;   /* to the listener: who has begun a session */
	int channel; /* our end of the frame channel */
	int child;   /* process descriptor of the login program */
	int signer;  /* readable when a key holder is needed; -1: no matter */
	int enqueue; /* process descriptor, -1: none */
	bool clear_login;
	bool proxied; /* by a proxy that has yet to say for whom */
	bool logged_in;
	struct seats *seats; /* NULL: nobody counts */
	struct seat *seat;
	int lost; /* readable when the seat is; -1: never */
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
/* Have files been replaced?  0, or -1 with errno. */
int porter_stamps(struct start_stamps *s);
/* Has the login program killed. */
void porter_kill(int process);

struct peer porter_peer(const struct sockaddr_storage *a);
/* As text: `local' where there is no address. */
void porter_peer_text(const struct peer *p, char out[PORTER_PEER]);
bool porter_is_loopback(const struct peer *p);
bool porter_is_proxy(const struct porter *f, const struct peer *p);

/* For n connections, and some that are about to go.  NULL with errno. */
struct seats *porter_seats_new(size_t n);
/* A free one, which there must be; it counts for its peer once it has a pid. */
struct seat *porter_seats_take(struct seats *s, const struct peer *p);
/* From now on it is this peer's. */
void porter_seat_for(struct seat *seat, const struct peer *p);
/* How many are of the same source as this peer: its IPv4 address, or its
 * IPv6 /64, for who has one address of that has them all. */
uint64_t porter_seats_count(const struct seats *s, const struct peer *p);
/* At most once in PORTER_PAUSE_MS for all that share it. */
bool porter_seats_may_tell(struct seats *s);

/*
 * Is there a seat for one more of this peer?  Where all are taken, somebody
 * who has not logged in loses theirs, of a source that has far more than the
 * peer; or, where the peer has none, who has been there for long.
 */
bool porter_seats_free(struct seats *s, const struct peer *p);
/* The process that sat there has ended. */
void porter_seat_leave(struct seats *s, struct seat *seat);
/* In the process that sits there: to be told of the loss from now on, by a
 * descriptor; 0, or -1 with errno. */
int porter_seat_watch(struct link *l);
/* From now on it cannot be lost: false, it is. */
bool porter_seat_keep(const struct link *l);

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
	/* Where it tells the listener, by its process id (pid_t) with the
	 * process descriptor, which session is counted in its place. */
	int moves;
	struct seats *seats;
	struct seat *seat;
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
