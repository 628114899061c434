/* What the parts of qsend share. */
#ifndef POSTERN_QUEUE_QSEND_H
#define POSTERN_QUEUE_QSEND_H

#include "../front/start.h"
#include "base/conf.h"
#include "dest.h"
#include "queue/envelope.h"
#include "queue/queue.h"
#include "queue/state.h"
#include "store/account.h"
#include "table.h"

#include <dirent.h>
#include <sys/types.h>

enum {
	QSEND_ENDS_FD = 0,    /* what has ended; to front: START_FD */
	QSEND_WORKERS = 1000, /* at most */
	JOB_RCPTS = 100,      /* recipients of one run of remote */
	JOB_REPORT = 131072,  /* bytes of its report */
	EXPAND_MAX = 10000    /* addresses looked at for one alias */
};

enum route_kind {
	ROUTE_IDLE, /* not to be tried now, or tried in this round */
	ROUTE_LOCAL,
	ROUTE_REMOTE,
	ROUTE_RUNNING
};

struct route {
	enum route_kind kind;
	uid_t uid;
	gid_t gid;
	struct span maildir, dest; /* in the work's arena */
	struct quota_limits quota;
};

/* A message that is being worked on. */
struct work {
	bool used;
	uint32_t entry;
	int fd;
	struct buf text;
	struct arena arena;
	struct envelope envelope;
	int64_t start;
	struct state state;
	struct route *route;
	size_t routes; /* room in route */
	size_t running;
	struct buf unsaved;  /* lines not yet in the state file */
	bool must_sync;      /* some of them must not get lost */
	bool must_save;      /* although nothing is left to do */
	bool local_fault;    /* a look-up could not be made */
	bool bounce_failed;  /* for now */
	int64_t retry_ms;    /* 0, or when to try again to save, */
	int64_t delay_ms;    /* and how long after the last time */
};

struct job {
	bool used;
	enum start_program program;
	uid_t uid; /* of a deliver */
	gid_t gid;
	int32_t pid; /* 0: it could not be started */
	int process;
	uint64_t number; /* of all that were started */
	uint32_t work, dest;
	bool late; /* bounce: of a delay, not of failures */
	int report;
	struct buf text;
	size_t n;
	size_t rcpt[JOB_RCPTS];
};

/* The folder that is being gone through. */
struct find {
	DIR *folder; /* NULL: none */
	enum {
		FIND_MESS,
		FIND_TMP,
		FIND_STATE
	} which;
	bool at_start, again;
	int64_t next_ms; /* when the next look begins */
	size_t partial;  /* of a line from the trigger */
	char line[QUEUE_ID + 1];
};

struct qsend {
	struct conf conf;
	struct queue queue;
	struct table table;
	struct dests dests;
	int trigger, lock;
	bool once, create, stopping;
	bool rests; /* from a batch: others have their turn */
	int64_t stop_ms; /* then what runs is ended; 0: never */
	uint64_t started;
	size_t unstarted; /* of the jobs */
	struct work *works; /* workers of each */
	struct job *jobs;
	size_t workers, njobs, nworks, turn;
	size_t nremote; /* of the jobs: mail for other hosts */
	int64_t pace_ms;
	size_t unsynced; /* unlinked since mess was last synced, */
	struct buf states; /* and those whose states are to follow */
	bool loose; /* names in state may not be durable */
	struct find find;
	struct arena arena;
};

/* ---- find.c: messages ---- */

/* Begins to look for messages that nobody told of.  at_start: for what a
 * crash has left behind, too. */
void find_begin(struct qsend *q, bool at_start);
/* Goes on with that: a piece of it, for there may be a million. */
void find_step(struct qsend *q);
/* When to go on; now, or the next time. */
int64_t find_next(const struct qsend *q);
/* Whether all are known that there were when it began. */
bool find_done(const struct qsend *q);
/* Takes in what the FIFO says. */
void find_told(struct qsend *q);

/* ---- route.c: where a recipient's mail goes ---- */

