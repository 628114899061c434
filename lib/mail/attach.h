/*
 * The attachments of a message, as files and in the text view.
 */
#ifndef POSTERN_MAIL_ATTACH_H
#define POSTERN_MAIL_ATTACH_H

#include "base/arena.h"
#include "base/span.h"
#include "mail/mime.h"

enum {
	ATTACH_NAME = 120 /* bytes of a name, without its prefix */
};

struct attach {
	const struct mime_part *part;
	struct span number; /* as IMAP writes it: "2.1" */
	struct span name;   /* a file name: UTF-8, unique in the message, with
	                       a NUL behind it */
	uint64_t size;      /* decoded */
	bool shown;         /* it has a name, but is shown as text */
};

/* True where the text view shows the part itself. */
bool attach_is_text(const struct mime_part *part);

/* In an alternative: the child that is shown, or NULL. */
const struct mime_part *attach_chosen(const struct mime_part *alternative);
/* True for a child that is not chosen but says the same. */
bool attach_is_other_form(const struct mime_part *child);

/*
 * All parts that are not shown as text or have a name, in order; text is what
 * was parsed.  Names are safe: no slash, control or format character, no
 * leading dot or dash, no blank or character that a shell or Windows minds
 * (a run of those is one "-"); "N_", the part's place in the message, comes
 * before a name that would be there twice, or is written from right to left.
 * The count; *list is NULL if there is none, or if the arena is full
 * (ENOBUFS).
 */
size_t attach_list(struct span text, const struct mime_part *message,
    struct arena *a, struct attach **list);

#endif
