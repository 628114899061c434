/*
 * The inside of a mailbox (see STORE): for lib/store only.
 *
 * All functions answer 0, or -1 with errno, where nothing else is said.
 * EBADMSG: the index or the journal contradicts itself.
 */
#ifndef POSTERN_STORE_STATE_H
#define POSTERN_STORE_STATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "store/mailbox.h"
#include "store/space.h"

#include <sys/stat.h>
#include <time.h>

enum {
	JOURNAL_HEAD = 64,
	JOURNAL_FRAME = 24,           /* head of a frame */
	JOURNAL_FRAME_MAX = 1 << 27,  /* bytes of a frame */
	JOURNAL_BATCH = 1 << 20,      /* what a sync puts into one frame */
	JOURNAL_LEAST = 65536,        /* no snapshot for less than that */
	JOURNAL_PART = 4,             /* nor for less than a quarter of it */
	JOURNAL_RESERVE = 4096,       /* bytes kept allocated for expunges, */
	JOURNAL_RESERVE_EACH = 40,    /* and for each message */
	JOURNAL_RESERVE_MAX = 262144, /* but not more than these in all */
	VANISHED = 8192,              /* expunges kept on record */
	UID_GAP = 1000000,            /* a hint above uidnext + this is a lie */
	LOST_UIDS = 1000,             /* left out where some may be lost, as */
	LOST_MODSEQS = 1000000        /* are these */
};

#define JOURNAL_NAME "postern.journal"
#define INDEX_NAME "postern.index"

/* For which times of cur/ and new/ the view is true. */
struct scan_times {
	struct timespec cur, fresh;
	bool proven; /* a change in the same clock tick is in, too */
};

struct journal_head {
	uint32_t uidvalidity;
	uint64_t generation, mailbox_id;
	/* what the snapshot of the same generation says */
	uint32_t uidnext, count;
	uint64_t modseq, digest;
	uint32_t seed; /* own checksum; that of the frames begins with it */
};

struct vanished {
	uint32_t uid;
	uint64_t modseq;
};

struct mailbox_state {
	struct arena home; /* where mailbox and state lie */
	int account;       /* the Maildir that has the counter */
	int dir, cur, fresh;
	int journal;       /* -1: not open */
	bool writable;     /* the journal is open for writing */
	bool memory;       /* nothing can be kept here: UIDs are ours alone */
	int memory_error;  /* why */
	bool light;        /* only the head is loaded, no messages */
	bool locked;
	bool ahead;        /* the snapshot is newer than the journal */
	bool marks;        /* changes are news to the session */
	bool adopting;     /* UIDs are another server's: adopt.h */
	bool repairing;    /* what contradicts a lost index is no damage */
	bool stale;        /* UIDVALIDITY changed: this view is dead */
	bool folded;       /* we wrote a snapshot: the cache's turn, too */
	uint64_t mailbox_id;
	uint64_t generation, offset;
	uint32_t seed;
	uint64_t index_size;
	uint64_t base_digest; /* of the snapshot, as is base_count */
	uint32_t base_count;
	struct scan_times times;
	unsigned dirty_rounds; /* in a row that left something to do */
	int64_t patient_ms; /* scan.c: no waiting before that */
	struct scan_times last; /* scan.c: what the folders said, */
	int64_t last_ms;        /* and since when */
	int64_t mend_ms; /* sync.c: not for the sake of late names */
	/* The messages, from `first' on, behind the names in the index that
	 * is mapped, if one is. */
	struct space table;
	size_t first;
	size_t file_names, file_names_size; /* in table */
	struct buf keywords; /* where mailbox.keyword is */
	struct buf vanished; /* struct vanished */
	uint64_t vanished_floor;
	struct space names; /* of messages that have own_name */
	size_t names_used;
	size_t names_dead; /* bytes in names that nobody uses */
	/* About how many bytes of the table no other session shares with us. */
	size_t loose, loose_page;
	int64_t share_ms; /* index.c: no trying before that */
	size_t seen;       /* no message before this one is unseen */
	size_t nlearned;   /* messages with the mark */
	bool vague;        /* some messages are, or were a moment ago */
	bool unmeasured;   /* so many bytes nobody counted yet */
	bool late;         /* the names of some may not have their flags */
	bool may_be_vague; /* who opened it knows */
	size_t in_new;     /* messages not gone that lie in new/ */
	/* EXPUNGE records of messages that were not there: repair.c */
	uint64_t lost_digest;
	uint32_t lost_count;
	int watch; /* inotify, or -1 */
	int64_t again_ms;
};

