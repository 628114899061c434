/*
 * mbox files: many messages in one, each after a line `From SENDER DATE'.
 *
 * The reader takes any of the usual kinds, in bounded memory:
 *
 *   mboxrd    a `>' before each line of `>'s and `From ', taken off again;
 *             an empty line behind each message.  The default.
 *   mboxo     the same for `From ' alone, which cannot be undone for sure.
 *             It is read as mboxrd unless `verbatim' is set.
 *   mboxcl2   nothing quoted, Content-Length says how long the body is.
 *             Believed where just there the file ends or a From_ line
 *             begins; that takes a source that can be read anywhere.
 *
 * A From_ line begins a message where it has a date in it, after an empty
 * line or not.  Where it ends in CRLF so do all lines of the message.
 *
 * Flags, keywords and date of a message stand in its From_ line (UTC where
 * it names no zone) and in fields that the reader takes out of the header:
 * Status, X-Status and X-Keywords, X-Mozilla-Status, -Status2 and -Keys.
 * The writer puts just the first three, in this order, in front of all other
 * fields; where a message begins so, everything behind them is the message,
 * byte for byte, with fields of these names and the Content-Length of its own.
 * The letter `n' in X-Status is the writer's: the message does not end with
 * a line end.
 */
#ifndef POSTERN_MAIL_MBOX_H
#define POSTERN_MAIL_MBOX_H

#include "base/buf.h"
#include "base/out.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	MBOX_WINDOW = 65536,  /* bytes that are looked at together */
	MBOX_FROM = 1024,     /* bytes of a From_ line */
	MBOX_HEADER = 262144, /* a longer header is not looked into */
	MBOX_KEYWORDS = 8192  /* bytes of all keywords of a message */
};

/* As lib/store has them (store/maildir.h). */
enum mbox_flag {
	MBOX_ANSWERED = 1,
	MBOX_FLAGGED = 2,
	MBOX_DELETED = 4,
	MBOX_SEEN = 8,
	MBOX_DRAFT = 16,
	MBOX_PASSED = 32
};

/* Up to n bytes from offset at on; a pipe has only the next ones.  The
 * count, 0 at the end, -1 with errno. */
typedef ssize_t mbox_read_fn(void *ctx, uint64_t at, char *p, size_t n);

struct mbox_message {
	uint64_t at;          /* of its From_ line */
	int64_t date;         /* seconds since 1970 */
	bool crlf;            /* the lines end in CRLF */
	unsigned flags;       /* enum mbox_flag */
	struct span keywords; /* with a space between them */
	bool own;             /* the writer's */
	bool internal; /* no message, but UW imapd's or Pine's own data */
};

struct mbox {
	mbox_read_fn *read;
	void *ctx;
	bool anywhere; /* read can go to any offset */
	bool verbatim; /* nothing is unquoted */
	/* All else is the reader's own. */
	uint64_t at; /* of the window's first unread byte */
	size_t start, end;
	bool eof, crlf, inside, line_start, quote, raw, unended;
	uint64_t counted;     /* bytes of a body with a Content-Length */
	unsigned held, blank; /* line ends that may not be the message's */
	unsigned give_n;      /* line ends that were held and are */
	bool header_left;     /* the header is to be given out */
	char give[4];
	struct buf header, keywords;
	char window[MBOX_WINDOW];
};

void mbox_open(struct mbox *b, mbox_read_fn *read, void *ctx, bool anywhere);
void mbox_close(struct mbox *b);

/*
 * The next message; what was not read of the last one is passed over.  The
 * spans in *m are good until the next call.  1; 0 at the end; -1 with errno,
 * EBADMSG where the file does not begin with a From_ line.
 */
int mbox_next(struct mbox *b, struct mbox_message *m);

/* More bytes of it, good until the next call: 1; 0 at its end; -1. */
int mbox_read(struct mbox *b, struct span *bytes);

/* Is the line one that begins a message?  Its date. */
bool mbox_is_from(struct span line, int64_t *date);

/*
 * The writer: begin, write any number of times, end, for each message.
 * Errors are the out's.  keywords has a space between them.  mboxrd.
 */
struct mbox_writer {
	struct out *out;
	bool line_start;
	unsigned matched; /* bytes of "From " behind the `>'s of a line */
	bool last_lf, empty;
};
void mbox_begin(struct mbox_writer *w, struct out *out, int64_t date,
    unsigned flags, struct span keywords, bool ended);
void mbox_write(struct mbox_writer *w, struct span bytes);
void mbox_end(struct mbox_writer *w);

#endif
