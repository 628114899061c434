/*
 * The message that is being shown: read as far as is needed, kept while the
 * client asks for more of it.
 *
 * Messages are stored with LF and sent with CRLF.  A LF that follows a CR is
 * sent as it is.  IMAP cannot carry a NUL (RFC 3501 4.3): it is shown as the
 * byte 0x80.
 */
#ifndef POSTERN_IMAP_SHOWN_H
#define POSTERN_IMAP_SHOWN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/out.h"
#include "mail/mime.h"
#include "store/mailbox.h"

enum {
	SHOWN_PIECE = 65536,
	SHOWN_LARGE = 1 << 20,  /* more memory than that is let go soon */
	SHOWN_PART = 64 << 20   /* of a part that is looked into */
};

/* A stretch of the stored message, as it was measured last, and a place in
 * it from where a later part can be sent without starting over. */
struct shown_range {
	uint64_t at, n, wire;
	bool known;
	uint64_t place, place_wire;
	bool place_cr; /* the byte before the place is a CR */
};

struct shown {
	uint32_t uid; /* 0: none */
	int fd;
	uint64_t size;
	struct buf text;  /* the first bytes of it */
	struct buf piece; /* some later ones */
	struct buf part;  /* a part of a large one */
	uint64_t head;    /* length of the header with its empty line */
	bool head_known;
	bool large;
	bool nul; /* there was one in what was read */
	struct arena arena;
	struct mime_part *root;
	struct shown_range range;
};

struct shown shown_none(void);
/* Message i of box; nothing is read yet.  0, or -1 with errno (ENOENT: it
 * was expunged). */
int shown_open(struct shown *m, struct mailbox *box, size_t i);
void shown_close(struct shown *m);

/* The header with its empty line, cut at MIME_HEADER bytes. */
int shown_header(struct shown *m, struct span *header);
/* Finds the header's whole length: m->head. */
int shown_split(struct shown *m);
/* Parses it; one that is longer than SHOWN_LARGE is not held for that. */
int shown_parse(struct shown *m);
/* What was parsed; good while m is not changed. */
struct source shown_source(struct shown *m);
/* Stored bytes, at most SHOWN_PART of them; good until the next call. */
int shown_part(struct shown *m, uint64_t at, uint64_t n, struct span *out);

/* Bytes that a range takes on the wire. */
int shown_measure(struct shown *m, uint64_t at, uint64_t n, uint64_t *wire);
/* Sends count bytes from offset of a range that was measured just before.
 * -1 with errno in the middle: the connection cannot go on. */
int shown_send(struct shown *m, uint64_t offset, uint64_t count, struct out *o);

/* The same for text in memory, appended to out. */
int shown_wire(struct span text, struct buf *out);

#endif
