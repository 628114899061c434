/*
 * One mailbox, open: its messages in UID order, kept in step with the
 * folder, the journal and other sessions (see STORE).
 *
 * A struct mailbox is one session's view.  It changes only inside
 * mailbox_sync and the functions that change messages; they may add
 * messages at the end and mark messages changed or gone, but never move
 * one: message i stays at msgs[i] until mailbox_forget.  So a session can
 * hold back EXPUNGE as RFC 3501 5.5 and 7.4.1 ask.
 *
 * Functions answer 0, or -1 with errno; ETIMEDOUT means that another
 * process held the lock for too long (MAILBOX_LOCK_MS), ESTALE that
 * UIDVALIDITY is another now, so that this view is of no more use, and
 * EROFS that the mailbox (or this session) is read-only.  Whatever adds
 * messages to the account takes their room from its quota (quota.h), and
 * answers EDQUOT where there is none.
 */
#ifndef POSTERN_STORE_MAILBOX_H
#define POSTERN_STORE_MAILBOX_H

#include "base/span.h"
#include "store/account.h"
#include "store/maildir.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	MAILBOX_KEYWORDS = 64, /* different keywords of one mailbox */
	MAILBOX_KEYWORD = 64,  /* bytes of a keyword, with its NUL */
	MAILBOX_LOCK_MS = 30000
};

/* 64 bytes, and as they lie in the index (STORE 4): a mailbox may have a
 * million of them. */
struct message {
	uint32_t uid;
	uint16_t flags : 6;  /* FLAG_* of store/maildir.h */
	bool recent : 1;     /* this session is the first to see it */
	bool changed : 1;    /* flags differ from what the session knows */
	bool gone : 1;       /* expunged; forgotten by mailbox_forget */
	bool looked_up : 1;  /* lib/store's: name is newer than flags */
	bool own_name : 1;   /* lib/store's: not in the index's names */
	bool vague : 1;      /* date and size are not known: mailbox_learn */
	bool learned : 1;    /* lib/store's: the journal knows less */
	bool late : 1;       /* lib/store's: the name has not these flags */
	uint16_t unused : 1;
	bool in_new : 1;     /* it lies in new/, not in cur/ */
	uint16_t name_size;  /* bytes of the name */
	uint64_t keywords;   /* bit i: mailbox->keyword[i] */
	uint64_t modseq;
	uint64_t id;         /* instance id, kept by a move */
	int64_t date;        /* INTERNALDATE, seconds */
	uint32_t size;       /* as stored */
	uint32_t saved;      /* mailbox_saved() */
	uint64_t wire;       /* size with CRLF line ends (0: unknown) */
	uint64_t name;       /* lib/store's: where; mailbox_file() */
};
_Static_assert(sizeof(struct message) == 64, "a record of the index");

struct mailbox {
	const struct message *msgs;
	size_t n;
	size_t nchanged, ngone, nrecent; /* how many have the mark */
	uint32_t uidvalidity, uidnext;
	uint64_t highestmodseq;
	char mailbox_id[17]; /* RFC 8474, 16 hex digits */
	char (*keyword)[MAILBOX_KEYWORD];
	size_t nkeywords;
	bool read_only; /* EXAMINE and mailfs: nothing on disk is touched
	                   but for giving out UIDs, and for what was learned
	                   of messages; set where the folder
	                   cannot be written, too */
	struct mailbox_state *state; /* lib/store's own */
};

/* Opens and syncs.  ENOENT: no such mailbox.  Freed by mailbox_close. */
struct mailbox *mailbox_open(const struct account *a, struct span name,
    bool read_only);
void mailbox_close(struct mailbox *m);

/*
 * The same, and mailbox_sync, leave messages vague that came in large numbers
 * (a folder that was never opened): who uses date, size and wire calls
 * mailbox_learn before, and mailbox_measure where wire is 0.  With
 * mailbox_open they are known of all messages that are there.
 */
struct mailbox *mailbox_open_vague(const struct account *a, struct span name,
    bool read_only);
/* Date and size become known.  0, or -1 with errno as mailbox_read. */
int mailbox_learn(struct mailbox *m, size_t i);
/* So does wire, for which the file may have to be read; or the caller, who
 * has read it, says what it is. */
int mailbox_measure(struct mailbox *m, size_t i);
void mailbox_measured(struct mailbox *m, size_t i, uint64_t wire);
/* When it came into this mailbox (RFC 8514), seconds since 1970; it is learned
 * where it must be.  0: the file cannot be asked. */
int64_t mailbox_saved(struct mailbox *m, size_t i);

/*
 * Takes in what happened since: other sessions' changes from the journal,
 * and other programs' changes from the folder.  New messages move from
 * new/ to cur/ (unless read_only) and get UIDs, durably, before they show;
 * on a full disk they do not show yet.
 */
int mailbox_sync(struct mailbox *m);

/* A descriptor that becomes readable when mailbox_sync may find something
 * (inotify); drained by mailbox_sync.  -1 with errno where it cannot be. */
int mailbox_watch(struct mailbox *m);
/* When, by io_now_ms, a mailbox that has a watch is to be synced without
 * one's being told: a change in the clock tick of the last look shows only
 * later.  -1: it need not be. */