/* view.c: the messages in memory.  view_make is never NULL: where there is
 * no memory the process ends, as base/arena.h says. */
struct mailbox *view_make(int account, int folder, bool light);
void view_free(struct mailbox *m);
int view_set_name(struct mailbox *m, size_t i, struct span name, bool in_new);
int view_add(struct mailbox *m, const struct message *msg, struct span name);
/* The messages are those of the table. */
void view_take_table(struct mailbox *m, size_t n);
void view_clear(struct mailbox *m);
/* For who changes it: what is not changed so is lost at a rest. */
struct message *view_edit(struct mailbox *m, size_t i);
void view_recent(struct mailbox *m, size_t i, bool recent);
/* As mailbox_file, but not compared with the id. */
const char *view_file(const struct mailbox *m, size_t i);
/* The file name is known and no one of its own. */
bool view_is_mangled(const struct mailbox *m, size_t i);
void view_flags(struct mailbox *m, size_t i, unsigned flags,
    uint64_t keywords, uint64_t modseq);
void view_gone(struct mailbox *m, size_t i, uint64_t modseq);
int view_keyword(struct mailbox *m, size_t slot, struct span name);
/* The index of the message with just this uid, not gone; or SIZE_MAX. */
size_t view_at(const struct mailbox *m, uint32_t uid);
size_t view_keyword_slot(const struct mailbox *m, struct span keyword);
uint64_t view_digest(const struct mailbox *m, uint32_t *count);
void view_tidy(struct mailbox *m);
/* The session has more memory of its own than is worth a snapshot. */
bool view_is_loose(const struct mailbox *m);
/* In the order of UIDs, without those that are gone. */
void view_sort(struct mailbox *m);

/* batch.c: one batch of the journal. */
struct batch {
	struct buf b;
	uint32_t n;  /* records */
	bool counts; /* something that a client sees: a new modseq */
	uint32_t gap; /* added to the modseq */
};
struct batch batch_begin(void);
void batch_free(struct batch *f);
void batch_new(
    struct batch *f, const struct message *msg, const char *name);
void batch_flags(struct batch *f, uint32_t uid, unsigned flags,
    uint64_t keywords);
/* The same, where the file could not be renamed. */
void batch_late_flags(struct batch *f, uint32_t uid, unsigned flags,
    uint64_t keywords);
/* What became known of it. */
void batch_facts(struct batch *f, const struct message *msg);
void batch_name(struct batch *f, uint32_t uid, const char *name, bool in_new);
void batch_gone(struct batch *f, const struct message *msg);
void batch_keyword(struct batch *f, size_t slot, struct span name);
void batch_times(struct batch *f, const struct scan_times *t);
void batch_uidnext(struct batch *f, uint32_t uidnext);
/* Ends the frame: its bytes. */
struct span batch_end(struct batch *f, uint64_t modseq, uint32_t seed);
/* The length of the frame that begins s: 0 when there is none that is
 * whole and good. */
size_t batch_check(struct span s, uint32_t seed);
/* Takes a good frame into the view. */
int batch_apply(struct mailbox *m, struct span frame);