/*
 * Finds routes for the recipients that are due at `now', and takes in what
 * is known without trying (no such address, an alias).
 */
void route_all(struct qsend *q, struct work *w, int64_t now);

/* ---- retry.c: when ---- */

/* When a recipient is due, in seconds of the wall clock. */
int64_t retry_due(const struct conf *c, const char *id, const struct rcpt *r);
/* When the sender is to be told that it takes long; INT64_MAX: never. */
int64_t retry_warn(const struct conf *c, const struct envelope *e);
/* Whether a recipient that just failed for now has had its time. */
bool retry_expired(const struct conf *c, const struct envelope *e,
    const struct rcpt *r, int64_t now);

/* ---- told.c: what a sender was told, and is to be told ---- */

/* Of all that has failed: done, or not to be.  event NULL: no log. */
void told_all(const struct qsend *q, struct work *w, const char *event);
/*
 * A loop, as Delivered-To says, where the recipient failed for one: a
 * stranger is not told.  The mailbox has the message then, and if the field
 * was a lie, so may be the sender that a report would go to.
 */
void told_no_loop(const struct qsend *q, struct work *w, size_t rcpt);
/* Whether the sender knows that it takes long; whether it is time to say. */
bool told_late(const struct work *w);
bool told_is_late(const struct qsend *q, const struct work *w);
void told_of_delay(const struct qsend *q, struct work *w);

/* ---- work.c: one message ---- */

/* Seconds of the wall clock. */
int64_t work_now(void);
/* How long who waits for a destination waits before it looks again: others may
 * wait for the same. */
int64_t work_busy_ms(const struct qsend *q, uint32_t dest);
/* One line on a recipient. */
void work_log(const struct qsend *q, const struct work *w, const char *event,
    const struct rcpt *r);

/* Starts on a message that is due. */
void work_open(struct qsend *q, uint32_t entry);
/* Starts what can be started and, where nothing runs, ends the round. */
void work_step(struct qsend *q, struct work *w);
void work_record(struct work *w, const struct outcome *o);
/*
 * The same, with a line in the log; what has failed for now, and had its
 * time, fails for good.  local: the fault is this machine's.
 */
void work_outcome(struct qsend *q, struct work *w, struct outcome *o,
    bool local);
/* A program of this message has ended. */
void work_job_done(struct qsend *q, struct job *j, int status);

/* ---- gone.c: messages that are done ---- */

/*
 * Removes a message, for now without a sync; it is as good as not gone
 * until gone_sync.  0, or -1 with errno.
 */
int gone_remove(struct qsend *q, const char *id, bool has_state);
/*
 * Makes the removals durable, all at once, and removes the states behind
 * them.  Called before any program is started: so a power cut brings back
 * no more messages than programs may run at a time.
 */
void gone_sync(struct qsend *q);

/* ---- job.c: running programs, which front starts ---- */

/*
 * Whether other hosts have all the workers that they may have.  They decide
 * how long that lasts: without the quarter that is left, a few that answer
 * slowly would stop all mail here.  Of their share those that are not known to
 * answer leave a fifth, and those that did not when they were last tried
 * half: the mail of others does not wait behind them.
 */
bool job_remote_full(const struct qsend *q, enum dest_kind kind);
/* When one that is not known to answer may be begun with. */
int64_t job_pace(const struct qsend *q);

/* Each: whether there is a job now, be it of a program that front could not
 * start. */
bool job_deliver(struct qsend *q, struct work *w, size_t rcpt);
bool job_remote(struct qsend *q, struct work *w, const size_t *rcpt, size_t n);
bool job_bounce(struct qsend *q, struct work *w, bool late);
/* Reads what it has reported so far; true at the end of its report. */
bool job_read(struct job *j);
/* The job of a program that has ended; NULL: none. */
struct job *job_find(struct qsend *q, int32_t pid);
/* Has all programs ended that run. */
void job_end_all(struct qsend *q);

#endif