int64_t mailbox_again_ms(const struct mailbox *m);

/* The session told of the flags: no longer changed. */
void mailbox_told(struct mailbox *m, size_t i);

/* Gives back memory while nobody asks. */
void mailbox_rest(struct mailbox *m);

/* Drops the messages marked gone and renumbers the rest. */
void mailbox_forget(struct mailbox *m);

/* The index of the first message with at least this uid (m->n: none). */
size_t mailbox_find(const struct mailbox *m, uint32_t uid);

/* The first message without \Seen (m->n: none). */
size_t mailbox_first_unseen(struct mailbox *m);

/* The message's file name when it was last seen; good until the mailbox
 * changes.  Empty where it is to be looked up first. */
const char *mailbox_file(const struct mailbox *m, size_t i);

/*
 * The message's bytes as stored, for reading: a descriptor, or -1 with
 * errno (ENOENT: expunged meanwhile).  Follows renames by other programs.
 * The true length is put into *size.
 */
int mailbox_read(struct mailbox *m, size_t i, uint64_t *size);

enum flag_op {
	FLAGS_SET,
	FLAGS_ADD,
	FLAGS_REMOVE
};

/*
 * Changes the flags and keywords of n messages, given by index: one batch,
 * durable on return.  Messages gone meanwhile are passed over.  The marks
 * `changed' are not set for these: the caller tells its client itself.
 * EAGAIN: another program renames files all the time.
 */
int mailbox_store(struct mailbox *m, const size_t *which, size_t n,
    enum flag_op op, unsigned flags, uint64_t keywords);

/*
 * The bits of a keyword, added to the mailbox where it is new (create).
 * 1; 0: not there; -1 with errno ENOSPC: no more than MAILBOX_KEYWORDS.
 */
int mailbox_keyword(struct mailbox *m, struct span keyword, bool create,
    uint64_t *bit);
/* Can it be one: an atom (RFC 3501 9) that fits. */
bool mailbox_is_keyword(struct span s);

/* Removes n messages for good, by index; they are marked gone.  One whose
 * file another program has just renamed or removed may stay as it is: the
 * next mailbox_sync says which it was. */
int mailbox_expunge(struct mailbox *m, const size_t *which, size_t n);

/*
 * Copies n messages to the end of the mailbox `to' (hard links where they
 * can be), with flags, keywords and INTERNALDATE: all or none.  uids[i]
 * gets the new UID of which[i]; *uidvalidity that of the target.  ENOENT:
 * no such mailbox; EIDRM: a message was expunged meanwhile, nothing was
 * copied.  Works for the mailbox itself too.  Keywords for which the target
 * has no room are left out.
 */
int mailbox_copy(struct mailbox *m, const size_t *which, size_t n,
    const struct account *a, struct span to, uint32_t *uids,
    uint32_t *uidvalidity);

/*
 * The same, and the messages leave this mailbox (IMAP MOVE): the copies are
 * durable before the first one goes.  They keep their bases, and so their
 * instance ids, where the target has no such base.  After a crash in
 * between both mailboxes have them.
 */
int mailbox_move(struct mailbox *m, const size_t *which, size_t n,
    const struct account *a, struct span to, uint32_t *uids,
    uint32_t *uidvalidity);

/*
 * Adds a draft (IMAP APPEND): durable, with flags and keywords by name.  The
 * draft may have been begun in any mailbox of the account, INBOX for one,
 * and is used up, whatever the answer.  *uid and *uidvalidity as for
 * APPENDUID.
 */
int mailbox_append(const struct account *a, struct span name,
    struct maildir_draft *d, unsigned flags, const struct span *keywords,
    size_t nkeywords, int64_t date, uint32_t *uid, uint32_t *uidvalidity);

/*
 * The same for many: all of them or none, and the disk is waited for once.
 * They get the UIDs *uid, *uid + 1 and so on.  Each draft has a descriptor
 * or two.
 */
struct mailbox_draft {
	struct maildir_draft draft;
	unsigned flags;
	const struct span *keywords;
	size_t nkeywords;
	int64_t date;
};
int mailbox_append_all(const struct account *a, struct span name,
    struct mailbox_draft *drafts, size_t n, uint32_t *uid,
    uint32_t *uidvalidity);

/*
 * Reads the folder anew, whatever the times of its folders say, makes the
 * cache anew from all messages, whose sizes are counted, and writes a new
 * index; UIDs stay, and sessions go on.  What is damaged was repaired when the
 * mailbox was opened (STORE 6).  step is called for each message.
 */
typedef void mailbox_step(void *ctx, size_t done, size_t all);
int mailbox_rebuild(struct mailbox *m, mailbox_step *step, void *ctx);

/* What IMAP STATUS asks, without opening a session's view.  The size only
 * where it is wanted: all messages may have to be looked at for it. */
struct mailbox_status {
	uint32_t messages, recent, unseen, uidnext, uidvalidity;
	uint64_t highestmodseq, size, deleted;
	uint64_t deleted_size; /* of the files of those marked deleted */
};
int mailbox_status(const struct account *a, struct span name, bool size,
    struct mailbox_status *out);

#endif