/* journal.c: the file. */
void journal_head_write(char out[JOURNAL_HEAD], struct journal_head *h);
bool journal_head_read(struct span in, struct journal_head *h);
/* 1; 0: no good head; -1. */
int journal_head_load(int fd, struct journal_head *h);
/* Opens or creates the journal; sets writable. */
int journal_open(struct mailbox *m);
/* 1: the open journal is the one in the folder; 0: not; -1. */
int journal_is_current(const struct mailbox *m);
/* Waits for the disk; where that fails the view is dead. */
int journal_sync(struct mailbox *m);
/* Takes in the frames behind the offset; *torn: bytes are left. */
int journal_tail(struct mailbox *m, bool *torn);
/* Is there a good frame behind the first bad one?  1, 0, -1. */
int journal_is_damaged(const struct mailbox *m);
/* Under the lock: cuts what is left, or EBADMSG for damage. */
int journal_cut(struct mailbox *m);
/* Under the lock: writes the frame (where there is something in it), takes it
 * in, and waits for the disk where durable is set.  -1: nothing was written;
 * or, and then the view is dead (stale), what was written may get lost. */
int journal_append(struct mailbox *m, struct batch *f, bool durable);
/* Under the lock, where the state is older than what was told already: its
 * numbers go on from these. */
int journal_catch_up(struct mailbox *m, uint32_t uidnext, uint64_t modseq);
/* Keeps room behind the end for what makes room. */
void journal_reserve(const struct mailbox *m);

/* index.c: the snapshot. */
/* 1; 0: no index; -1, EBADMSG. */
int index_load(struct mailbox *m);
/* 1: the index in the folder is of a later generation than the view; 0; -1. */
int index_is_newer(const struct mailbox *m);
/* The messages become those of the snapshot of the view's generation, where
 * it says just what the view says and the session has no marks: memory that
 * is shared in place of our own. */
void index_share(struct mailbox *m);
/* Gives back the memory of a loose view, where no marks keep it: by the
 * snapshot that another session wrote, or by one of our own now and then. */
void index_tighten(struct mailbox *m);
/* Under the lock: a new snapshot and a new generation of the journal. */
int index_write(struct mailbox *m);
/* The journal has outgrown the index: whoever opens the mailbox would read
 * more of it than is worth another snapshot. */
bool index_is_due(const struct mailbox_state *s);
/* Under the lock: the same, where it is due. */
int index_write_if_due(struct mailbox *m);
/* The head of a journal that died before it got its name: 1, 0, -1. */
int index_unfinished(const struct mailbox *m, struct journal_head *h);
/* Under the lock: the journal of the generation that the index waits for. */
int index_finish(struct mailbox *m);

/* load.c: from the files to the view, and keeping up with them. */
int view_load(struct mailbox *m);
/* The open journal and the index: 1 they make a view; 0 they do not (which
 * means damage only when it stays so under the lock); -1. */
int view_load_pair(struct mailbox *m);
int view_follow(struct mailbox *m);
/* The lock, and everything known up to now. */
int view_lock(struct mailbox *m);
void view_unlock(struct mailbox *m);

/* repair.c: under the lock, an empty view, no good index or journal. */
int repair_view(struct mailbox *m);
int repair_renumber(struct mailbox *m);

/* scan.c: what lies in cur/ and new/. */
struct sighting {
	size_t i;         /* the message, SIZE_MAX for a new one */
	const char *name; /* in the scan's arena */
	uint32_t hint;    /* its `,U=' */
	uint64_t arrival; /* of a new one */
	bool in_new;
	bool regular;       /* a file, without a question */
	/* Of a new one; until scan_fill its size and wire are what the name
	 * says, size 0 where that cannot be. */
	struct message msg;
};
struct scan {
	struct arena text;
	struct buf table; /* uint32_t: index of a message + 1, by id */
	struct buf seen;  /* a byte for each message */
	struct buf moved, fresh; /* struct sighting */
	struct scan_times times; /* before reading */
	uint32_t now;            /* after it */
	size_t missing;
	bool unsure; /* what is missing may be there all the same */
	bool dirty; /* something is to be looked at again */
};
/* patient: worth a little waiting, to be sure of what is missing. */
int scan_folder(struct mailbox *m, struct scan *s, bool patient);
/* fresh.c: the microsecond that the front of a base says, as far as it
 * goes. */
