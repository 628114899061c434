/*
 * One IMAP session: its state, how it answers, and its commands.
 *
 * Every command ends with exactly one of reply_*, which first tells the
 * client what changed in its mailbox.
 */
#ifndef POSTERN_IMAP_SESSION_H
#define POSTERN_IMAP_SESSION_H

#include "base/conf.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/in.h"
#include "base/out.h"
#include "known.h"
#include "parse.h"
#include "set.h"
#include "shown.h"
#include "store/account.h"
#include "store/mailbox.h"

enum {
	LINE_BYTES = 65536,    /* of a command without its literals */
	LITERAL_BYTES = 65536, /* of all literals of a command but APPEND's */
	COMMAND_BYTES = 2 * (LINE_BYTES + LITERAL_BYTES),
	OUT_BYTES = 16384,
	ARENA_BYTES = 64 << 20, /* for one command */
	BAD_COMMANDS = 10,      /* in a row, then BYE */
	ECHO_BYTES = 64,        /* of input that a reply may repeat */
	TAG_BYTES = 64,
	APPEND_IDLE_MS = 10 * 60 * 1000, /* silence in APPEND's message */
	WRITE_MS = 10 * 60 * 1000,
	SEARCH_CPU_MS = 30 * 1000, /* of one SEARCH, between keys */
	QUIET_MS = 5 * 1000        /* then memory goes back */
};

struct imap {
	int64_t idle_ms;       /* then a client that is silent is left */
	uint64_t message_size; /* of one message, bytes */
	struct conf_pace pace;
	struct in in;
	struct out out;
	struct arena arena; /* of the command */
	struct buf command; /* its text, see parse.h */
	struct span tag;    /* empty: "*" */
	bool by_uid;        /* it began with UID */
	bool hold;          /* EXPUNGE must wait (RFC 3501 7.4.1) */
	bool done;          /* the session ends */
	bool unwatched;     /* IDLE could not be told of changes: logged */
	unsigned bad;       /* commands in a row that were BAD */
	/* APPEND's message, not read yet. */
	enum literal append;
	uint64_t append_size;

	struct account account;
	struct mailbox *box; /* the selected one, or NULL */
	char box_name[MAILBOX_NAME];
	size_t exists;      /* messages that the client knows of */
	size_t nkeywords;   /* keywords that it knows of */
	struct shown shown; /* the message fetched last */
	struct known known; /* what the cache has of it */
	const char *end;    /* why the session ended, for the log */
};

/* Starts and ends; greeting is "* PREAUTH" or "TAG OK". */
void session_run(struct imap *s, const char *tag, const char *user);

/* session.c: waits for input, with all output sent. 1, 0 at the end, -1. */
int session_line(struct imap *s, struct span *line);

/* A command has begun, or must end: it has so long from now. */
void session_hurry(struct imap *s);

/* The same for up to n bytes of a literal. */
int session_some(struct imap *s, size_t n, struct span *bytes);
/* Gives memory back, while nobody asks. */
void session_rest(struct imap *s);
/* The input ended (0) or failed (-1, errno): so does the session. */
void session_end(struct imap *s, int r);
/* BAD for a line that cannot be obeyed.  What may follow it as a literal
 * cannot be told from commands, so that then the session ends. */
void session_refuse(struct imap *s, struct span line, const char *why);

/* reply.c: the end of a command. */
void reply_ok(struct imap *s, const char *text);
void reply_ok_code(struct imap *s, struct span code, const char *text);
void reply_no(struct imap *s, const char *code, const char *text);
void reply_bad(struct imap *s, const char *text);
/* NO or BAD by errno, after a call of lib/store failed. */
void reply_errno(struct imap *s);
/* The same for a target that could be created (RFC 3501 7.1). */
void reply_errno_target(struct imap *s);
/* "* BYE text"; the session ends. */
void reply_bye(struct imap *s, const char *text);
/* The capabilities, as in the greeting and CAPABILITY. */
extern const char reply_capabilities[];

/* reply.c: tells what changed; nothing where no mailbox is selected. */
void reply_changes(struct imap *s);
/* FLAGS and PERMANENTFLAGS. */
void reply_flags(struct imap *s);
/* "(\Seen ...)" of message i. */
void reply_message_flags(struct imap *s, size_t i);
/* A number in its text: for what is said of each message. */
void reply_number(
    struct imap *s, const char *before, uint64_t n, const char *after);
/* "* n FETCH (FLAGS (...))", with UID where the command was one. */
void reply_fetch_flags(struct imap *s, size_t i);
void reply_exists(struct imap *s);
/* A mailbox name (UTF-8) as it goes over the wire, quoted. */
void reply_mailbox(struct imap *s, struct span name);

/* names.c: a mailbox name from the client, as UTF-8 in the arena; sets
 * p's error or gives .p == NULL where it cannot name a mailbox. */
struct span name_of_wire(struct parse *p, struct span wire);
struct span parse_mailbox(struct parse *p);

/* names.c: messages that a set names: indices in the arena, ascending;
 * -1 after an answer was given. */
int session_messages(
    struct imap *s, struct set *set, size_t **which, size_t *n);
/* UIDs as a set, in this order. */
void uid_set(const uint32_t *uids, size_t n, struct buf *out);
/* System flags and keywords as lib/store wants them; -1 after an answer. */
int session_flags(struct imap *s, const struct parse_flags *f, bool create,
    unsigned *flags, uint64_t *keywords);

/* select.c: lets go of the selected mailbox. */
void session_unselect(struct imap *s);

typedef void command_fn(struct imap *s, struct parse *p);
command_fn cmd_append;                                       /* append.c */
command_fn cmd_idle;                                         /* idle.c */
command_fn cmd_fetch;                                        /* fetch.c */
command_fn cmd_search;                                       /* search.c */
command_fn cmd_store, cmd_copy, cmd_move, cmd_expunge;       /* change.c */
command_fn cmd_select, cmd_examine, cmd_close, cmd_unselect; /* select.c */
command_fn cmd_getquota, cmd_getquotaroot, cmd_setquota;     /* quota.c */
command_fn cmd_list, cmd_lsub, cmd_namespace;                /* list.c */
command_fn cmd_create, cmd_delete, cmd_rename, cmd_subscribe, cmd_unsubscribe,
    cmd_status; /* folders.c */
command_fn cmd_capability, cmd_noop, cmd_logout, cmd_id, cmd_enable,
    cmd_logged_in; /* any.c */

#endif
