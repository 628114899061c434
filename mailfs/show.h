/*
 * What can be seen of a message: pure functions from its bytes to text.
 *
 * Text views are UTF-8 with LF line ends, in which no terminal sequence and
 * no character that reorders a line is left.  Views named raw are the bytes
 * as they are stored.  No view depends on flags or on the mailbox, so it
 * stays true for as long as the message lives.
 */
#ifndef POSTERN_MAILFS_SHOW_H
#define POSTERN_MAILFS_SHOW_H

#include "names.h"

#include "base/arena.h"
#include "base/buf.h"
#include "mail/attach.h"
#include "mail/mime.h"

/* The files of a message's folder, and of each part's. */
enum show_file {
	SHOW_BCC,
	SHOW_BODY,
	SHOW_CC,
	SHOW_DATE,
	SHOW_DESCRIPTION,
	SHOW_DISPOSITION,
	SHOW_FILENAME,
	SHOW_FROM,
	SHOW_HEADER,
	SHOW_HTML,
	SHOW_INFO,
	SHOW_INREPLYTO,
	SHOW_LINES,
	SHOW_MESSAGEID,
	SHOW_MIMEHEADER,
	SHOW_RAW,
	SHOW_RAWBODY,
	SHOW_RAWHEADER,
	SHOW_REFERENCES,
	SHOW_REPLYTO,
	SHOW_SENDER,
	SHOW_SIZE,
	SHOW_SUBJECT,
	SHOW_TEXT,
	SHOW_TO,
	SHOW_TYPE,
	SHOW_FILES
};

struct show {
	struct span message;
	struct arena arena;
	struct mime_part *root;
	struct attach *attached; /* once they were asked for */
	size_t nattached;
	bool listed;
};

/* 0, or -1 with errno; show_close in both cases. */
int show_open(struct show *v, struct span message);
void show_close(struct show *v);

/* Part by number in the order of the message, the message itself being 0:
 * NULL where there is none. */
const struct mime_part *show_part(const struct show *v, uint32_t number);

/* The child of a part by its place, from 1 on: NULL where there is none. */
const struct mime_part *show_child(const struct mime_part *p, uint32_t place);

const char *show_file_name(enum show_file f);
bool show_file_find(struct span name, enum show_file *f);

/* The bytes of one file, added to out: 0, or -1 with errno. */
int show_file(const struct show *v, const struct mime_part *p, enum show_file f,
    struct buf *out);

/* The decoded header, and the whole as text (parts: see render_text). */
int show_header(struct span header, struct buf *out);
int show_text(struct span message, struct span parts, struct buf *out);

/* A message that cannot be shown otherwise: a note and what is printable. */
int show_plain(struct span message, struct buf *out);

/* The attachments, named as the text view names them (mail/attach.h); the
 * part's place is its number; they stay until show_close. */
size_t show_attachments(struct show *v, struct attach **list);

#endif