uint64_t scan_arrival(struct span base);
/* What the new files are, in the order of their arrival; those
 * that are no messages are dropped. */
int scan_fill(struct mailbox *m, struct scan *s);
/* A second file with the base of another (kept: its name in keep_dir) gets
 * a base of its own, or goes where both are one file. */
void scan_mend_double(struct mailbox *m, struct scan *s,
    const struct sighting *other, int keep_dir, const char *keep);
void scan_free(struct scan *s);
int scan_stat(const struct mailbox *m, struct scan_times *t);
/* May something have changed since, that left these times as they are?  Of the
 * last ones that scan_stat saw. */
bool scan_is_young(const struct mailbox *m, const struct scan_times *t);
bool scan_same(const struct scan_times *a, const struct scan_times *b);
struct span scan_base(const char *name);
static inline struct sighting *
sightings(const struct buf *b, size_t *n)
{
	*n = b->n / sizeof(struct sighting);
	return (struct sighting *)(void *)b->p;
}

/* facts.c */
/* A longer file is no message: IMAP counts bytes in 32 bits (RFC 3501 9,
 * number). */
static inline bool
facts_fits(uint64_t size)
{
	return size <= UINT32_MAX;
}
/* Of a file that is as good as none: no more than a message can have. */
static inline uint32_t
facts_size(uint64_t size)
{
	return facts_fits(size) ? (uint32_t)size : UINT32_MAX;
}
/* The save date of a message that came just now; or of one whose file lay
 * there already, by its ctime, but not later than `most' (0: now). */
uint32_t facts_now(void);
uint32_t facts_saved(const struct stat *st, uint32_t most);
int facts_count(int fd, uint64_t *size, uint64_t *wire);
/* The wire that the name says, where its size is the true one and the two
 * can be believed; or 0. */
uint64_t facts_wire(uint64_t said, uint64_t wire, uint64_t size);
void facts_learn_all(struct mailbox *m);
/* What a record of the journal says. */
void facts_take(struct mailbox *m, size_t i, const struct message *facts);
/* Puts what was learned into the journal: all, or only much. */
void facts_keep(struct mailbox *m, bool all);
/* It is in the index. */
void facts_kept(struct mailbox *m);

/* sync.c */
/* tmp/, where copies lie that died between their two steps; -1: there is
 * none; less: it cannot be looked into now. */
int sync_open_tmp(const struct mailbox *m);
/* The message i is, or may be, such a copy; under the lock it moves to cur/ if
 * it can.  False: it is gone. */
bool sync_finish_copy(const struct mailbox *m, int tmp, size_t i);

/* read.c */
int read_dir_of(const struct mailbox *m, const struct message *msg);
/* Finds the present names of all messages, without telling the session.
 * *seen: i is among them. */
int read_names(struct mailbox *m, size_t i, bool *seen);
int read_exists(int dir, const char *name);
/* A UID that is above all hints in file names that can be believed, and at
 * least uidnext. */
uint32_t read_uid_hint(const struct mailbox *m);

/* copy.c, change.c */
/* After a change of our own: what to record, so that no change of others
 * in between is lost. */
void change_times(struct mailbox *m, struct batch *f,
    const struct scan_times *before);

/* As mailbox_expunge, for messages that the account has elsewhere now. */
int expunge_moved(struct mailbox *m, const size_t *which, size_t n);

/* mailbox.c: a view of the mailbox, loaded and not yet synced. */
struct mailbox *view_open(const struct account *a, struct span name,
    bool read_only, bool light);

/* watch.c */
void watch_drain(struct mailbox *m);
void watch_close(struct mailbox *m);
/* The session has to look again in a moment. */
void watch_again(struct mailbox *m);

#endif
